//! Which variant a flag has for a key: the default variant, or what `fractional` says. The one place where a document is evaluated.

use serde_json::Value;

/// The variant that `flag` has for `key`; `default` when the document does not decide.
#[must_use]
pub fn decide(document: &Value, flag: &str, key: &str, default: &str) -> String {
    variant(document, flag, key).unwrap_or_else(|| default.to_owned())
}

fn variant(document: &Value, flag: &str, key: &str) -> Option<String> {
    let found = document.get("flags")?.get(flag)?;
    if found.get("state").and_then(Value::as_str) != Some("ENABLED") {
        return None;
    }
    let targeted = found.get("targeting").and_then(|targeting| fractional(targeting.get("fractional")?, flag, key));
    let chosen = targeted.or_else(|| found.get("defaultVariant").and_then(Value::as_str).map(str::to_owned))?;
    found.get("variants")?.get(&chosen).map(|_| chosen)
}

/// flagd's second bucketing: the hash is scaled to the sum of the weights, in whole numbers.
fn fractional(rule: &Value, flag: &str, key: &str) -> Option<String> {
    let mut shares = Vec::new();
    for entry in rule.as_array()? {
        let entry = entry.as_array()?;
        let variant = entry.first()?.as_str()?;
        let weight = entry.get(1).map_or(Some(1), Value::as_i64)?;
        shares.push((variant, u64::try_from(weight).unwrap_or_default()));
    }
    let total: u64 = shares.iter().map(|(_, weight)| weight).sum();
    if key.is_empty() || total == 0 || total > i32::MAX.unsigned_abs().into() {
        return None;
    }
    let bucket = (u64::from(hash(format!("{flag}{key}").as_bytes())) * total) >> 32;
    let mut end = 0;
    let chosen = shares.into_iter().find(|(_, weight)| {
        end += weight;
        bucket < end
    })?;
    Some(chosen.0.to_owned())
}

/// `MurmurHash3`, 32 bits, seed 0.
fn hash(bytes: &[u8]) -> u32 {
    let scramble = |word: u32| word.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
    let chunks = bytes.chunks_exact(4);
    let rest = word(chunks.remainder());
    let mut state =
        chunks.fold(0_u32, |state, chunk| (state ^ scramble(word(chunk))).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64));
    state ^= scramble(rest);
    state ^= u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    state = (state ^ (state >> 16)).wrapping_mul(0x85eb_ca6b);
    state = (state ^ (state >> 13)).wrapping_mul(0xc2b2_ae35);
    state ^ (state >> 16)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(flag: &Value) -> Value {
        json!({ "flags": { "fractional-flag": flag } })
    }

    #[test]
    fn hashes_are_the_published_ones() {
        assert_eq!(
            [hash(b"ejOoVL"), hash(b"bY9fO-"), hash(b"SI7p-"), hash(b"6LvT0"), hash(b"ceQdGm")],
            [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX]
        );
        assert_eq!(hash(b"fractional-flagjack"), 0x9fe8_43e0);
    }

    #[test]
    fn shares_fall_where_flagd_puts_them() {
        let suits = ["clubs", "diamonds", "hearts", "spades"];
        let rule: Vec<Value> = suits.iter().map(|suit| json!([suit, 25])).collect();
        let variants = json!({ "clubs": 1, "diamonds": 2, "hearts": 3, "spades": 4 });
        let document =
            document(&json!({ "state": "ENABLED", "variants": variants, "defaultVariant": "clubs", "targeting": { "fractional": rule } }));
        let of = |key: &str| decide(&document, "fractional-flag", key, "none");
        assert_eq!(["jack", "queen", "ten", "nine", "3"].map(of), ["hearts", "spades", "clubs", "diamonds", "clubs"]);
        assert_eq!(decide(&document, "fractional-flag", "", "none"), "clubs");
    }

    #[test]
    fn without_a_decision_the_default_in_the_code_holds() {
        let variants = json!({ "on": true, "off": false });
        let disabled = document(&json!({ "state": "DISABLED", "variants": variants, "defaultVariant": "on" }));
        assert_eq!(decide(&disabled, "fractional-flag", "k", "off"), "off");
        assert_eq!(decide(&disabled, "other", "k", "off"), "off");
        let enabled = document(&json!({ "state": "ENABLED", "variants": variants, "defaultVariant": "on" }));
        assert_eq!(decide(&enabled, "fractional-flag", "k", "off"), "on");
        let unknown = document(&json!({ "state": "ENABLED", "variants": variants, "defaultVariant": "maybe" }));
        assert_eq!(decide(&unknown, "fractional-flag", "k", "off"), "off");
    }
}
