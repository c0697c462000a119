//! A schema as it was written: read from text, or refused with the exact place.

use serde_json::Value;

use crate::ports::registry::SchemaFormat;

/// The deepest nesting that is read.
pub const DEEPEST: usize = 127;

/// A schema that can be compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its language.
    pub format: SchemaFormat,
    /// Its content.
    pub value: Value,
    /// Schemas that it refers to, by the names that it uses.
    pub references: Vec<(String, Value)>,
}

/// Why a text is no schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct Unreadable {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl Document {
    /// Reads a schema from its text.
    ///
    /// # Errors
    /// [`Unreadable`] with the place when the text is no JSON, is nested too deep, or is in a language that is not compared here.
    pub fn read(text: &str, format: SchemaFormat) -> Result<Self, Unreadable> {
        if format == SchemaFormat::Protobuf {
            let message = "Protobuf schemas are compared by the registry alone".to_owned();
            return Err(Unreadable { line: 1, column: 1, message });
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let value = match serde_json::from_str::<Value>(text) {
            Ok(value) => value,
            // Why: Avro lets a schema be the bare name of a type.
            Err(_) if format == SchemaFormat::Avro && is_word(text.trim()) => Value::String(text.trim().to_owned()),
            Err(error) => return Err(told(text, &error)),
        };
        let is_schema = match format {
            SchemaFormat::Avro => value.is_object() || value.is_array() || value.is_string(),
            _ => value.is_object() || value.is_boolean(),
        };
        if !is_schema {
            let message = format!("a schema is an object, and this is {}", kind(&value));
            return Err(Unreadable { line: 1, column: 1, message });
        }
        Ok(Self { format, value, references: Vec::new() })
    }

    /// The same with schemas that it may refer to.
    #[must_use]
    pub fn with_references(mut self, references: Vec<(String, Value)>) -> Self {
        self.references = references;
        self
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.')
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn told(text: &str, error: &serde_json::Error) -> Unreadable {
    let message = error.to_string();
    if message.contains("recursion limit") {
        let message = format!("it is nested deeper than {DEEPEST} levels; take it apart into definitions");
        return Unreadable { line: error.line(), column: error.column().max(1), message };
    }
    let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
    // Why: the parser counts bytes, people count characters.
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let before = line.char_indices().take_while(|(at, _)| *at + 1 < error.column()).count();
    Unreadable { line: error.line().max(1), column: before + 1, message: format!("it is no JSON: {message}") }
}
