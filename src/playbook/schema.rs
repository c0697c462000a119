//! JSON Schemas for editors: what may stand in a playbook and in `cutover.yaml`, with the documentation of every key.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::catalogue::Catalogue;
use super::document::StepOptions;
use super::environment::Written;
use super::params::Declaration;
use crate::guards;
use crate::services::Start;
use crate::step::Gap;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a playbook with the step kinds of that catalogue. Wherever a step wants something other than free text, `${name}`
/// fits as well.
#[must_use]
pub fn playbook(catalogue: &Catalogue) -> Value {
    let mut steps = SchemaGenerator::default();
    let options = StepOptions::json_schema(&mut steps).to_value();
    let mut properties = options.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut definitions = Map::new();
    let mut forms = Vec::new();
    for kind in catalogue.kinds {
        if let Some(body) = (catalogue.schema)(kind.name, &mut steps) {
            definitions.insert(kind.name.to_owned(), body.to_value());
            let mut body = json!({ "description": format!("{}: {}", kind.name, kind.summary), "$ref": format!("#/$defs/{}", kind.name) });
            let mut form = json!({ "required": [kind.name] });
            // Why: `approval` names a kind and also a key that any step may have; the kind's body is a map and the key's is not.
            if let Some(common) = properties.remove(kind.name) {
                body = json!({ "anyOf": [common, body] });
                form = json!({ "required": [kind.name], "properties": { kind.name: { "type": "object" } } });
            }
            properties.insert(kind.name.to_owned(), body);
            forms.push(form);
        }
    }
    let mut forms_of_guards = Vec::new();
    for kind in guards::KINDS {
        if let Some(body) = guards::schema(kind.name, &mut steps) {
            let name = format!("guard_{}", kind.name);
            definitions.insert(name.clone(), body.to_value());
            let body = json!({ "description": format!("{}: {}", kind.name, kind.summary), "$ref": format!("#/$defs/{name}") });
            forms_of_guards.push(json!({
                "type": "object", "additionalProperties": false, "required": [kind.name], "properties": { kind.name: body },
            }));
        }
    }
    properties.insert(
        "guards".to_owned(),
        json!({
            "type": "array", "minItems": 1, "description": "What is watched while the step is under way", "items": { "oneOf": forms_of_guards },
        }),
    );
    definitions.extend(steps.take_definitions(true));
    definitions.values_mut().for_each(open);
    properties.values_mut().for_each(open);
    let id = json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": 60, "description": "The step's name within the playbook" });
    let mut step = Map::from_iter([("id".to_owned(), id)]);
    step.extend(properties);

    let mut params = SchemaGenerator::default();
    let declaration = Declaration::json_schema(&mut params).to_value();
    definitions.extend(params.take_definitions(true));
    definitions.insert("parameter".to_owned(), declaration);
    let mut begins = SchemaGenerator::default();
    let start = Start::json_schema(&mut begins).to_value();
    let gap = Gap::json_schema(&mut begins).to_value();
    definitions.extend(begins.take_definitions(true));
    let block = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["parallel"],
        "properties": {
            "parallel": {
                "type": "array",
                "minItems": 2,
                "maxItems": 4,
                "description": "Steps that are under way together",
                "items": { "$ref": "#/$defs/step" },
            },
        },
    });
    json!({
        "$schema": DRAFT,
        "title": "cutover playbook",
        "type": "object",
        "additionalProperties": false,
        "required": ["playbook", "steps"],
        "properties": {
            "playbook": { "type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": 60, "description": "The playbook's name" },
            "link": { "type": "string", "description": "The link between two services that the playbook moves" },
            "description": { "type": "string", "description": "What the playbook is for" },
            "services": { "type": "string", "description": "The file that declares the services, beside the playbook" },
            "start": start,
            "accept": { "type": "array", "description": "What may break although `cutover check` finds it", "items": gap },
            "params": {
                "type": "object",
                "description": "Parameters, used in steps as ${name}",
                "propertyNames": { "pattern": "^[A-Za-z][A-Za-z0-9_-]*$" },
                "additionalProperties": { "$ref": "#/$defs/parameter" },
            },
            "steps": { "type": "array", "minItems": 1, "description": "The steps, one after the other", "items": { "anyOf": [{ "$ref": "#/$defs/step" }, block] } },
        },
        "$defs": with(definitions, "step", json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["id"],
            "properties": step,
            "oneOf": forms,
        })),
    })
}

/// The schema of `cutover.yaml`.
#[must_use]
pub fn environment() -> Value {
    whole::<Written>("cutover environments")
}

/// The schema of a file of services.
#[must_use]
pub fn services() -> Value {
    whole::<crate::services::Written>("cutover services")
}

