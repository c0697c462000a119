//! flagd's rules around the targeting: states, defaults, references, and what is refused.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::flags::{Document, Evaluation, EvaluationError, Reason, targeting};

fn flag(state: &str, default: &Value, targeting: &Value) -> Value {
    json!({ "flags": { "f": { "state": state, "variants": { "on": true, "off": false }, "defaultVariant": default, "targeting": targeting } },
            "$evaluators": { "early": { "==": [{ "var": "stage" }, "early"] }, "deep": { "$ref": "early" } } })
}

/// Variant and reason, or the error as text.
fn served(document: &Value, context: &Value) -> Result<(Option<String>, Reason), String> {
    let document = Document::parse(document)?;
    let context = context.as_object().cloned().unwrap_or_default();
    let Evaluation { variant, value, reason } = document.evaluate("f", "k", &context).map_err(|error| error.to_string())?;
    assert_eq!(variant.is_some(), value.is_some());
    Ok((variant.map(str::to_owned), reason))
}

#[test]
fn states_and_defaults_are_flagds() {
    let on = Some("on".to_owned());
    let none = json!({});
    assert_eq!(served(&flag("ENABLED", &json!("on"), &none), &none), Ok((on.clone(), Reason::Static)));
    assert_eq!(served(&flag("ENABLED", &json!("on"), &Value::Null), &none), Ok((on.clone(), Reason::Static)));
    assert_eq!(served(&flag("DISABLED", &json!("on"), &none), &none), Ok((None, Reason::Disabled)));
    assert_eq!(served(&flag("ENABLED", &Value::Null, &none), &none), Ok((None, Reason::Default)));
    let rule = json!({ "if": [{ "==": [{ "var": "stage" }, "early"] }, "off", null] });
    assert_eq!(served(&flag("ENABLED", &json!("on"), &rule), &none), Ok((on, Reason::Default)));
    assert_eq!(served(&flag("ENABLED", &Value::Null, &rule), &none), Ok((None, Reason::Default)));
    let off = Ok((Some("off".to_owned()), Reason::TargetingMatch));
    assert_eq!(served(&flag("ENABLED", &json!("on"), &rule), &json!({ "stage": "early" })), off);
}

#[test]
fn a_rule_sees_the_flag_the_key_and_the_context() {
    let none = json!({});
    let is = |operand: Value, text: &str| json!({ "if": [{ "==": [operand, text] }, "on", "off"] });
    for (rule, context) in [
        (is(json!({ "var": "$flagd.flagKey" }), "f"), &none),
        (is(json!({ "var": "targetingKey" }), "k"), &none),
        (is(json!({ "var": "user.name" }), "ann"), &json!({ "user": { "name": "ann" }, "targetingKey": "another", "$flagd": {} })),
        (json!({ "if": [{ "sem_ver": [{ "var": "release" }, ">=", "1.5"] }, "on", "off"] }), &json!({ "release": "1.10" })),
        (json!({ "if": [{ "ends_with": [{ "var": "mail" }, "@example.org"] }, "on", "off"] }), &json!({ "mail": "a@example.org" })),
    ] {
        let found = served(&flag("ENABLED", &json!("off"), &rule), context);
        assert_eq!(found, Ok((Some("on".to_owned()), Reason::TargetingMatch)), "{rule}");
    }
}

#[test]
fn an_answer_that_is_a_boolean_names_a_variant_and_any_other_is_an_error() {
    let document = json!({ "flags": { "f": { "state": "ENABLED", "variants": { "true": 1, "false": 0 }, "defaultVariant": "false",
                                             "targeting": { "==": [{ "var": "stage" }, "early"] } } } });
    assert_eq!(served(&document, &json!({ "stage": "early" })), Ok((Some("true".to_owned()), Reason::TargetingMatch)));
    let unknown = served(&flag("ENABLED", &json!("on"), &json!({ "cat": ["o", "f"] })), &json!({})).unwrap_err();
    assert_eq!(unknown, "the targeting of flag f answers `of`, which is no variant of it");
}

