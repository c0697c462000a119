//! A flag store in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::faults::{Faults, Host};
use crate::ports::PortError;
use crate::ports::flags::{FlagChange, FlagState, Flags, Listener};

/// Flags in memory. The only changing call for faults is `change`, and its target is the flag.
#[derive(Debug)]
pub struct SimFlags {
    host: Host,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    flags: BTreeMap<String, FlagState>,
    revision: i64,
    /// Which revision a change of this key made.
    made: BTreeMap<String, i64>,
    /// What instances said last.
    listeners: Vec<Listener>,
}

impl SimFlags {
    /// An empty store.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { host: Host::new("flags", name), state: Mutex::default() }
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

    /// Lets an instance say what it uses; what it said before is forgotten.
    pub fn hear(&self, listener: Listener) {
        let listeners = &mut self.lock().listeners;
        listeners.retain(|other| (&other.service, &other.instance) != (&listener.service, &listener.instance));
        listeners.push(listener);
    }

    /// Lets an instance say that it ends.
    pub fn forget(&self, service: &str, instance: &str) {
        self.lock().listeners.retain(|other| (other.service.as_str(), other.instance.as_str()) != (service, instance));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, change: &FlagChange) -> Result<i64, PortError> {
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
        state.flags.insert(change.flag.clone(), change.after.clone());
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
        let mut listeners = self.lock().listeners.clone();
        listeners.sort_by(|one, other| (&one.service, &one.instance).cmp(&(&other.service, &other.instance)));
        Ok(Some(listeners))
    }
}
