//! Whether one JSON Schema may follow another, by a rule that is small and never kinder than a registry.
//!
//! `reads(new, old)` holds when everything that `old` accepts, `new` accepts. It looks at `type`, `properties`, `required`,
//! `additionalProperties` and at objects within objects. Every other keyword has to be the same on both sides. An open object (one that
//! allows further properties) accepts anything under a name that it does not mention, so a property that is added to it may clash with
//! data that is there: that is an incompatibility, as it is for the registries. Avro and Protobuf are not understood here: of those,
//! only the very same text may follow, unless the level is NONE.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::ports::registry::Compatibility;

/// The keywords that the rule understands, and those that accept everything anyway.
const UNDERSTOOD: [&str; 10] =
    ["type", "properties", "required", "additionalProperties", "$schema", "$id", "title", "description", "examples", "default"];

/// Why `new` may not follow `earlier` (oldest first) at this level; empty when it may.
pub(super) fn complaints(level: Compatibility, new: &str, earlier: &[&str]) -> Vec<String> {
    use Compatibility as Level;
    let (back, forth, all) = match level {
        Level::None => return Vec::new(),
        Level::Backward => (true, false, false),
        Level::BackwardTransitive => (true, false, true),
        Level::Forward => (false, true, false),
        Level::ForwardTransitive => (false, true, true),
        Level::Full => (true, true, false),
        Level::FullTransitive => (true, true, true),
    };
    let against = if all { earlier } else { earlier.get(earlier.len().saturating_sub(1)..).unwrap_or_default() };
    let mut complaints = Vec::new();
    for old in against.iter().filter(|old| **old != new) {
        match (serde_json::from_str::<Value>(new), serde_json::from_str::<Value>(old)) {
            (Ok(new), Ok(old)) => {
                if back {
                    reads(&new, &old, "", &mut complaints);
                }
                if forth {
                    reads(&old, &new, "", &mut complaints);
                }
            }
            _ => complaints.push("only the very same text may follow a schema that is not JSON".to_owned()),
        }
    }
    complaints
}

/// Finds where `reader` may refuse what `writer` accepts.
fn reads(reader: &Value, writer: &Value, at: &str, complaints: &mut Vec<String>) {
    if reader == writer || *reader == Value::Bool(true) {
        return;
    }
    let (Value::Object(reader), Value::Object(writer)) = (reader, writer) else {
        complaints.push(format!("{at}/: the schemas differ"));
        return;
    };
    let keywords = reader.keys().chain(writer.keys()).map(String::as_str).collect::<BTreeSet<_>>();
    for keyword in keywords.into_iter().filter(|keyword| !UNDERSTOOD.contains(keyword)) {
        if reader.get(keyword) != writer.get(keyword) {
            complaints.push(format!("{at}/{keyword}: it differs"));
        }
    }
    if let Some(accepted) = types(reader) {
        match types(writer) {
            Some(written) if written.is_subset(&accepted) => {}
            _ => complaints.push(format!("{at}/type: it is narrower")),
        }
    }
    let (none, empty) = (Map::new(), Vec::new());
    let (taken, given) = (properties(reader).unwrap_or(&none), properties(writer).unwrap_or(&none));
    for (name, property) in taken {
        match given.get(name) {
            Some(other) => reads(property, other, &format!("{at}/properties/{name}"), complaints),
            None if is_open(writer) => complaints.push(format!("{at}/properties/{name}: data may hold anything under this name")),
            None => {}
        }
    }
    if !is_open(reader) {
        let lost = given.keys().filter(|name| !taken.contains_key(*name));
        complaints.extend(lost.map(|name| format!("{at}/properties/{name}: data may hold it, and nothing else is allowed")));
        if is_open(writer) {
            complaints.push(format!("{at}/additionalProperties: data may hold more"));
        }
    }
    let (needed, sure) = (required(reader).unwrap_or(&empty), required(writer).unwrap_or(&empty));
    let missing = needed.iter().filter(|name| !sure.contains(name));
    complaints.extend(missing.map(|name| format!("{at}/required: data may lack {name}")));
}

/// The types that are allowed; `None` when all are. An integer is a number, too.
fn types(schema: &Map<String, Value>) -> Option<BTreeSet<&str>> {
    let mut types = match schema.get("type")? {
        Value::String(one) => BTreeSet::from([one.as_str()]),
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    if types.contains("number") {
        types.insert("integer");
    }
    Some(types)
}

fn properties(schema: &Map<String, Value>) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

fn required(schema: &Map<String, Value>) -> Option<&Vec<Value>> {
    schema.get("required")?.as_array()
}

fn is_open(schema: &Map<String, Value>) -> bool {
    schema.get("additionalProperties") != Some(&Value::Bool(false))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const CLOSED: &str = r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#;
    const WIDER: &str = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"additionalProperties":false}"#;
    const NEEDS_B: &str =
        r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["b"],"additionalProperties":false}"#;
    const OPEN: &str = r#"{"type":"object","properties":{"a":{"type":"string"}}}"#;
    const OPEN_B: &str = r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}}}"#;
    const OTHER_TYPE: &str = r#"{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":false}"#;

    #[rstest]
    #[case::optional_in_a_closed_object(Compatibility::Backward, WIDER, CLOSED, true)]
    #[case::and_back_is_forward_only(Compatibility::Backward, CLOSED, WIDER, false)]
    #[case::forward(Compatibility::Forward, CLOSED, WIDER, true)]
    #[case::full_needs_both(Compatibility::Full, WIDER, CLOSED, false)]
    #[case::required_is_never_backward(Compatibility::Backward, NEEDS_B, CLOSED, false)]
    #[case::optional_in_an_open_object_may_clash(Compatibility::Backward, OPEN_B, OPEN, false)]
    #[case::removed_from_an_open_object(Compatibility::Backward, OPEN, OPEN_B, true)]
    #[case::closing(Compatibility::Backward, CLOSED, OPEN, false)]
    #[case::another_type(Compatibility::Backward, OTHER_TYPE, CLOSED, false)]
    #[case::anything_at_none(Compatibility::None, OTHER_TYPE, CLOSED, true)]
    #[case::the_same(Compatibility::Full, OPEN, OPEN, true)]
    fn rule(#[case] level: Compatibility, #[case] new: &str, #[case] old: &str, #[case] may: bool) {
        let complaints = complaints(level, new, &[old]);
        assert_eq!(complaints.is_empty(), may, "{complaints:?}");
    }

    #[test]
    fn a_transitive_level_looks_at_every_version() {
        assert!(complaints(Compatibility::Backward, CLOSED, &[OTHER_TYPE, CLOSED]).is_empty());
        assert!(!complaints(Compatibility::BackwardTransitive, CLOSED, &[OTHER_TYPE, CLOSED]).is_empty());
    }

    #[test]
    fn a_keyword_that_is_not_understood_has_to_stay() {
        let bounded = r#"{"type":"string","maxLength":5}"#;
        assert!(!complaints(Compatibility::Backward, bounded, &[r#"{"type":"string"}"#]).is_empty());
    }
}
