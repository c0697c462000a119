//! What the whole-plan proof says, as the document in which it comes. This room shows it and proves nothing.

use serde::{Deserialize, Serialize};

/// The proof of a playbook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofDocument {
    /// Whether nothing stands against the playbook but what was accepted by name.
    pub proven: bool,
    /// The step from which on there is no way back, if it was computed and there is one.
    #[serde(default)]
    pub line: Option<String>,
    /// States that were looked at, forward and back.
    #[serde(default)]
    pub states: u64,
    /// What the playbook would break.
    #[serde(default)]
    pub violations: Vec<Violation>,
    /// What is broken already before it begins.
    #[serde(default)]
    pub start_violations: Vec<Violation>,
    /// What was taken for granted, and which gaps were accepted.
    #[serde(default)]
    pub assumed: Vec<String>,
}

/// One thing that would break, or is broken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Name of the rule.
    pub rule: String,
    /// What it is about.
    pub subject: String,
    /// The steps of the story.
    #[serde(default)]
    pub steps: Vec<String>,
    /// Line in the playbook of the step at which it first happens, from 1.
    #[serde(default)]
    pub line: Option<u32>,
    /// Column there, from 1.
    #[serde(default)]
    pub column: Option<u32>,
    /// What happens and why.
    pub story: String,
    /// How to mend it.
    #[serde(default)]
    pub mend: String,
}
