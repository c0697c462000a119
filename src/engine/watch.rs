//! Guards while a step is under way: when they are looked at, what may not begin without them, and what follows when one trips.

use chrono::{DateTime, Utc};

use super::effect::Effect;
use super::entry::{AskedFor, Entry, Scope};
use super::guard::{GuardDefinition, GuardRecord, Sample, SampleVerdict};
use super::run::{Phase, Run};
use super::state::StepState;
use crate::step::{GuardOutcome, Reading, StepError};

/// The name of guards as somebody who orders things.
fn by(definition: &GuardDefinition) -> String {
    format!("guard {}", definition.name())
}

/// A round of samples that is under way. Not journaled: a later life asks again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Watch {
    pub(super) ticket: u64,
    asked: Vec<usize>,
    at: DateTime<Utc>,
    after: i64,
}

impl Run {
    /// Whether guards of any step are to be looked at.
    #[must_use]
    pub fn is_watching(&self) -> bool {
        self.open_steps().into_iter().any(|at| self.is_watching_at(at))
    }

    /// Whether the guards of a step are to be looked at: from its beginning to its end, whatever else is under way.
    fn is_watching_at(&self, at: usize) -> bool {
        let open = self.phase == Phase::Forward && self.ended.is_none() && self.quarantined.is_none();
        if !open || self.abort_ordered || self.revert_ordered.is_some() {
            return false;
        }
        self.step_at(at).is_some_and(|(definition, record)| {
            let under_way = match record.state {
                StepState::Acting | StepState::Verifying | StepState::Waiting => true,
                StepState::Asking => record.question.as_ref().is_some_and(|(why, _)| *why == AskedFor::Unclear),
                _ => false,
            };
            under_way && !definition.guards.is_empty()
        })
    }

    /// Nobody waits for the samples of a step whose guards are not looked at any more.
    pub(super) fn end_watches(&mut self) {
        let ended: Vec<usize> = self.lanes.keys().copied().filter(|at| !self.is_watching_at(*at)).collect();
        for at in ended {
            if let Some(lane) = self.lanes.get_mut(&at) {
                lane.watch = None;
            }
        }
    }

    /// Whether the step that is faced is held by a guard.
    pub(super) fn is_held(&self) -> bool {
        self.record().is_some_and(super::record::StepRecord::is_held)
    }

    /// Whether every guard was looked at after the last act, in this life of the run.
    pub(super) fn is_sampled(&self) -> bool {
        self.guards().all(|(_, record)| record.is_some_and(|record| self.is_fresh(record)))
    }

    /// Whether every guard's newest sample is good and younger than the last act, so that something further may begin.
    pub(super) fn may_go_on(&self) -> bool {
        let is_good = |record: &GuardRecord| record.newest().is_some_and(|newest| newest.sample.verdict == SampleVerdict::Good);
        !self.is_held() && self.guards().all(|(_, record)| record.is_some_and(|record| self.is_fresh(record) && is_good(record)))
    }

    /// When the next sample is due, unless one is under way.
    pub(super) fn next_sample(&self, at: usize) -> Option<DateTime<Utc>> {
        if self.lanes.get(&at).is_some_and(|lane| lane.watch.is_some()) || !self.is_watching_at(at) {
            return None;
        }
        let began = self.step_at(at).and_then(|(_, record)| record.began);
        self.guards_of(at).filter_map(|(definition, record)| record.and_then(|record| record.due(definition)).or(began)).min()
    }

    /// Has those guards looked at whose time has come.
    pub(super) fn look_at_guards(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        if self.lane().is_some_and(|lane| lane.watch.is_some()) || !self.is_watching_at(self.at) {
            return;
        }
        let is_due = |(definition, record): (&GuardDefinition, Option<&GuardRecord>)| {
            record.is_none_or(|record| !self.is_fresh(record) || record.due(definition).is_none_or(|due| due <= now))
        };
        let asked: Vec<usize> = self.guards().enumerate().filter(|(_, guard)| is_due(*guard)).map(|(at, _)| at).collect();
        if asked.is_empty() {
            return;
        }
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        let after = self.seq;
        self.lane_mut().watch = Some(Watch { ticket, asked: asked.clone(), at: now, after });
        effects.push(Effect::Watch(ticket, asked));
    }