fn whole<T: JsonSchema>(title: &str) -> Value {
    let mut generator = SchemaGenerator::default();
    let mut schema = T::json_schema(&mut generator).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), DRAFT.into());
        object.insert("title".to_owned(), title.into());
        object.insert("$defs".to_owned(), Value::Object(generator.take_definitions(true)));
    }
    schema
}

fn with(mut definitions: Map<String, Value>, name: &str, schema: Value) -> Map<String, Value> {
    definitions.insert(name.to_owned(), schema);
    definitions
}

/// Lets `${name}` stand wherever the schema, or one inside it, wants a scalar that is not free text.
fn open(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if is_closed_scalar(object) {
        let described: Map<String, Value> =
            ["description", "default"].iter().filter_map(|key| object.remove(*key).map(|value| ((*key).to_owned(), value))).collect();
        let inner = std::mem::take(object);
        object.extend(described);
        object.insert("anyOf".to_owned(), json!([inner, { "type": "string", "pattern": "\\$\\{[^}]+\\}" }]));
        return;
    }
    for key in ["properties", "patternProperties"] {
        if let Some(Value::Object(inner)) = object.get_mut(key) {
            inner.values_mut().for_each(open);
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(key) {
            open(inner);
        }
    }
    // Why: `${name}` may fit several forms at once, which `oneOf` would refuse.
    if let Some(forms) = object.remove("oneOf") {
        object.insert("anyOf".to_owned(), forms);
    }
    for key in ["anyOf", "allOf", "prefixItems"] {
        if let Some(Value::Array(inner)) = object.get_mut(key) {
            inner.iter_mut().for_each(open);
        }
    }
}

fn is_closed_scalar(object: &Map<String, Value>) -> bool {
    let is_scalar = |name: &Value| matches!(name.as_str(), Some("integer" | "number" | "boolean" | "string" | "null"));
    let scalar = match object.get("type") {
        Some(Value::Array(names)) => names.iter().all(is_scalar),
        Some(name) => is_scalar(name),
        None => object.contains_key("const") || object.contains_key("enum"),
    };
    let free = object.get("type").and_then(Value::as_str) == Some("string")
        && !["enum", "const", "format", "pattern", "maxLength"].iter().any(|key| object.contains_key(*key));
    scalar && !free
}

#[cfg(test)]
mod tests {
    use super::super::diagnostic::Diagnostics;
    use super::super::shape::Located;
    use super::super::tree::{self, Place};
    use super::*;

    fn json_of(yaml: &str) -> Value {
        let node = tree::read("p.yaml", yaml, &mut Diagnostics::default()).expect("YAML");
        Located::new(&node, Place::START).json
    }

    #[test]
    fn every_example_fits_the_schema_and_a_slip_does_not() {
        let schema = playbook(&Catalogue::BUILT_IN);
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        for kind in Catalogue::BUILT_IN.kinds {
            let errors: Vec<String> = validator.iter_errors(&json_of(kind.example)).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}: {errors:?}", kind.name);
            assert!(!validator.is_valid(&json_of(&kind.example.replace("steps:", "stepz:"))), "{}", kind.name);
        }
    }

    #[test]
    fn a_placeholder_fits_where_a_number_or_an_enumeration_is_wanted() {
        let validator = jsonschema::validator_for(&playbook(&Catalogue::BUILT_IN)).expect("a schema");
        let text = |attempts: &str, policy: &str| {
            format!(
                "playbook: a\nsteps:\n  - id: b\n    retry: {{attempts: {attempts}, delay: 1s}}\n    on_failure: {policy}\n    note: {{text: c}}\n"
            )
        };
        assert!(validator.is_valid(&json_of(&text("3", "hold"))));
        assert!(validator.is_valid(&json_of(&text("\"${tries}\"", "${policy}"))));
        assert!(!validator.is_valid(&json_of(&text("many", "hold"))));
        assert!(!validator.is_valid(&json_of(&text("3", "holt"))));
    }

    #[test]
    fn guards_fit_the_schema_and_a_slip_does_not() {
        let validator = jsonschema::validator_for(&playbook(&Catalogue::BUILT_IN)).expect("a schema");
        for kind in guards::KINDS {
            let text = |guard: &str| format!("playbook: a\nsteps:\n  - id: b\n    note: {{text: c}}\n    guards:\n      - {guard}\n");
            assert!(validator.is_valid(&json_of(&text(kind.example))), "{}", kind.example);
            assert!(!validator.is_valid(&json_of(&text(&kind.example.replace("then:", "than:")))), "{}", kind.name);
            assert!(!validator.is_valid(&json_of(&text(&kind.example.replacen(kind.name, "sight", 1)))), "{}", kind.name);
        }
    }

    #[test]
    fn the_environment_schema_is_a_schema() {
        let validator = jsonschema::validator_for(&environment()).expect("a schema");
        assert!(validator.is_valid(&json_of("environments: {local: {from: stack}}\n")));
        assert!(!validator.is_valid(&json_of("environments: {local: {form: stack}}\n")));
    }
}
