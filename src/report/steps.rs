//! One step of a report: what is planned, what the playbook says around it, and what became of it.

use serde_json::Value;

use super::content::instant;
use super::document::{
    ReportAct, ReportDetails, ReportDuration, ReportEffect, ReportFigure, ReportGuard, ReportOutcome, ReportQuestion, ReportSample,
    ReportStep, ReportTouch, ReportWait,
};
use super::plan::sign;
use super::run::{ActDocument, GuardDocument, SampleDocument, StepDocument, plan_line};
use super::words::{counted, length};
use crate::engine::PlannedStep;
use crate::playbook::{PlaybookGuard, PlaybookStep, Retry};
use crate::step::scalar::worded;
use crate::step::{Claim, Effect, ErasedPlan, Length, Mark, Nature, OnFailure, OnNoData, Question, Risk};

/// A step of the plan.
pub(super) fn step(
    at: usize,
    planned: &PlannedStep,
    beside: Vec<String>,
    written: Option<&PlaybookStep>,
    stands: Option<&StepDocument>,
    no_return: Option<String>,
) -> ReportStep {
    let guards = written.map(|step| step.guards.as_slice()).unwrap_or_default();
    let guard = |(at, guard): (usize, &PlaybookGuard)| guarded(guard, stands.and_then(|step| step.guards.get(at)));
    let change = if let ErasedPlan::Change(change) = &planned.plan { Some(change) } else { None };
    let planned_acts = || change.into_iter().flat_map(|change| &change.acts);
    let details = ReportDetails {
        line: u64::from(planned.line),
        risk: risk(planned),
        effects: stands.map_or_else(|| change.map(|change| effects(&change.effects)).unwrap_or_default(), |step| effects(&step.effects)),
        acts: match stands {
            Some(step) => acts(&step.acts),
            None => planned_acts().map(|act| ReportAct { line: act.line.clone(), state: None }).collect(),
        },
        waits: match &planned.plan {
            ErasedPlan::Wait { now, goal } => Some(ReportWait { now: now.clone(), goal: goal.clone() }),
            _ => None,
        },
        question: if let ErasedPlan::Ask(asked) = &planned.plan { Some(question(asked)) } else { None },
        approval: planned.approval.clone(),
        guards: guards.iter().enumerate().map(guard).collect(),
        durations: durations(planned, written),
        retry: written.and_then(|step| step.options.retry).map(|retry| tries(&retry)),
        on_failure: written.and_then(|step| on_failure(step.options.on_failure)).map(str::to_owned),
        touches: planned.resources.iter().map(touch).collect(),
    };
    ReportStep {
        number: u64::try_from(at).unwrap_or(u64::MAX).saturating_add(1),
        id: planned.id.clone(),
        kind: planned.kind.clone(),
        mark: sign(planned).0.to_string(),
        word: word(planned).to_owned(),
        says: plan_line(&planned.plan),
        beside,
        no_return,
        details: Some(details),
        outcome: stands.map(outcome),
    }
}

fn touch(claim: &Claim) -> ReportTouch {
    ReportTouch { how: claim.mode.verb().to_owned(), resource: claim.resource.to_string() }
}

fn word(planned: &PlannedStep) -> &'static str {
    match &planned.plan {
        ErasedPlan::AlreadySo(_) => "already so",
        ErasedPlan::Kept(_) => "kept",
        ErasedPlan::Wait { .. } => "waits",
        ErasedPlan::Ask(_) => "asks",
        ErasedPlan::CannotPreview(_) => "cannot be previewed",
        ErasedPlan::Impossible(_) => "will not work",
        ErasedPlan::Change(change) => change.effects.first().map_or("waits", |effect| verb(effect.mark)),
    }
}

fn verb(mark: Mark) -> &'static str {
    match mark {
        Mark::Create => "creates",
        Mark::Change => "changes",
        Mark::Remove => "removes",
    }
}

fn risk(planned: &PlannedStep) -> String {
    let nature = match planned.nature {
        Nature::State => "makes something so",
        Nature::Once => "happens anew in every run",
    };
    let risk = match planned.risk {
        Risk::Safe => "changes nothing that anybody could miss",
        Risk::Reversible => "can be taken back",
        Risk::PointOfNoReturn => "destroys something for good",
    };
    format!("{nature}, {risk}")
}

/// Effects, with an empty value made visible.
pub(super) fn effects(effects: &[Effect]) -> Vec<ReportEffect> {
    let value = |value: &Option<String>| value.as_ref().map(|value| if value.is_empty() { "(empty)".to_owned() } else { value.clone() });
    let one = |effect: &Effect| {
        let (from, to) = (value(&effect.from), value(&effect.to));
        ReportEffect { mark: effect.mark.sign().to_string(), word: verb(effect.mark).to_owned(), what: effect.what.clone(), from, to }
    };
    effects.iter().map(one).collect()
}

