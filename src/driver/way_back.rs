//! Puts the way back together: asks each step that may have changed something for the ordinary steps that take it back, and plans them
//! on the world as it is now.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, Utc};

use super::look::Seen;
use super::perform::words;
use super::planner::{PlanError, look_at_all, plan_one};
use super::source::Opened;
use crate::check::{Book, BookStep, book_of, prove_rest};
use crate::engine::plan::SCHEMA;
use crate::engine::{BackAction, BackStep, Phase, PlanDocument, PlannedStep, Run, RunState, StepState};
use crate::playbook::PlaybookStep;
use crate::step::{ErasedChange, ErasedPlan, Life, Nature, Proof, Receipt, Revert, Risk, StepError, Today};

/// A change that is to be taken back.
struct Taken<'a> {
    id: &'a str,
    step: Option<&'a PlaybookStep>,
    change: &'a ErasedChange,
    receipts: &'a [Receipt],
}

impl Taken<'_> {
    /// What a kind answers, with its mistakes as errors. Why: this runs in the loop itself, which must outlive them.
    fn ask<T>(&self, question: impl FnOnce(&PlaybookStep) -> Result<T, StepError>) -> Result<T, StepError> {
        let step = self.step.ok_or_else(|| StepError::Broken(format!("the playbook has no step {}", self.id)))?;
        catch_unwind(AssertUnwindSafe(|| question(step)))
            .unwrap_or_else(|panic| Err(StepError::Broken(format!("panic: {}", words(panic.as_ref())))))
    }

    fn actions(&self) -> Vec<BackAction> {
        match self.ask(|step| step.step.revert(&self.change.change, self.receipts)) {
            Ok(Revert::Steps(steps)) => steps.into_iter().map(|step| BackAction::Step { kind: step.kind, body: step.body }).collect(),
            Ok(Revert::Nothing) => Vec::new(),
            Ok(Revert::Kept(why)) => vec![BackAction::Kept(why)],
            Ok(Revert::Impossible(why)) => vec![BackAction::Impossible(why)],
            Err(error) => vec![BackAction::Impossible(error.to_string())],
        }
    }

    fn life(&self) -> Option<Life> {
        self.ask(|step| step.step.life(&self.change.change, self.receipts)).ok().flatten()
    }

    /// Whether it touches something that the other one changes.
    fn meets(&self, other: &Self) -> bool {
        let claims = |taken: &Self| taken.step.map(|step| step.step.resources()).unwrap_or_default();
        let theirs = claims(other);
        claims(self).iter().any(|claim| theirs.iter().any(|other| other.resource == claim.resource))
    }
}

/// Whether what is left of the way back breaks anything, as it is planned: what is kept does nothing. It is told and forbids nothing: who
/// must go back decides that. `None` when nothing is left, or nothing is declared.
fn prove_what_is_left(run: &Run, opened: &Opened, planned: &[PlannedStep], today: Option<Today>) -> Option<Proof> {
    let services = opened.playbook.services.as_deref()?;
    let book = book_of(&opened.playbook);
    let state = |id: &str| run.forward().find(|(definition, _)| definition.id == id).map(|(_, record)| record.state).unwrap_or_default();
    let mut steps: Vec<_> =
        book.steps.iter().filter(|step| !matches!(state(&step.id), StepState::Pending | StepState::Skipped)).cloned().collect();
    for step in &mut steps {
        step.broken_off = !state(&step.id).is_over();
    }
    let (forward, broken_off) = (steps.len(), steps.iter().any(|step| step.broken_off));
    let (lines, behind) = lines_and_behind(run, opened);
    if lines.len() <= behind {
        return None;
    }
    let kept = |id: &str| planned.iter().any(|step| step.id == id && matches!(step.plan, ErasedPlan::Kept(_)));
    for (at, line) in lines.iter().enumerate() {
        let moves = if kept(&line.id) { Vec::new() } else { opened.back_step(line).map(|step| step.moves()).unwrap_or_default() };
        // Why beside it: what was broken off may be half there while the first step back begins.
        steps.push(BookStep { beside: at == 0 && broken_off, ..BookStep::new(line.id.clone(), moves) });
    }
    Some(prove_rest(services, &Book { today, steps, ..book }, forward + behind))
}

/// The lines of a way back, newest step first. A step that cannot say how is told as one that cannot be taken back.
#[must_use]
pub fn way_back(run: &Run, opened: &Opened) -> Vec<BackStep> {
    let mut all = Vec::new();
    let mut ids = Vec::new();
    for (definition, record) in run.to_take_back() {
        let step = opened.playbook.steps.iter().find(|step| step.id == definition.id);
        ids.push(definition.id.as_str());
        all.extend(record.changes().map(|(change, receipts)| Taken { id: &definition.id, step, change, receipts }));
    }
    let gone = come_and_gone(&all);
    let mut lines = Vec::new();
    for id in ids {
        let of_step = all.iter().enumerate().filter(|(at, taken)| taken.id == id && !gone.contains(at));
        let actions: Vec<BackAction> = of_step.flat_map(|(_, taken)| taken.actions()).collect();
        let several = actions.len() > 1;
        for (number, action) in actions.into_iter().enumerate() {
            let suffix = if several { format!("-{}", number + 1) } else { String::new() };
            let mut line = BackStep { id: format!("revert-{id}{suffix}"), of: id.to_owned(), action, settles: false };
            // Why: a line that does nothing, or that does not read back, has nothing to settle.
            line.settles = opened.back_step(&line).is_ok_and(|step| step.settles());
            lines.push(line);
        }
    }
    lines
}

