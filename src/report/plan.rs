//! A plan as lines for people.

use super::proof;
use super::run::{effect_line, plan_line};
use super::words::{counted, short_id};
use crate::engine::{PlanDocument, PlannedStep};
use crate::step::{ErasedPlan, Mark, Nature};

/// What is said of a plan with a step that cannot be previewed.
pub(super) const UNSEEN: &str = "the real run may do more than shown: a step cannot be previewed";

/// How a line is meant; whoever prints it chooses the colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// Something comes into being, or went well.
    Good,
    /// Something changes, or waits for somebody.
    Warn,
    /// Something goes away, or went wrong.
    Bad,
    /// Not so important.
    Dim,
    /// A heading.
    Strong,
}

/// A line and how it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How it is meant.
    pub tone: Tone,
    /// Its text, without a line feed.
    pub text: String,
}

impl Line {
    /// A line of this tone.
    pub fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into() }
    }
}

/// How many steps of a plan do what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bring something into being.
    pub create: usize,
    /// Change something.
    pub change: usize,
    /// Remove something.
    pub remove: usize,
    /// Wait.
    pub wait: usize,
    /// Ask a person.
    pub ask: usize,
    /// Find it so.
    pub already: usize,
    /// Cannot be previewed.
    pub unknown: usize,
    /// Will not work.
    pub impossible: usize,
    /// Stay, on a way back.
    pub kept: usize,
    /// Cannot be taken back.
    pub lost: usize,
}

/// Counts the steps of a plan.
#[must_use]
pub fn counts(plan: &PlanDocument) -> Counts {
    let mut counts = Counts::default();
    for step in &plan.steps {
        match &step.plan {
            ErasedPlan::AlreadySo(_) => counts.already += 1,
            ErasedPlan::Kept(_) => counts.kept += 1,
            ErasedPlan::Wait { .. } => counts.wait += 1,
            ErasedPlan::Ask(_) => counts.ask += 1,
            ErasedPlan::CannotPreview(_) => counts.unknown += 1,
            ErasedPlan::Impossible(_) if is_lost(step) => counts.lost += 1,
            ErasedPlan::Impossible(_) => counts.impossible += 1,
            ErasedPlan::Change(change) if change.effects.is_empty() => counts.wait += 1,
            ErasedPlan::Change(_) => match mark(step) {
                Some(Mark::Create) => counts.create += 1,
                Some(Mark::Remove) => counts.remove += 1,
                Some(Mark::Change) | None => counts.change += 1,
            },
        }
    }
    counts
}

/// Whether it is a line of a way back that says that its step cannot be taken back.
fn is_lost(step: &PlannedStep) -> bool {
    step.kind.is_empty() && matches!(step.plan, ErasedPlan::Impossible(_))
}

/// What a step does, in one line.
#[must_use]
pub fn step_text(step: &PlannedStep) -> String {
    match &step.plan {
        ErasedPlan::Impossible(why) if is_lost(step) => format!("cannot be taken back: {why}"),
        plan => plan_line(plan),
    }
}

fn mark(step: &PlannedStep) -> Option<Mark> {
    match &step.plan {
        ErasedPlan::Change(change) => change.effects.first().map(|effect| effect.mark),
        _ => None,
    }
}

/// The mark in front of a step's line, and how it is meant.
pub(super) fn sign(step: &PlannedStep) -> (char, Tone) {
    match (&step.plan, mark(step)) {
        (ErasedPlan::AlreadySo(_) | ErasedPlan::Kept(_), _) => ('=', Tone::Dim),
        (ErasedPlan::Wait { .. }, _) => ('◷', Tone::Plain),
        // Why: acts without an effect only look, so that a wait has something journaled to hold on to.
        (ErasedPlan::Change(change), _) if change.effects.is_empty() => ('◷', Tone::Plain),
        (ErasedPlan::Ask(_) | ErasedPlan::CannotPreview(_), _) => ('?', Tone::Warn),
        (ErasedPlan::Impossible(_), _) => ('✖', Tone::Bad),
        (ErasedPlan::Change(_), mark) => {
            let mark = mark.unwrap_or(Mark::Change);
            let tone = match mark {
                Mark::Create => Tone::Good,
                Mark::Change => Tone::Warn,
                Mark::Remove => Tone::Bad,
            };
            (mark.sign(), tone)
        }
    }
}

/// The mark of a step that is in a `parallel` block.
pub const TOGETHER: &str = "∥";

