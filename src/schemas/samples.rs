//! Real documents put through a schema. What rules cannot see, documents show: a validator puts no defaults in.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A document that a schema refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which document, from 1: the line of the file, or its number among the records.
    pub line: usize,
    /// Where in the document, as a pointer; empty for all of it.
    pub path: String,
    /// Why.
    pub message: String,
}

/// What became of documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// How many were read.
    pub documents: usize,
    /// How many the schema takes.
    pub taken: usize,
    /// The first that it refuses.
    pub refused: Vec<Refused>,
}

/// How many refused documents are told.
const TOLD: usize = 10;

/// The longest reason, in characters: it may repeat the document.
const LONGEST: usize = 300;

/// Puts documents, one per line, through a JSON Schema. Empty lines do not count.
///
/// # Errors
/// Why the schema is none.
pub fn try_lines(schema: &Value, lines: &str) -> Result<Tried, String> {
    let documents = lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    try_all(schema, documents.map(|(at, line)| (at + 1, serde_json::from_str::<Value>(line).map_err(|error| error.to_string()))), false)
}

/// Puts documents through a JSON Schema; one that is no JSON is refused. With `hide`, no reason holds a value of a document.
///
/// # Errors
/// Why the schema is none.
pub fn try_all(schema: &Value, documents: impl Iterator<Item = (usize, Result<Value, String>)>, hide: bool) -> Result<Tried, String> {
    let validator = jsonschema::validator_for(schema).map_err(|error| shortened(&error.to_string()))?;
    let mut tried = Tried::default();
    for (line, document) in documents {
        tried.documents += 1;
        let refused = match document {
            Err(error) => Some((String::new(), format!("it is no JSON: {error}"))),
            Ok(document) => validator
                .iter_errors(&document)
                .next()
                .map(|error| (error.instance_path().to_string(), if hide { error.masked().to_string() } else { error.to_string() })),
        };
        match refused {
            None => tried.taken += 1,
            Some((path, message)) if tried.refused.len() < TOLD => {
                tried.refused.push(Refused { line, path, message: shortened(&message) });
            }
            Some(_) => {}
        }
    }
    Ok(tried)
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_refused_has_its_line_and_its_path() {
        let schema = json!({ "type": "object", "required": ["b"], "properties": { "a": { "type": "integer" }, "b": { "default": 0 } } });
        let tried = try_lines(&schema, "{\"a\": 1, \"b\": 2}\n\n{\"a\": 1}\n{\"a\": \"x\", \"b\": 1}\n{nope\n").unwrap();
        assert_eq!((tried.documents, tried.taken), (4, 1));
        let places: Vec<_> = tried.refused.iter().map(|refused| (refused.line, refused.path.as_str())).collect();
        assert_eq!(places, [(3, ""), (4, "/a"), (5, "")]);
        assert!(tried.refused[0].message.contains("\"b\""), "{tried:?}");
    }

    #[test]
    fn what_is_no_schema_is_an_error() {
        assert!(try_lines(&json!({ "type": 5 }), "").is_err());
    }
}
