//! What is proven: steps with their moves, in order, and where they begin. It comes from a playbook, or is written out by hand.

use serde::{Deserialize, Serialize};

use crate::services::Start;
use crate::step::{Gap, Move, Today};

/// Steps in their order, and where they begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Book {
    /// Where the steps begin.
    #[serde(default)]
    pub start: Start,
    /// What live systems say of the beginning, when they were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub today: Option<Today>,
    /// What may break.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<Gap>,
    /// The steps.
    pub steps: Vec<BookStep>,
}

impl Book {
    /// What live systems say of the beginning, where that counts.
    pub(super) fn today(&self) -> Option<&Today> {
        self.today.as_ref().filter(|_| !self.start.as_declared)
    }
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookStep {
    /// Its name within the book.
    pub id: String,
    /// What it does to the systems.
    #[serde(default)]
    pub moves: Vec<Move>,
    /// Whether somebody has said that there may be no way back from here on.
    #[serde(default)]
    pub line: bool,
    /// Whether it runs beside the step before it.
    #[serde(default)]
    pub beside: bool,
    /// Whether it was begun and broken off, so that what it does may be half there and is never verified.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub broken_off: bool,
    /// Line and column in the playbook, from 1; zeros when there is none.
    #[serde(default)]
    pub place: (u32, u32),
    /// The consumer groups that it names, also where it makes no move with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<NamedGroup>,
}

/// A consumer group that a step names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedGroup {
    /// The group.
    pub group: String,
    /// The topic that the step names with it, when that is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

impl BookStep {
    /// A step of these moves.
    #[must_use]
    pub fn new(id: impl Into<String>, moves: Vec<Move>) -> Self {
        Self { id: id.into(), moves, ..Self::default() }
    }
}
