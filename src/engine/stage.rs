//! The steps that are under way together: one, or those of a `parallel` block. The engine deals with one of them at a time, the one that it
//! faces; everything else about a run is told of all of them.

use std::ops::Range;

use super::command::{Command, Order};
use super::definition::{Definition, StepDefinition};
use super::record::StepRecord;
use super::run::{Phase, Run};
use super::state::StepState;
use super::table::{Rule, rule};
use super::watch::Watch;

/// What is being waited for on behalf of one step. Not journaled: a later life asks again.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lane {
    /// The effect whose answer is being waited for.
    pub(super) out: Option<u64>,
    /// The samples that are being waited for, beside that.
    pub(super) watch: Option<Watch>,
    /// Whether it was looked in vain whether the act under way happened, before the way back.
    pub(super) looked: bool,
}

impl Definition {
    /// The steps that are under way together with this one.
    #[must_use]
    pub fn stage(&self, at: usize) -> Range<usize> {
        block(at, self.steps.len(), |at| self.steps.get(at).is_some_and(|step| step.beside))
    }
}

/// The places from the last one that is beside none before it to the next such, of `count` in all.
pub(super) fn block(at: usize, count: usize, is_beside: impl Fn(usize) -> bool) -> Range<usize> {
    let start = (0..=at).rev().find(|at| !is_beside(*at)).unwrap_or_default();
    let end = (at + 1..count).find(|at| !is_beside(*at)).unwrap_or_else(|| count.max(at + 1));
    start..end
}

impl Run {
    /// The steps that are under way or to begin now, by their index; none behind the last one.
    #[must_use]
    pub fn open_steps(&self) -> Vec<usize> {
        match self.phase {
            Phase::Forward => {
                let is_open = |at: &usize| self.forward.get(*at).is_some_and(|record| !record.state.is_over());
                self.definition.stage(self.at).filter(is_open).collect()
            }
            Phase::Back(_) => (self.at..self.back.len()).take(1).collect(),
        }
    }

    /// The step that somebody should look at first: one that failed, asks or is held before one that moves, and that before one that waits.
    #[must_use]
    pub fn foremost(&self) -> Option<(&StepDefinition, &StepRecord)> {
        let rank = |at: &usize| match self.step_at(*at).map(|(_, record)| (record.shown(), record.is_held())) {
            Some((StepState::Failed, _)) => 0,
            Some((StepState::Asking, _)) => 1,
            Some((_, true)) => 2,
            Some((StepState::Acting | StepState::Verifying, _)) => 3,
            Some((StepState::Waiting, _)) => 4,
            _ => 5,
        };
        self.open_steps().into_iter().min_by_key(rank).and_then(|at| self.step_at(at))
    }

    /// Turns to the step on whose behalf this ticket is out; `false` when there is none. What is told of the run as a whole does not
    /// depend on it.
    pub fn face(&mut self, ticket: u64) -> bool {
        let is_out = |lane: &Lane| lane.out == Some(ticket) || lane.watch.as_ref().is_some_and(|watch| watch.ticket == ticket);
        let found = self.lanes.iter().find(|(_, lane)| is_out(lane)).map(|(at, _)| *at);
        if let Some(at) = found {
            self.at = at;
        }
        found.is_some()
    }

    /// Turns to the step of this id, if it is under way.
    pub(super) fn face_step(&mut self, id: &str) {
        if self.phase == Phase::Forward
            && let Some(at) = self.open_steps().into_iter().find(|at| self.definition.steps.get(*at).is_some_and(|step| step.id == id))
        {
            self.at = at;
        }
    }

    /// Turns to the first step that is under way.
    pub(super) fn face_first(&mut self) {
        if let Some(first) = self.open_steps().first() {
            self.at = *first;
        }
    }

    pub(super) fn lane(&self) -> Option<&Lane> {
        self.lanes.get(&self.at)
    }

    pub(super) fn lane_mut(&mut self) -> &mut Lane {
        self.lanes.entry(self.at).or_default()
    }

    /// Whether an effect is out for the step that is faced.
    pub(super) fn is_out(&self) -> bool {
        self.lane().is_some_and(|lane| lane.out.is_some())
    }

    /// Whether an effect is out for any step.
    pub(super) fn is_any_out(&self) -> bool {
        self.lanes.values().any(|lane| lane.out.is_some())
    }

    /// Goes on behind the step that is faced: to another one that is under way, or to what comes behind them all.
    pub(super) fn leave_step(&mut self) {
        self.lanes.remove(&self.at);
        self.at = match self.phase {
            Phase::Forward => self.open_steps().first().copied().unwrap_or_else(|| self.definition.stage(self.at).end),
            Phase::Back(_) => self.at + 1,
        };
    }

    /// Does this on behalf of every step that is under way.
    pub(super) fn each(&mut self, mut one: impl FnMut(&mut Self)) {
        for at in self.open_steps() {
            // Why: what is done for one may end them all.
            if self.open_steps().contains(&at) {
                self.at = at;
                one(self);
            }
        }
    }

    /// What is asked of the run as if these steps were all that is under way.
    pub(super) fn records(&self, steps: &[usize]) -> Vec<(&StepDefinition, &StepRecord)> {
        steps.iter().filter_map(|at| self.step_at(*at)).collect()
    }

    /// A step in the present direction with its record.
    pub(super) fn step_at(&self, at: usize) -> Option<(&StepDefinition, &StepRecord)> {
        match self.phase {
            Phase::Forward => self.definition.steps.get(at).zip(self.forward.get(at)),
            Phase::Back(_) => self.back.get(at).map(|back| (&back.definition, &back.record)),
        }
    }

    /// Whether an order is about one step: whoever lets a paused run go on means all of it.
    pub(super) fn is_about_a_step(&self, order: &Order) -> bool {
        order.command.is_about_a_step() && !(self.paused && order.command == Command::Resume)
    }

    /// The step that an order means: the named one, the only one that is under way, or the only one that the order fits.
    ///
    /// # Errors
    /// With the answer for whoever gave the order.
    pub(super) fn meant(&self, order: &Order) -> Result<usize, String> {
        let open = self.open_steps();
        let id = |at: &usize| self.step_at(*at).map(|(definition, _)| definition.id.as_str()).unwrap_or_default();
        let names = |steps: &[usize]| steps.iter().map(id).collect::<Vec<_>>().join(" and ");
        if let Some(meant) = &order.step {
            return match open.iter().find(|at| id(at) == meant) {
                Some(at) => Ok(*at),
                None if open.is_empty() => Err(format!("the run is past {meant}")),
                None => Err(format!("the run is at {} by now, not at {meant}", names(&open))),
            };
        }
        if open.len() < 2 || !self.is_about_a_step(order) {
            return Ok(open.first().copied().unwrap_or(self.at));
        }
        let fits = |at: &usize| matches!(rule(self.state_of(&[*at]), order.command), Rule::Taken(_));
        let fitting: Vec<usize> = open.iter().copied().filter(fits).collect();
        match fitting.as_slice() {
            [] => Ok(open.first().copied().unwrap_or(self.at)),
            [only] => Ok(*only),
            several => Err(format!("{} could be meant; say which, with --step", names(several))),
        }
    }
}
