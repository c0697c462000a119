//! Words of policy that playbooks, environments and the engine share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens when a step fails for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The run stops there and waits for a person.
    #[default]
    Hold,
    /// The step is taken back, then the run waits for a person.
    RevertStep,
    /// The whole run is taken back.
    RevertRun,
    /// Nothing is touched any more, in neither direction, until a person has looked.
    Freeze,
}

/// Who may answer a run's approvals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Approvals {
    /// Anybody, and `--yes` answers even before steps that cannot be taken back.
    None,
    /// Whoever started the run may.
    #[serde(rename = "self")]
    Own,
    /// Somebody other than who started the run must.
    #[default]
    Other,
}

impl Approvals {
    /// The word in `cutover.yaml`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Own => "self",
            Self::Other => "other",
        }
    }
}