/// The plan as lines. With `all` every effect and act has a line of its own.
#[must_use]
pub fn lines(plan: &PlanDocument, all: bool) -> Vec<Line> {
    let mut out = vec![Line::new(Tone::Strong, heading(plan)), Line::new(Tone::Plain, "")];
    let ids = plan.steps.iter().map(|step| step.id.chars().count()).max().unwrap_or_default();
    let kinds = plan.steps.iter().map(|step| step.kind.len()).max().unwrap_or_default();
    for (at, step) in plan.steps.iter().enumerate() {
        let lead = if plan.block(at).len() > 1 { TOGETHER } else { " " };
        let (sign, tone) = sign(step);
        let once = if step.nature == Nature::Once && matches!(step.plan, ErasedPlan::Change(_)) { " (once)" } else { "" };
        out.push(Line::new(tone, format!("{lead} {sign} {:<ids$}  {:<kinds$}  {}{once}", step.id, step.kind, step_text(step))));
        if let Some(text) = &step.approval {
            out.push(Line::new(Tone::Warn, format!("    asks before it begins: {text}")));
        }
        out.extend(step.guards.iter().map(|guard| Line::new(Tone::Dim, format!("    guarded by {guard}"))));
        if let (true, ErasedPlan::Change(change)) = (all, &step.plan) {
            out.extend(change.effects.iter().map(|effect| Line::new(Tone::Dim, format!("      {}", effect_line(effect)))));
            out.extend(change.acts.iter().map(|act| Line::new(Tone::Dim, format!("      act: {}", act.line))));
        }
    }
    out.push(Line::new(Tone::Plain, ""));
    out.push(Line::new(Tone::Strong, summary(plan)));
    if plan.steps.iter().any(|step| step.beside) {
        out.push(Line::new(Tone::Dim, format!("{TOGETHER} under way together with the step above or below that has the mark, too")));
    }
    if plan.reverts.is_some() {
        out.extend(outlook(plan));
    } else {
        out.extend(once(plan));
    }
    if counts(plan).unknown > 0 {
        out.push(Line::new(Tone::Warn, format!("hint: {UNSEEN}")));
    }
    if let Some(proof) = &plan.proof {
        let verdict = proof::verdict(proof);
        out.push(Line::new(verdict.tone, format!("proof: {}", verdict.text)));
        let indented = |found: Line| if found.text.is_empty() { found } else { Line::new(found.tone, format!("  {}", found.text)) };
        // Why: how far the way back goes is no question on the way back itself.
        let back = proof::back(proof).filter(|_| plan.reverts.is_none());
        out.extend(back.into_iter().chain(proof::lines(proof, None, all)).map(indented));
    }
    if all {
        out.push(Line::new(Tone::Plain, "touches:"));
        out.extend(plan.claims().iter().map(|claim| Line::new(Tone::Dim, format!("  {} {}", claim.mode.verb(), claim.resource))));
    }
    out
}

fn heading(plan: &PlanDocument) -> String {
    let steps = counted(plan.steps.len(), "step", "steps");
    if let Some(run) = plan.reverts {
        return format!("the way back of {} in {}, run {}: {steps}", plan.playbook, plan.environment, short_id(run));
    }
    let mut heading = format!("{} in {}: {steps}", plan.playbook, plan.environment);
    if let Some(link) = &plan.link {
        heading.push_str(", moves ");
        heading.push_str(link);
    }
    format!("{heading} (approvals: {})", plan.approvals.as_str())
}

/// `2 to create, 1 to change, 3 already so`.
#[must_use]
pub fn summary(plan: &PlanDocument) -> String {
    let counts = counts(plan);
    let parts = [
        (counts.create, "to create"),
        (counts.change, "to change"),
        (counts.remove, "to remove"),
        (counts.wait, "to wait for"),
        (counts.ask, "to ask"),
        (counts.already, "already so"),
        (counts.kept, "stay as they are"),
        (counts.lost, "cannot be taken back"),
        (counts.unknown, "cannot be previewed"),
        (counts.impossible, "will not work"),
    ];
    let parts: Vec<_> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if parts.is_empty() { "nothing to take back".to_owned() } else { parts.join(", ") }
}

/// What a way back does not reach, and where it would stop.
fn outlook(plan: &PlanDocument) -> Vec<Line> {
    let mut out = Vec::new();
    if let Some(step) = &plan.no_return {
        let text = format!(
            "past the point of no return: step {step} has destroyed something for good, and only what is listed here remains possible"
        );
        out.push(Line::new(Tone::Bad, text));
    }
    let stops = |step: &&PlannedStep| matches!(step.plan, ErasedPlan::Impossible(_)) && !is_lost(step);
    if let Some(step) = plan.steps.iter().find(stops) {
        let text = format!("the run would stop as `stuck` at {}: mend what is in its way, or do it by hand and skip the step", step.id);
        out.push(Line::new(Tone::Bad, text));
    }
    out
}

/// Names the steps that are no state but events of their own: they happen again in every run.
pub(super) fn once(plan: &PlanDocument) -> Option<Line> {
    let steps: Vec<_> = plan.steps.iter().filter(|step| step.nature == Nature::Once).map(|step| step.id.as_str()).collect();
    (!steps.is_empty()).then(|| Line::new(Tone::Dim, format!("these steps happen anew in every run: {}", steps.join(", "))))
}
