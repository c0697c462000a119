//! Schemas that are very deep, very large, or lead into themselves.

use cutover::ports::registry::{Compatibility, SchemaFormat};
use cutover::schemas::{Document, Policy, RegistryKind, Verdict, judge};
use serde_json::{Map, Value, json};

fn read(value: Value) -> Document {
    Document { format: SchemaFormat::Json, value, references: Vec::new() }
}

fn judged(old: Value, new: Value) -> Verdict {
    judge(&[read(old)], &read(new), Compatibility::Backward, Policy::Strict, RegistryKind::Confluent)
}

/// Definitions that lead to each other, with what stands at the end.
fn chain(links: usize, end: &Value) -> Value {
    let mut definitions = Map::new();
    for link in 0..links {
        definitions.insert(
            format!("d{link}"),
            json!({ "type": "object", "properties": { "next": { "$ref": format!("#/definitions/d{}", link + 1) } } }),
        );
    }
    definitions.insert(format!("d{links}"), end.clone());
    json!({ "$ref": "#/definitions/d0", "definitions": definitions })
}

#[test]
fn a_text_that_is_too_deep_is_refused_with_its_place() {
    let text = format!("{}true{}", "{\"properties\":{\"a\":".repeat(1_000), "}}".repeat(1_000));
    let error = Document::read(&text, SchemaFormat::Json).unwrap_err();
    assert!(error.message.contains("nested deeper") && error.line == 1 && error.column > 1, "{error}");
}

#[test]
fn what_is_deep_by_references_has_an_answer() {
    let (string, integer) = (json!({ "type": "string" }), json!({ "type": "integer" }));
    let near = judged(chain(100, &string), chain(100, &integer));
    assert_eq!(near.reasons[0].rule, "TYPE_CHANGED");
    assert_eq!(near.reasons[0].path.matches("next").count(), 100);
    let far = judged(chain(1_000, &string), chain(1_000, &integer));
    assert_eq!((far.reasons[0].rule, far.reasons[0].path.matches("next").count()), ("TYPE_CHANGED", 1_000));
    assert!(judged(chain(1_000, &integer), chain(1_000, &json!({ "type": "number" }))).compatible);
}

#[test]
fn a_schema_inside_itself_is_compared_once() {
    let tree = |kind: &str| {
        let node = json!({ "type": "object", "additionalProperties": false, "properties": { "value": { "type": kind },
            "left": { "$ref": "#/definitions/n" }, "right": { "anyOf": [{ "$ref": "#/definitions/n" }, { "type": "null" }] } } });
        json!({ "$ref": "#/definitions/n", "definitions": { "n": node } })
    };
    assert!(judged(tree("string"), tree("string")).compatible);
    assert!(judged(tree("integer"), tree("number")).compatible);
    let broken = judged(tree("string"), tree("integer"));
    assert_eq!(broken.reasons[0].path, "#/properties/value", "{broken:?}");
}

#[test]
fn references_that_lead_nowhere_or_in_a_circle_are_said() {
    let circle =
        json!({ "$ref": "#/definitions/a", "definitions": { "a": { "$ref": "#/definitions/b" }, "b": { "$ref": "#/definitions/a" } } });
    assert_eq!(judged(circle.clone(), circle).reasons[0].rule, "REFERENCE_IN_A_CIRCLE");
    let nowhere = json!({ "properties": { "a": { "$ref": "#/definitions/missing" } } });
    let said = judged(nowhere.clone(), nowhere);
    assert_eq!((said.reasons[0].rule, said.reasons[0].path.as_str()), ("REFERENCE_NOT_FOUND", "#/properties/a"));
    let all = json!({ "allOf": [{ "$ref": "#" }, { "anyOf": [{ "$ref": "#" }, { "oneOf": [{ "$ref": "#" }] }] }] });
    let _ = judged(all.clone(), all);
}

