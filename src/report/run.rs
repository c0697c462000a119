//! A run as a document: what `runs show` prints, what the API gives, and what the pages are made from.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::engine::command::Command;
use crate::engine::entry::AskedFor;
use crate::engine::guard::{GuardDefinition, GuardRecord, Sample, SampleVerdict, Sampled};
use crate::engine::run::Back;
use crate::engine::table::{Rule, rule};
use crate::engine::{BackAction, PlanDocument, Run, RunState, StepDefinition, StepRecord, StepState};
use crate::step::{Effect, ErasedPlan, GuardOutcome, Question};
use crate::store::runs::RunRow;

/// Name of the JSON form.
pub const SCHEMA: &str = "cutover.run/1";

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunDocument {
    /// [`SCHEMA`].
    pub schema: String,
    /// Its id.
    pub id: Uuid,
    /// Name of the playbook.
    pub playbook: String,
    /// The playbook's link, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Name of the environment.
    pub environment: String,
    /// Where it stands.
    pub state: RunState,
    /// Who started it.
    pub started_by: String,
    /// When.
    pub started_at: DateTime<Utc>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Number of the last journal entry.
    pub seq: i64,
    /// Id of the present step, in the direction in which the run goes; of several that are under way together the one that somebody should
    /// look at first. `None` when it is past the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present: Option<String>,
    /// The steps of the playbook.
    pub steps: Vec<StepDocument>,
    /// The steps of the way back, once there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<StepDocument>,
    /// What a person may tell it now.
    pub verbs: Vec<VerbDocument>,
    /// Why it was taken out of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<String>,
}

/// A verb and what it would do, or why it is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerbDocument {
    /// The verb.
    pub verb: Command,
    /// Whether the run takes it now.
    pub taken: bool,
    /// What would happen, or why not.
    pub text: String,
    /// Whether it needs a reason.
    pub needs_reason: bool,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepDocument {
    /// Its id.
    pub id: String,
    /// Its kind; empty for a line of the way back that does nothing.
    pub kind: String,
    /// Whether it is under way together with the step before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beside: bool,
    /// Where it stands.
    pub state: StepState,
    /// One line about it: evidence, error, question, what it waits for, or what is planned.
    pub line: String,
    /// What it changes, as planned when it began, or as the plan foresaw.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<Effect>,
    /// Its acts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<ActDocument>,
    /// The question that is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
    /// Why it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_for: Option<AskedFor>,
    /// What shows that it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<crate::step::Evidence>,
    /// The last error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What is watched while it is under way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<GuardDocument>,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<DateTime<Utc>>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<DateTime<Utc>>,
    /// When it is tried or looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_at: Option<DateTime<Utc>>,
}

/// One guard of a step. The journal has every sample, `cutover log` shows them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuardDocument {
    /// Its kind.
    pub kind: String,
    /// What it looks at.
    pub query: String,
    /// What a value must not be: `above 10000`.
    pub limit: String,
    /// What happens when it trips.
    pub then: GuardOutcome,
    /// One line about it: the newest sample, or that there is none yet.
    pub line: String,
    /// What the newest sample counts as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<SampleVerdict>,
    /// Why it holds the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
    /// The last samples, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<SampleDocument>,
}

/// One sample of a guard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleDocument {
    /// When the guard was asked.
    pub at: DateTime<Utc>,
    /// The value, if there was one and it was finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it counts as.
    pub verdict: SampleVerdict,
    /// The value in words, or why there was none.
    pub line: String,
}

impl GuardDocument {
    fn new(definition: &GuardDefinition, record: Option<&GuardRecord>) -> Self {
        let samples = record.into_iter().flat_map(|record| &record.samples);
        let sample = |sampled: &Sampled| {
            let Sample { value, verdict, line, .. } = sampled.sample.clone();
            SampleDocument { at: sampled.at, value, verdict, line }
        };
        let newest = record.and_then(GuardRecord::newest);
        Self {
            kind: definition.kind.clone(),
            query: definition.query.clone(),
            limit: definition.limit.clone(),
            then: definition.options.then,
            line: newest.map_or_else(|| "not looked at yet".to_owned(), |newest| newest.sample.line.clone()),
            verdict: newest.map(|newest| newest.sample.verdict),
            held: record.and_then(|record| record.held.clone()),
            samples: samples.map(sample).collect(),
        }
    }

    /// The guard in one line: `lag g on t is 12 records, must not be above 10 (then hold): bad`.
    #[must_use]
    pub fn words(&self) -> String {
        let verdict = self.verdict.map(|verdict| format!(": {}", verdict.as_str())).unwrap_or_default();
        let held = if self.held.is_some() { ", holds the run" } else { "" };
        let is = match self.verdict {
            Some(SampleVerdict::Error) => format!("gave no value ({})", self.line),
            Some(_) => format!("is {}", self.line),
            None => self.line.clone(),
        };
        format!("{} {} {is}, must not be {} (then {}){verdict}{held}", self.kind, self.query, self.limit, self.then.as_str())
    }
}

/// One act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActDocument {
    /// What it does, or what it did.
    pub line: String,
    /// Whether it is done.
    pub done: bool,
}

