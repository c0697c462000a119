//! `wait`: lets time pass. The clock starts with the journal entry that begins the step, so a crash does not start it anew.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::step::scalar::Span;
use crate::step::{ActContext, Evidence, Kind, Length, Nature, Never, OnUnknown, Onlooker, Plan, Risk, StepError, Verdict, View};

/// Waits for a length of time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// How long.
    #[serde(rename = "for")]
    pub length: Span,
}

impl Onlooker for Wait {
    const KIND: Kind = Kind {
        name: "wait",
        summary: "lets time pass",
        nature: Nature::Once,
        risk: Risk::Safe,
        needs: &[],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-wait
steps:
  - id: settle
    wait: {for: 1s}
",
    };

    fn plan(&self, _: &View) -> Plan<Never> {
        Plan::Wait { now: "not begun".to_owned(), goal: format!("{} have passed", self.length) }
    }

    fn lengths(&self) -> Vec<Length> {
        vec![Length::at_least("time passes", self.length)]
    }

    async fn verify(&self, context: &ActContext) -> Result<Verdict, StepError> {
        // Why: a clock that was set back must not make the wait longer than it was; no time has passed then.
        let passed = (context.now - context.began).to_std().unwrap_or_default();
        Ok(match self.length.0.checked_sub(passed) {
            None | Some(Duration::ZERO) => Verdict::Holds(Evidence::said(format!("{} have passed", self.length))),
            Some(left) => Verdict::NotYet {
                now: format!("{} left", Span(Duration::from_secs(left.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)))),
                goal: format!("{} have passed", self.length),
                again_in: left,
            },
        })
    }
}
