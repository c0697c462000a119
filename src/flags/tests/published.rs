//! Every row that flagd's test bed publishes for `fractional` in its second version.

use serde_json::{Value, json};

use crate::flags::Document;

/// A flag of texts, each variant's value being its name.
fn texts(variants: &[&str], default: &str, targeting: &Value) -> Value {
    let variants: serde_json::Map<_, _> = variants.iter().map(|name| ((*name).to_owned(), json!(name))).collect();
    json!({ "state": "ENABLED", "variants": variants, "defaultVariant": default, "targeting": targeting })
}

fn document() -> Document {
    const SUITS: [&str; 5] = ["clubs", "diamonds", "hearts", "spades", "wild"];
    let suits = |first: Value| json!({ "fractional": [{ "cat": [first, { "var": "user.name" }] }, ["clubs", 25], ["diamonds", 25], ["hearts", 25], ["spades", 25]] });
    let premium = |then: Value, other: Value| json!({ "if": [{ "==": [{ "var": "tier" }, "premium"] }, then, other] });
    let key = json!({ "var": "targetingKey" });
    let two = |weights: [i64; 2], first: &Value| json!({ "fractional": [first, ["one", weights[0]], ["two", weights[1]]] });
    let condition = |weights: [i64; 2]| {
        let targeting = json!({ "if": [{ "fractional": [[false, weights[0]], [true, weights[1]]] }, "big", "small"] });
        json!({ "state": "ENABLED", "variants": { "big": "hundreds", "small": "ones", "fallback": "zero" }, "defaultVariant": "fallback",
                "targeting": targeting })
    };
    let aces = json!({ "clubs": "ace-of-clubs", "diamonds": "ace-of-diamonds", "hearts": "ace-of-hearts", "spades": "ace-of-spades",
                       "wild": "wild" });
    let numbers = ["one", "two", "fallback"];
    Document::parse(&json!({ "flags": {
        "fractional-flag": texts(&SUITS, "wild", &suits(json!({ "var": "$flagd.flagKey" }))),
        "fractional-flag-A-shared-seed": texts(&SUITS, "wild", &suits(json!("shared-seed"))),
        "fractional-flag-B-shared-seed":
            { "state": "ENABLED", "variants": aces, "defaultVariant": "wild", "targeting": suits(json!("shared-seed")) },
        "fractional-flag-shorthand":
            texts(&["heads", "tails", "draw"], "draw", &json!({ "fractional": [["heads"], ["tails", 1]] })),
        "fractional-single-entry-flag": texts(&["single", "fallback"], "fallback", &json!({ "fractional": [["single", 1]] })),
        "fractional-hash-edge-flag":
            texts(&["lower", "upper"], "lower", &json!({ "fractional": [key, ["lower", 50], ["upper", 50]] })),
        "fractional-nested-if-flag": texts(&["premium", "standard", "fallback"], "fallback",
            &json!({ "fractional": [key, [premium(json!("premium"), json!("standard")), 50], ["standard", 50]] })),
        "fractional-nested-var-flag": texts(&["red", "green", "blue", "fallback"], "fallback",
            &json!({ "fractional": [key, [{ "var": "color" }, 50], ["blue", 50]] })),
        "fractional-nested-weight-flag": texts(&["red", "blue", "fallback"], "fallback",
            &json!({ "fractional": [key, ["red", premium(json!(100), json!(0))], ["blue", 10]] })),
        "fractional-as-condition-flag": condition([0, 100]),
        "fractional-as-condition-false-flag": condition([100, 0]),
        "fractional-null-bucket-key-flag": texts(&numbers, "fallback", &two([50, 50], &json!({ "var": "missing_key" }))),
        "fractional-zero-weights-flag": texts(&numbers, "fallback", &two([0, 0], &key)),
        "fractional-negative-weight-flag": texts(&numbers, "fallback", &two([-50, 100], &key)),
    } }))
    .expect("a document")
}

