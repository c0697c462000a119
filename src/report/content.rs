//! Builds the content of a report from a plan, its playbook and, for a run, where that stands. What every form shows is decided here.

use chrono::{DateTime, SecondsFormat, Utc};

use super::document::{
    ReportApproval, ReportApprovals, ReportBackStep, ReportDocument, ReportDurations, ReportNoReturn, ReportParam, ReportProof, ReportRun,
    SCHEMA,
};
use super::plan::{UNSEEN, once, summary};
use super::proof::Outcome;
use super::run::RunDocument;
use super::steps::{acts, effects, lengths, outcome, step};
use super::touches::touches;
use super::words::{counted, length};
use crate::engine::{PlanDocument, PlannedStep};
use crate::playbook::Playbook;
use crate::step::scalar::{Span, worded};
use crate::step::{Approvals, Bound, ErasedPlan, Proof, Question, Risk};

/// What a report is made from.
#[derive(Clone, Copy, Debug)]
pub struct ReportSource<'a> {
    /// The plan.
    pub plan: &'a PlanDocument,
    /// The playbook that was planned.
    pub playbook: &'a Playbook,
    /// Its file, where that is known.
    pub file: Option<&'a str>,
    /// The run, for a report on one.
    pub run: Option<&'a RunDocument>,
    /// The command that prints all of the report.
    pub whole: &'a str,
}

impl ReportDocument {
    /// Makes the report.
    #[must_use]
    pub fn new(source: &ReportSource) -> Self {
        let ReportSource { plan, playbook, run, .. } = *source;
        let proof = plan.proof.as_ref();
        let no_return = no_return(plan, proof);
        let mut remarks: Vec<String> = once(plan).map(|line| line.text).into_iter().collect();
        if plan.steps.iter().any(|step| matches!(step.plan, ErasedPlan::CannotPreview(_))) {
            remarks.push(UNSEEN.to_owned());
        }
        let past = |planned: &PlannedStep| (no_return.step.as_ref() == Some(&planned.id)).then(|| no_return.sentence.clone());
        let one = |(at, planned): (usize, &PlannedStep)| {
            let written = playbook.steps.iter().find(|step| step.id == planned.id);
            let stands = run.and_then(|run| run.steps.iter().find(|step| step.id == planned.id));
            let others = plan.block(at).iter().filter(|other| other.id != planned.id);
            step(at, planned, others.map(|other| other.id.clone()).collect(), written, stands, past(planned))
        };
        Self {
            schema: SCHEMA.to_owned(),
            playbook: plan.playbook.clone(),
            link: plan.link.clone(),
            description: playbook.description.clone(),
            file: source.file.map(str::to_owned),
            environment: plan.environment.clone(),
            params: playbook.params.iter().map(|(name, value)| ReportParam { name: name.clone(), value: worded(value) }).collect(),
            made_at: instant(plan.made_at),
            bundle: plan.bundle.clone(),
            summary: format!("{}: {}", counted(plan.steps.len(), "step", "steps"), summary(plan)),
            remarks,
            left_out: None,
            whole: source.whole.to_owned(),
            run: run.map(stands),
            proof: proof_of(proof),
            approvals: approvals(plan),
            durations: durations(plan, playbook),
            steps: plan.steps.iter().enumerate().map(one).collect(),
            back: run.map(way_back).unwrap_or_default(),
            touches: touches(plan),
            no_return,
        }
    }
}

/// An instant as reports write it.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn stands(run: &RunDocument) -> ReportRun {
    let (over, all) = run.progress();
    ReportRun {
        id: run.id.to_string(),
        state: run.state.as_str().to_owned(),
        progress: format!("{over} of {}", counted(all, "step", "steps")),
        started_by: run.started_by.clone(),
        started_at: instant(run.started_at),
        ended_at: run.ended_at.map(instant),
        took: run.ended_at.map(|ended| length(ended - run.started_at)),
        seq: run.seq,
        quarantined: run.quarantined.clone(),
    }
}

fn way_back(run: &RunDocument) -> Vec<ReportBackStep> {
    let one = |(number, step): (u64, &super::run::StepDocument)| ReportBackStep {
        number,
        id: step.id.clone(),
        kind: if step.kind.is_empty() { "nothing to do".to_owned() } else { step.kind.clone() },
        effects: effects(&step.effects),
        acts: acts(&step.acts),
        outcome: outcome(step),
    };
    (1..).zip(&run.back).map(one).collect()
}

