//! The flagd definition document (`flags.json`, schema v0): reading and writing one flag in it and leaving everything else alone.

use serde_json::{Value, json};

use crate::ports::flags::FlagState;

/// The document before the first change.
#[must_use]
pub fn empty() -> Value {
    json!({ "$schema": "https://flagd.dev/schema/v0/flags.json", "flags": {} })
}

/// A flag of the document, `None` when it has none of that name.
///
/// # Errors
/// What is missing, when the flag is not in flagd's form.
pub fn read(document: &Value, flag: &str) -> Result<Option<FlagState>, String> {
    let Some(found) = document.get("flags").and_then(|flags| flags.get(flag)) else { return Ok(None) };
    let missing = |what: &str| format!("flag {flag} has no {what}");
    let variants = found.get("variants").and_then(Value::as_object).ok_or_else(|| missing("variants"))?;
    let state = found.get("state").and_then(Value::as_str).ok_or_else(|| missing("state"))?;
    // Why: flagd takes an empty object for "no targeting".
    let targeting = found.get("targeting").filter(|targeting| targeting.as_object().is_some_and(|fields| !fields.is_empty()));
    Ok(Some(FlagState {
        enabled: state == "ENABLED",
        variants: variants.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        default_variant: found.get("defaultVariant").and_then(Value::as_str).map(str::to_owned),
        targeting: targeting.cloned(),
    }))
}

/// Puts a flag into the document, or replaces it.
pub fn put(document: &mut Value, flag: &str, state: &FlagState) {
    let mut body = json!({
        "state": if state.enabled { "ENABLED" } else { "DISABLED" },
        "variants": state.variants,
        "defaultVariant": state.default_variant,
    });
    if let (Some(fields), Some(targeting)) = (body.as_object_mut(), &state.targeting) {
        fields.insert("targeting".to_owned(), targeting.clone());
    }
    if let Some(flags) = document.get_mut("flags").and_then(Value::as_object_mut) {
        flags.insert(flag.to_owned(), body);
    }
}

/// Takes a flag out of the document.
pub fn remove(document: &mut Value, flag: &str) {
    if let Some(flags) = document.get_mut("flags").and_then(Value::as_object_mut) {
        // Why not so that the last one takes its place: the order of the others is somebody's.
        flags.shift_remove(flag);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_was_put_is_read_back() {
        let mut document = empty();
        let state = FlagState {
            enabled: true,
            variants: BTreeMap::from([("call".to_owned(), json!("call")), ("events".to_owned(), json!("events"))]),
            default_variant: Some("events".to_owned()),
            targeting: Some(json!({ "fractional": [["events", 1], ["call", 99]] })),
        };
        put(&mut document, "exercise-read", &state);
        assert_eq!(read(&document, "exercise-read"), Ok(Some(state.clone())));
        assert_eq!(read(&document, "other"), Ok(None));
        put(&mut document, "other", &state);
        remove(&mut document, "exercise-read");
        assert_eq!((read(&document, "exercise-read"), read(&document, "other")), (Ok(None), Ok(Some(state))));
    }
}
