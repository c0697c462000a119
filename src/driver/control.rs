//! The loop.

mod pick_up;

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use uuid::Uuid;

use super::DriverOptions;
use super::active::Active;
use super::clock::LeaseClock;
use super::lease::Lease;
use super::load::{Loaded, Shelf};
use super::perform::{Life, Reporter, perform, words};
use super::source::Worlds;
use super::timing::{HAND_OVER, MOST_ENTRIES, POLL, SOFT_WRITE, renew_every};
use super::writer::write;
use crate::engine::{Effect, Event};
use crate::ports::Clock;
use crate::store::journal::{Batch, Hold, Written};
use crate::store::leases::Renewed;
use crate::store::wakes::Polled;
use crate::store::{Store, StoreError};

/// What tasks tell the loop.
pub(super) enum Message {
    Event { life: Life, event: Event },
    Save { life: Life, ticket: u64, cursor: Value, saved: oneshot::Sender<()> },
    Written { runs: Vec<Uuid>, result: Result<Written, StoreError> },
    Polled(Result<Polled, StoreError>),
    Loaded(Result<Vec<Loaded>, StoreError>),
    Renewed { asked_at: Instant, result: Result<Option<Renewed>, StoreError> },
    Entered { asked_at: Instant, now: DateTime<Utc> },
    Claimed { fenced: u64, result: Result<Vec<Hold>, StoreError> },
}

/// A controller: the loop's own state.
#[expect(clippy::struct_excessive_bools, reason = "each says whether one kind of task is under way, and they are independent")]
pub(super) struct Controller {
    pub(super) store: Store,
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) clock: LeaseClock,
    pub(super) lease: Lease,
    pub(super) runs: HashMap<Uuid, Active>,
    /// Runs that have something to write.
    pub(super) dirty: BTreeSet<Uuid>,
    pub(super) draining: bool,
    pub(super) reporter: Reporter,
    worlds: Arc<dyn Worlds>,
    inbox: mpsc::UnboundedReceiver<Message>,
    poke: Arc<Notify>,
    moved: broadcast::Sender<Uuid>,
    shelf: Shelf,
    writing: bool,
    polling: bool,
    poll_again: bool,
    loading: bool,
    /// Orders for runs that are not in memory, from the last look.
    unheard: HashMap<Uuid, Vec<i64>>,
    /// What is to be written of runs that cannot be loaded.
    bad: Batch,
    /// How many runs were loaded so far.
    lives: u64,
    /// How many runs are in memory, for whoever wants to know.
    in_memory: Arc<AtomicUsize>,
}

impl Controller {
    pub(super) async fn enter(options: DriverOptions, poke: Arc<Notify>, moved: broadcast::Sender<Uuid>) -> Result<Self, StoreError> {
        let (messages, inbox) = mpsc::unbounded_channel();
        let (id, asked_at) = (Uuid::now_v7(), Instant::now());
        let now = options.store.enter(id, &options.name).await?;
        Ok(Self {
            lease: Lease::new(options.store.lease(), asked_at),
            store: options.store,
            id,
            name: options.name,
            clock: LeaseClock::new(now),
            runs: HashMap::new(),
            dirty: BTreeSet::new(),
            draining: false,
            reporter: Reporter { messages, crash: options.crash.map(Arc::new) },
            worlds: options.worlds,
            inbox,
            poke,
            moved,
            shelf: Shelf::default(),
            writing: false,
            polling: false,
            poll_again: false,
            loading: false,
            unheard: HashMap::new(),
            bad: Batch::default(),
            lives: 0,
            in_memory: Arc::default(),
        })
    }

