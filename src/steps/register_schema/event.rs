//! Which event a JSON Schema describes: its name and version from the envelope, and the fields that it requires.

use serde_json::Value;

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
        let field = |name: &str| top.get("properties").and_then(|fields| fields.get(name)).map(|field| resolved(&root, field));
        let fixed = |name: &str| {
            let field = field(name)?;
            let only = field.get("enum").and_then(Value::as_array).filter(|values| values.len() == 1).and_then(|values| values.first());
            field.get("const").or(field.get("default")).or(only).cloned()
        };
        let payload = field("payload").unwrap_or(top);
        let may_be_null = |name: &str| {
            let field = payload.get("properties").and_then(|fields| fields.get(name)).map(|field| resolved(&root, field));
            let is_null = |of: &Value| match of.get("type") {
                Some(Value::String(name)) => name == "null",
                Some(Value::Array(names)) => names.iter().any(|name| name == "null"),
                _ => false,
            };
            let forms = field.and_then(|field| field.get("anyOf")).and_then(Value::as_array);
            field.is_some_and(is_null) || forms.into_iter().flatten().any(is_null)
        };
        let required = payload.get("properties").is_some().then(|| {
            let listed = payload.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            listed.filter(|name| !may_be_null(name)).map(str::to_owned).collect()
        });
        Self {
            name: fixed("event_name").and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default(),
            version: fixed("event_version").and_then(|version| version.as_u64()).unwrap_or_default(),
            required,
        }
    }
}

/// A schema behind its references within the same text.
fn resolved<'a>(root: &'a Value, mut schema: &'a Value) -> &'a Value {
    for _ in 0..16 {
        let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        match pointer.and_then(|pointer| root.pointer(pointer)) {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
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
