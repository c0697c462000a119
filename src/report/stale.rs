//! A stale plan in words: for each step that is not as it was foreseen, what was and what is.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::plan::{Line, Tone};
use super::run::plan_line;
use crate::driver::SavedPlan;
use crate::engine::stale::{Difference, StaleStep, differences, words};
use crate::step::ErasedPlan;

/// Name of the JSON form.
pub const SCHEMA: &str = "cutover.stale/1";

/// How a saved plan differs from the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleDocument {
    /// [`SCHEMA`].
    pub schema: String,
    /// Id of the saved plan.
    pub plan: Uuid,
    /// When it was saved.
    pub saved_at: DateTime<Utc>,
    /// The steps that are not as foreseen; none when the plan can be applied.
    pub steps: Vec<StaleLine>,
}

/// A step that is not as foreseen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleLine {
    /// Its id.
    pub step: String,
    /// Its kind.
    pub kind: String,
    /// What was foreseen, in words.
    pub foreseen: String,
    /// What would be planned now, in words.
    pub now: String,
}

impl StaleDocument {
    /// The differences in words.
    #[must_use]
    pub fn new(saved: &SavedPlan, steps: &[StaleStep]) -> Self {
        Self { schema: SCHEMA.to_owned(), plan: saved.id, saved_at: saved.saved_at, steps: steps.iter().map(StaleLine::from).collect() }
    }

    /// One line per step and side.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let three = |step: &StaleLine| {
            [
                Line::new(Tone::Plain, format!("  {} ({})", step.step, step.kind)),
                Line::new(Tone::Dim, format!("    foreseen: {}", step.foreseen)),
                Line::new(Tone::Warn, format!("    now:      {}", step.now)),
            ]
        };
        self.steps.iter().flat_map(three).collect()
    }
}

impl From<&StaleStep> for StaleLine {
    fn from(step: &StaleStep) -> Self {
        let (mut foreseen, mut now) =
            (plan_line(&step.foreseen), step.now.as_ref().map_or_else(|| "the step is not there any more".to_owned(), plan_line));
        // Why: the same change may stand on something else, for instance on another topic of the same name.
        if let (ErasedPlan::Change(one), Some(ErasedPlan::Change(other))) = (&step.foreseen, &step.now)
            && foreseen == now
        {
            let side = |pick: fn(&Difference) -> &Value| {
                let each = |difference: &Difference| {
                    let at = if difference.at.is_empty() { "it" } else { &difference.at };
                    format!("{at} is {}", words(pick(difference)))
                };
                differences(&one.binding, &other.binding).iter().map(each).collect::<Vec<_>>().join(", ")
            };
            foreseen = format!("{foreseen} ({})", side(|difference| &difference.foreseen));
            now = format!("{now} ({})", side(|difference| &difference.now));
        }
        Self { step: step.id.clone(), kind: step.kind.clone(), foreseen, now }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::step::ErasedChange;

    fn change(binding: Value) -> ErasedPlan {
        ErasedPlan::Change(ErasedChange { change: Value::Null, effects: Vec::new(), binding, acts: Vec::new() })
    }

    #[test]
    fn both_sides_are_told_apart() {
        let stale = |foreseen, now| StaleLine::from(&StaleStep { id: "a".to_owned(), kind: "k".to_owned(), foreseen, now });
        let told = stale(change(json!({ "topic": "x" })), Some(change(json!({ "topic": "y" }))));
        assert_eq!((told.foreseen.as_str(), told.now.as_str()), (" (topic is x)", " (topic is y)"));
        let told = stale(ErasedPlan::AlreadySo("so".to_owned()), Some(ErasedPlan::Impossible("gone".to_owned())));
        assert_eq!((told.foreseen.as_str(), told.now.as_str()), ("already so: so", "will not work: gone"));
        assert_eq!(stale(ErasedPlan::AlreadySo("so".to_owned()), None).now, "the step is not there any more");
    }
}
