//! One run: what the journal says of it, and how an entry changes that.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use super::command::Order;
use super::definition::{Approvals, Definition, StepDefinition};
use super::entry::{BackAction, BackStep, Entry, JournalEntry, Scope};
use super::guard::{GuardRecord, Sampled};
use super::record::StepRecord;
use super::stage::Lane;
use super::state::{RunState, StepState};

/// In which direction a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Through the playbook.
    Forward,
    /// Through the way back.
    Back(Scope),
}

/// How a run was started.
#[derive(Clone, Debug, PartialEq)]
pub struct Begun {
    /// Who started it.
    pub by: String,
    /// Who may approve.
    pub approvals: Approvals,
    /// Whether approvals are answered in the starter's name.
    pub yes: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// A step of the way back with its record.
#[derive(Clone, Debug, PartialEq)]
pub struct Back {
    /// What is done.
    pub step: BackStep,
    /// How the engine treats it.
    pub definition: StepDefinition,
    /// How far it is.
    pub record: StepRecord,
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub(super) definition: Definition,
    pub(super) forward: Vec<StepRecord>,
    pub(super) back: Vec<Back>,
    pub(super) phase: Phase,
    /// Index of the step that is dealt with now, one of those that are under way.
    pub(super) at: usize,
    /// Where the forward direction stood when the way back began.
    pub(super) turned_at: usize,
    pub(super) seq: i64,
    pub(super) begun: Option<Begun>,
    pub(super) paused: bool,
    pub(super) frozen: bool,
    pub(super) revert_ordered: Option<Scope>,
    /// The step that alone is to be taken back, when that is ordered.
    pub(super) turning: usize,
    pub(super) abort_ordered: bool,
    pub(super) quarantined: Option<String>,
    pub(super) ended: Option<RunState>,
    /// How often a way back began: its steps are others each time.
    pub(super) turns: u32,
    pub(super) last_ticket: u64,
    /// What is being waited for, by the index of the step.
    pub(super) lanes: BTreeMap<usize, Lane>,
    /// Number of the last journal entry when this life of the run began. Not journaled: a later life looks at the guards again.
    pub(super) loaded: i64,
}

impl Run {
    /// A run without any journal yet.
    #[must_use]
    pub fn new(definition: Definition) -> Self {
        let forward = definition.steps.iter().map(|_| StepRecord::default()).collect();
        Self {
            definition,
            forward,
            back: Vec::new(),
            phase: Phase::Forward,
            at: 0,
            turned_at: 0,
            seq: 0,
            begun: None,
            paused: false,
            frozen: false,
            revert_ordered: None,
            turning: 0,
            abort_ordered: false,
            quarantined: None,
            ended: None,
            turns: 0,
            last_ticket: 0,
            lanes: BTreeMap::new(),
            loaded: 0,
        }
    }

    /// Rebuilds a run from its journal. Entries must be in order; one whose number is not the next is left out.
    #[must_use]
    pub fn replay(definition: Definition, journal: impl IntoIterator<Item = JournalEntry>) -> Self {
        let mut run = Self::new(definition);
        for entry in journal {
            if entry.seq == run.seq + 1 {
                run.apply(&entry);
            }
        }
        run.face_first();
        run
    }

    /// Where the run stands.
    #[must_use]
    pub fn state(&self) -> RunState {
        self.state_of(&self.open_steps())
    }

    /// Where the run would stand if these steps were all that is under way.
    pub(super) fn state_of(&self, steps: &[usize]) -> RunState {
        if let Some(end) = self.ended {
            return end;
        }
        if self.quarantined.is_some() {
            return RunState::Quarantined;
        }
        let records = self.records(steps);
        let is_any = |state: StepState| records.iter().any(|(_, record)| record.state == state);
        if is_any(StepState::Failed) && self.revert_ordered.is_none() {
            return match self.phase {
                Phase::Back(_) => RunState::Stuck,
                Phase::Forward if self.frozen => RunState::Frozen,
                Phase::Forward => RunState::Failed,
            };
        }
        if self.paused {
            return RunState::Paused;
        }
        // Why: once the way back is ordered, an answer to an open question would change what is being taken back.
        if is_any(StepState::Asking) && self.revert_ordered.is_none() {
            return RunState::Asking;
        }
        if matches!(self.phase, Phase::Back(_)) || self.revert_ordered.is_some() {
            return RunState::Reverting;
        }
        if records.iter().any(|(_, record)| record.is_held()) {
            return RunState::Held;
        }
        if !records.is_empty() && records.iter().all(|(_, record)| record.shown() == StepState::Waiting) {
            return RunState::Waiting;
        }
        if self.seq <= 1 && !self.is_any_out() { RunState::Pending } else { RunState::Running }
    }

    /// When the run wants to be woken if nothing else happens; `None` when only a person or an answer moves it.
    #[must_use]
    pub fn wake_at(&self) -> Option<DateTime<Utc>> {
        // Why: guards are looked at whatever else is under way, and whatever holds the step up.
        self.open_steps().into_iter().flat_map(|at| [self.next_look(at), self.next_sample(at)]).flatten().min()
    }

