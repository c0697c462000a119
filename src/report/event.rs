//! A journal entry as a document: the entry itself and one line that says it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::engine::entry::AskedFor;
use crate::engine::guard::Sample;
use crate::engine::{Entry, How, JournalEntry, RunState, Scope};

/// Name of the JSON form.
pub const SCHEMA: &str = "cutover.event/1";

/// A journal entry, as `log --output json`, `watch --output jsonl` and the API give it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventDocument {
    /// [`SCHEMA`].
    pub schema: String,
    /// Run.
    pub run: Uuid,
    /// Number within the run.
    pub seq: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Kind of entry.
    pub kind: String,
    /// The step that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// One line for people.
    pub line: String,
    /// The entry itself.
    pub body: Value,
}

impl EventDocument {
    /// The document of an entry.
    #[must_use]
    pub fn new(run: Uuid, journaled: &JournalEntry) -> Self {
        let (kind, body) = journaled.entry.write().unwrap_or_else(|error| ("unreadable".to_owned(), Value::String(error.to_string())));
        Self {
            schema: SCHEMA.to_owned(),
            run,
            seq: journaled.seq,
            at: journaled.at,
            kind,
            step: journaled.entry.step().map(str::to_owned),
            line: line(&journaled.entry),
            body,
        }
    }
}

/// An entry in one line, without the step's id.
#[must_use]
pub fn line(entry: &Entry) -> String {
    match entry {
        Entry::RunBegun { by, yes, accepted, .. } => {
            let yes = if *yes { ", approvals answered in their name (--yes)" } else { "" };
            let gaps = accepted.iter().map(|gap| format!("{} may break, because {}", gap.name(), gap.reason));
            std::iter::once(format!("started by {by}{yes}")).chain(gaps).collect::<Vec<_>>().join("; ")
        }
        Entry::Asked { question, why, .. } => match why {
            AskedFor::Question | AskedFor::Approval => format!("asks: {}", question.text),
            AskedFor::Stale | AskedFor::Unclear => question.text.clone(),
        },
        Entry::Answered { by, reason, evidence, .. } => said("approved", by, reason.as_deref(), evidence.as_deref()),
        Entry::StepBegun { change: Some(change), .. } => {
            change.acts.first().map_or_else(|| "begun".to_owned(), |act| format!("begins to {}", act.line))
        }
        Entry::StepBegun { change: None, .. } => "begun".to_owned(),
        Entry::ActBegun { act, .. } => format!("begins act {}", act + 1),
        Entry::CursorSaved { .. } => "saved its position".to_owned(),
        Entry::ActDone { receipt, found, .. } => format!("{}{}", receipt.line, if *found { " (found done)" } else { "" }),
        Entry::ActSettled { evidence, .. } => format!("settled: {}", evidence.line),
        Entry::Watched { samples, .. } => {
            let one = |sample: &Sample| format!("{} ({})", sample.words(), sample.verdict.as_str());
            samples.iter().map(one).collect::<Vec<_>>().join("; ")
        }
        Entry::Held { why, .. } => format!("held: {why}"),
        Entry::Released { by, reason, .. } => said("released", by, reason.as_deref(), None),
        Entry::Stumbled { error, attempt, .. } => format!("try {attempt} failed: {error}"),
        Entry::StepWaits { now, goal, .. } => format!("waits: {now}; until {goal}"),
        Entry::StepDone { how, evidence, .. } => match how {
            How::Verified => format!("done: {}", evidence.line),
            How::AlreadySo => format!("already so: {}", evidence.line),
            How::Kept => format!("kept: {}", evidence.line),
            How::Answered => format!("answered {}", evidence.line),
        },
        Entry::StepFailed { error, .. } => format!("failed: {error}"),
        Entry::StepSkipped { by, reason, .. } => said("skipped", by, Some(reason), None),
        Entry::Retried { by, reason, .. } => said("tried again", by, reason.as_deref(), None),
        Entry::Paused { by, reason } => said("paused", by, reason.as_deref(), None),
        Entry::Resumed { by, reason } => said("resumed", by, reason.as_deref(), None),
        Entry::RevertOrdered { by, reason, scope } => {
            let what = if *scope == Scope::Run { "is to be taken back" } else { "the step is to be taken back" };
            said(what, by, reason.as_deref(), None)
        }
        Entry::RevertBegun { steps, .. } => format!("the way back has {}", super::words::counted(steps.len(), "step", "steps")),
        Entry::AbortOrdered { by, reason } => said("is to be stopped", by, reason.as_deref(), None),
        Entry::Quarantined { why } => format!("taken out of service: {why}"),
        Entry::RunEnded { state, why } => {
            let end = match state {
                RunState::Done => "all steps are done",
                RunState::Reverted => "taken back",
                RunState::Aborted => "stopped where it stood",
                _ => "given up",
            };
            why.as_ref().map_or_else(|| end.to_owned(), |why| format!("{end}; {why}"))
        }
    }
}

fn said(what: &str, by: &str, reason: Option<&str>, evidence: Option<&str>) -> String {
    let mut line = format!("{what} by {by}");
    for part in [reason, evidence].into_iter().flatten() {
        line.push_str(": ");
        line.push_str(part);
    }
    line
}
