//! What the journal holds. An entry is an intent or a result, never a debug message; replaying entries in order rebuilds the run.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::definition::Approvals;
use super::guard::Sample;
use super::state::{RunState, StepState};
use crate::step::{ErasedChange, Evidence, Gap, Question, Receipt, StepError};

/// An entry in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// Number within the run, from 1, without gaps.
    pub seq: i64,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// What it says.
    pub entry: Entry,
}

/// How a step came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Its goal was verified after its acts.
    Verified,
    /// It was so before.
    AlreadySo,
    /// Left as it is, on a way back.
    Kept,
    /// A person answered.
    Answered,
}

impl How {
    /// The state in which a step ends that way.
    pub(super) fn state(self) -> StepState {
        match self {
            Self::Verified | Self::Answered => StepState::Done,
            Self::AlreadySo => StepState::AlreadySo,
            Self::Kept => StepState::Kept,
        }
    }
}

/// What a step was doing when a system failed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// Looking and planning.
    Planning,
    /// Acting, or looking whether an act has happened.
    Acting,
    /// Looking whether an act has settled.
    Settling,
    /// Verifying.
    Verifying,
}

/// How much a way back takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The whole run; it ends as `reverted`.
    Run,
    /// The failed step only; the run then waits for a person.
    Step,
}

/// What is done about one step on the way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackAction {
    /// An ordinary step.
    Step {
        /// Kind of step.
        kind: String,
        /// Its body.
        body: Value,
    },
    /// It stays. Says why.
    Kept(String),
    /// It cannot be taken back. Says why.
    Impossible(String),
}

/// One line of the way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackStep {
    /// Id of its own, `revert-<step>` with a number when one step takes several.
    pub id: String,
    /// Id of the step that it takes back.
    pub of: String,
    /// What is done.
    pub action: BackAction,
    /// Whether its acts are asked whether they have settled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub settles: bool,
}

