//! How a kind answers "take it back".

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A step as a playbook would hold it: kind name and body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrdinaryStep {
    /// Name of the kind.
    pub kind: String,
    /// The body under the kind's key.
    pub body: Value,
}

/// That a change brought a thing into being or ended it, by a name that no other thing ever has, for instance a topic with its id. What
/// one step of a run began and a later one ended has come and gone: there is nothing of it to take back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// The change began it.
    Began(String),
    /// The change ended it.
    Ended(String),
}

/// The way back from one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revert {
    /// These steps, planned, acted and verified like any other.
    Steps(Vec<OrdinaryStep>),
    /// There is nothing to take back.
    Nothing,
    /// It stays, and that harms nobody. Says why.
    Kept(String),
    /// It cannot be taken back. Says why.
    Impossible(String),
}

impl Revert {
    /// One step of the given kind.
    #[must_use]
    pub fn step(kind: &str, body: Value) -> Self {
        Self::Steps(vec![OrdinaryStep { kind: kind.to_owned(), body }])
    }
}
