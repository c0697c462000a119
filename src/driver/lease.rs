//! This controller's lease: which shards it holds, until when it may trust itself, and how it comes by shards and lets go of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::control::{Controller, Message};
use super::timing::trust;
use crate::store::StoreError;
use crate::store::journal::Hold;
use crate::store::leases::{Renewed, fair_share};

/// What the controller knows of its lease.
pub(super) struct Lease {
    /// Shard to epoch.
    pub(super) holds: BTreeMap<i16, i64>,
    /// The controller trusts itself until then, by its own monotonic clock.
    pub(super) deadline: Instant,
    /// How many shards it should hold.
    pub(super) share: i16,
    pub(super) length: Duration,
    pub(super) renewing: bool,
    pub(super) claiming: bool,
    pub(super) entering: bool,
    /// How often everything was let go.
    pub(super) fenced: u64,
    /// Runs that were let go and not yet forgiven their loads.
    pub(super) let_go: Vec<Uuid>,
}

impl Lease {
    pub(super) fn new(length: Duration, asked_at: Instant) -> Self {
        let deadline = asked_at + trust(length);
        Self {
            holds: BTreeMap::new(),
            deadline,
            share: 0,
            length,
            renewing: false,
            claiming: false,
            entering: false,
            fenced: 0,
            let_go: Vec::new(),
        }
    }

    pub(super) fn is_trusted(&self) -> bool {
        Instant::now() < self.deadline
    }

    pub(super) fn extend(&mut self, asked_at: Instant) {
        self.deadline = asked_at + trust(self.length);
    }

    pub(super) fn shards(&self) -> Vec<i16> {
        self.holds.keys().copied().collect()
    }

    pub(super) fn hold(&self, shard: i16) -> Option<Hold> {
        self.holds.get(&shard).map(|epoch| Hold { shard, epoch: *epoch })
    }

    fn held(&self) -> i16 {
        i16::try_from(self.holds.len()).unwrap_or(i16::MAX)
    }
}

impl Controller {
    /// Asks for a longer lease.
    pub(super) fn renew(&mut self) {
        if self.lease.renewing || self.lease.entering {
            return;
        }
        self.lease.renewing = true;
        let (store, id, messages, asked_at) = (self.store.clone(), self.id, self.reporter.messages.clone(), Instant::now());
        tokio::spawn(async move {
            let result = store.answered(store.renew(id)).await;
            let _ = messages.send(Message::Renewed { asked_at, result });
        });
    }

    pub(super) fn renewed(&mut self, asked_at: Instant, result: Result<Option<Renewed>, StoreError>) {
        self.lease.renewing = false;
        match result {
            Ok(Some(renewed)) => {
                self.lease.extend(asked_at);
                self.clock.set(renewed.now);
                let share = std::mem::replace(&mut self.lease.share, fair_share(renewed.controllers));
                self.shed();
                if share < self.lease.share {
                    self.poll();
                }
            }
            Ok(None) => self.fence("the lease ran out"),
            Err(error) => tracing::warn!(%error, "the lease cannot be renewed"),
        }
    }

    /// Stops trusting itself when the lease may have run out.
    pub(super) fn check_lease(&mut self) {
        if !self.lease.is_trusted() && !self.lease.entering {
            self.fence("the lease could not be renewed in time");
        }
    }

    /// Drops everything: whoever holds the shards now goes on from the journal.
    pub(super) fn fence(&mut self, why: &str) {
        if !self.lease.holds.is_empty() {
            tracing::warn!(why, runs = self.runs.len(), "letting go of all runs");
        }
        self.lease.let_go.extend(self.runs.keys());
        self.runs.clear();
        self.dirty.clear();
        self.lease.holds.clear();
        self.lease.fenced += 1;
        self.enter_again();
    }

    fn enter_again(&mut self) {
        if self.lease.entering || self.draining {
            return;
        }
        self.lease.entering = true;
        let (store, id, name, messages) = (self.store.clone(), self.id, self.name.clone(), self.reporter.messages.clone());
        let let_go = std::mem::take(&mut self.lease.let_go);
        tokio::spawn(async move {
            loop {
                let asked_at = Instant::now();
                // Why: shards that still carry our name must be claimed again like any other, so that their epochs rise.
                let entered = async {
                    // Why: a database that comes and goes must not make healthy runs look like ones that bring controllers down.
                    store.forgive_loads(&let_go).await?;
                    store.leave(id).await?;
                    store.enter(id, &name).await
                };
                match store.answered(entered).await {
                    Ok(now) => {
                        let _ = messages.send(Message::Entered { asked_at, now });
                        return;
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the state database is away; runs wait");
                        tokio::time::sleep(Duration::from_millis(500)).await;
                        if messages.is_closed() {
                            return;
                        }
                    }
                }
            }
        });
    }

    pub(super) fn entered(&mut self, asked_at: Instant, now: DateTime<Utc>) {
        self.lease.entering = false;
        self.lease.extend(asked_at);
        self.clock.set(now);
        self.renew();
        self.poll();
    }

    /// Takes free shards, up to its share.
    pub(super) fn claim(&mut self) {
        let most = self.lease.share - self.lease.held();
        if most <= 0 || self.lease.claiming || self.lease.entering || self.draining {
            return;
        }
        self.lease.claiming = true;
        let (store, id, messages) = (self.store.clone(), self.id, self.reporter.messages.clone());
        let (held, fenced) = (self.lease.shards(), self.lease.fenced);
        tokio::spawn(async move {
            let result = store.answered(store.claim(id, &held, most)).await;
            let _ = messages.send(Message::Claimed { fenced, result });
        });
    }

    pub(super) fn claimed(&mut self, fenced: u64, result: Result<Vec<Hold>, StoreError>) {
        self.lease.claiming = false;
        // Why: what was claimed before everything was let go may be another controller's by now; the next claim takes it if it is not.
        if fenced != self.lease.fenced {
            return;
        }
        match result {
            Ok(holds) if holds.is_empty() => {}
            Ok(holds) => {
                tracing::debug!(shards = holds.len(), "took shards");
                self.lease.holds.extend(holds.into_iter().map(|hold| (hold.shard, hold.epoch)));
                self.poll();
            }
            Err(error) => tracing::warn!(%error, "no shards could be taken"),
        }
    }

    /// Gives back what is more than its share, shards without a run in memory only: the others follow when they are quiet.
    fn shed(&mut self) {
        let surplus = usize::try_from(self.lease.held() - self.lease.share).unwrap_or_default();
        let busy: Vec<i16> = self.runs.values().map(|active| active.hold.shard).collect();
        let give: Vec<i16> = self.lease.shards().into_iter().filter(|shard| !busy.contains(shard)).take(surplus).collect();
        self.give_back(&give);
    }

    pub(super) fn give_back(&mut self, shards: &[i16]) {
        if shards.is_empty() {
            return;
        }
        let given: Vec<Hold> = shards.iter().filter_map(|shard| self.lease.hold(*shard)).collect();
        for hold in &given {
            self.lease.holds.remove(&hold.shard);
        }
        let (store, id) = (self.store.clone(), self.id);
        tokio::spawn(async move {
            if let Err(error) = store.release(id, &given).await {
                tracing::warn!(%error, "shards could not be given back");
            }
        });
    }

    /// Forgets shards that somebody else took.
    pub(super) fn lost(&mut self, shards: &[i16]) {
        for shard in shards {
            tracing::warn!(shard, "another controller has taken a shard");
            self.lease.holds.remove(shard);
        }
        self.runs.retain(|_, active| !shards.contains(&active.hold.shard));
    }
}
