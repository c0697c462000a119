//! In what two answers differ, field by field. What it says of a value is its sort and its length, never the value.

use serde_json::Value;

use crate::ports::http::HttpAnswer;
use crate::step::pointer::escape;

/// Most differences of one pair of answers that are told.
const MOST: usize = 200;

/// A difference: where, and what is there on each way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// JSON pointer with `*` in place of the places in a list; `status` or `body` where there is none.
    pub(super) field: String,
    pub(super) left: String,
    pub(super) right: String,
}

/// What comes of comparing two answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// They are the same, in everything that counts.
    Same,
    /// They differ.
    Different(Vec<Difference>),
    /// It cannot be said. Why.
    Unknown(String),
}

/// Compares two answers; `wanted` is the status that at least one of them must have.
pub(super) fn compare(left: &HttpAnswer, right: &HttpAnswer, wanted: u16, ignore: &[Vec<String>]) -> Compared {
    if left.status != right.status {
        let word = |answer: &HttpAnswer| answer.status.to_string();
        return Compared::Different(vec![Difference { field: "status".to_owned(), left: word(left), right: word(right) }]);
    }
    if left.status != wanted {
        return Compared::Unknown(format!("both answer {}, not {wanted}", left.status));
    }
    if left.cut || right.cut {
        return Compared::Unknown("the answers are too long to be compared".to_owned());
    }
    if left.body == right.body {
        return Compared::Same;
    }
    let parsed = |answer: &HttpAnswer| serde_json::from_str::<Value>(&answer.body).ok();
    let mut found = Vec::new();
    match (parsed(left), parsed(right)) {
        (Some(left), Some(right)) => differences(&left, &right, &mut Vec::new(), ignore, &mut found),
        (left, right) => {
            let word = |parsed: &Option<Value>| if parsed.is_some() { "JSON" } else { "no JSON" }.to_owned();
            found.push(Difference { field: "body".to_owned(), left: word(&left), right: word(&right) });
        }
    }
    if found.is_empty() { Compared::Same } else { Compared::Different(found) }
}

/// A pointer as its parts.
pub(super) fn parts(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(crate::step::pointer::unescape).collect()
}

