//! What a plan touches, system by system, and what that keeps other runs from.

use std::collections::BTreeMap;

use super::document::{ReportSystem, ReportThing, ReportTouches};
use crate::engine::PlanDocument;
use crate::step::{Mode, Resource};

/// Everything that the steps touch, each thing once.
pub(super) fn touches(plan: &PlanDocument) -> ReportTouches {
    let mut things: BTreeMap<&Resource, (Mode, Vec<String>)> = BTreeMap::new();
    for step in &plan.steps {
        for claim in &step.resources {
            let (mode, steps) = things.entry(&claim.resource).or_insert((claim.mode, Vec::new()));
            *mode = (*mode).max(claim.mode);
            if steps.last() != Some(&step.id) {
                steps.push(step.id.clone());
            }
        }
    }
    let mut systems: Vec<ReportSystem> = Vec::new();
    for (resource, (mode, steps)) in things {
        let system = format!("{} {}", resource.system, resource.name);
        let (lock, means) = match mode {
            Mode::Read => ("read", "other runs may read it, and none may change it"),
            Mode::Write => ("write", "no other run may touch it"),
        };
        let thing =
            ReportThing { sort: resource.sort.clone(), id: resource.id.clone(), lock: lock.to_owned(), means: means.to_owned(), steps };
        match systems.last_mut().filter(|last| last.system == system) {
            Some(last) => last.things.push(thing),
            None => systems.push(ReportSystem { system, things: vec![thing] }),
        }
    }
    let sentence = if systems.is_empty() {
        "the steps touch nothing outside the run"
    } else {
        "a run locks all of this when it starts, or does not start, and gives it back when it is over"
    };
    ReportTouches { sentence: sentence.to_owned(), systems }
}
