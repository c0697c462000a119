//! A run that is in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::load::Ready;
use super::perform::Life;
use super::source::Opened;
use super::timing::{STAY, STAY_WATCHING};
use crate::engine::command::Answer;
use crate::engine::{Effect, JournalEntry, Run, RunState};
use crate::store::journal::{Batch, Hold, Moved, NewEntry, Wake};

/// What the database was last told of a run's state and wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) state: RunState,
    pub(super) wake: WakeAt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WakeAt {
    Now,
    At(DateTime<Utc>),
    Never,
    Over,
}

/// A run with everything that is on its way.
pub(super) struct Active {
    pub(super) id: Uuid,
    /// Which of the run's lives in this controller it is.
    pub(super) number: u64,
    pub(super) hold: Hold,
    pub(super) run: Run,
    pub(super) opened: Arc<Opened>,
    pub(super) told: Told,
    /// Entries that are not sent yet.
    pub(super) entries: Vec<JournalEntry>,
    /// Answers that are not sent yet.
    pub(super) answers: Vec<(i64, Answer)>,
    /// Effects that wait for the entries before them to be sent.
    pub(super) deferred: Vec<Effect>,
    /// Effects that wait for the batch under way to be durable.
    pub(super) committing: Option<Vec<Effect>>,
    /// Since when entries wait.
    pub(super) dirty_since: Option<Instant>,
    /// The tasks that carry out an effect, by the index of the step.
    pub(super) tasks: BTreeMap<usize, AbortHandle>,
    /// The tasks that look at guards beside them.
    pub(super) watching: BTreeMap<usize, AbortHandle>,
    /// Those of them that act, with their tickets.
    pub(super) acting: BTreeMap<usize, u64>,
    /// Wakes the run again within [`STAY`].
    pub(super) timer: Option<AbortHandle>,
    /// Acts that wait for their position to be saved, by ticket.
    pub(super) savers: BTreeMap<u64, oneshot::Sender<()>>,
    /// Inbox rows that the run was told of.
    pub(super) delivered: BTreeSet<i64>,
}

impl Active {
    pub(super) fn new(life: Life, hold: Hold, ready: Ready) -> Self {
        let wake = if ready.over { WakeAt::Over } else { WakeAt::Now };
        Self {
            id: life.run,
            number: life.number,
            hold,
            run: ready.run,
            opened: ready.opened,
            told: Told { state: ready.state, wake },
            entries: Vec::new(),
            answers: Vec::new(),
            deferred: Vec::new(),
            committing: None,
            dirty_since: None,
            tasks: BTreeMap::new(),
            watching: BTreeMap::new(),
            acting: BTreeMap::new(),
            timer: None,
            savers: BTreeMap::new(),
            delivered: BTreeSet::new(),
        }
    }

    pub(super) fn life(&self) -> Life {
        Life { run: self.id, number: self.number }
    }

    /// What the database should be told now.
    fn now_to_tell(&self, now: DateTime<Utc>) -> Told {
        let wake = if self.run.is_busy() || !self.deferred.is_empty() || self.stays(now) {
            WakeAt::Now
        } else if self.run.state().is_end() {
            WakeAt::Over
        } else {
            match self.run.wake_at() {
                Some(at) => WakeAt::At(at),
                None => WakeAt::Never,
            }
        };
        Told { state: self.run.state(), wake }
    }

    /// Whether the run is looked at again so soon that it stays in memory. One with guards comes back with its whole journal.
    pub(super) fn stays(&self, now: DateTime<Utc>) -> bool {
        let most = if self.run.is_watching() { STAY_WATCHING } else { STAY };
        self.run.wake_at().is_some_and(|at| (at - now).to_std().unwrap_or_default() <= most)
    }

    /// Whether something waits for a write that must not be put off.
    pub(super) fn is_urgent(&self, now: DateTime<Utc>) -> bool {
        self.committing.is_none() && (!self.deferred.is_empty() || !self.answers.is_empty() || self.now_to_tell(now) != self.told)
    }

    /// Whether there is anything to write at all.
    pub(super) fn is_dirty(&self, now: DateTime<Utc>) -> bool {
        self.committing.is_none() && (!self.entries.is_empty() || self.is_urgent(now))
    }

    /// Moves everything that is to be written into a batch.
    pub(super) fn fill(&mut self, now: DateTime<Utc>, batch: &mut Batch) {
        let tell = self.now_to_tell(now);
        // Why: whoever gave an order to a run that is over has claimed its resources again; when it is refused, they must be freed.
        let refused = tell.wake == WakeAt::Over && !self.answers.is_empty();
        if tell != self.told || refused {
            let wake = match tell.wake {
                WakeAt::Now => Wake::Now,
                WakeAt::At(at) => Wake::After((at - now).num_milliseconds()),
                WakeAt::Never => Wake::Never,
                WakeAt::Over => Wake::Over,
            };
            batch.moved.push(Moved { run: self.id, hold: self.hold, state: tell.state, wake });
            self.told = tell;
        }
        for entry in self.entries.drain(..) {
            match entry.entry.write() {
                Ok((kind, body)) => {
                    batch.entries.push(NewEntry { run: self.id, hold: self.hold, seq: entry.seq, kind, body, at: entry.at });
                }
                Err(error) => tracing::error!(run = %self.id, %error, "an entry cannot be written"),
            }
        }
        batch.answers.extend(self.answers.drain(..).map(|(id, answer)| (id, self.hold, answer)));
        self.committing = Some(std::mem::take(&mut self.deferred));
        self.dirty_since = None;
    }

    /// Whether the run can leave memory: everything about it is in the database, and nothing of it is under way.
    pub(super) fn can_leave(&self, now: DateTime<Utc>) -> bool {
        !self.run.is_busy() && self.committing.is_none() && !self.is_dirty(now) && self.told.wake != WakeAt::Now
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        for task in self.tasks.values().chain(self.watching.values()).chain(&self.timer) {
            task.abort();
        }
    }
}