    fn next_look(&self, at: usize) -> Option<DateTime<Utc>> {
        let is_out = self.lanes.get(&at).is_some_and(|lane| lane.out.is_some());
        if self.ended.is_some() || is_out || self.paused || self.quarantined.is_some() {
            return None;
        }
        let (definition, record) = self.step_at(at).filter(|(_, record)| !record.is_held())?;
        let again = record.again_at?;
        let limit =
            definition.timeout.zip(record.began).map(|(timeout, began)| began + Duration::from_std(timeout).unwrap_or(Duration::MAX));
        Some(limit.map_or(again, |limit| limit.min(again)))
    }

    /// Whether an answer to an effect is being waited for.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.lanes.values().any(|lane| lane.out.is_some() || lane.watch.is_some())
    }

    /// Whether the answer to this ticket is still being waited for.
    #[must_use]
    pub fn awaits(&self, ticket: u64) -> bool {
        self.lanes.values().any(|lane| lane.out == Some(ticket))
    }

    /// Number of the last journal entry.
    #[must_use]
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// In which direction it goes.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How it was started; `None` before the first entry.
    #[must_use]
    pub fn begun(&self) -> Option<&Begun> {
        self.begun.as_ref()
    }

    /// The steps of the playbook with their records.
    pub fn forward(&self) -> impl Iterator<Item = (&StepDefinition, &StepRecord)> {
        self.definition.steps.iter().zip(&self.forward)
    }

    /// The steps of the way back.
    #[must_use]
    pub fn back(&self) -> &[Back] {
        &self.back
    }

