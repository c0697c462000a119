//! What is proven of a whole plan, as a value that travels with it: into files, to the screen, into the journal. How it is proven is
//! none of its business.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Scene;

/// What was proven, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Whether nothing stands against the playbook but what was accepted by name.
    pub proven: bool,
    /// The step from which on there is no way back; `None` when there always is one, or when it was not computed because a rule is
    /// broken on the way forward.
    #[serde(default)]
    pub line: Option<String>,
    /// States that were looked at, forward and back.
    #[serde(default)]
    pub states: usize,
    /// What the playbook would break; one per rule and subject.
    #[serde(default)]
    pub violations: Vec<Violation>,
    /// What is broken already before it begins.
    #[serde(default)]
    pub start_violations: Vec<Violation>,
    /// What would break and was accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Gap>,
    /// What was taken for granted.
    #[serde(default)]
    pub assumed: Vec<String>,
}

/// One thing that would break.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Letter of the rule.
    pub rule: String,
    /// What it is about. Rule and subject are the name by which it can be accepted.
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
    /// The state that the story tells of; it does not travel, because the story says it to people.
    #[serde(skip)]
    pub scene: Scene,
}

impl Violation {
    /// `rule:subject`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.rule, self.subject)
    }
}

/// Something that would break and may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The rule, as `cutover check` names it before the colon.
    #[schemars(length(min = 1))]
    pub rule: String,
    /// What it is about, as `cutover check` names it behind the colon.
    #[schemars(length(min = 1))]
    pub subject: String,
    /// Why it may break.
    #[schemars(length(min = 1))]
    pub reason: String,
}

impl Gap {
    /// `rule:subject`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.rule, self.subject)
    }
}
