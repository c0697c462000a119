//! What a part of a JSON Schema is: one kind of thing, or several parts of which all, any or one must hold. Registries read a schema in
//! the same way, so the rules can be told in these words.

use serde_json::{Map, Value};

use super::root::At;

/// How the parts of a combined schema count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// All must hold.
    All,
    /// At least one must hold.
    Any,
    /// Exactly one must hold.
    One,
}

impl How {
    /// The keyword.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::All => "allOf",
            Self::Any => "anyOf",
            Self::One => "oneOf",
        }
    }
}

/// A schema of one kind: its keywords, and whether it refuses values of other kinds.
#[derive(Clone, Copy, Debug)]
pub struct Plain<'a> {
    /// All keywords of the schema.
    pub map: &'a Map<String, Value>,
    /// Whether `type` names the kind.
    pub typed: bool,
}

/// What a part of a schema is.
#[derive(Clone, Debug)]
pub enum Form<'a> {
    /// Takes everything.
    Any,
    /// Takes nothing.
    Never,
    /// A text.
    Text(Plain<'a>),
    /// A number; `true` when it must be whole.
    Number(Plain<'a>, bool),
    /// A truth value.
    Truth,
    /// null.
    Null,
    /// An object.
    Object(Plain<'a>),
    /// A list.
    List(Plain<'a>),
    /// One of these values.
    Enum(&'a [Value]),
    /// This value.
    Const(&'a Value),
    /// Whatever this schema refuses.
    Not(&'a Value),
    /// `if`, `then`, `else`.
    Branching(&'a Map<String, Value>),
    /// Several parts.
    Combined(How, Vec<Sub<'a>>),
}

/// A part of a combined schema: written out, or implied by keywords beside each other.
#[derive(Clone, Debug)]
pub enum Sub<'a> {
    /// Written out.
    Written(&'a Value),
    /// Implied.
    Implied(Form<'a>),
}

const TEXT: [&str; 4] = ["minLength", "maxLength", "pattern", "format"];
const NUMBER: [&str; 5] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
const LIST: [&str; 10] = [
    "items",
    "additionalItems",
    "prefixItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "contains",
    "minContains",
    "maxContains",
    "unevaluatedItems",
];
const OBJECT: [&str; 11] = [
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "minProperties",
    "maxProperties",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "propertyNames",
    "unevaluatedProperties",
];

impl<'a> Form<'a> {
    /// Reads a part whose own `$ref`, if it has one that stands alone, was followed before.
    pub fn read(at: At<'a>) -> Self {
        let map = match at.value {
            Value::Bool(false) => return Self::Never,
            Value::Object(map) => map,
            _ => return Self::Any,
        };
        let mut parts = Vec::new();
        if let Some(target) = map.get("$ref").and_then(Value::as_str).and_then(|reference| at.root.find(reference)) {
            parts.push(Sub::Written(target));
        }
        for (how, keyword) in [(How::All, "allOf"), (How::Any, "anyOf"), (How::One, "oneOf")] {
            if let Some(Value::Array(subs)) = map.get(keyword).filter(|subs| subs.as_array().is_some_and(|subs| !subs.is_empty())) {
                parts.push(Sub::Implied(Self::Combined(how, subs.iter().map(Sub::Written).collect())));
            }
        }
        if let Some(Value::Array(values)) = map.get("enum") {
            parts.push(Sub::Implied(Self::Enum(values)));
        }
        parts.extend(map.get("const").map(|value| Sub::Implied(Self::Const(value))));
        parts.extend(map.get("not").map(|schema| Sub::Implied(Self::Not(schema))));
        if map.contains_key("if") {
            parts.push(Sub::Implied(Self::Branching(map)));
        }
        match map.get("type") {
            Some(Value::String(kind)) => parts.extend(Self::of_kind(kind, map).map(Sub::Implied)),
            Some(Value::Array(kinds)) => {
                let mut forms: Vec<_> = kinds.iter().filter_map(Value::as_str).filter_map(|kind| Self::of_kind(kind, map)).collect();
                match forms.len() {
                    0 => {}
                    1 => parts.extend(forms.pop().map(Sub::Implied)),
                    _ => parts.push(Sub::Implied(Self::Combined(How::Any, forms.into_iter().map(Sub::Implied).collect()))),
                }
            }
            _ => {
                let plain = Plain { map, typed: false };
                let says = |keywords: &[&str]| keywords.iter().any(|keyword| map.contains_key(*keyword));
                let sniffed = [
                    (says(&OBJECT), Self::Object(plain)),
                    (says(&LIST), Self::List(plain)),
                    (says(&NUMBER), Self::Number(plain, false)),
                    (says(&TEXT), Self::Text(plain)),
                ];
                parts.extend(sniffed.into_iter().filter(|(says, _)| *says).map(|(_, form)| Sub::Implied(form)));
            }
        }
        match (parts.len(), parts.pop()) {
            (1, Some(Sub::Implied(form))) => form,
            (_, Some(last)) => {
                parts.push(last);
                Self::Combined(How::All, parts)
            }
            (_, None) => Self::Any,
        }
    }

    fn of_kind(kind: &str, map: &'a Map<String, Value>) -> Option<Self> {
        let plain = Plain { map, typed: true };
        Some(match kind {
            "string" => Self::Text(plain),
            "number" => Self::Number(plain, false),
            "integer" => Self::Number(plain, true),
            "boolean" => Self::Truth,
            "null" => Self::Null,
            "object" => Self::Object(plain),
            "array" => Self::List(plain),
            _ => return None,
        })
    }

    /// Whether registries take both for the same kind of schema.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// What it takes, for a sentence.
    pub fn described(&self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Never => "nothing".to_owned(),
            Self::Text(_) => "a string".to_owned(),
            Self::Number(_, true) => "an integer".to_owned(),
            Self::Number(_, false) => "a number".to_owned(),
            Self::Truth => "a boolean".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Object(_) => "an object".to_owned(),
            Self::List(_) => "an array".to_owned(),
            Self::Enum(values) => match values {
                [only] => format!("only {}", shown(only)),
                values => format!("one of {}", listed(values)),
            },
            Self::Const(value) => format!("only {}", shown(value)),
            Self::Not(_) => "whatever `not` leaves".to_owned(),
            Self::Branching(_) => "what `if` decides".to_owned(),
            Self::Combined(how, parts) => {
                let implied: Option<Vec<String>> =
                    parts.iter().map(|part| if let Sub::Implied(form) = part { Some(form.described()) } else { None }).collect();
                match (how, implied) {
                    (How::All, Some(parts)) => parts.join(" and "),
                    (_, Some(parts)) => parts.join(" or "),
                    (how, None) => format!("{} schemas under `{}`", parts.len(), how.keyword()),
                }
            }
        }
    }
}

/// A value in a sentence, cut when it is long.
pub fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Values in a sentence; of many only the first.
pub fn listed(values: &[Value]) -> String {
    let first: Vec<String> = values.iter().take(5).map(shown).collect();
    let more = if values.len() > 5 { format!(" and {} more", values.len() - 5) } else { String::new() };
    format!("{}{more}", first.join(", "))
}