    pub(super) fn in_memory(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.in_memory)
    }

    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut poll = interval(POLL);
        let mut renew = interval(renew_every(self.lease.length));
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let poke = Arc::clone(&self.poke);
        loop {
            let soft = self.next_soft_write();
            tokio::select! {
                message = self.inbox.recv() => self.take_all(message),
                _ = poll.tick() => self.poll(),
                () = poke.notified() => self.poll(),
                _ = renew.tick() => self.renew(),
                () = sleep_until(soft.unwrap_or_else(Instant::now).into()), if soft.is_some() => {}
                _ = stopped.changed() => break,
            }
            self.check_lease();
            self.flush();
            self.in_memory.store(self.runs.len(), Ordering::Relaxed);
        }
        self.hand_over().await;
    }

    fn take_all(&mut self, first: Option<Message>) {
        let mut next = first;
        while let Some(message) = next {
            self.take(message);
            next = self.inbox.try_recv().ok();
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Event { life, event } => {
                if let Some(active) = self.alive(life) {
                    if let Event::Acted(ticket, _) = &event {
                        active.acting.retain(|_, acting| acting != ticket);
                    }
                    self.feed(life.run, event);
                }
            }
            Message::Save { life, ticket, cursor, saved } => {
                if let Some(active) = self.alive(life) {
                    let seq = active.run.seq();
                    active.savers.insert(ticket, saved);
                    self.feed(life.run, Event::Cursor(ticket, cursor));
                    // Why: a run that does not want the position any more will never say that it is saved, and the act must not wait for it.
                    if let Some(active) = self.alive(life).filter(|active| active.run.seq() == seq) {
                        active.savers.remove(&ticket);
                    }
                }
            }
            Message::Written { runs, result } => self.written(&runs, result),
            Message::Polled(result) => self.polled(result),
            Message::Loaded(result) => self.loaded(result),
            Message::Renewed { asked_at, result } => self.renewed(asked_at, result),
            Message::Entered { asked_at, now } => self.entered(asked_at, now),
            Message::Claimed { fenced, result } => self.claimed(fenced, result),
        }
    }

    /// The run, if it is still in the life that is meant.
    fn alive(&mut self, life: Life) -> Option<&mut Active> {
        self.runs.get_mut(&life.run).filter(|active| active.life() == life)
    }

    /// Tells a run something and begins what it wants done.
    fn feed(&mut self, id: Uuid, event: Event) {
        let now = self.clock.now();
        let Some(active) = self.runs.get_mut(&id) else { return };
        let effects = match catch_unwind(AssertUnwindSafe(|| active.run.handle(now, event))) {
            Ok(effects) => effects,
            Err(panic) => {
                let (hold, why) = (active.hold, words(panic.as_ref()));
                self.runs.remove(&id);
                self.set_aside(id, hold, &format!("the engine stumbled over it: {why}"));
                return;
            }
        };
        for effect in effects {
            match effect {
                Effect::Record(entry) => {
                    active.entries.push(entry);
                    active.dirty_since.get_or_insert_with(Instant::now);
                }
                Effect::Answer(inbox, answer) => active.answers.push((inbox, answer)),
                Effect::Act(_) | Effect::CursorSaved(_) => active.deferred.push(effect),
                Effect::Plan(_) | Effect::Stand(_) | Effect::Settle(_) | Effect::Verify(_) | Effect::Watch(..) | Effect::PlanBack(_) => {
                    if !self.draining {
                        perform(active, &effect, now, &self.reporter);
                    }
                }
            }
        }
        // Why: an act that needs no new entry, because the intent was journaled in an earlier life, waits for nothing.
        if active.entries.is_empty() && active.committing.is_none() && !active.deferred.is_empty() {
            let effects = std::mem::take(&mut active.deferred);
            self.dispatch(id, effects);
        }
        self.settle(id, now);
    }

    /// Begins effects whose entries are durable.
    fn dispatch(&mut self, id: Uuid, effects: Vec<Effect>) {
        let now = self.clock.now();
        let trusted = self.lease.is_trusted() && !self.draining;
        let Some(active) = self.runs.get_mut(&id) else { return };
        for effect in effects {
            match effect {
                Effect::CursorSaved(ticket) => {
                    if let Some(saved) = active.savers.remove(&ticket) {
                        // Why: an act that was dropped meanwhile does not listen any more.
                        let _ = saved.send(());
                    }
                }
                // Why: a guard may have tripped while the intent was being written, and then nobody waits for the act any more.
                Effect::Act(ticket) if !active.run.awaits(ticket) => {}
                effect if trusted => perform(active, &effect, now, &self.reporter),
                _ => {}
            }
        }
    }

    /// Notes what a run has to write, and sets its timer.
    fn settle(&mut self, id: Uuid, now: DateTime<Utc>) {
        let Some(active) = self.runs.get_mut(&id) else { return };
        if active.is_dirty(now) || !active.entries.is_empty() {
            self.dirty.insert(id);
        }
        if let Some(timer) = active.timer.take() {
            timer.abort();
        }
        // Why: a run that is in memory for another reason hears of no row.
        let here = active.run.is_busy() || active.stays(now);
        let wait = active.run.wake_at().map(|at| (at - now).to_std().unwrap_or_default()).filter(|_| here);
        if let Some(wait) = wait {
            let (life, messages) = (active.life(), self.reporter.messages.clone());
            let timer = tokio::spawn(async move {
                tokio::time::sleep(wait).await;
                let _ = messages.send(Message::Event { life, event: Event::Woke });
            });
            active.timer = Some(timer.abort_handle());
        }
    }

    fn next_soft_write(&self) -> Option<Instant> {
        if self.writing {
            return None;
        }
        let since = self.dirty.iter().filter_map(|id| self.runs.get(id)).filter_map(|active| active.dirty_since).min()?;
        Some(since + SOFT_WRITE)
    }

    /// Writes everything that is due, unless a write is under way.
    fn flush(&mut self) {
        if self.writing || !self.lease.is_trusted() {
            return;
        }
        let now = self.clock.now();
        self.dirty.retain(|id| self.runs.get(id).is_some_and(|active| active.is_dirty(now) || !active.entries.is_empty()));
        let overdue = |active: &Active| active.dirty_since.is_some_and(|since| since.elapsed() >= SOFT_WRITE);
        let due = |id: &Uuid| self.runs.get(id).is_some_and(|active| active.is_urgent(now) || overdue(active));
        let nothing_bad = self.bad.moved.is_empty() && self.bad.answers.is_empty();
        if nothing_bad && !self.dirty.iter().any(due) {
            return;
        }
        let mut batch = std::mem::take(&mut self.bad);
        let mut runs = Vec::new();
        for id in std::mem::take(&mut self.dirty) {
            match self.runs.get_mut(&id) {
                Some(active) if active.committing.is_none() && batch.entries.len() < MOST_ENTRIES => {
                    active.fill(now, &mut batch);
                    runs.push(id);
                }
                Some(_) => {
                    self.dirty.insert(id);
                }
                None => {}
            }
        }
        if runs.is_empty() && batch.moved.is_empty() && batch.answers.is_empty() {
            return;
        }
        self.writing = true;
        let (store, until, reporter) = (self.store.clone(), self.lease.deadline, self.reporter.clone());
        tokio::spawn(async move {
            let result = write(&store, &batch, until, reporter.crash.as_deref()).await;
            let _ = reporter.messages.send(Message::Written { runs, result });
        });
    }

    fn written(&mut self, runs: &[Uuid], result: Result<Written, StoreError>) {
        self.writing = false;
        match result {
            Ok(written) => {
                self.lost(&written.lost);
                let now = self.clock.now();
                for id in runs {
                    let Some(active) = self.runs.get_mut(id) else { continue };
                    let effects = active.committing.take().unwrap_or_default();
                    self.dispatch(*id, effects);
                    // Why: nobody listening is fine; a page that opens later reads the journal.
                    let _ = self.moved.send(*id);
                    if let Some(active) = self.runs.get(id) {
                        if active.can_leave(now) {
                            self.runs.remove(id);
                        } else if active.is_dirty(now) {
                            self.dirty.insert(*id);
                        }
                    }
                }
            }
            Err(error) => {
                tracing::error!(%error, "the journal could not be written");
                self.fence("the journal could not be written");
            }
        }
    }

    /// Finishes acts that are under way, writes what they brought, and gives everything back.
    async fn hand_over(mut self) {
        self.draining = true;
        let end = Instant::now() + HAND_OVER;
        let mut renew_at = Instant::now();
        let mut let_go = std::mem::take(&mut self.lease.let_go);
        let_go.extend(self.runs.keys());
        loop {
            self.flush();
            let now = self.clock.now();
            let busy: BTreeSet<i16> = self
                .runs
                .values()
                .filter(|active| {
                    !active.acting.is_empty() || active.committing.is_some() || active.is_dirty(now) && !active.entries.is_empty()
                })
                .map(|active| active.hold.shard)
                .collect();
            self.runs.retain(|_, active| busy.contains(&active.hold.shard));
            let quiet: Vec<i16> = self.lease.shards().into_iter().filter(|shard| !busy.contains(shard)).collect();
            self.give_back(&quiet);
            // Why: one that is entering again, or claiming, would do so after it has left: it would count as alive until its new lease
            // ends, or its name would stay on shards.
            let settled = !self.lease.entering && !self.lease.claiming;
            let over = settled && (busy.is_empty() && !self.writing || !self.lease.is_trusted());
            if over || Instant::now() >= end {
                break;
            }
            let soft = self.next_soft_write().unwrap_or_else(|| Instant::now() + SOFT_WRITE * 10);
            tokio::select! {
                message = self.inbox.recv() => self.take_all(message),
                () = sleep_until(soft.into()) => {}
                () = sleep_until(renew_at.into()) => {
                    self.renew();
                    renew_at = Instant::now() + renew_every(self.lease.length);
                }
            }
        }
        self.runs.clear();
        let left = async {
            self.store.forgive_loads(&let_go).await?;
            self.store.leave(self.id).await
        };
        if let Err(error) = self.store.answered(left).await {
            tracing::warn!(%error, "the controller could not be taken out");
        }
    }
}
