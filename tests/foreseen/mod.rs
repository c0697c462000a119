//! Compares what a plan foresaw with what a run journaled, for plays in memory and on real systems alike.

#![allow(dead_code, reason = "each test binary uses its own part of it")]

use cutover::engine::{BackAction, Entry, How, JournalEntry, PlannedStep};
use cutover::step::{Effect, ErasedChange, ErasedPlan, KNOWN_LATER, binding_holds};

/// What a step came to in the journal, in the direction that is meant.
#[derive(Debug, Default)]
struct Came {
    begun: bool,
    /// The change with which it began first; none when it began to wait.
    change: Option<ErasedChange>,
    asked: bool,
    done: Option<(How, String)>,
}

fn came(journal: &[JournalEntry], step: &str) -> Came {
    let mut came = Came::default();
    for entry in journal.iter().filter(|entry| entry.entry.step() == Some(step)) {
        match &entry.entry {
            Entry::StepBegun { change, .. } if !came.begun => (came.begun, came.change) = (true, change.clone()),
            Entry::Asked { .. } => came.asked = true,
            Entry::StepDone { how, evidence, .. } => came.done = Some((*how, evidence.line.clone())),
            _ => {}
        }
    }
    came
}

/// Whether a text that was foreseen is the one that came; [`KNOWN_LATER`] in it stands for any part.
fn text_holds(foreseen: &str, found: &str) -> bool {
    let mut parts = foreseen.split(KNOWN_LATER);
    let Some(mut rest) = parts.next().and_then(|first| found.strip_prefix(first)) else { return false };
    let mut whole = true;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
        whole = part.is_empty();
    }
    rest.is_empty() || (foreseen.contains(KNOWN_LATER) && whole)
}

fn effect_holds(foreseen: &Effect, found: &Effect) -> bool {
    let text = |foreseen: &Option<String>, found: &Option<String>| match (foreseen, found) {
        (Some(foreseen), Some(found)) => text_holds(foreseen, found),
        (foreseen, found) => foreseen == found,
    };
    foreseen.mark == found.mark && foreseen.what == found.what && text(&foreseen.from, &found.from) && text(&foreseen.to, &found.to)
}

/// Words without their numbers. Why: a topic that is in use goes on filling between the plan and the run.
pub fn countless(words: &str) -> String {
    words.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

/// What is wrong with one step.
fn wrong(planned: &PlannedStep, came: &Came) -> Option<String> {
    let how = came.done.as_ref().map(|(how, _)| *how);
    match &planned.plan {
        ErasedPlan::Change(foreseen) => {
            let Some(found) = &came.change else { return Some("it was to change something and did not".to_owned()) };
            let effects = foreseen.effects.len() == found.effects.len()
                && foreseen.effects.iter().zip(&found.effects).all(|(foreseen, found)| effect_holds(foreseen, found));
            if !effects {
                return Some(format!("it foresaw {:?} and did {:?}", foreseen.effects, found.effects));
            }
            let acts = |change: &ErasedChange| change.acts.iter().map(|act| countless(&act.line)).collect::<Vec<_>>();
            let (before, after) = (acts(foreseen), acts(found));
            if before.len() != after.len() || !before.iter().zip(&after).all(|(foreseen, found)| text_holds(foreseen, found)) {
                return Some(format!("it foresaw the acts {:?} and did {:?}", acts(foreseen), acts(found)));
            }
            (!binding_holds(&foreseen.binding, &found.binding))
                .then(|| format!("it was bound to {} and found {}", foreseen.binding, found.binding))
        }
        ErasedPlan::AlreadySo(_) => (how != Some(How::AlreadySo)).then(|| format!("it was to find it so and is {how:?}")),
        ErasedPlan::Kept(why) => {
            let said = came.done.as_ref().map(|(_, line)| countless(line));
            (how != Some(How::Kept) || said != Some(countless(why)))
                .then(|| format!("it was to stay because {why}, and is {:?}", came.done))
        }
        ErasedPlan::Wait { .. } => (!came.begun || came.change.is_some()).then(|| "it was to wait".to_owned()),
        ErasedPlan::Ask(_) => (!came.asked).then(|| "it was to ask".to_owned()),
        ErasedPlan::CannotPreview(why) => why.is_empty().then(|| "it does not say why it cannot be previewed".to_owned()),
        ErasedPlan::Impossible(why) if planned.kind.is_empty() => {
            let said = came.done.as_ref().map(|(_, line)| line.clone());
            (said != Some(format!("cannot be taken back: {why}"))).then(|| format!("it was to be out of reach, and is {:?}", came.done))
        }
        ErasedPlan::Impossible(why) => Some(format!("it will not work: {why}")),
    }
}

/// Everything in which a journal differs from what these steps foresaw.
pub fn unforeseen(steps: &[PlannedStep], journal: &[JournalEntry]) -> Vec<String> {
    let told = |step: &PlannedStep| wrong(step, &came(journal, &step.id)).map(|why| format!("{} ({}): {why}", step.id, step.kind));
    steps.iter().filter_map(told).collect()
}

/// Everything in which the way back of a journal differs from what was planned.
pub fn unforeseen_back(steps: &[PlannedStep], journal: &[JournalEntry]) -> Vec<String> {
    let lines = journal.iter().find_map(|entry| match &entry.entry {
        Entry::RevertBegun { steps, .. } => Some(steps),
        _ => None,
    });
    let Some(lines) = lines else { return vec!["there was no way back".to_owned()] };
    let kind = |action: &BackAction| match action {
        BackAction::Step { kind, .. } => kind.clone(),
        BackAction::Kept(_) | BackAction::Impossible(_) => String::new(),
    };
    let found: Vec<_> = lines.iter().map(|line| (line.id.clone(), Some(line.of.clone()), kind(&line.action))).collect();
    let foreseen: Vec<_> = steps.iter().map(|step| (step.id.clone(), step.of.clone(), step.kind.clone())).collect();
    if foreseen != found {
        return vec![format!("the way back was to be {foreseen:?} and is {found:?}")];
    }
    unforeseen(steps, journal)
}

#[test]
fn what_is_known_later_fits_any_text() {
    for (foreseen, found, fits) in [
        ("version 1", "version 1", true),
        ("version 1", "version 2", false),
        ("version (known later)", "version 7", true),
        ("version (known later), level FULL", "version 7, level FULL", true),
        ("version (known later), level FULL", "version 7, level NONE", false),
        ("level FULL", "level FULLER", false),
    ] {
        assert_eq!(text_holds(foreseen, found), fits, "{foreseen} and {found}");
    }
}