/// What an entry says. The name in snake case is the entry's kind in the database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The run was accepted.
    RunBegun {
        /// Who started it.
        by: String,
        /// Who may approve.
        approvals: Approvals,
        /// Whether approvals are answered in the starter's name.
        yes: bool,
        /// What may break, as it was accepted.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accepted: Vec<Gap>,
    },
    /// A person is asked.
    Asked {
        /// Step id.
        step: String,
        /// What.
        question: Question,
        /// Why the question came up.
        why: AskedFor,
    },
    /// A person answered yes.
    Answered {
        /// Step id.
        step: String,
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
        /// What the question asked for besides a yes.
        evidence: Option<String>,
    },
    /// A step begins; if it changes something, its first act begins with this entry.
    StepBegun {
        /// Step id.
        step: String,
        /// The change with its before-image; `None` for a step that only waits.
        change: Option<ErasedChange>,
        /// Whether guards are watched, so that the first act has an entry of its own once they are good.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        guarded: bool,
    },
    /// A further act begins.
    ActBegun {
        /// Step id.
        step: String,
        /// Index of the act.
        act: usize,
    },
    /// A long act saved its position.
    CursorSaved {
        /// Step id.
        step: String,
        /// The position, in the kind's own words.
        cursor: Value,
    },
    /// An act is done.
    ActDone {
        /// Step id.
        step: String,
        /// Index of the act.
        act: usize,
        /// What it answered.
        receipt: Receipt,
        /// Whether it was found done after a crash rather than done now.
        found: bool,
        /// Whether it is to settle before anything further begins.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        settles: bool,
    },
    /// An act has settled.
    ActSettled {
        /// Step id.
        step: String,
        /// Index of the act.
        act: usize,
        /// What shows it.
        evidence: Evidence,
    },
    /// Guards were looked at.
    Watched {
        /// Step id.
        step: String,
        /// When they were asked.
        asked_at: DateTime<Utc>,
        /// Number of the last journal entry when they were asked: whether a sample is younger than an act does not depend on clocks.
        after: i64,
        /// What each found.
        samples: Vec<Sample>,
    },
    /// A guard holds the run.
    Held {
        /// Step id.
        step: String,
        /// Index of the guard.
        guard: usize,
        /// Its query, value, limit and when.
        why: String,
    },
    /// A hold is over.
    Released {
        /// Step id.
        step: String,
        /// Index of the guard whose hold it was; `None` for all of them.
        guard: Option<usize>,
        /// Who: a person, or the guard itself.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// A system failed the step; it is tried again.
    Stumbled {
        /// Step id.
        step: String,
        /// At what.
        doing: Doing,
        /// How.
        error: StepError,
        /// Which try it was, from 1.
        attempt: u32,
        /// When it is tried again.
        again_at: DateTime<Utc>,
    },
    /// The goal is not reached yet.
    StepWaits {
        /// Step id.
        step: String,
        /// How it is.
        now: String,
        /// How it must be.
        goal: String,
    },
    /// The step is over.
    StepDone {
        /// Step id.
        step: String,
        /// How.
        how: How,
        /// What shows it.
        evidence: Evidence,
    },
    /// The step failed for good.
    StepFailed {
        /// Step id.
        step: String,
        /// How.
        error: StepError,
        /// Whether neither direction is open until a person looks.
        frozen: bool,
    },
    /// A person skipped the step.
    StepSkipped {
        /// Step id.
        step: String,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person wants the failed step tried again.
    Retried {
        /// Step id.
        step: String,
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// A person paused the run.
    Paused {
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// A person let the run go on.
    Resumed {
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// A person, a guard or a step's `on_failure` wants the way back, and the run finishes what is under way first.
    RevertOrdered {
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
        /// How much.
        scope: Scope,
    },
    /// The way back begins.
    RevertBegun {
        /// How much.
        scope: Scope,
        /// Its lines, in order.
        steps: Vec<BackStep>,
    },
    /// A person wants the run stopped where it stands, and the run finishes what is under way first.
    AbortOrdered {
        /// Who.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// The run brought controllers down and is taken out of service.
    Quarantined {
        /// What was observed.
        why: String,
    },
    /// The run is over.
    RunEnded {
        /// As what.
        state: RunState,
        /// One sentence.
        why: Option<String>,
    },
}

/// Why a person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedFor {
    /// The step is a question.
    Question,
    /// The step's `approval` option.
    Approval,
    /// What is there is not what the plan foresaw.
    Stale,
    /// After a crash it cannot be told whether an act happened.
    Unclear,
}

impl Entry {
    /// Version of the body's form; an older reader refuses a newer one.
    pub const VERSION: i16 = 1;

    /// Kind and body, as the database keeps them.
    ///
    /// # Errors
    /// Never for values that the engine makes; the type says so because serialisation can.
    pub fn write(&self) -> Result<(String, Value), serde_json::Error> {
        match serde_json::to_value(self)? {
            Value::Object(fields) => fields.into_iter().next().ok_or_else(|| serde::ser::Error::custom("an entry without a kind")),
            _ => Err(serde::ser::Error::custom("an entry that is no object")),
        }
    }

    /// Reads what [`Entry::write`] wrote.
    ///
    /// # Errors
    /// When the kind is unknown or the body does not fit it.
    pub fn read(kind: &str, body: Value) -> Result<Self, serde_json::Error> {
        let mut fields = serde_json::Map::new();
        fields.insert(kind.to_owned(), body);
        serde_json::from_value(Value::Object(fields))
    }

    /// The step that the entry is about.
    #[must_use]
    pub fn step(&self) -> Option<&str> {
        match self {
            Self::Asked { step, .. }
            | Self::Answered { step, .. }
            | Self::StepBegun { step, .. }
            | Self::ActBegun { step, .. }
            | Self::CursorSaved { step, .. }
            | Self::ActDone { step, .. }
            | Self::ActSettled { step, .. }
            | Self::Watched { step, .. }
            | Self::Held { step, .. }
            | Self::Released { step, .. }
            | Self::Stumbled { step, .. }
            | Self::StepWaits { step, .. }
            | Self::StepDone { step, .. }
            | Self::StepFailed { step, .. }
            | Self::StepSkipped { step, .. }
            | Self::Retried { step, .. } => Some(step),
            Self::RunBegun { .. }
            | Self::Paused { .. }
            | Self::Resumed { .. }
            | Self::RevertOrdered { .. }
            | Self::RevertBegun { .. }
            | Self::AbortOrdered { .. }
            | Self::Quarantined { .. }
            | Self::RunEnded { .. } => None,
        }
    }
}