/// Flag, targeting key, context, value. `code` is the default in the code, which a caller uses when there is no value.
const ROWS: &[(&str, &str, &str, &str)] = &[
    ("fractional-flag", "", r#"{"user": {"name": "jack"}}"#, "hearts"),
    ("fractional-flag", "", r#"{"user": {"name": "queen"}}"#, "spades"),
    ("fractional-flag", "", r#"{"user": {"name": "ten"}}"#, "clubs"),
    ("fractional-flag", "", r#"{"user": {"name": "nine"}}"#, "diamonds"),
    ("fractional-flag", "", r#"{"user": {"name": "3"}}"#, "clubs"),
    ("fractional-flag-shorthand", "jon@company.com", "{}", "heads"),
    ("fractional-flag-shorthand", "jane@company.com", "{}", "tails"),
    ("fractional-flag-A-shared-seed", "", r#"{"user": {"name": "seven"}}"#, "hearts"),
    ("fractional-flag-A-shared-seed", "", r#"{"user": {"name": "eight"}}"#, "diamonds"),
    ("fractional-flag-A-shared-seed", "", r#"{"user": {"name": "nine"}}"#, "clubs"),
    ("fractional-flag-A-shared-seed", "", r#"{"user": {"name": "two"}}"#, "spades"),
    ("fractional-single-entry-flag", "some-targeting-key", "{}", "single"),
    ("fractional-flag-B-shared-seed", "", r#"{"user": {"name": "seven"}}"#, "ace-of-hearts"),
    ("fractional-flag-B-shared-seed", "", r#"{"user": {"name": "eight"}}"#, "ace-of-diamonds"),
    ("fractional-flag-B-shared-seed", "", r#"{"user": {"name": "nine"}}"#, "ace-of-clubs"),
    ("fractional-flag-B-shared-seed", "", r#"{"user": {"name": "two"}}"#, "ace-of-spades"),
    ("fractional-hash-edge-flag", "ejOoVL", "{}", "lower"),
    ("fractional-hash-edge-flag", "bY9fO-", "{}", "lower"),
    ("fractional-hash-edge-flag", "SI7p-", "{}", "lower"),
    ("fractional-hash-edge-flag", "6LvT0", "{}", "upper"),
    ("fractional-hash-edge-flag", "ceQdGm", "{}", "upper"),
    ("fractional-nested-if-flag", "jon@company.com", r#"{"tier": "premium"}"#, "premium"),
    ("fractional-nested-if-flag", "jon@company.com", r#"{"tier": "basic"}"#, "standard"),
    ("fractional-nested-if-flag", "user1", r#"{"tier": "premium"}"#, "standard"),
    ("fractional-nested-if-flag", "user1", r#"{"tier": "basic"}"#, "standard"),
    ("fractional-nested-var-flag", "jon@company.com", r#"{"color": "red"}"#, "red"),
    ("fractional-nested-var-flag", "jon@company.com", r#"{"color": "green"}"#, "green"),
    ("fractional-nested-var-flag", "user1", r#"{"color": "red"}"#, "blue"),
    ("fractional-nested-var-flag", "jon@company.com", r#"{"color": "yellow"}"#, "code"),
    ("fractional-nested-var-flag", "jon@company.com", r#"{"color": ""}"#, "code"),
    ("fractional-nested-weight-flag", "jon@company.com", r#"{"tier": "premium"}"#, "red"),
    ("fractional-nested-weight-flag", "jon@company.com", r#"{"tier": "basic"}"#, "blue"),
    ("fractional-nested-weight-flag", "user1", r#"{"tier": "premium"}"#, "red"),
    ("fractional-nested-weight-flag", "user1", r#"{"tier": "basic"}"#, "blue"),
    ("fractional-as-condition-flag", "some-targeting-key", "{}", "hundreds"),
    ("fractional-as-condition-false-flag", "some-targeting-key", "{}", "ones"),
    ("fractional-null-bucket-key-flag", "", "{}", "fallback"),
    ("fractional-zero-weights-flag", "any-user", "{}", "fallback"),
    ("fractional-negative-weight-flag", "any-user", "{}", "two"),
];

#[test]
fn every_published_row_is_served_as_published() {
    let document = document();
    let mut wrong = Vec::new();
    for (flag, key, context, value) in ROWS {
        let context = serde_json::from_str(context).expect("a context");
        let served = document.evaluate(flag, key, &context);
        let found = served.as_ref().ok().and_then(|served| served.value).and_then(Value::as_str).unwrap_or("code");
        if found != *value {
            wrong.push(format!("{flag} for `{key}` {context:?}: {found} ({served:?}), not {value}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