/// Acts of a run.
pub(super) fn acts(acts: &[ActDocument]) -> Vec<ReportAct> {
    let state = |act: &ActDocument| Some(if act.done { "done" } else { "to do" }.to_owned());
    acts.iter().map(|act| ReportAct { line: act.line.clone(), state: state(act) }).collect()
}

fn question(question: &Question) -> ReportQuestion {
    ReportQuestion { text: question.text.clone(), evidence: question.evidence.clone() }
}

fn guarded(guard: &PlaybookGuard, stands: Option<&GuardDocument>) -> ReportGuard {
    let options = &guard.options;
    let no_data = match options.on_no_data {
        OnNoData::Good => "good",
        OnNoData::Bad => "bad",
        OnNoData::Error => "a failure",
    };
    let sample = |sample: &SampleDocument| ReportSample {
        at: instant(sample.at),
        line: sample.line.clone(),
        verdict: sample.verdict.as_str().to_owned(),
    };
    ReportGuard {
        kind: guard.guard.kind().name.to_owned(),
        query: guard.guard.query(),
        limit: guard.guard.limit(),
        then: options.then.as_str().to_owned(),
        options: format!(
            "looks every {}, lets {} pass and {} in a row, then {}; no data counts as {no_data}; {} in a row end a hold",
            options.interval,
            counted(options.failure_limit as usize, "bad sample", "bad samples"),
            counted(options.consecutive_error_limit as usize, "failure", "failures"),
            options.on_error.as_str(),
            counted(options.release_after as usize, "good sample", "good samples"),
        ),
        held: stands.and_then(|guard| guard.held.clone()),
        samples: stands.map(|guard| guard.samples.iter().map(sample).collect()).unwrap_or_default(),
    }
}

/// The lengths of time that a step names; none when it has nothing to do.
pub(super) fn lengths(planned: &PlannedStep, written: Option<&PlaybookStep>) -> Vec<Length> {
    let change = match &planned.plan {
        ErasedPlan::AlreadySo(_) | ErasedPlan::Kept(_) | ErasedPlan::Impossible(_) => return Vec::new(),
        ErasedPlan::Change(change) => Some(&change.change),
        ErasedPlan::Wait { .. } | ErasedPlan::Ask(_) | ErasedPlan::CannotPreview(_) => None,
    };
    let Some(written) = written else { return Vec::new() };
    // Why: a plan whose change this program does not read is shown without lengths rather than not at all.
    let mut named = written.step.lengths(change).unwrap_or_default();
    named.extend(written.options.timeout.map(|timeout| Length::at_most("the whole step", timeout)));
    named
}

fn durations(planned: &PlannedStep, written: Option<&PlaybookStep>) -> Vec<ReportDuration> {
    let one =
        |length: Length| ReportDuration { what: length.what, bound: length.bound.as_str().to_owned(), length: length.span.to_string() };
    lengths(planned, written).into_iter().map(one).collect()
}

fn tries(retry: &Retry) -> String {
    format!("{} in all, {} before the second", counted(retry.attempts as usize, "try", "tries"), retry.delay)
}

fn on_failure(policy: OnFailure) -> Option<&'static str> {
    Some(match policy {
        OnFailure::Hold => return None,
        OnFailure::RevertStep => "revert_step: the step is taken back, then the run waits for a person",
        OnFailure::RevertRun => "revert_run: the whole run is taken back",
        OnFailure::Freeze => "freeze: nothing is touched any more, in neither direction, until a person has looked",
    })
}

/// What became of a step.
pub(super) fn outcome(step: &StepDocument) -> ReportOutcome {
    let mut evidence = Vec::new();
    if let Some(found) = &step.evidence {
        figures("", &found.data, &mut evidence);
    }
    ReportOutcome {
        state: step.state.as_str().replace('_', " "),
        line: step.line.clone(),
        question: step.question.as_ref().map(question),
        error: step.error.clone(),
        began: step.began.map(instant),
        ended: step.ended.map(instant),
        took: step.began.zip(step.ended).map(|(began, ended)| length(ended - began)),
        evidence,
    }
}

fn figures(name: &str, value: &Value, found: &mut Vec<ReportFigure>) {
    let inside = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}/{part}") };
    match value {
        Value::Null if name.is_empty() => {}
        Value::Object(parts) if name.is_empty() || !parts.is_empty() => {
            parts.iter().for_each(|(part, value)| figures(&inside(part), value, found));
        }
        Value::Array(parts) if parts.iter().any(|part| part.is_object() || part.is_array()) => {
            parts.iter().enumerate().for_each(|(at, value)| figures(&inside(&at.to_string()), value, found));
        }
        Value::Array(parts) => {
            let value = parts.iter().map(worded).collect::<Vec<_>>().join(", ");
            found.push(ReportFigure { name: name.to_owned(), value });
        }
        value => found.push(ReportFigure { name: name.to_owned(), value: worded(value) }),
    }
}
