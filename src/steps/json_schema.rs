//! What can be asked of a JSON Schema that describes an event: its properties behind references, and what each of them allows. Knows no
//! step and no form of envelope.

use serde_json::{Map, Value};

/// How far references are followed.
const DEEPEST: usize = 16;

/// Follows references, and an `allOf` that holds nothing but one.
pub(super) fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut at = schema;
    for _ in 0..DEEPEST {
        let reference = at.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        let only = at.get("allOf").and_then(Value::as_array).and_then(|all| if let [only] = all.as_slice() { Some(only) } else { None });
        at = match (reference.and_then(|pointer| root.pointer(pointer)), only) {
            (Some(target), _) => target,
            (None, Some(only)) if at.get("properties").is_none() => only,
            _ => return at,
        };
    }
    at
}

/// The properties that a schema names.
pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// The schema of one property, behind its references.
pub(super) fn property<'a>(root: &'a Value, schema: &'a Value, name: &str) -> Option<&'a Value> {
    properties(schema)?.get(name).map(|property| resolved(root, property))
}

/// The properties that must be there.
pub(super) fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Whether the property must be there.
pub(super) fn requires(schema: &Value, name: &str) -> bool {
    required(schema).any(|one| one == name)
}

/// The one value that a schema allows, or the one that it proposes.
pub(super) fn constant(schema: &Value) -> Option<&Value> {
    let only = schema.get("enum").and_then(Value::as_array).and_then(|all| if let [only] = all.as_slice() { Some(only) } else { None });
    schema.get("const").or(only).or_else(|| schema.get("default"))
}

/// Whether a value of that type may stand there, as far as `type` and `anyOf` say; a schema without a type takes everything.
pub(super) fn accepts(schema: &Value, wanted: &str) -> bool {
    if let Some(forms) = forms(schema) {
        return forms.iter().any(|form| accepts(form, wanted));
    }
    named_by_type(schema, wanted).unwrap_or_else(|| {
        !schema.is_object() || (schema.get("const").is_none() && schema.get("enum").is_none() && schema.get("$ref").is_none())
    })
}

/// Whether a schema says itself that a value of that type may stand there; one without a type says nothing.
pub(super) fn names(schema: &Value, wanted: &str) -> bool {
    named_by_type(schema, wanted) == Some(true) || forms(schema).into_iter().flatten().any(|form| names(form, wanted))
}

fn forms(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array)
}

fn named_by_type(schema: &Value, wanted: &str) -> Option<bool> {
    match schema.get("type")? {
        Value::String(one) => Some(one == wanted),
        Value::Array(several) => Some(several.iter().any(|one| one.as_str() == Some(wanted))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_property_is_found_behind_references_and_a_circle_of_them_ends() {
        let root = json!({
            "$defs": { "body": { "type": "integer" }, "round": { "$ref": "#/$defs/round" } },
            "properties": { "a": { "allOf": [{ "$ref": "#/$defs/body" }] }, "b": { "$ref": "#/$defs/round" } },
            "required": ["a"],
        });
        assert_eq!(property(&root, &root, "a"), Some(&json!({ "type": "integer" })));
        assert!(property(&root, &root, "b").is_some() && property(&root, &root, "c").is_none());
        assert!(requires(&root, "a") && !requires(&root, "b"));
    }

    #[test]
    fn one_value_is_constant_and_a_type_is_taken_or_named() {
        assert_eq!(constant(&json!({ "enum": ["x"], "default": "y" })), Some(&json!("x")));
        assert_eq!(constant(&json!({ "enum": ["x", "y"] })), None);
        for (schema, accepted, named) in [
            (json!({}), true, false),
            (json!({ "type": "string" }), false, false),
            (json!({ "type": ["string", "null"] }), true, true),
            (json!({ "oneOf": [{ "type": "string" }, { "type": "null" }] }), true, true),
            (json!({ "const": "x" }), false, false),
        ] {
            assert_eq!((accepts(&schema, "null"), names(&schema, "null")), (accepted, named), "{schema}");
        }
    }
}
