//! What a plan foresaw and what is there now: whether they are the same, and where they are not.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plan::{PlanDocument, PlannedStep};
use crate::step::scalar::worded;
use crate::step::{ErasedPlan, binding_holds};

/// One value that is not what was foreseen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Where in the binding, with dots: `desired.release`. Empty for the whole.
    pub at: String,
    /// What was foreseen.
    pub foreseen: Value,
    /// What is there.
    pub now: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.at.is_empty() { "it" } else { &self.at };
        write!(f, "{at} was foreseen as {} and is {}", words(&self.foreseen), words(&self.now))
    }
}

/// A value in words.
#[must_use]
pub fn words(value: &Value) -> String {
    match value {
        Value::Null => "not there".to_owned(),
        other => worded(other),
    }
}

/// The values in which a binding differs from the one that was foreseen. [`KNOWN_LATER`](crate::step::KNOWN_LATER) fits anything.
#[must_use]
pub fn differences(foreseen: &Value, found: &Value) -> Vec<Difference> {
    let mut out = Vec::new();
    compare("", foreseen, found, &mut out);
    out
}

fn compare(at: &str, foreseen: &Value, found: &Value, out: &mut Vec<Difference>) {
    if binding_holds(foreseen, found) {
        return;
    }
    if let (Value::Object(one), Value::Object(other)) = (foreseen, found) {
        let added = other.keys().filter(|key| !one.contains_key(*key));
        for key in one.keys().chain(added) {
            let inner = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            match (one.get(key), other.get(key)) {
                (Some(one), Some(other)) => compare(&inner, one, other, out),
                (one, other) => {
                    let value = |side: Option<&Value>| side.cloned().unwrap_or_default();
                    out.push(Difference { at: inner, foreseen: value(one), now: value(other) });
                }
            }
        }
        return;
    }
    out.push(Difference { at: at.to_owned(), foreseen: foreseen.clone(), now: found.clone() });
}

/// A step of which the plan foresaw something else than what would be planned now.
#[derive(Clone, Debug, PartialEq)]
pub struct StaleStep {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// What was foreseen.
    pub foreseen: ErasedPlan,
    /// What would be planned now; `None` when the step is not there any more.
    pub now: Option<ErasedPlan>,
}

/// The steps of which a plan foresaw something else than one of the same bundle that was made now.
#[must_use]
pub fn stale_steps(plan: &PlanDocument, now: &PlanDocument) -> Vec<StaleStep> {
    let differs = |step: &&PlannedStep| {
        let found = now.steps.iter().find(|found| found.id == step.id);
        !found.is_some_and(|found| found.kind == step.kind && holds(&step.plan, &found.plan))
    };
    let stale = |step: &PlannedStep| StaleStep {
        id: step.id.clone(),
        kind: step.kind.clone(),
        foreseen: step.plan.clone(),
        now: now.steps.iter().find(|found| found.id == step.id).map(|found| found.plan.clone()),
    };
    plan.steps.iter().filter(differs).map(stale).collect()
}

/// Whether a step may begin although the plan is not of this instant.
fn holds(foreseen: &ErasedPlan, now: &ErasedPlan) -> bool {
    use ErasedPlan as P;
    match (foreseen, now) {
        (_, P::Impossible(_)) => false,
        (P::Change(foreseen), P::Change(now)) => binding_holds(&foreseen.binding, &now.binding),
        (P::Ask(foreseen), P::Ask(now)) => foreseen == now,
        // Why: what waits or finds it so changes nothing, and what is waited for may have come meanwhile.
        (P::AlreadySo(_) | P::Kept(_) | P::Wait { .. }, P::AlreadySo(_) | P::Kept(_) | P::Wait { .. }) | (P::CannotPreview(_), _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::step::KNOWN_LATER;

    #[test]
    fn only_what_differs_is_told() {
        let foreseen = json!({ "desired": { "release": "1.4", "instances": 1 }, "id": KNOWN_LATER, "list": [1, KNOWN_LATER] });
        let same = json!({ "desired": { "release": "1.4", "instances": 1 }, "id": "x", "list": [1, 2] });
        assert_eq!(differences(&foreseen, &same), []);
        let other = json!({ "desired": { "release": "1.5", "instances": 1 }, "id": "x", "list": [2, 2], "more": true });
        let told: Vec<String> = differences(&foreseen, &other).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "desired.release was foreseen as 1.4 and is 1.5",
                "list was foreseen as [1,\"(known later)\"] and is [2,2]",
                "more was foreseen as not there and is true"
            ]
        );
        assert_eq!(differences(&json!(null), &json!({ "a": 1 }))[0].to_string(), "it was foreseen as not there and is {\"a\":1}");
    }
}
