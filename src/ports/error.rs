//! Why a call to an outside system failed, sorted by what a caller can do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names one outside system in messages, together with the setting that its address came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemRef {
    /// Kind and name as in `cutover.yaml`, for instance `kafka main`.
    pub name: String,
    /// The address that was tried, without credentials.
    pub address: String,
    /// Where the address was set, for instance `cutover.yaml: environments.prod.kafka.main.bootstrap`.
    pub setting: String,
}

impl fmt::Display for SystemRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} (set in {})", self.name, self.address, self.setting)
    }
}

/// A failed call to an outside system.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortError {
    /// No answer, or an answer that says "not now". Trying again later is right.
    #[error("{system} cannot be reached: {detail}")]
    Unreachable {
        /// Who did not answer.
        system: SystemRef,
        /// What the client library said, without credentials.
        detail: String,
    },
    /// The system knows us and says no. Trying again does not help.
    #[error("{system} refused: {detail}")]
    Refused {
        /// Who refused.
        system: SystemRef,
        /// What was refused, and the right that is missing if the system names it.
        detail: String,
    },
    /// Somebody else changed the same thing at the same time; look again before acting again.
    #[error("{system} was changed by somebody else: {detail}")]
    Conflict {
        /// Where it happened.
        system: SystemRef,
        /// What differed.
        detail: String,
    },
    /// The request itself is wrong for this system.
    #[error("{system} does not accept this: {detail}")]
    Invalid {
        /// Who does not accept it.
        system: SystemRef,
        /// The system's own reason.
        detail: String,
    },
}

impl PortError {
    /// What a system without such a call answers.
    #[must_use]
    pub fn unfit(doing: &str, what: &str) -> Self {
        let nobody = || "this system".to_owned();
        Self::Invalid {
            system: SystemRef { name: nobody(), address: nobody(), setting: nobody() },
            detail: format!("{doing} is not possible: {what}"),
        }
    }

    /// Whether the same call may succeed later without anybody mending anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Conflict { .. })
    }

    /// The system that the failed call went to.
    #[must_use]
    pub fn system(&self) -> &SystemRef {
        match self {
            Self::Unreachable { system, .. }
            | Self::Refused { system, .. }
            | Self::Conflict { system, .. }
            | Self::Invalid { system, .. } => system,
        }
    }
}
