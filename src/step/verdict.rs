//! What verifying a step answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What makes a step green, kept for as long as the audit needs it: offsets, hashes, counts, never values of personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// One line for people: `3 partitions, id 6Jx…`.
    pub line: String,
    /// The figures behind it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

impl Evidence {
    /// Evidence without figures.
    pub fn said(line: impl Into<String>) -> Self {
        Self { line: line.into(), data: Value::Null }
    }

    /// Evidence with figures.
    pub fn with(line: impl Into<String>, data: &impl Serialize) -> Self {
        Self { line: line.into(), data: serde_json::to_value(data).unwrap_or(Value::Null) }
    }
}

/// Whether a step's goal holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Holds(Evidence),
    /// Not yet, and nothing is wrong.
    NotYet {
        /// How it is now, with the number being waited for.
        now: String,
        /// How it must be.
        goal: String,
        /// When looking again is worth while.
        again_in: Duration,
    },
    /// It does not hold and waiting will not help. Says what was seen.
    Broken(String),
}
