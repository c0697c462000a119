//! The keys that every step may have, whatever its kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::step::OnFailure;
use crate::step::scalar::Span;

/// How a step is tried again after a failure that may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How often it is tried in all, the first time included.
    #[schemars(range(min = 1, max = 1000))]
    pub attempts: u32,
    /// How long to wait before each further try.
    pub delay: Span,
}

/// The keys that every step may have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepOptions {
    /// How it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// How long all tries together may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// What happens when it fails for good.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// A sentence that somebody must approve before the step begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub approval: Option<String>,
}