/// Pairs of changes of which the newer one ended what the older one began, with nothing in between that has to do with it: making the
/// thing anew only to take it away again would leave another thing, which is not the one that the older change may take away.
fn come_and_gone(all: &[Taken<'_>]) -> BTreeSet<usize> {
    let lives: Vec<Option<Life>> = all.iter().map(Taken::life).collect();
    let mut gone = BTreeSet::new();
    for (newer, life) in lives.iter().enumerate() {
        let Some(Life::Ended(thing)) = life else { continue };
        let began = |life: &Option<Life>| matches!(life, Some(Life::Began(other)) if other == thing);
        let Some(older) = lives.iter().skip(newer + 1).position(began).map(|behind| newer + 1 + behind) else { continue };
        let ended = all.get(newer);
        let between = all.iter().skip(newer + 1).take(older - newer - 1);
        if !between.into_iter().any(|taken| ended.is_some_and(|ended| taken.meets(ended))) {
            gone.extend([newer, older]);
        }
    }
    gone
}

/// What a revert of the run would do now, as a plan. Reads the world and changes nothing.
///
/// # Errors
/// When a system does not answer or refuses.
pub async fn plan_way_back(seen: &Seen, now: DateTime<Utc>) -> Result<PlanDocument, PlanError> {
    let run = &seen.run;
    let steps = plan_back_steps(run, &seen.opened).await?;
    Ok(PlanDocument {
        schema: SCHEMA.to_owned(),
        playbook: seen.row.playbook.clone(),
        link: seen.row.link.clone(),
        environment: seen.row.environment.clone(),
        approvals: run.begun().map(|begun| begun.approvals).unwrap_or_default(),
        made_at: now,
        bundle: seen.row.bundle.clone(),
        changes: steps.iter().any(PlannedStep::changes_state),
        reverts: Some(seen.row.id),
        no_return: run.past_no_return().map(|step| step.id.clone()),
        proof: prove_what_is_left(run, &seen.opened, &steps, seen.plan.as_ref().and_then(|plan| plan.today.clone())),
        today: None,
        steps,
    })
}

/// The lines that are left of a run's way back, planned in order on the world as it is, each against what the ones before it will leave.
///
/// # Errors
/// When a system does not answer or refuses.
pub async fn plan_back_steps(run: &Run, opened: &Opened) -> Result<Vec<PlannedStep>, PlanError> {
    let (mut lines, behind) = lines_and_behind(run, opened);
    lines.drain(..behind.min(lines.len()));
    let decoded: Vec<_> = lines.iter().map(|line| matches!(line.action, BackAction::Step { .. }).then(|| opened.back_step(line))).collect();
    let readable = lines.iter().zip(&decoded).filter_map(|(line, step)| match step {
        Some(Ok(step)) => Some((line.id.as_str(), step.as_ref())),
        _ => None,
    });
    let mut view = look_at_all(readable, &opened.world).await?;
    let mut steps = Vec::with_capacity(lines.len());
    for (line, decoded) in lines.iter().zip(&decoded) {
        let number = opened.playbook.steps.iter().find(|step| step.id == line.of).map_or(1, |step| step.place.line);
        let mut planned = PlannedStep {
            id: line.id.clone(),
            kind: String::new(),
            of: Some(line.of.clone()),
            nature: Nature::State,
            risk: Risk::Safe,
            resources: Vec::new(),
            guards: Vec::new(),
            beside: false,
            approval: None,
            line: number,
            plan: ErasedPlan::AlreadySo(String::new()),
        };
        planned.plan = match (&line.action, decoded) {
            (BackAction::Kept(why), _) => ErasedPlan::Kept(why.clone()),
            (BackAction::Impossible(why), _) => ErasedPlan::Impossible(why.clone()),
            (BackAction::Step { kind, .. }, Some(Ok(step))) => {
                let told = step.kind();
                (planned.kind, planned.nature, planned.risk) = (kind.clone(), told.nature, told.risk);
                planned.resources = step.resources();
                plan_one(&line.id, step.as_ref(), &mut view)?
            }
            (BackAction::Step { kind, .. }, Some(Err(error))) => {
                planned.kind.clone_from(kind);
                ErasedPlan::Impossible(error.to_string())
            }
            (BackAction::Step { kind, .. }, None) => ErasedPlan::Impossible(format!("`{kind}` was not read")),
        };
        steps.push(planned);
    }
    Ok(steps)
}

/// The lines of the way back, and how many of them are behind; before it has begun, all that it would have.
fn lines_and_behind(run: &Run, opened: &Opened) -> (Vec<BackStep>, usize) {
    let written = || run.back().iter().map(|back| back.step.clone()).collect::<Vec<_>>();
    match (run.state(), run.phase()) {
        (RunState::Reverted, _) => (written(), run.back().len()),
        (RunState::Aborted, _) | (_, Phase::Forward) => (way_back(run, opened), 0),
        (_, Phase::Back(_)) => (written(), run.at()),
    }
}
