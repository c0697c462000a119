//! What a person may tell a run.

use serde::{Deserialize, Serialize};

use super::state::RunState;

/// The verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Begin nothing new; what is under way is finished.
    Pause,
    /// Go on.
    Resume,
    /// Say yes to what is asked.
    Approve,
    /// Try the failed step again.
    Retry,
    /// Go on without this step.
    Skip,
    /// Take everything back.
    Revert,
    /// Stop where it stands.
    Abort,
    /// Give up on a run that cannot go on.
    Abandon,
}

impl Command {
    /// All verbs, in the order of the help text.
    pub const ALL: &[Self] = &[Self::Pause, Self::Resume, Self::Approve, Self::Retry, Self::Skip, Self::Revert, Self::Abort, Self::Abandon];

    /// The verb.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Approve => "approve",
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Revert => "revert",
            Self::Abort => "abort",
            Self::Abandon => "abandon",
        }
    }

    /// Whether the verb is about one step and not about the run as a whole.
    #[must_use]
    pub fn is_about_a_step(self) -> bool {
        matches!(self, Self::Resume | Self::Approve | Self::Retry | Self::Skip)
    }

    /// Whether the verb must come with a reason.
    #[must_use]
    pub fn needs_reason(self) -> bool {
        matches!(self, Self::Skip | Self::Abandon)
    }
}

/// A verb with everything that belongs to it, as it lies in the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The verb.
    pub command: Command,
    /// Who says it.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The step that is meant; when it is left out, the one that is under way, or the only one of those that the verb fits. A guard against
    /// answering a question that has passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What a question asked for besides a yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// The run's answer to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether it was taken.
    pub taken: bool,
    /// What happens now, or why not.
    pub text: String,
    /// The state in which the run was when it answered.
    pub state: RunState,
}
