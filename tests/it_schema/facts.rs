//! What teams stumble over, each in both directions.

use cutover::ports::registry::Compatibility::{self, Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive, None};
use cutover::schemas::samples::try_lines;
use cutover::schemas::{Document, Policy, RegistryKind, Verdict, judge};
use serde_json::{Value, json};

use super::pairs::read;

fn object(properties: &Value, required: &[&str], is_closed: bool) -> Document {
    let mut schema = json!({ "type": "object", "properties": properties, "required": required });
    if is_closed {
        schema["additionalProperties"] = json!(false);
    }
    read(&schema.to_string())
}

fn verdict(old: &Document, new: &Document) -> Verdict {
    judge(std::slice::from_ref(old), new, Full, Policy::Strict, RegistryKind::Confluent)
}

fn admitted(old: &Document, new: &Document) -> Vec<Compatibility> {
    verdict(old, new).admitted_by
}

#[test]
fn an_optional_field_is_never_admitted_by_full() {
    let (less, more) = (json!({ "a": { "type": "string" } }), json!({ "a": { "type": "string" }, "b": { "type": "string" } }));
    let (old, new) = (object(&less, &[], false), object(&more, &[], false));
    assert_eq!(admitted(&old, &new), [ForwardTransitive, Forward, None]);
    assert_eq!(admitted(&new, &old), [BackwardTransitive, Backward, None]);
    let (old, new) = (object(&less, &[], true), object(&more, &[], true));
    assert_eq!(admitted(&old, &new), [BackwardTransitive, Backward, None]);
    assert_eq!(admitted(&new, &old), [ForwardTransitive, Forward, None]);
    assert!(verdict(&old, &new).order.contains("readers first"));
}

#[test]
fn the_lenient_policy_admits_it_both_ways() {
    let (less, more) = (json!({ "a": { "type": "string" } }), json!({ "a": { "type": "string" }, "b": { "type": "string" } }));
    let (old, new) = (object(&less, &[], false), object(&more, &[], false));
    let verdict = judge(std::slice::from_ref(&old), &new, Full, Policy::Lenient, RegistryKind::Confluent);
    assert!(verdict.compatible && verdict.admitted_by.contains(&FullTransitive), "{verdict:?}");
    assert_eq!(verdict.warnings.len(), 1, "what is lenient is still said: {verdict:?}");
}

#[test]
fn a_required_field_is_forward_only() {
    let (less, more) = (json!({ "a": {} }), json!({ "a": {}, "b": { "type": "string" } }));
    let (old, new) = (object(&less, &["a"], false), object(&more, &["a", "b"], false));
    assert_eq!(admitted(&old, &new), [ForwardTransitive, Forward, None]);
    assert!(verdict(&old, &new).order.contains("writers first"));
    let closed = (object(&less, &["a"], true), object(&more, &["a", "b"], true));
    assert_eq!(admitted(&closed.0, &closed.1), [None], "closed on both sides, only a new subject is left");
    assert!(verdict(&closed.0, &closed.1).order.contains("new subject"));
}

#[test]
fn another_const_version_is_admitted_by_none_only_and_by_every_level_of_karapace() {
    let version = |value: u64| object(&json!({ "event_version": { "const": value } }), &["event_version"], true);
    for (old, new) in [(version(0), version(1)), (version(1), version(0))] {
        assert_eq!(admitted(&old, &new), [None]);
        let elsewhere = judge(std::slice::from_ref(&old), &new, Full, Policy::Strict, RegistryKind::Karapace);
        assert!(elsewhere.compatible && !elsewhere.warnings.is_empty(), "{elsewhere:?}");
    }
    let range =
        |most: u64| object(&json!({ "event_version": { "type": "integer", "minimum": 0, "maximum": most } }), &["event_version"], true);
    assert_eq!(admitted(&range(0), &range(1)), [BackwardTransitive, Backward, None], "a range may grow");
    let member = |value: u64| json!({ "type": "object", "properties": { "event_version": { "const": value } }, "required": ["event_version"], "additionalProperties": false });
    let union = |all: &[Value]| read(&json!({ "oneOf": all }).to_string());
    let grown = verdict(&union(&[member(0)]), &union(&[member(0), member(1)]));
    assert!(grown.admitted_by.contains(&Backward) && grown.warnings.is_empty(), "a union may grow: {grown:?}");
}

#[test]
fn a_required_field_with_a_default_is_admitted_and_refused_by_validators() {
    let less = json!({ "a": { "type": "string" } });
    let more = json!({ "a": { "type": "string" }, "b": { "type": "integer", "default": 0 } });
    let (old, new) = (object(&less, &["a"], true), object(&more, &["a", "b"], true));
    let verdict = judge(std::slice::from_ref(&old), &new, Backward, Policy::Strict, RegistryKind::Confluent);
    assert!(verdict.compatible && verdict.warnings.iter().any(|warning| warning.message.contains("validator")), "{verdict:?}");
    let tried = try_lines(&new.value, "{\"a\":\"x\"}\n").unwrap();
    assert_eq!((tried.taken, tried.refused[0].line), (0, 1));
    assert_eq!(try_lines(&old.value, "{\"a\":\"x\"}\n").unwrap().taken, 1);
    let apicurio = judge(std::slice::from_ref(&old), &new, Backward, Policy::Strict, RegistryKind::Apicurio);
    assert!(!apicurio.compatible);
    assert!(!self::verdict(&new, &old).admitted_by.contains(&Backward), "and back it is no way either");
}

#[test]
fn personal_data_leaves_backward_when_open_and_forward_when_optional_and_closed() {
    let (full, lean) = (json!({ "id": {}, "email": { "type": "string" } }), json!({ "id": {} }));
    assert!(admitted(&object(&full, &["id"], false), &object(&lean, &["id"], false)).contains(&Backward));
    assert!(!admitted(&object(&full, &["id"], false), &object(&lean, &["id"], false)).contains(&Forward));
    assert!(admitted(&object(&full, &["id"], true), &object(&lean, &["id"], true)).contains(&Forward));
    assert!(!admitted(&object(&full, &["id"], true), &object(&lean, &["id"], true)).contains(&Backward));
    assert_eq!(admitted(&object(&full, &["id", "email"], true), &object(&lean, &["id"], true)), [None]);
}

#[test]
fn a_transitive_level_names_the_version_that_breaks() {
    let value = |kind: &str| object(&json!({ "a": { "type": kind } }), &[], true);
    let verdict =
        judge(&[value("string"), value("integer")], &value("number"), BackwardTransitive, Policy::Strict, RegistryKind::Confluent);
    assert_eq!(verdict.reasons.iter().map(|reason| reason.against).collect::<Vec<_>>(), [1]);
    assert!(verdict.reasons[0].message.contains("version 1"), "{verdict:?}");
    assert_eq!(verdict.admitted_by, [Backward, None]);
}