fn proof_of(proof: Option<&Proof>) -> ReportProof {
    let Some(proof) = proof else {
        return ReportProof {
            verdict: "no proof".to_owned(),
            sentence: "nobody has proven that this plan breaks nothing on its way, forward or back".to_owned(),
            states: None,
            violations: Vec::new(),
            start_violations: Vec::new(),
            assumed: Vec::new(),
        };
    };
    let (verdict, sentence) = match Outcome::of(proof) {
        Outcome::Proven => ("proven", "nothing breaks in any state of this plan, forward or back, under what is assumed".to_owned()),
        Outcome::But(gaps) => {
            ("proven", format!("nothing breaks in any state of this plan, forward or back, but for {gaps}, and under what is assumed"))
        }
        Outcome::Unknown => ("not proven", "nothing is known of what the services do, so nothing is proven".to_owned()),
        Outcome::Breaks(what) => ("not proven", format!("{what} on the way")),
    };
    ReportProof {
        verdict: verdict.to_owned(),
        sentence,
        states: Some(u64::try_from(proof.states).unwrap_or(u64::MAX)),
        violations: proof.violations.clone(),
        start_violations: proof.start_violations.clone(),
        assumed: proof.assumed.clone(),
    }
}

/// The line that the proof computed, but never later than the first step that destroys something by its kind.
fn no_return(plan: &PlanDocument, proof: Option<&Proof>) -> ReportNoReturn {
    let idle = |step: &PlannedStep| matches!(step.plan, ErasedPlan::AlreadySo(_) | ErasedPlan::Kept(_));
    let destroys = plan.steps.iter().position(|step| step.risk == Risk::PointOfNoReturn && !idle(step));
    let computed = proof.and_then(|proof| proof.line.as_ref()).and_then(|line| plan.steps.iter().position(|step| step.id == *line));
    let at = destroys.into_iter().chain(computed).min();
    let Some(step) = at.and_then(|at| plan.steps.get(at)) else {
        return ReportNoReturn {
            step: None,
            sentence: if proof.is_some_and(|proof| proof.proven) {
                "there is a way back from every state".to_owned()
            } else {
                "no step destroys anything by its kind; that there is a way back from every state is not proven".to_owned()
            },
        };
    };
    let sentence = if computed == at {
        format!("no way back from step {} on: from there the proof finds none", step.id)
    } else {
        format!("no way back from step {} on: a step of kind {} destroys something for good", step.id, step.kind)
    };
    ReportNoReturn { step: Some(step.id.clone()), sentence }
}

fn approvals(plan: &PlanDocument) -> ReportApprovals {
    let who = match plan.approvals {
        Approvals::None => {
            "anybody may answer; --yes answers in the name of whoever starts the run, even before a step that cannot be taken back"
        }
        Approvals::Own => {
            "anybody may answer, also whoever started the run; --yes answers in their name, unless a step that cannot be taken back follows \
             before the next question"
        }
        Approvals::Other => "somebody other than who started the run must answer; --yes answers nothing",
    };
    let brings = |question: &Question| match &question.evidence {
        Some(evidence) => format!("by the step; the answer brings: {evidence}"),
        None => "by the step".to_owned(),
    };
    let one = |step: &PlannedStep| {
        let before = step.approval.as_ref().map(|text| (text.clone(), "before the step".to_owned()));
        let own = if let ErasedPlan::Ask(question) = &step.plan { Some((question.text.clone(), brings(question))) } else { None };
        let asked = |(text, when)| ReportApproval { step: step.id.clone(), text, when };
        before.into_iter().chain(own).map(asked).collect::<Vec<_>>()
    };
    ReportApprovals { policy: plan.approvals.as_str().to_owned(), who: who.to_owned(), needed: plan.steps.iter().flat_map(one).collect() }
}

fn durations(plan: &PlanDocument, playbook: &Playbook) -> ReportDurations {
    let named = plan.steps.iter().flat_map(|planned| {
        let written = playbook.steps.iter().find(|step| step.id == planned.id);
        lengths(planned, written)
    });
    let sum = named.filter(|length| length.bound == Bound::AtLeast).fold(std::time::Duration::ZERO, |sum, length| sum + length.span.0);
    if sum.is_zero() {
        let sentence = "no step names a time that must pass; how long the steps take is not foreseen".to_owned();
        return ReportDurations { at_least: None, sentence };
    }
    let sentence = "must pass by what the steps themselves name; how long everything else takes is not foreseen".to_owned();
    ReportDurations { at_least: Some(Span(sum).to_string()), sentence }
}