    /// Index of the step that is dealt with now, in the present direction.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Names what the present step does, within the run and for ever: the same after every crash, and another one when the step is begun
    /// anew after a person's retry, for that is another change and must not be taken for the one that was made before.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        let (definition, record) = self.present()?;
        let direction = match (self.phase, self.turns) {
            (Phase::Forward, _) => String::new(),
            (Phase::Back(_), ..=1) => "back/".to_owned(),
            (Phase::Back(_), turns) => format!("back-{turns}/"),
        };
        let round = if record.rounds > 1 { format!("/{}", record.rounds) } else { String::new() };
        Some(format!("{direction}{}{round}", definition.id))
    }

    /// Why it was taken out of service.
    #[must_use]
    pub fn quarantined(&self) -> Option<&str> {
        self.quarantined.as_deref()
    }

    /// The step that is dealt with now, with its record; `None` behind the last one.
    #[must_use]
    pub fn present(&self) -> Option<(&StepDefinition, &StepRecord)> {
        self.step_at(self.at)
    }

    pub(super) fn record(&self) -> Option<&StepRecord> {
        self.present().map(|(_, record)| record)
    }

    pub(super) fn record_mut(&mut self) -> Option<&mut StepRecord> {
        match self.phase {
            Phase::Forward => self.forward.get_mut(self.at),
            Phase::Back(_) => self.back.get_mut(self.at).map(|back| &mut back.record),
        }
    }

    /// Changes the run as the entry says. The only place where a run changes, live and in replay.
    pub(super) fn apply(&mut self, journaled: &JournalEntry) {
        self.seq = journaled.seq;
        let at = journaled.at;
        match &journaled.entry {
            Entry::RunBegun { by, approvals, yes, .. } => {
                self.begun = Some(Begun { by: by.clone(), approvals: *approvals, yes: *yes, at });
            }
            Entry::Paused { .. } => self.paused = true,
            Entry::Resumed { .. } => self.paused = false,
            Entry::RevertOrdered { scope, .. } => {
                self.revert_ordered = Some(*scope);
                self.turning = self.at;
                self.ended = None;
                self.abort_ordered = false;
                self.paused = false;
            }
            Entry::RevertBegun { scope, steps } => self.turn(*scope, steps),
            Entry::AbortOrdered { .. } => self.abort_ordered = true,
            Entry::Quarantined { why } => self.quarantined = Some(why.clone()),
            Entry::RunEnded { state, .. } => self.ended = Some(*state),
            entry => {
                if let Some(step) = entry.step() {
                    self.face_step(step);
                }
                self.apply_step(entry, at);
            }
        }
        self.leave_step_revert();
        self.end_watches();
    }

    fn apply_step(&mut self, entry: &Entry, at: DateTime<Utc>) {
        // Why: whoever says that the run goes on means it, whatever held it up before.
        if matches!(entry, Entry::Retried { .. } | Entry::StepSkipped { .. }) {
            self.frozen = false;
            self.quarantined = None;
            self.paused = false;
        }
        if let Entry::StepFailed { frozen, .. } = entry {
            self.frozen = *frozen;
        }
        let nature = self.present().map(|(definition, _)| definition.nature);
        let (seq, guards) = (self.seq, self.present().map_or(0, |(definition, _)| definition.guards.len()));
        let Some(record) = self.record_mut() else { return };
        match entry {
            Entry::Asked { question, why, .. } => {
                record.state = StepState::Asking;
                record.question = Some((*why, question.clone()));
                record.again_at = None;
            }
            Entry::Answered { by, .. } => record.answered(by),
            Entry::StepBegun { change, guarded, .. } => {
                record.begin(change.clone(), *guarded, at);
                record.acted_seq = seq;
            }
            Entry::ActBegun { act, .. } => {
                record.state = StepState::Acting;
                record.act = *act;
                record.act_begun = true;
                record.cursor = None;
                record.waits = None;
            }
            Entry::CursorSaved { cursor, .. } => record.cursor = Some(cursor.clone()),
            Entry::ActDone { act, receipt, settles, .. } => {
                record.act_done(*act, receipt.clone(), *settles);
                record.rests_since = Some(at);
                record.acted_seq = seq;
            }
            Entry::ActSettled { .. } => record.settled(),
            Entry::Watched { asked_at, after, samples, .. } => {
                record.guards.resize_with(guards, GuardRecord::default);
                for sample in samples {
                    if let Some(guard) = record.guards.get_mut(sample.guard) {
                        guard.count(Sampled { at: *asked_at, after: *after, sample: sample.clone() });
                    }
                }
            }
            Entry::Held { guard, why, .. } => {
                if let Some(guard) = record.guards.get_mut(*guard) {
                    guard.forgive();
                    guard.held = Some(why.clone());
                }
            }
            Entry::Released { guard, .. } => {
                for (_, one) in record.guards.iter_mut().enumerate().filter(|(at, _)| guard.is_none_or(|guard| guard == *at)) {
                    one.forgive();
                    one.held = None;
                }
                record.rests_since = Some(at);
                // Why: when a person says go on, the guards say at once what they see, not only when their time comes.
                if guard.is_none() {
                    record.acted_seq = seq;
                }
            }
            Entry::Stumbled { error, attempt, again_at, .. } => {
                record.error = Some(error.clone());
                record.attempts = *attempt;
                record.again_at = Some(*again_at);
            }
            Entry::StepWaits { now, goal, .. } => {
                record.state = StepState::Waiting;
                record.waits = Some((now.clone(), goal.clone()));
                record.waits_since = Some(at);
                record.attempts = 0;
                record.error = None;
                record.again_at = None;
            }
            Entry::StepDone { how, evidence, .. } => {
                record.over(how.state(), at);
                record.evidence = Some(evidence.clone());
                self.leave_step();
            }
            Entry::StepSkipped { by, .. } => {
                record.over(StepState::Skipped, at);
                record.by = Some(by.clone());
                self.leave_step();
            }
            Entry::StepFailed { error, .. } => {
                record.state = StepState::Failed;
                record.error = Some(error.clone());
                record.again_at = None;
                record.question = None;
                record.let_go();
            }
            Entry::Retried { .. } => record.try_again(nature),
            _ => {}
        }
    }

    fn turn(&mut self, scope: Scope, steps: &[BackStep]) {
        // Why: nothing of the way forward is tried again from here.
        self.each(|run| {
            if let Some(record) = run.record_mut() {
                record.again_at = None;
            }
        });
        if self.phase == Phase::Forward {
            self.turned_at = if scope == Scope::Step { self.turning } else { self.at };
        }
        let back = |step: &BackStep| {
            let kind = match &step.action {
                BackAction::Step { kind, .. } => kind.as_str(),
                BackAction::Kept(_) | BackAction::Impossible(_) => "",
            };
            let mut definition = StepDefinition { settles: step.settles, ..StepDefinition::plain(&step.id, kind) };
            // Why: whoever said how long a step may take, and how often it is tried, meant its way back too; it ends in `stuck` then.
            if let Some(forward) = self.definition.steps.iter().find(|forward| forward.id == step.of) {
                definition.timeout = forward.timeout;
                definition.retry = forward.retry;
            }
            Back { definition, step: step.clone(), record: StepRecord::default() }
        };
        self.back = steps.iter().map(back).collect();
        self.phase = Phase::Back(scope);
        self.at = 0;
        self.turns += 1;
        self.lanes.clear();
        self.revert_ordered = None;
        self.frozen = false;
    }

    /// Once a single failed step is taken back, the run stands at it again, as if it had never begun, and waits for a person.
    fn leave_step_revert(&mut self) {
        if self.phase == Phase::Back(Scope::Step) && self.at >= self.back.len() {
            self.phase = Phase::Forward;
            self.at = self.turned_at;
            let stays = self.back.iter().any(|back| matches!(back.record.state, StepState::Kept | StepState::Skipped));
            if let Some(record) = self.forward.get_mut(self.at) {
                // Why: what stays is still this run's doing, and a later way back of the whole run must look at it again.
                let earlier = if stays { record.take_changes() } else { Vec::new() };
                let error = record.error.take();
                *record = StepRecord { state: StepState::Failed, error, rounds: record.rounds, earlier, ..StepRecord::default() };
            }
        }
    }

    /// Whether the question that is open may be answered by this person.
    pub(super) fn may_answer(&self, order: &Order) -> Result<(), String> {
        match &self.begun {
            Some(begun) if begun.approvals == Approvals::Other && begun.by == order.by => {
                Err(format!("{} started this run, and this environment wants somebody else to approve (approvals: other)", begun.by))
            }
            _ => Ok(()),
        }
    }
}
