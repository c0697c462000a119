//! Which runs come into memory: what the database has for this controller, orders and runs that are due, and what becomes of runs that
//! cannot be loaded.

use std::sync::Arc;

use uuid::Uuid;

use super::super::active::Active;
use super::super::load::{Loaded, load};
use super::super::perform::Life;
use super::super::timing::{MOST_ACTIVE, MOST_LOADS};
use super::{Controller, Message};
use crate::engine::command::Answer;
use crate::engine::{Event, RunState};
use crate::store::StoreError;
use crate::store::journal::{Hold, Moved, Wake};
use crate::store::wakes::Polled;

impl Controller {
    /// Looks at the database, or once more after the look that is under way.
    pub(in crate::driver) fn poll(&mut self) {
        if self.polling {
            self.poll_again = true;
            return;
        }
        if self.lease.entering || self.draining {
            return;
        }
        self.polling = true;
        let (store, id, messages, shards) = (self.store.clone(), self.id, self.reporter.messages.clone(), self.lease.shards());
        let active: Vec<Uuid> = self.runs.keys().copied().collect();
        let working = self.runs.values().filter(|active| !active.run.is_watching()).count();
        let room = i64::try_from(MOST_ACTIVE.saturating_sub(working)).unwrap_or_default();
        tokio::spawn(async move {
            let result = store.answered(store.poll(id, &shards, &active, room)).await;
            let _ = messages.send(Message::Polled(result));
        });
    }

    pub(super) fn polled(&mut self, result: Result<Polled, StoreError>) {
        self.polling = false;
        let polled = match result {
            Ok(polled) => polled,
            Err(error) => {
                tracing::warn!(%error, "the state database cannot be looked at");
                return;
            }
        };
        let mut wanted = polled.due;
        self.unheard.clear();
        for (inbox, run, shard, order) in polled.orders {
            if let Some(active) = self.runs.get_mut(&run) {
                if active.delivered.insert(inbox) {
                    match order {
                        Ok(order) => self.feed(run, Event::Ordered(inbox, order)),
                        Err(why) => self.refuse(run, inbox, &why),
                    }
                }
            } else {
                self.unheard.entry(run).or_default().push(inbox);
                wanted.push((run, shard));
            }
        }
        if polled.claimable {
            self.claim();
        }
        self.begin_loading(wanted);
        if std::mem::take(&mut self.poll_again) {
            self.poll();
        }
    }

    /// Answers an order that does not read back.
    fn refuse(&mut self, run: Uuid, inbox: i64, why: &str) {
        let Some(active) = self.runs.get_mut(&run) else { return };
        let text = format!("this controller does not understand the order: {why}");
        active.answers.push((inbox, Answer { taken: false, text, state: active.run.state() }));
        self.dirty.insert(run);
    }

    fn begin_loading(&mut self, mut asked: Vec<(Uuid, i16)>) {
        asked.sort_unstable();
        asked.dedup();
        let wanted: Vec<_> = asked
            .into_iter()
            .filter(|(id, _)| !self.runs.contains_key(id))
            .filter_map(|(id, shard)| Some((id, self.lease.hold(shard)?)))
            .collect();
        if wanted.is_empty() || self.loading {
            return;
        }
        self.loading = true;
        let (store, worlds, opened, messages) =
            (self.store.clone(), Arc::clone(&self.worlds), self.shelf.clone(), self.reporter.messages.clone());
        tokio::spawn(async move {
            let result = store.answered(load(&store, worlds.as_ref(), &opened, wanted)).await;
            let _ = messages.send(Message::Loaded(result));
        });
    }

    pub(super) fn loaded(&mut self, result: Result<Vec<Loaded>, StoreError>) {
        self.loading = false;
        let loaded = match result {
            Ok(loaded) => loaded,
            Err(error) => {
                tracing::warn!(%error, "runs cannot be loaded");
                return;
            }
        };
        for Loaded { id, hold, result } in loaded {
            // Why: the shard may have been lost while the run was being loaded.
            if self.lease.hold(hold.shard) != Some(hold) || self.runs.contains_key(&id) {
                continue;
            }
            match result {
                Ok(ready) => {
                    let fit = ready.run.quarantined().is_none() && !ready.run.state().needs_person();
                    let set_aside = fit && ready.state == RunState::Quarantined;
                    let poison = fit && ready.loads > MOST_LOADS;
                    let loads = ready.loads;
                    self.lives += 1;
                    self.runs.insert(id, Active::new(Life { run: id, number: self.lives }, hold, ready));
                    if set_aside {
                        self.feed(id, Event::Quarantine("it could not be read for a while".to_owned()));
                    } else if poison {
                        let why = format!("it was begun {loads} times at the same place without getting any further");
                        self.feed(id, Event::Quarantine(why));
                    } else {
                        self.feed(id, Event::Loaded);
                    }
                }
                Err(why) => self.set_aside(id, hold, &why),
            }
        }
        self.poll();
    }

    /// Takes a run that cannot be handled out of the way of the others, and answers whoever asks for it.
    pub(super) fn set_aside(&mut self, run: Uuid, hold: Hold, why: &str) {
        tracing::error!(%run, why, "a run is set aside");
        self.bad.moved.push(Moved { run, hold, state: RunState::Quarantined, wake: Wake::Never });
        for inbox in self.unheard.remove(&run).unwrap_or_default() {
            let answer = Answer { taken: false, text: format!("the run cannot be read: {why}"), state: RunState::Quarantined };
            self.bad.answers.push((inbox, hold, answer));
        }
    }
}