#[test]
fn references_that_double_at_every_step_are_compared_once_each() {
    let doubling = |end: &str| {
        let mut definitions = Map::new();
        for step in 0..60 {
            let next = json!({ "$ref": format!("#/definitions/d{}", step + 1) });
            definitions.insert(format!("d{step}"), json!({ "type": "object", "properties": { "a": next, "b": next } }));
        }
        definitions.insert("d60".to_owned(), json!({ "type": end }));
        json!({ "$ref": "#/definitions/d0", "definitions": definitions })
    };
    assert!(judged(doubling("integer"), doubling("number")).compatible);
    assert!(!judged(doubling("integer"), doubling("string")).compatible);
}

#[test]
fn alternatives_inside_each_other_by_references_come_to_an_end() {
    let mut definitions = Map::new();
    for step in 0..1_000 {
        let next = |by: usize| json!({ "$ref": format!("#/definitions/d{}", (step + by) % 1_000) });
        let one = json!({ "type": "object", "properties": { "next": next(1) } });
        definitions.insert(format!("d{step}"), json!({ "anyOf": [one, { "type": "object", "properties": { "over": next(7) } }] }));
    }
    let whole = |end: &str| {
        let mut definitions = definitions.clone();
        definitions["d500"]["anyOf"][0]["properties"]["end"] = json!({ "type": end });
        json!({ "$ref": "#/definitions/d0", "definitions": definitions })
    };
    // Why any verdict: what matters is that there is one, and soon.
    let said = judged(whole("integer"), whole("string"));
    assert_eq!(said.compatible, said.reasons.is_empty());
}

#[test]
fn many_definitions_that_lead_to_each_other_are_compared_once_each() {
    let schema = |end: &str| {
        let mut definitions = Map::new();
        for step in 0..500 {
            let next = |by: usize| json!({ "$ref": format!("#/definitions/d{}", (step + by) % 500) });
            let properties =
                json!({ "a": { "anyOf": [next(1), { "type": "null" }] }, "b": { "type": "array", "items": next(2) }, "c": next(3) });
            definitions.insert(format!("d{step}"), json!({ "type": "object", "additionalProperties": false, "properties": properties }));
        }
        definitions["d499"]["properties"]["end"] = json!({ "type": end });
        json!({ "$ref": "#/definitions/d0", "definitions": definitions })
    };
    let fine = judged(schema("integer"), schema("number"));
    assert!(fine.compatible && fine.warnings.is_empty(), "{:?} {:?}", fine.reasons.first(), fine.warnings.first());
    let broken = judged(schema("integer"), schema("string"));
    assert!(
        broken.reasons.iter().all(|reason| reason.path.ends_with("/properties/end")) && !broken.compatible,
        "{:?}",
        broken.reasons.first()
    );
}

#[test]
fn a_thousand_alternatives_in_another_order_are_matched() {
    let alternatives = |from: usize, to: usize| -> Vec<Value> { (from..to).map(|at| json!({ "const": format!("v{at}") })).collect() };
    let mut turned = alternatives(0, 400);
    turned.reverse();
    assert!(judged(json!({ "anyOf": alternatives(0, 400) }), json!({ "anyOf": turned })).compatible);
    let said = judged(json!({ "anyOf": alternatives(0, 3_000) }), json!({ "anyOf": alternatives(0, 3_001) }));
    assert_eq!(said.reasons[0].rule, "TOO_LARGE");
}

#[test]
fn other_schemas_are_found_by_the_names_that_references_use() {
    let whole = json!({ "type": "object", "properties": { "who": { "$ref": "person.json" }, "boss": { "$ref": "person.json#/definitions/boss" } } });
    let person = |kind: &str| vec![("person.json".to_owned(), json!({ "type": kind, "definitions": { "boss": { "type": kind } } }))];
    let document = |kind: &str| read(whole.clone()).with_references(person(kind));
    let compare =
        |old: &str, new: &str| judge(&[document(old)], &document(new), Compatibility::Backward, Policy::Strict, RegistryKind::Confluent);
    assert!(compare("integer", "number").compatible);
    let places: Vec<_> = compare("string", "number").reasons.into_iter().map(|reason| reason.path).collect();
    assert_eq!(places, ["#/properties/who", "#/properties/boss"]);
}
