//! Which event a JSON Schema describes: its name and version from the envelope, and the fields that it requires.

use serde_json::Value;

use super::super::json_schema::{constant, names, property, required, resolved};

/// What a schema says of the event that it describes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EventForm {
    /// The event's name; empty when the schema has none.
    pub(super) name: String,
    /// The event's version; 0 when the schema has none.
    pub(super) version: u64,
    /// The required fields of the payload; `None` when the text is no JSON Schema of an object.
    pub(super) required: Option<Vec<String>>,
}

impl EventForm {
    /// Reads a schema. What cannot be read is left out.
    pub(super) fn read(text: &str) -> Self {
        let root: Value = serde_json::from_str(text).unwrap_or_default();
        let top = resolved(&root, &root);
        let fixed = |name: &str| property(&root, top, name).and_then(constant);
        let payload = property(&root, top, "payload").unwrap_or(top);
        let may_be_null = |name: &str| property(&root, payload, name).is_some_and(|field| names(field, "null"));
        let filled = || required(payload).filter(|name| !may_be_null(name)).map(str::to_owned).collect();
        Self {
            name: fixed("event_name").and_then(Value::as_str).unwrap_or_default().to_owned(),
            version: fixed("event_version").and_then(Value::as_u64).unwrap_or_default(),
            required: payload.get("properties").is_some().then(filled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_names_its_event() {
        let text = r##"{"properties": {"event_name": {"const": "ExerciseChanged"}, "event_version": {"default": 1},
            "payload": {"$ref": "#/$defs/exercise"}},
            "$defs": {"exercise": {"properties": {"title": {"type": "string"}, "note": {"type": ["string", "null"]}}, "required": ["title", "note"]}}}"##;
        let form = EventForm::read(text);
        assert_eq!(form, EventForm { name: "ExerciseChanged".to_owned(), version: 1, required: Some(vec!["title".to_owned()]) });
    }

    #[test]
    fn what_is_no_schema_says_nothing() {
        assert_eq!(EventForm::read("syntax = proto3"), EventForm { name: String::new(), version: 0, required: None });
    }
}
