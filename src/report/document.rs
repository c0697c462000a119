//! The content of a report: what a plan or a run says, once, for every form. All of it is words and whole numbers, so that a form needs
//! no knowledge of its own; instants are RFC 3339 in UTC, to the second. A key is there even when its value is not.

use serde::{Deserialize, Serialize};

use crate::step::Violation;

/// Name of the JSON form.
pub const SCHEMA: &str = "cutover.report/1";

/// A report on a plan, or on a run and the plan with which it was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportDocument {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the playbook.
    pub playbook: String,
    /// Its link, if it has one.
    pub link: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its file, where that is known.
    pub file: Option<String>,
    /// Name of the environment.
    pub environment: String,
    /// The parameters with their values.
    pub params: Vec<ReportParam>,
    /// When the plan was made.
    pub made_at: String,
    /// Content hash of what was planned.
    pub bundle: String,
    /// `12 steps: 2 to create, 1 to change`.
    pub summary: String,
    /// What only the whole plan shows.
    pub remarks: Vec<String>,
    /// What a shortened report leaves out, and where all of it is.
    pub left_out: Option<String>,
    /// The command that prints all of it.
    pub whole: String,
    /// The run, when this is a report on one.
    pub run: Option<ReportRun>,
    /// Whether it was proven that the plan breaks nothing.
    pub proof: ReportProof,
    /// From where on there is no way back.
    pub no_return: ReportNoReturn,
    /// Who is asked for what.
    pub approvals: ReportApprovals,
    /// How long it takes, as far as the steps say.
    pub durations: ReportDurations,
    /// The steps, in order.
    pub steps: Vec<ReportStep>,
    /// The steps of the way back, once a run has one.
    pub back: Vec<ReportBackStep>,
    /// What the steps touch, system by system.
    pub touches: ReportTouches,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportParam {
    /// Its name.
    pub name: String,
    /// Its value; text as it is, everything else as JSON.
    pub value: String,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportRun {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: String,
    /// `3 of 12 steps`, in the direction in which it goes.
    pub progress: String,
    /// Who started it.
    pub started_by: String,
    /// When.
    pub started_at: String,
    /// When it was over.
    pub ended_at: Option<String>,
    /// How long it took.
    pub took: Option<String>,
    /// Number of the last journal entry that is in the report.
    pub seq: i64,
    /// Why it was taken out of service.
    pub quarantined: Option<String>,
}

/// What is proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportProof {
    /// `proven`, `not proven` or `no proof`.
    pub verdict: String,
    /// What that means.
    pub sentence: String,
    /// States that were looked at.
    pub states: Option<u64>,
    /// What the plan would break.
    pub violations: Vec<Violation>,
    /// What is broken already before it begins.
    pub start_violations: Vec<Violation>,
    /// What was taken for granted.
    pub assumed: Vec<String>,
}

/// The line of no return.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportNoReturn {
    /// The step from which on there is no way back.
    pub step: Option<String>,
    /// Why there, or why there is none.
    pub sentence: String,
}

/// Who is asked for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportApprovals {
    /// What the environment says: `none`, `self` or `other`.
    pub policy: String,
    /// Who may answer.
    pub who: String,
    /// The questions, in order.
    pub needed: Vec<ReportApproval>,
}

/// One question that is foreseen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportApproval {
    /// The step that asks.
    pub step: String,
    /// What it asks.
    pub text: String,
    /// `before the step` or `by the step`, and what the answer must bring.
    pub when: String,
}

/// How long it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportDurations {
    /// The sum of what must pass, as the steps name it.
    pub at_least: Option<String>,
    /// What that means.
    pub sentence: String,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportStep {
    /// Its place in the playbook, from 1.
    pub number: u64,
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// The sign of the plan: `+`, `~`, `-`, `=`, `◷`, `?` or `✖`.
    pub mark: String,
    /// The sign in a word.
    pub word: String,
    /// What it will do, in one line.
    pub says: String,
    /// The steps that are under way together with it, in its `parallel` block.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
    /// Set on the step at which the line of no return lies.
    pub no_return: Option<String>,
    /// Everything else about it; `null` only where a shortened report leaves it out.
    pub details: Option<ReportDetails>,
    /// What became of it, in a report on a run.
    pub outcome: Option<ReportOutcome>,
}