#[test]
fn references_are_replaced_and_what_cannot_be_is_said() {
    let rule = json!({ "if": [{ "$ref": "early" }, "on", "off"] });
    let found = served(&flag("ENABLED", &json!("off"), &rule), &json!({ "stage": "early" }));
    assert_eq!(found, Ok((Some("on".to_owned()), Reason::TargetingMatch)));
    for (name, why) in [("nothing", "there is no evaluator `nothing`"), ("deep", "evaluators refer to nothing")] {
        let error = served(&flag("ENABLED", &json!("off"), &json!({ "if": [{ "$ref": name }, "on", "off"] })), &json!({})).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_rule_is_checked_when_it_is_saved() {
    let none = Map::new();
    assert_eq!(targeting::check(&json!({ "fractional": [["on", 1], ["off", 99]] }), &none), Ok(()));
    assert_eq!(
        targeting::check(&json!({ "if": [true, { "fractionall": [] }] }), &none),
        Err("there is no operator `fractionall`".to_owned())
    );
    let two = targeting::check(&json!({ "if": [true, { "var": "a", "cat": "b" }] }), &none).unwrap_err();
    assert!(two.contains("one key") && two.contains("`var`, `cat`"), "{two}");
    assert!(targeting::check(&json!({ "if": [{ "$ref": "early" }, "on"] }), &none).is_err());
}

#[test]
fn one_broken_flag_breaks_no_other() {
    let mut document = flag("ENABLED", &json!("on"), &json!({}));
    document["flags"]["bad"] = json!({ "state": "ENABLED", "variants": { "on": true }, "defaultVariant": "of" });
    document["flags"]["worse"] = json!(7);
    let document = Document::parse(&document).unwrap();
    let none = Map::new();
    assert_eq!(document.evaluate("f", "", &none).unwrap().variant, Some("on"));
    assert!(matches!(document.evaluate("bad", "", &none), Err(EvaluationError::Broken { .. })));
    assert!(matches!(document.evaluate("worse", "", &none), Err(EvaluationError::Broken { .. })));
    assert_eq!(document.evaluate("gone", "", &none), Err(EvaluationError::NotFound("gone".to_owned())));
    assert!(Document::parse(&json!([])).is_err());
}

#[test]
fn a_rule_on_time_is_told_the_time_or_refuses() {
    let ramp = json!({ "fractional": [["on", { "-": [{ "var": "$flagd.timestamp" }, 1000] }], ["off", { "-": [2000, { "var": "$flagd.timestamp" }] }]] });
    let document = Document::parse(&flag("ENABLED", &json!("off"), &ramp)).unwrap();
    let none = Map::new();
    let at = |seconds| DateTime::<Utc>::from_timestamp(seconds, 0).unwrap();
    assert_eq!(document.evaluate_at("f", "k", &none, at(1000)).unwrap().variant, Some("off"));
    assert_eq!(document.evaluate_at("f", "k", &none, at(2000)).unwrap().variant, Some("on"));
    assert!(document.evaluate("f", "k", &none).unwrap_err().to_string().contains("depends on the time"));
}

#[test]
fn a_weight_must_be_a_whole_number_that_is_not_too_large() {
    let default = Ok((Some("off".to_owned()), Reason::Default));
    for weights in [json!([1.5, 1]), json!([2_147_483_648_i64, 1]), json!([2_147_483_647, 1]), json!(["1", 1]), json!([null, 1])] {
        let rule = json!({ "fractional": [["on", weights[0]], ["off", weights[1]]] });
        assert_eq!(served(&flag("ENABLED", &json!("off"), &rule), &json!({})), default, "{weights}");
    }
    let whole = json!({ "fractional": [["on", 25.0], ["off", 0]] });
    assert_eq!(served(&flag("ENABLED", &json!("off"), &whole), &json!({})), Ok((Some("on".to_owned()), Reason::TargetingMatch)));
}
