//! The way forward: every state before, inside and after each step, what is wrong in it, and by which step each fact came and went.

use std::collections::BTreeSet;

use super::act::{Act, NoAct};
use super::book::Book;
use super::finding::{Finding, Known, Rule, Subject};
use super::model::Model;
use super::state::{Fact, Space, State};
use super::transition::Stays;

/// The steps' acts; steps that run beside one another are one stage.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) stages: Vec<Stage>,
    /// Moves without an act, with their step.
    pub(super) without: Vec<(usize, NoAct)>,
}

/// Steps that are under way together.
#[derive(Clone, Debug, Default)]
pub(super) struct Stage {
    /// Numbers of its steps.
    pub(super) steps: Vec<usize>,
    /// Their acts, each with its step.
    pub(super) acts: Vec<(usize, Act)>,
    /// Those of its steps that were broken off.
    pub(super) broken_off: Vec<usize>,
}

impl Plan {
    pub(super) fn of(model: &Model, book: &Book) -> Self {
        let mut plan = Self::default();
        for (at, step) in book.steps.iter().enumerate() {
            if !step.beside || plan.stages.is_empty() {
                plan.stages.push(Stage::default());
            }
            let Some(stage) = plan.stages.last_mut() else { continue };
            stage.steps.push(at);
            if step.broken_off {
                stage.broken_off.push(at);
            }
            for one in &step.moves {
                match Act::of(model, one) {
                    Ok(act) => stage.acts.push((at, act)),
                    Err(why) => plan.without.push((at, why)),
                }
            }
        }
        plan
    }

    pub(super) fn acts(&self) -> impl Iterator<Item = &Act> {
        self.stages.iter().flat_map(|stage| &stage.acts).map(|(_, act)| act)
    }
}

/// When within a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// Before the first step.
    Start,
    /// While the step is under way.
    Inside,
    /// When it is verified.
    After,
}

/// A finding, and where it was first seen.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) step: usize,
    pub(super) moment: Moment,
    pub(super) finding: Finding,
}

/// The states of the way forward.
#[derive(Clone, Debug, Default)]
pub(super) struct Walk {
    /// The state before each stage, and the last one.
    pub(super) between: Vec<State>,
    /// The state inside each stage.
    pub(super) inside: Vec<State>,
    /// One per rule and subject, the first.
    pub(super) seen: Vec<Seen>,
    pub(super) trail: Trail,
}

/// By which step each fact came and went, and which steps were meant to end it and did not.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    changes: Vec<(usize, Fact, bool)>,
    stays: Vec<(usize, Fact, Stays)>,
}

impl Trail {
    /// The step by which the fact last came, before the end of `until`; `None` when it was so at the start.
    pub(super) fn came(&self, fact: Fact, until: usize) -> Option<usize> {
        self.last(fact, true, until)
    }

    /// The step by which the fact last went.
    pub(super) fn went(&self, fact: Fact, until: usize) -> Option<usize> {
        self.last(fact, false, until)
    }

    fn last(&self, fact: Fact, came: bool, until: usize) -> Option<usize> {
        let fits = |(step, of, put): &&(usize, Fact, bool)| *step <= until && *of == fact && *put == came;
        self.changes.iter().rev().find(fits).map(|(step, _, _)| *step)
    }

    /// The steps that were meant to end the fact, or to prove it, and did not.
    pub(super) fn kept(&self, fact: Fact, until: usize) -> impl Iterator<Item = (usize, Stays)> + '_ {
        self.stays.iter().filter(move |(step, of, _)| *step <= until && *of == fact).map(|(step, _, why)| (*step, *why))
    }
}

/// Everything that is wrong in the first state.
pub(super) fn already(space: &Space, start: &State) -> Vec<Seen> {
    let mut seen = Vec::new();
    space.check(start, &mut |finding| {
        seen.push(Seen { step: 0, moment: Moment::Start, finding });
        true
    });
    seen
}

/// Walks the plan from a closed state. What is already so is not reported again.
pub(super) fn walk(space: &Space, plan: &Plan, start: &State, already: &Known) -> Walk {
    let mut walk = Walk { between: vec![start.clone()], ..Walk::default() };
    let mut known = BTreeSet::new();
    let mut state = start.clone();
    for stage in &plan.stages {
        let last = stage.steps.last().copied().unwrap_or_default();
        let mut note = |step: usize, moment: Moment, finding: Finding| {
            if !already.has(&finding) && known.insert(finding.key()) {
                walk.seen.push(Seen { step, moment, finding });
            }
            true
        };
        let mut before = state.clone();
        for (step, act) in &stage.acts {
            space.inside(act, &mut state);
            walk.trail.record(space, *step, &mut before, &state);
        }
        space.close(&mut state);
        walk.trail.record(space, last, &mut before, &state);
        for (step, act) in stage.ending() {
            space.can_end(act, &state, &mut |finding| note(step, Moment::Inside, finding));
        }
        space.check(&state, &mut |finding| note(last, Moment::Inside, finding));
        walk.inside.push(state.clone());
        let inside = state.clone();
        for (step, act) in stage.ending() {
            let stays = &mut walk.trail.stays;
            let mut note = |fact, why| stays.push((step, fact, why));
            if stage.is_block() {
                // Why from inside: of steps that are under way together none may rely on what another one proves.
                let mut alone = inside.clone();
                space.leave(act, &mut alone, &mut note);
                state.0.difference_with(&difference(&inside, &alone).0);
                state.0.union_with(&difference(&alone, &inside).0);
            } else {
                space.leave(act, &mut state, &mut note);
            }
            walk.trail.record(space, step, &mut before, &state);
        }
        space.close(&mut state);
        walk.trail.record(space, last, &mut before, &state);
        space.check(&state, &mut |finding| note(last, Moment::After, finding));
        walk.between.push(state.clone());
    }
    walk
}

/// What is in the first and not in the second.
fn difference(one: &State, other: &State) -> State {
    let mut left = one.clone();
    left.0.difference_with(&other.0);
    left
}

impl Stage {
    /// The acts that come to their end, each with its step.
    fn ending(&self) -> impl Iterator<Item = (usize, &Act)> {
        self.acts.iter().filter(|(step, _)| !self.broken_off.contains(step)).map(|(step, act)| (*step, act))
    }

    /// Whether several steps come to their end together. What was broken off is taken back afterwards, not meanwhile.
    fn is_block(&self) -> bool {
        self.steps.len() > 1 && self.broken_off.is_empty()
    }
}

impl Trail {
    fn record(&mut self, space: &Space, step: usize, before: &mut State, now: &State) {
        // Why not `symmetric_difference`: it goes bit by bit, and this is asked after every act of every order that is tried.
        before.0.symmetric_difference_with(&now.0);
        for id in before.0.ones() {
            self.changes.push((step, space.layout.fact(id), now.0.contains(id)));
        }
        before.clone_from(now);
    }
}

/// A finding for every move that names what is not declared.
pub(super) fn undeclared(plan: &Plan) -> Vec<Seen> {
    let named = plan.without.iter().filter(|(_, why)| matches!(why, NoAct::Undeclared(_)));
    let seen = |(step, _): &(usize, NoAct)| Seen {
        step: *step,
        moment: Moment::Inside,
        finding: Finding::new(Rule::Declared, Subject::Step(*step)),
    };
    named.map(seen).collect()
}
