//! The envelope of an event as a convention: who sent what when, in which version, around the payload.

use serde::Serialize;
use serde_json::Value;

/// The fields of an envelope; `produced_at` may be called `created_at`.
const FIELDS: [&str; 5] = ["event_id", "event_version", "event_name", "produced_at", "payload"];

/// Something about an envelope that is not as agreed, or that will be in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Where, as a pointer into the schema.
    pub path: String,
    /// What, and how it is mended.
    pub message: String,
    /// Whether it only is in the way of later versions.
    pub advice: bool,
}

/// Looks at the envelope of an event's schema; `None` when it has none, as states of entities may.
#[must_use]
pub fn examine(schema: &Value) -> Option<Vec<Remark>> {
    for keyword in ["oneOf", "anyOf"] {
        if let Some(Value::Array(events)) = schema.get(keyword) {
            let all: Vec<Remark> = events
                .iter()
                .enumerate()
                .filter_map(|(at, event)| Some((at, one(schema, resolved(schema, event))?)))
                .flat_map(|(at, remarks)| {
                    remarks
                        .into_iter()
                        .map(move |remark| Remark { path: remark.path.replacen('#', &format!("#/{keyword}/{at}"), 1), ..remark })
                })
                // Why: in a union every version is an alternative of its own.
                .filter(|remark| !remark.advice)
                .collect();
            return Some(all);
        }
    }
    one(schema, resolved(schema, schema))
}

/// What is said of a schema that should have an envelope and has none.
#[must_use]
pub fn none() -> Vec<Remark> {
    let message = "it describes no event: it has none of the fields of an envelope".to_owned();
    vec![Remark { path: "#".to_owned(), message, advice: false }]
}

fn one(root: &Value, schema: &Value) -> Option<Vec<Remark>> {
    let properties = schema.get("properties")?.as_object()?;
    let has = |name: &str| properties.contains_key(name) || (name == "produced_at" && properties.contains_key("created_at"));
    if !FIELDS.iter().any(|name| *name != "payload" && has(name)) {
        return None;
    }
    let required: Vec<&str> = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut remarks = Vec::new();
    let mut say = |path: String, message: String, advice: bool| remarks.push(Remark { path, message, advice });
    for name in FIELDS.into_iter().filter(|name| !has(name)) {
        let near = properties.keys().find(|key| strsim::damerau_levenshtein(key, name) <= 2);
        match near {
            Some(near) => say(format!("#/properties/{near}"), format!("`{near}` is most likely meant to be `{name}`"), false),
            None => say("#/properties".to_owned(), format!("the envelope has no `{name}`"), name == "event_version"),
        }
    }
    let field = |name: &str| properties.get(name).map(|field| resolved(root, field));
    let is_of = |field: &Value, kinds: &[&str]| match field.get("type") {
        Some(Value::String(kind)) => kinds.contains(&kind.as_str()),
        Some(Value::Array(all)) => all.iter().all(|kind| kind.as_str().is_some_and(|kind| kinds.contains(&kind))),
        _ => false,
    };
    let fixed = |field: &Value| field.get("const").is_some() || field.get("enum").is_some();
    if let Some(id) = field("event_id") {
        if !is_of(id, &["string", "integer"]) {
            say(
                "#/properties/event_id".to_owned(),
                "`event_id` is a string or an integer: it tells a second delivery from a new event".to_owned(),
                false,
            );
        }
        if !required.contains(&"event_id") {
            say("#/required".to_owned(), "`event_id` is required: without it a second delivery cannot be told".to_owned(), false);
        }
    }
    if field("event_name").is_some_and(|name| !fixed(name) && name.get("default").is_none()) {
        let message = "`event_name` is a const, or has a default: else nobody can tell which event the schema describes".to_owned();
        say("#/properties/event_name".to_owned(), message, false);
    }
    if let Some(version) = field("event_version") {
        let optional = version.get("default").is_some();
        if !fixed(version) && !is_of(version, &["integer"]) {
            say("#/properties/event_version".to_owned(), "`event_version` is an integer, or a const".to_owned(), false);
        }
        if !optional && !required.contains(&"event_version") {
            let message = "`event_version` is required, or has a default: else an event without it has no version".to_owned();
            say("#/properties/event_version".to_owned(), message, false);
        }
        if version.get("const").is_some() {
            say("#/properties/event_version".to_owned(), CONST_VERSION.to_owned(), true);
        }
    }
    for name in ["produced_at", "created_at"] {
        if field(name).is_some_and(|at| !is_of(at, &["string", "integer", "number"])) {
            say(format!("#/properties/{name}"), format!("`{name}` is a string with a time, or a number"), false);
        }
    }
    if field("payload").is_some_and(|payload| payload.get("type").is_some() && !is_of(payload, &["object", "null"])) {
        say("#/properties/payload".to_owned(), "`payload` is an object".to_owned(), false);
    }
    Some(remarks)
}

/// What is told of a version that is a const.
pub(super) const CONST_VERSION: &str = "a version that is a const cannot become another one in the same subject, at any level but NONE: take one subject per \
                                        version, a `oneOf` of the versions, or a range such as {\"type\": \"integer\", \"minimum\": 0}";

fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut at = schema;
    for _ in 0..16 {
        let target =
            at.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#')).and_then(|pointer| root.pointer(pointer));
        match target {
            Some(target) => at = target,
            None => break,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(version: &Value) -> Value {
        json!({ "type": "object", "required": ["event_id", "event_name", "event_version", "produced_at", "payload"], "properties": {
            "event_id": { "type": "string" }, "event_name": { "const": "ExerciseChanged" }, "event_version": version,
            "produced_at": { "type": "string" }, "payload": { "type": "object" } } })
    }

    #[test]
    fn an_envelope_as_agreed_has_no_remark() {
        assert_eq!(examine(&event(&json!({ "type": "integer", "minimum": 0 }))), Some(Vec::new()));
        assert_eq!(examine(&json!({ "type": "object", "properties": { "id": {} } })), None, "a state without an envelope");
    }

    #[test]
    fn a_const_version_is_advised_against_but_not_in_a_union() {
        let remarks = examine(&event(&json!({ "const": 0 }))).unwrap();
        assert!(remarks.len() == 1 && remarks[0].advice && remarks[0].message.contains("one subject per version"), "{remarks:?}");
        assert_eq!(examine(&json!({ "oneOf": [event(&json!({ "const": 0 })), event(&json!({ "const": 1 }))] })), Some(Vec::new()));
    }

    #[test]
    fn what_is_missing_misspelt_or_of_another_kind_is_said() {
        let schema = json!({ "properties": { "event_id": { "type": "boolean" }, "event_nmae": { "const": "A" }, "created_at": { "type": "object" },
            "payload": { "type": "string" } } });
        let places: Vec<String> = examine(&schema).unwrap().into_iter().map(|remark| remark.path).collect();
        assert_eq!(
            places,
            [
                "#/properties",
                "#/properties/event_nmae",
                "#/properties/event_id",
                "#/required",
                "#/properties/created_at",
                "#/properties/payload"
            ]
        );
        let unnamed = json!({ "properties": { "event_id": { "type": "string" }, "event_name": { "type": "string" }, "event_version": { "type": "string" } },
            "required": ["event_id"] });
        assert!(examine(&unnamed).unwrap().len() >= 4);
    }
}