fn differences(left: &Value, right: &Value, at: &mut Vec<String>, ignore: &[Vec<String>], found: &mut Vec<Difference>) {
    if found.len() >= MOST || is_ignored(at, ignore) {
        return;
    }
    match (left, right) {
        (Value::Object(one), Value::Object(other)) => {
            for name in one.keys().chain(other.keys().filter(|name| !one.contains_key(*name))) {
                at.push(name.clone());
                pair(one.get(name), other.get(name), at, ignore, found);
                at.pop();
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            at.push("*".to_owned());
            for place in 0..one.len().max(other.len()) {
                pair(one.get(place), other.get(place), at, ignore, found);
            }
            at.pop();
        }
        _ if same(left, right) => {}
        _ => found.push(Difference { field: field(at), left: sort(Some(left)), right: sort(Some(right)) }),
    }
}

fn pair(left: Option<&Value>, right: Option<&Value>, at: &mut Vec<String>, ignore: &[Vec<String>], found: &mut Vec<Difference>) {
    if let (Some(left), Some(right)) = (left, right) {
        differences(left, right, at, ignore, found);
    } else if found.len() < MOST && !is_ignored(at, ignore) {
        found.push(Difference { field: field(at), left: sort(left), right: sort(right) });
    }
}

/// Whether the place, or one above it, may differ.
fn is_ignored(at: &[String], ignore: &[Vec<String>]) -> bool {
    let fits =
        |pattern: &Vec<String>| pattern.len() <= at.len() && pattern.iter().zip(at).all(|(wanted, part)| wanted == "*" || wanted == part);
    ignore.iter().any(fits)
}

fn same(left: &Value, right: &Value) -> bool {
    left == right
        || matches!((left, right), (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() && (one.is_f64() || other.is_f64()))
}

fn field(at: &[String]) -> String {
    if at.is_empty() { "body".to_owned() } else { at.iter().fold(String::new(), |text, part| text + "/" + &escape(part)) }
}

/// The sort of a value, and its length.
fn sort(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::Null) => "null".to_owned(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(_)) => "a number".to_owned(),
        Some(Value::String(text)) => format!("a text of {}", text.chars().count()),
        Some(Value::Array(items)) => format!("a list of {}", items.len()),
        Some(Value::Object(fields)) => format!("an object of {}", fields.len()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> HttpAnswer {
        HttpAnswer { status, body: body.to_owned(), cut: false }
    }

    fn said(left: &Value, right: &Value, ignore: &[&str]) -> Vec<String> {
        let ignore: Vec<_> = ignore.iter().map(|pointer| parts(pointer)).collect();
        match compare(&answer(200, &left.to_string()), &answer(200, &right.to_string()), 200, &ignore) {
            Compared::Same => Vec::new(),
            Compared::Different(found) => found.into_iter().map(|one| format!("{}: {} / {}", one.field, one.left, one.right)).collect(),
            Compared::Unknown(why) => vec![format!("unknown: {why}")],
        }
    }

    #[test]
    fn each_field_is_told_by_sort_and_length_and_never_by_value() {
        let left = json!({ "id": 1, "name": "Ada", "tags": ["a", "b"], "more": { "a/b": true }, "gone": null });
        let right = json!({ "id": 2, "name": "Grace", "tags": ["a"], "more": { "a/b": false }, "new": {} });
        assert_eq!(
            said(&left, &right, &[]),
            [
                "/id: a number / a number",
                "/name: a text of 3 / a text of 5",
                "/tags/*: a text of 1 / nothing",
                "/more/a~1b: true / false",
                "/gone: null / nothing",
                "/new: nothing / an object of 0",
            ]
        );
        assert_eq!(said(&json!([1]), &json!({ "a": 1 }), &[]), ["body: a list of 1 / an object of 1"]);
    }

    #[test]
    fn what_is_ignored_does_not_count_wherever_it_lies() {
        let left = json!({ "at": 1, "rows": [{ "at": 1, "id": 1 }, { "at": 2, "id": 2 }] });
        let right = json!({ "rows": [{ "at": 9, "id": 1 }, { "id": 3 }] });
        assert_eq!(said(&left, &right, &["/at", "/rows/*/at"]), ["/rows/*/id: a number / a number"]);
        assert_eq!(said(&left, &right, &["/at", "/rows"]), Vec::<String>::new());
        assert_eq!(said(&left, &right, &[""]), Vec::<String>::new(), "all of it");
    }

    #[test]
    fn order_of_fields_and_notation_of_numbers_do_not_count() {
        assert_eq!(said(&json!({ "a": 1, "b": 2 }), &json!({ "b": 2.0, "a": 1 }), &[]), Vec::<String>::new());
        let big = (json!({ "a": 9_007_199_254_740_993_i64 }), json!({ "a": 9_007_199_254_740_992_i64 }));
        assert_eq!(said(&big.0, &big.1, &[]).len(), 1, "whole numbers are compared exactly");
    }

    #[test]
    fn a_status_differs_or_is_not_known() {
        let both = |left, right| compare(&answer(left, "{}"), &answer(right, "{}"), 200, &[]);
        assert!(matches!(both(200, 404), Compared::Different(found) if found[0].field == "status" && found[0].right == "404"));
        assert!(matches!(both(404, 404), Compared::Unknown(why) if why == "both answer 404, not 200"));
        let cut = HttpAnswer { cut: true, ..answer(200, "{}") };
        assert!(matches!(compare(&cut, &answer(200, "{}"), 200, &[]), Compared::Unknown(_)));
        assert!(matches!(compare(&answer(200, "a"), &answer(200, "b"), 200, &[]), Compared::Different(found) if found[0].field == "body"));
        assert_eq!(compare(&answer(200, "a"), &answer(200, "a"), 200, &[]), Compared::Same);
    }
}