impl RunDocument {
    /// The document of a run that was replayed from its journal.
    #[must_use]
    pub fn new(row: &RunRow, run: &Run, plan: Option<&PlanDocument>) -> Self {
        let state = run.state();
        let forward = |(definition, record): (&StepDefinition, &StepRecord)| {
            let planned = plan.and_then(|plan| plan.steps.iter().find(|planned| planned.id == definition.id)).map(|planned| &planned.plan);
            step(definition, record, planned)
        };
        Self {
            schema: SCHEMA.to_owned(),
            id: row.id,
            playbook: row.playbook.clone(),
            link: row.link.clone(),
            environment: row.environment.clone(),
            state,
            started_by: row.started_by.clone(),
            started_at: row.started_at,
            ended_at: row.ended_at,
            seq: run.seq(),
            present: run.foremost().filter(|_| !state.is_end()).map(|(definition, _)| definition.id.clone()),
            steps: run.forward().map(forward).collect(),
            back: run.back().iter().map(back).collect(),
            verbs: verbs(state),
            quarantined: run.quarantined().map(str::to_owned),
        }
    }

    /// How many steps of the present direction are over, and how many there are.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        let steps = if self.back.is_empty() { &self.steps } else { &self.back };
        (steps.iter().filter(|step| step.state.is_over()).count(), steps.len())
    }

    /// The present step.
    #[must_use]
    pub fn present_step(&self) -> Option<&StepDocument> {
        let present = self.present.as_ref()?;
        self.back.iter().chain(&self.steps).find(|step| step.id == *present)
    }
}

/// The verbs in a state.
#[must_use]
pub fn verbs(state: RunState) -> Vec<VerbDocument> {
    let verb = |command: &Command| {
        let (taken, text) = match rule(state, *command) {
            Rule::Taken(text) => (true, text),
            Rule::Refused(text) => (false, text),
        };
        VerbDocument { verb: *command, taken, text: text.to_owned(), needs_reason: command.needs_reason() }
    };
    Command::ALL.iter().map(verb).collect()
}

fn back(back: &Back) -> StepDocument {
    let mut document = step(&back.definition, &back.record, None);
    if document.line.is_empty()
        && let BackAction::Kept(why) | BackAction::Impossible(why) = &back.step.action
    {
        document.line.clone_from(why);
    }
    document
}

fn step(definition: &StepDefinition, record: &StepRecord, planned: Option<&ErasedPlan>) -> StepDocument {
    let change = record.change.as_ref().or(match planned {
        Some(ErasedPlan::Change(change)) => Some(change),
        _ => None,
    });
    let act = |(at, act): (usize, &crate::step::ErasedAct)| match record.receipts.get(at) {
        Some(receipt) => ActDocument { line: receipt.line.clone(), done: true },
        None => ActDocument { line: act.line.clone(), done: false },
    };
    StepDocument {
        id: definition.id.clone(),
        kind: definition.kind.clone(),
        beside: definition.beside,
        state: record.shown(),
        line: line(record, planned),
        effects: change.map(|change| change.effects.clone()).unwrap_or_default(),
        acts: change.map(|change| change.acts.iter().enumerate().map(act).collect()).unwrap_or_default(),
        question: record.question.as_ref().map(|(_, question)| question.clone()),
        asked_for: record.question.as_ref().map(|(why, _)| *why),
        evidence: record.evidence.clone(),
        guards: definition.guards.iter().enumerate().map(|(at, guard)| GuardDocument::new(guard, record.guards.get(at))).collect(),
        error: record.error.as_ref().map(ToString::to_string),
        began: record.began,
        ended: record.ended,
        again_at: record.again_at,
    }
}

fn line(record: &StepRecord, planned: Option<&ErasedPlan>) -> String {
    if let Some((_, question)) = &record.question {
        return question.text.clone();
    }
    if let Some(error) = &record.error {
        return error.to_string();
    }
    if let Some(why) = record.guards.iter().find_map(|guard| guard.held.as_ref()) {
        return format!("held: {why}");
    }
    if let Some(evidence) = &record.evidence {
        return evidence.line.clone();
    }
    if let Some((now, goal)) = &record.waits {
        return format!("{now}; until {goal}");
    }
    match (record.state, planned) {
        (StepState::Skipped, _) => format!("skipped by {}", record.by.as_deref().unwrap_or("somebody")),
        (_, Some(plan)) => plan_line(plan),
        (_, None) => record.change.as_ref().map(|change| effects_line(&change.effects)).unwrap_or_default(),
    }
}

/// A planned step in one line.
#[must_use]
pub fn plan_line(plan: &ErasedPlan) -> String {
    match plan {
        ErasedPlan::AlreadySo(why) => format!("already so: {why}"),
        ErasedPlan::Kept(why) => format!("kept: {why}"),
        ErasedPlan::Change(change) if change.effects.is_empty() => {
            change.acts.iter().map(|act| act.line.as_str()).collect::<Vec<_>>().join(", then ")
        }
        ErasedPlan::Change(change) => effects_line(&change.effects),
        ErasedPlan::Wait { goal, .. } => format!("waits until {goal}"),
        ErasedPlan::Ask(question) => format!("asks: {}", question.text),
        ErasedPlan::CannotPreview(why) => format!("cannot be previewed: {why}"),
        ErasedPlan::Impossible(why) => format!("will not work: {why}"),
    }
}

fn effects_line(effects: &[Effect]) -> String {
    effects.iter().map(effect_line).collect::<Vec<_>>().join(", ")
}

/// One effect in words: `topic orders: 3 partitions`, `flag a: off -> on`.
#[must_use]
pub fn effect_line(effect: &Effect) -> String {
    match (&effect.from, &effect.to) {
        (None, Some(to)) => format!("{}: {to}", effect.what),
        (Some(from), Some(to)) => format!("{}: {from} -> {to}", effect.what),
        (Some(from), None) => format!("{}: {from} -> gone", effect.what),
        (None, None) => effect.what.clone(),
    }
}
