//! The targeting of a roll-out: a share of the keys gets a new variant, the others keep the old one. It owns the form in which that is
//! written, so that a roll-out that stands still is recognised and goes on with the same keys.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// All keys, in the parts that shares are counted in: one part is 0.001 %.
pub const ALL: u32 = 100_000;

/// Which keys get the new variant first, and between which variants. Two roll-outs with equal cohorts draw the same keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cohort {
    /// Stands before every key when it is drawn.
    pub seed: String,
    /// The field of the context that is drawn by.
    pub key: String,
    /// The new variant.
    pub to: String,
    /// The variant that the others keep.
    pub from: String,
}

impl Cohort {
    /// The targeting that gives `parts` of [`ALL`] keys the new variant.
    #[must_use]
    pub fn targeting(&self, parts: u32) -> Value {
        // Why the new variant first: the first one's keys only ever grow with its weight, and shrink with it, last in first out.
        json!({ "fractional": [
            { "cat": [self.seed, { "var": self.key }] },
            [self.to, parts],
            [self.from, ALL.saturating_sub(parts)],
        ] })
    }

    /// The cohort and the parts of a targeting that [`Self::targeting`] made; `None` for any other.
    #[must_use]
    pub fn read(targeting: &Value) -> Option<(Self, u32)> {
        let text = |pointer: &str| targeting.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let cohort = Self {
            seed: text("/fractional/0/cat/0")?,
            key: text("/fractional/0/cat/1/var")?,
            to: text("/fractional/1/0")?,
            from: text("/fractional/2/0")?,
        };
        let parts = u32::try_from(targeting.pointer("/fractional/1/1")?.as_u64()?).ok()?;
        (cohort.targeting(parts) == *targeting).then_some((cohort, parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_roll_out_wrote_is_read_as_one() {
        let text = |text: &str| text.to_owned();
        let cohort = Cohort { seed: text("f@3:"), key: text("targetingKey"), to: text("events"), from: text("call") };
        for parts in [1, 100, 10_000, ALL] {
            assert_eq!(Cohort::read(&cohort.targeting(parts)), Some((cohort.clone(), parts)));
        }
        let mut others = vec![json!({}), json!({ "if": [true, "events", "call"] }), json!({ "fractional": [["events", 1], ["call", 99]] })];
        let mut third = cohort.targeting(10);
        third["fractional"].as_array_mut().unwrap().push(json!(["other", 5]));
        let mut total = cohort.targeting(10);
        total["fractional"][2][1] = json!(5);
        others.extend([third, total]);
        for other in others {
            assert_eq!(Cohort::read(&other), None, "{other}");
        }
    }
}
