//! The words of guards: what one look of a guard found, and what a playbook says about acting on it. Which guards there are, and how
//! each looks, is the business of their own room; this one only knows what the engine needs to count.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::Span;

/// What one look of a guard found.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// There is a value, and the guard's limit says whether it is good.
    Value {
        /// The value; finite or infinite, never NaN.
        value: f64,
        /// Whether it is within the limit.
        good: bool,
        /// The value in words: `12034 records`, `3.2 for code="500"`.
        line: String,
    },
    /// The provider answered and knows no value. Says what is missing.
    NoData(String),
    /// The provider failed. Says how.
    Failed(String),
}

/// What a guard does when it trips, from the mildest to the strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuardOutcome {
    /// Nothing new begins until the guard is good again or a person resumes.
    #[default]
    Hold,
    /// The step is taken back, then the run waits for a person.
    RevertStep,
    /// The whole run is taken back.
    RevertRun,
    /// Nothing is touched any more, in neither direction, until a person has looked.
    Freeze,
}

impl GuardOutcome {
    /// The word in playbooks.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::RevertStep => "revert_step",
            Self::RevertRun => "revert_run",
            Self::Freeze => "freeze",
        }
    }
}

/// As what a sample without a value counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnNoData {
    /// As a good one.
    Good,
    /// As a bad one.
    Bad,
    /// As a failure of the provider.
    #[default]
    Error,
}

/// The keys that every guard has, whatever its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardOptions {
    /// What happens when the guard trips.
    pub then: GuardOutcome,
    /// How often it looks, at least 500ms.
    #[serde(default = "every_five_seconds")]
    pub interval: Span,
    /// How many bad samples are let pass; with 0 the first one trips the guard.
    #[serde(default)]
    pub failure_limit: u32,
    /// How many failures of the provider in a row are let pass.
    #[serde(default = "four")]
    pub consecutive_error_limit: u32,
    /// What happens when the provider fails more often than that.
    #[serde(default)]
    pub on_error: GuardOutcome,
    /// As what a sample without a value counts.
    #[serde(default)]
    pub on_no_data: OnNoData,
    /// How many good samples in a row end a hold by this guard.
    #[serde(default = "three")]
    #[schemars(range(min = 1))]
    pub release_after: u32,
}

impl GuardOptions {
    /// The shortest interval.
    pub const SHORTEST: Duration = Duration::from_millis(500);

    /// Every option at its default.
    #[must_use]
    pub fn new(then: GuardOutcome) -> Self {
        Self {
            then,
            interval: every_five_seconds(),
            failure_limit: 0,
            consecutive_error_limit: four(),
            on_error: GuardOutcome::default(),
            on_no_data: OnNoData::default(),
            release_after: three(),
        }
    }
}

fn every_five_seconds() -> Span {
    Span(Duration::from_secs(5))
}

fn four() -> u32 {
    4
}

fn three() -> u32 {
    3
}
