//! Values of parameters: from text, from YAML, and back to text.

use super::super::tree::Value;
use super::ParamType;

/// Reads what was written behind `--var name=`. The error finishes the sentence "the value …".
pub(super) fn parse(kind: ParamType, text: &str) -> Result<Value, String> {
    let wrong = || format!("is `{text}` and must be {}", words(kind));
    match kind {
        ParamType::String => Ok(Value::Text(text.to_owned())),
        ParamType::Integer => text.parse::<i64>().map(|value| Value::Int(value.into())).map_err(|_| wrong()),
        ParamType::Number => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(text.parse::<i64>().map_or(Value::Float(value), |whole| Value::Int(whole.into()))),
            _ => Err(wrong()),
        },
        ParamType::Boolean => match text {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(wrong()),
        },
    }
}

/// Takes a value of the playbook as one of that type. The error finishes the sentence "the default of `x` …".
pub(super) fn fit(kind: ParamType, value: &Value) -> Result<Value, String> {
    match (kind, value) {
        (ParamType::String, Value::Text(_))
        | (ParamType::Integer | ParamType::Number, Value::Int(_))
        | (ParamType::Number, Value::Float(_))
        | (ParamType::Boolean, Value::Bool(_)) => Ok(value.clone()),
        (ParamType::String, Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {
            Err(format!("must be {}, not {}; put it in quotes", words(kind), value.words()))
        }
        _ => Err(format!("must be {}, not {}", words(kind), value.words())),
    }
}

/// The value as it stands inside a longer text.
pub(super) fn written(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Null | Value::Unknown | Value::Seq(_) | Value::Map(_) => String::new(),
    }
}

/// Whether both are the same scalar; `3` and `3.0` are.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left.to_bits() == right.to_bits(),
        (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)) => written(left) == written(right),
        _ => false,
    }
}

fn words(kind: ParamType) -> &'static str {
    match kind {
        ParamType::String => "text",
        ParamType::Integer => "a whole number",
        ParamType::Number => "a number",
        ParamType::Boolean => "true or false",
    }
}
