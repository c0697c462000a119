//! A flag store in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::SimClock;
use super::faults::{Faults, Host};
use crate::flags::{Heartbeat, targeting};
use crate::ports::flags::{FlagChange, FlagState, Flags, Listener};
use crate::ports::{Clock, PortError};

/// Flags in memory. The only changing call for faults is `change`, and its target is the flag.
#[derive(Debug)]
pub struct SimFlags {
    host: Host,
    clock: Arc<SimClock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    flags: BTreeMap<String, FlagState>,
    revision: i64,
    /// Which revision a change of this key made.
    made: BTreeMap<String, i64>,
    /// The last report of each service's instance, and when it came.
    heard: BTreeMap<(String, String), (Heartbeat, DateTime<Utc>)>,
    /// Since when everybody has left the revisions before this one.
    acknowledged: BTreeMap<i64, DateTime<Utc>>,
}

impl SimFlags {
    /// An empty store.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::with_clock(name, Arc::default())
    }

    /// An empty store whose time is that clock's.
    #[must_use]
    pub fn with_clock(name: &str, clock: Arc<SimClock>) -> Self {
        Self { host: Host::new("flags", name), clock, state: Mutex::default() }
    }

    /// An instance of a service says which revision it uses.
    pub fn report(&self, heartbeat: Heartbeat) {
        let (name, now) = ((heartbeat.service.clone(), heartbeat.instance.clone()), self.clock.now());
        let mut state = self.lock();
        let (kept, at) = state.heard.entry(name).or_insert_with(|| (heartbeat.clone(), now));
        let (revision, oldest) = (kept.revision.max(heartbeat.revision), kept.oldest.max(heartbeat.oldest));
        *kept = Heartbeat { revision, oldest, ending: kept.ending || heartbeat.ending, ..heartbeat };
        *at = now;
    }

    /// From now on calls fail as `faults` says.
    pub fn set_faults(&self, faults: Faults) {
        self.host.set_faults(faults);
    }

    /// The flags and the revision, to be compared with another world's. Keys of changes are left out: they name runs.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let state = self.lock();
        json!({ "revision": state.revision, "flags": state.flags })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, change: &FlagChange) -> Result<i64, PortError> {
        if let Some(rule) = change.after.as_ref().and_then(|after| after.targeting.as_ref()) {
            targeting::check(rule, &Map::new()).map_err(|why| self.host.invalid(why))?;
        }
        let mut state = self.lock();
        if let Some(revision) = state.made.get(&change.key) {
            return Ok(*revision);
        }
        if state.flags.get(&change.flag) != change.before.as_ref() {
            let now = if state.flags.contains_key(&change.flag) { "differs from" } else { "is gone since" };
            return Err(self.host.conflict(format!("flag `{}` {now} what the change was planned on", change.flag)));
        }
        state.revision += 1;
        let revision = state.revision;
        match &change.after {
            Some(after) => state.flags.insert(change.flag.clone(), after.clone()),
            None => state.flags.remove(&change.flag),
        };
        state.made.insert(change.key.clone(), revision);
        Ok(revision)
    }
}

#[async_trait]
impl Flags for SimFlags {
    async fn revision(&self) -> Result<i64, PortError> {
        Ok(self.lock().revision)
    }

    async fn flag(&self, name: &str) -> Result<Option<FlagState>, PortError> {
        Ok(self.lock().flags.get(name).cloned())
    }

    async fn change(&self, change: &FlagChange) -> Result<i64, PortError> {
        self.host.change("change", &change.flag, || self.make(change))
    }

    async fn revision_of(&self, key: &str) -> Result<Option<i64>, PortError> {
        Ok(self.lock().made.get(key).copied())
    }

    async fn listeners(&self) -> Result<Option<Vec<Listener>>, PortError> {
        let now = self.clock.now();
        let state = self.lock();
        let there = state.heard.values().filter(|(heartbeat, _)| !heartbeat.ending);
        let listener = |(heartbeat, at): &(Heartbeat, DateTime<Utc>)| Listener {
            service: heartbeat.service.clone(),
            instance: heartbeat.instance.clone(),
            release: heartbeat.release.clone(),
            revision: heartbeat.revision,
            oldest: heartbeat.oldest,
            flags: heartbeat.flags.clone(),
            age: (now - *at).to_std().unwrap_or_default(),
        };
        Ok(Some(there.map(listener).collect()))
    }

    async fn acknowledge(&self, revision: i64) -> Result<Option<DateTime<Utc>>, PortError> {
        let now = self.clock.now();
        let mut state = self.lock();
        if !(1..=state.revision).contains(&revision) {
            return Ok(None);
        }
        Ok(Some(*state.acknowledged.entry(revision).or_insert(now)))
    }

    async fn acknowledged(&self, revision: i64) -> Result<Option<DateTime<Utc>>, PortError> {
        Ok(self.lock().acknowledged.get(&revision).copied())
    }
}
