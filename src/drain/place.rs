//! Where a record says something of itself, and how people write such a place.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One place, or several that are tried in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places(pub Vec<Place>);

/// A place where a record says something of itself: `payload:/event_name`, `header:event_version`, `schema`, `schema:SUBJECT`, `topic`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a JSON pointer in the value.
    Payload(Vec<String>),
    /// In a header, as text.
    Header(String),
    /// In the registry, under the schema that the record names: its subject for a name, the version in that subject for a version.
    Schema(Option<String>),
    /// In the topic: all its records are of that name, or of that version.
    Topic,
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!("`{text}` is no place in a record; write payload:/event_version, header:event_version, schema, schema:SUBJECT or topic")
        };
        match text.split_once(':') {
            None if text == "schema" => Ok(Self::Schema(None)),
            None if text == "topic" => Ok(Self::Topic),
            Some(("header", name)) if !name.is_empty() => Ok(Self::Header(name.to_owned())),
            Some(("schema", subject)) if !subject.is_empty() => Ok(Self::Schema(Some(subject.to_owned()))),
            Some(("payload", pointer)) if pointer.len() > 1 && pointer.starts_with('/') => {
                // Why in this order: `~01` is the name `~1`, not a slash.
                Ok(Self::Payload(pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()))
            }
            Some(("payload", path)) if !path.is_empty() => {
                let meant = path.trim_start_matches(['$', '.', '/']).replace('.', "/");
                Err(format!("`{path}` is no JSON pointer; write `payload:/{meant}`"))
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payload(parts) => {
                f.write_str("payload:")?;
                parts.iter().try_for_each(|part| write!(f, "/{}", part.replace('~', "~0").replace('/', "~1")))
            }
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Schema(None) => f.write_str("schema"),
            Self::Schema(Some(subject)) => write!(f, "schema:{subject}"),
            Self::Topic => f.write_str("topic"),
        }
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.0.iter().map(Place::to_string).collect();
        f.write_str(&all.join(" or "))
    }
}

impl Serialize for Places {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.collect_str(one),
            several => serializer.collect_seq(several.iter().map(Place::to_string)),
        }
    }
}

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => vec![text],
            other => Vec::deserialize(other.into_deserializer()).map_err(D::Error::custom)?,
        };
        if texts.is_empty() {
            return Err(D::Error::custom("name at least one place"));
        }
        texts.iter().map(|text| text.parse()).collect::<Result<_, String>>().map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for Places {
    fn schema_name() -> Cow<'static, str> {
        "Places".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" }, "minItems": 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_place_is_told_how_to_be_written() {
        for (wrong, told) in
            [("payload:$.a.b", "payload:/a/b"), ("body:/a", "header:event_version"), ("header:", "no place"), ("payload:", "no place")]
        {
            let error = wrong.parse::<Place>().unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
