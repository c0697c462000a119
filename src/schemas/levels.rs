//! What a compatibility level asks for: in which directions a change is judged, against which earlier versions, and in which order readers
//! and writers may then be deployed.

use serde::Serialize;

use crate::ports::registry::Compatibility;

/// In which direction a change is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The new schema reads what the old one wrote.
    Backward,
    /// The old schema reads what the new one writes.
    Forward,
}

/// All levels, the weakest promise last.
pub(super) const ALL: [Compatibility; 7] = [
    Compatibility::FullTransitive,
    Compatibility::Full,
    Compatibility::BackwardTransitive,
    Compatibility::Backward,
    Compatibility::ForwardTransitive,
    Compatibility::Forward,
    Compatibility::None,
];

/// The directions that a level judges, and whether it looks at all earlier versions instead of the last one.
#[must_use]
pub fn asks(level: Compatibility) -> (&'static [Direction], bool) {
    use Direction::{Backward, Forward};
    match level {
        Compatibility::None => (&[], false),
        Compatibility::Backward => (&[Backward], false),
        Compatibility::BackwardTransitive => (&[Backward], true),
        Compatibility::Forward => (&[Forward], false),
        Compatibility::ForwardTransitive => (&[Forward], true),
        Compatibility::Full => (&[Backward, Forward], false),
        Compatibility::FullTransitive => (&[Backward, Forward], true),
    }
}

/// The order of deployment that a change allows which is fine in these directions.
#[must_use]
pub fn order(backward: bool, forward: bool) -> &'static str {
    match (backward, forward) {
        (true, true) => "readers and writers may be deployed in any order",
        (true, false) => "deploy the readers first, with the new schema; then the writers",
        (false, true) => "deploy the writers first, with the new schema; the readers when nothing old is left to be read",
        (false, false) => {
            "no order works with one subject: take a new subject or topic, read both for a while, and stop the old one when it is drained"
        }
    }
}