    /// Writes a round of samples down.
    pub(super) fn watched(&mut self, now: DateTime<Utc>, readings: Vec<(usize, Reading)>, effects: &mut Vec<Effect>) {
        let Some(watch) = self.lane_mut().watch.take() else { return };
        let mut readings: Vec<Option<(usize, Reading)>> = readings.into_iter().map(Some).collect();
        let mut reading_of = |at: usize| {
            let found = readings.iter_mut().find(|one| one.as_ref().is_some_and(|(of, _)| *of == at)).and_then(Option::take);
            found.map_or_else(|| Reading::Failed("it was not looked at".to_owned()), |(_, reading)| reading)
        };
        let Some((definition, _)) = self.present() else { return };
        let sample = |at: &usize| definition.guards.get(*at).map(|guard| Sample::new(*at, guard, reading_of(*at)));
        let samples: Vec<Sample> = watch.asked.iter().filter_map(sample).collect();
        let step = definition.id.clone();
        self.write(now, Entry::Watched { step, asked_at: watch.at, after: watch.after, samples }, effects);
    }

    /// Draws the conclusions from what was counted. Why from the counts and not from the sample that came in: so that a crash between
    /// a sample and its consequence loses neither.
    pub(super) fn judge_guards(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        if !self.is_watching_at(self.at) {
            return;
        }
        let over: Vec<(usize, String)> = self
            .guards()
            .enumerate()
            .filter(|(_, (definition, record))| record.is_some_and(|record| record.is_good_again(definition)))
            .map(|(at, (definition, _))| (at, by(definition)))
            .collect();
        for (guard, by) in over {
            let step = self.step_id();
            self.write(now, Entry::Released { step, guard: Some(guard), by, reason: None }, effects);
        }
        let trip = |(at, (definition, record)): (usize, (&GuardDefinition, Option<&GuardRecord>))| {
            record.and_then(|record| record.trip(definition)).map(|(outcome, why)| (outcome, at, by(definition), why))
        };
        let trips: Vec<_> = self.guards().enumerate().filter_map(trip).collect();
        // Why: the strictest outcome is the one that nobody regrets.
        let Some((outcome, _, by, why)) = trips.iter().max_by_key(|(outcome, ..)| *outcome).cloned() else { return };
        if outcome != GuardOutcome::Hold {
            self.give_up(now, outcome, by, why, effects);
            return;
        }
        for (_, guard, _, why) in trips {
            let step = self.step_id();
            self.write(now, Entry::Held { step, guard, why }, effects);
        }
    }

    /// Ends the step because of a guard. What is under way is not waited for; an act is looked at before anything else is done.
    fn give_up(&mut self, now: DateTime<Utc>, outcome: GuardOutcome, by: String, why: String, effects: &mut Vec<Effect>) {
        let changed = self.record().is_some_and(super::record::StepRecord::may_have_changed);
        self.lane_mut().out = None;
        let (step, error) = (self.step_id(), StepError::Tripped(why.clone()));
        let past = self.past_no_return().is_some();
        self.write(now, Entry::StepFailed { step, error, frozen: past || outcome == GuardOutcome::Freeze }, effects);
        let scope = match outcome {
            _ if past => return,
            GuardOutcome::RevertRun => Scope::Run,
            GuardOutcome::RevertStep if changed => Scope::Step,
            GuardOutcome::Hold | GuardOutcome::RevertStep | GuardOutcome::Freeze => return,
        };
        self.write(now, Entry::RevertOrdered { by, reason: Some(why), scope }, effects);
    }

    /// What the guards are, in words, when one of them keeps the step from going on.
    pub(super) fn kept_by_guards(&self) -> Option<(String, String)> {
        let not_good = |(definition, record): (&GuardDefinition, Option<&GuardRecord>)| {
            let newest = record.and_then(GuardRecord::newest).filter(|newest| newest.sample.verdict != SampleVerdict::Good)?;
            Some(format!("{}, limit {}", newest.sample.words(), definition.limit))
        };
        let words: Vec<String> = self.guards().filter_map(not_good).collect();
        (!words.is_empty()).then(|| (words.join("; "), "every guard is good".to_owned()))
    }

    fn guards(&self) -> impl Iterator<Item = (&GuardDefinition, Option<&GuardRecord>)> {
        self.guards_of(self.at)
    }

    fn guards_of(&self, at: usize) -> impl Iterator<Item = (&GuardDefinition, Option<&GuardRecord>)> {
        self.step_at(at).into_iter().flat_map(|(definition, record)| {
            definition.guards.iter().enumerate().map(|(at, guard)| (guard, record.guards.get(at).filter(|guard| guard.newest().is_some())))
        })
    }

    fn is_fresh(&self, guard: &GuardRecord) -> bool {
        let since = self.record().map_or(0, |record| record.acted_seq).max(self.loaded);
        guard.newest().is_some_and(|newest| newest.after >= since)
    }
}
