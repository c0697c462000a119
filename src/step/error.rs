//! Why a step could not go on, sorted by what the engine does about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ports::PortError;

/// A step's failure. It is journaled, so it is plain data and holds no secret.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepError {
    /// An outside system failed; whether it is tried again is the port error's own business.
    #[error(transparent)]
    Port(PortError),
    /// The environment has no system of that name.
    #[error("environment `{environment}` has no {kind} `{name}`; {known}")]
    NoSystem {
        /// Environment name.
        environment: String,
        /// `kafka`, `registry`, …
        kind: String,
        /// The name that was asked for.
        name: String,
        /// What there is instead, as a sentence.
        known: String,
    },
    /// A secret reference does not resolve in the controller.
    #[error("the secret {reference} is not set where the controller runs")]
    NoSecret {
        /// For instance `env:KAFKA_PASSWORD`.
        reference: String,
    },
    /// What the step was asked to do is not possible here.
    #[error("{0}")]
    Impossible(String),
    /// This controller lost the run while it worked; whatever it finds is not written down.
    #[error("another controller has taken this run over")]
    Fenced,
    /// The step took longer than its `timeout`.
    #[error("not done within {0}")]
    TimedOut(String),
    /// A guard of the step tripped. Says which, its value, its limit and when.
    #[error("{0}")]
    Tripped(String),
    /// What was waited for was disturbed; the same attempt is made again.
    #[error("{0}")]
    Disturbed(String),
    /// A mistake of ours: a panic, or journaled data that does not read back.
    #[error("internal error: {0}")]
    Broken(String),
}

impl StepError {
    /// Wraps an error that only a defect of ours can cause.
    pub fn broken(error: impl fmt::Display) -> Self {
        Self::Broken(error.to_string())
    }

    /// Whether the same attempt may succeed later without anybody mending anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Port(error) => error.is_passing(),
            Self::Disturbed(_) => true,
            _ => false,
        }
    }
}

impl From<PortError> for StepError {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}
