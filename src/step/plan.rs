//! What a step says it will do: six words and the values behind them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a planned effect shows in front of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// `+` something comes into being.
    Create,
    /// `~` something that exists is changed.
    Change,
    /// `-` something is removed.
    Remove,
}

impl Mark {
    /// The sign.
    #[must_use]
    pub fn sign(self) -> char {
        match self {
            Self::Create => '+',
            Self::Change => '~',
            Self::Remove => '-',
        }
    }
}

/// One line of a planned change: what, from what, to what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// How it shows.
    pub mark: Mark,
    /// The thing, for instance `topic datarep.exercise` or `retention.ms`.
    pub what: String,
    /// Its value before; `None` when it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Its value after; `None` when it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// A change that a step would make.
#[derive(Clone, Debug, PartialEq)]
pub struct Change<C> {
    /// The kind's own before-image and target.
    pub change: C,
    /// What a person reads.
    pub effects: Vec<Effect>,
    /// The part of what was seen on which the change depends: when it differs later, the plan is stale. Never offsets, counts or pids.
    pub binding: Value,
}

/// Stands in a foreseen binding for what only the run will show, for instance the id of a topic that an earlier step creates.
pub const KNOWN_LATER: &str = "(known later)";

/// Whether what is there now is what the plan foresaw. [`KNOWN_LATER`] fits anything.
#[must_use]
pub fn binding_holds(foreseen: &Value, found: &Value) -> bool {
    match (foreseen, found) {
        (Value::String(text), _) if text == KNOWN_LATER => true,
        (Value::Object(foreseen), Value::Object(found)) => {
            foreseen.len() == found.len()
                && foreseen.iter().all(|(key, value)| found.get(key).is_some_and(|other| binding_holds(value, other)))
        }
        (Value::Array(foreseen), Value::Array(found)) => {
            foreseen.len() == found.len() && foreseen.iter().zip(found).all(|(value, other)| binding_holds(value, other))
        }
        _ => foreseen == found,
    }
}

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The sentence, without a question mark's worth of doubt: what is to be decided.
    pub text: String,
    /// What the answer must bring besides a yes, for instance `url`; `None` when a yes is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// What a step will do, given a view of the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan<C> {
    /// Nothing: it is so. Says what was seen.
    AlreadySo(String),
    /// Nothing: the thing is in use and stays. Only steps on a way back say this. Says why.
    Kept(String),
    /// Change something.
    Change(Change<C>),
    /// Change nothing and wait until something is so.
    Wait {
        /// How it is now.
        now: String,
        /// How it must be.
        goal: String,
    },
    /// Ask a person.
    Ask(Question),
    /// Cannot be said before the run. Says why.
    CannotPreview(String),
    /// It will not work. Says why, and what would mend it.
    Impossible(String),
}