/// What stands behind a step's line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportDetails {
    /// Line in the playbook, from 1.
    pub line: u64,
    /// What the kind does to the world and what that can cost, in one sentence.
    pub risk: String,
    /// What it changes.
    pub effects: Vec<ReportEffect>,
    /// How it does that.
    pub acts: Vec<ReportAct>,
    /// What it waits for.
    pub waits: Option<ReportWait>,
    /// What it asks by itself.
    pub question: Option<ReportQuestion>,
    /// What is to be approved before it begins.
    pub approval: Option<String>,
    /// What is watched while it is under way.
    pub guards: Vec<ReportGuard>,
    /// The lengths of time that it names.
    pub durations: Vec<ReportDuration>,
    /// How it is tried again, where the playbook says so.
    pub retry: Option<String>,
    /// What happens when it fails for good, where that is more than that the run stops and waits for a person.
    pub on_failure: Option<String>,
    /// What it touches.
    pub touches: Vec<ReportTouch>,
}

/// One step of a way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportBackStep {
    /// Its place, from 1.
    pub number: u64,
    /// Its id.
    pub id: String,
    /// Its kind; `nothing to do` for a line that only says why.
    pub kind: String,
    /// What it changes.
    pub effects: Vec<ReportEffect>,
    /// How it does that.
    pub acts: Vec<ReportAct>,
    /// What became of it.
    pub outcome: ReportOutcome,
}

/// One planned effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportEffect {
    /// `+`, `~` or `-`.
    pub mark: String,
    /// The mark in a word.
    pub word: String,
    /// The thing.
    pub what: String,
    /// Its value before.
    pub from: Option<String>,
    /// Its value after.
    pub to: Option<String>,
}

/// One act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportAct {
    /// What it does, or did.
    pub line: String,
    /// `done` or `to do`; only in a report on a run.
    pub state: Option<String>,
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportWait {
    /// How it was when the plan was made.
    pub now: String,
    /// How it must be.
    pub goal: String,
}

/// What a step asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportQuestion {
    /// The question.
    pub text: String,
    /// What the answer must bring besides a yes.
    pub evidence: Option<String>,
}

/// One guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportGuard {
    /// Its kind.
    pub kind: String,
    /// What it looks at.
    pub query: String,
    /// What a value must not be.
    pub limit: String,
    /// What happens when it trips.
    pub then: String,
    /// How often it looks and what it lets pass.
    pub options: String,
    /// Why it holds the run.
    pub held: Option<String>,
    /// The last samples, oldest first; only in a report on a run.
    pub samples: Vec<ReportSample>,
}

/// One sample of a guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportSample {
    /// When the guard was asked.
    pub at: String,
    /// The value in words, or why there was none.
    pub line: String,
    /// What it counts as.
    pub verdict: String,
}

/// A length of time that a step names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportDuration {
    /// What takes it.
    pub what: String,
    /// `at least` or `at most`.
    pub bound: String,
    /// The length, as playbooks write it.
    pub length: String,
}

/// Something that a step touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportTouch {
    /// `reads` or `writes`.
    pub how: String,
    /// The thing.
    pub resource: String,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportOutcome {
    /// Its state.
    pub state: String,
    /// One line about it.
    pub line: String,
    /// The question that is open.
    pub question: Option<ReportQuestion>,
    /// The last error.
    pub error: Option<String>,
    /// When it began.
    pub began: Option<String>,
    /// When it was over.
    pub ended: Option<String>,
    /// How long it took.
    pub took: Option<String>,
    /// What shows that it is over, figure by figure.
    pub evidence: Vec<ReportFigure>,
}

/// One figure of a step's evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFigure {
    /// Where it stands in the evidence: `offsets/0`.
    pub name: String,
    /// Its value; text as it is, everything else as JSON.
    pub value: String,
}

/// What a plan touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportTouches {
    /// When it is taken and given back.
    pub sentence: String,
    /// The systems.
    pub systems: Vec<ReportSystem>,
}

/// One system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportSystem {
    /// Kind and name in the environment: `kafka main`.
    pub system: String,
    /// What is touched there.
    pub things: Vec<ReportThing>,
}

/// One thing in a system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportThing {
    /// `topic`, `subject`, `flag`, …
    pub sort: String,
    /// Its own name there.
    pub id: String,
    /// `read` or `write`, the stricter one where steps differ.
    pub lock: String,
    /// What that keeps other runs from.
    pub means: String,
    /// The steps that touch it.
    pub steps: Vec<String>,
}
