//! What the engine must know of a playbook: options and bindings of each step, and nothing of what the steps do.

use std::time::Duration;

use serde_json::Value;

use super::guard::GuardDefinition;
pub use crate::step::{Approvals, OnFailure};
use crate::step::{Nature, OnUnknown, Risk};

/// How often and how soon a step is tried again when a system passes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all.
    pub attempts: u32,
    /// Wait before the second try; it doubles with every further one, up to [`Retry::LONGEST`].
    pub delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        // Why: 1 + 2 + 4 + … + 30 + 30 s: about three minutes, longer than a broker's restart.
        Self { attempts: 10, delay: Duration::from_secs(1) }
    }
}

impl Retry {
    /// The longest wait between two tries.
    pub const LONGEST: Duration = Duration::from_secs(30);

    /// The wait after `attempts` failed tries, or `None` when there is no further one.
    #[must_use]
    pub fn after(self, attempts: u32) -> Option<Duration> {
        if attempts >= self.attempts {
            return None;
        }
        let factor = 2_u32.saturating_pow(attempts.saturating_sub(1));
        Some(self.delay.saturating_mul(factor).min(Self::LONGEST))
    }
}

/// One step, as the engine sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct StepDefinition {
    /// Its id in the playbook.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// See [`Nature`].
    pub nature: Nature,
    /// See [`OnUnknown`].
    pub on_unknown: OnUnknown,
    /// See [`Risk`].
    pub risk: Risk,
    /// See [`OnFailure`].
    pub on_failure: OnFailure,
    /// See [`Retry`].
    pub retry: Retry,
    /// Longest time from the beginning of the step to its end.
    pub timeout: Option<Duration>,
    /// What is to be approved before the step begins.
    pub approval: Option<String>,
    /// The binding that the plan foresaw; `None` when it could not be previewed or needed no change.
    pub foreseen: Option<Value>,
    /// Whether an act that is done is asked whether it has settled before anything further begins.
    pub settles: bool,
    /// What is watched from its beginning to its end.
    pub guards: Vec<GuardDefinition>,
    /// Whether it is under way together with the step before it.
    pub beside: bool,
}

impl StepDefinition {
    /// A step with every option at its default, as steps of a way back are.
    #[must_use]
    pub fn plain(id: &str, kind: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind: kind.to_owned(),
            nature: Nature::State,
            on_unknown: OnUnknown::Ask,
            risk: Risk::Reversible,
            on_failure: OnFailure::Hold,
            retry: Retry::default(),
            timeout: None,
            approval: None,
            foreseen: None,
            settles: false,
            guards: Vec::new(),
            beside: false,
        }
    }
}

/// The steps of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definition {
    /// In order.
    pub steps: Vec<StepDefinition>,
}
