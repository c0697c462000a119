//! Services in memory: what should run does so at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::faults::{Faults, Host};
use crate::ports::PortError;
use crate::ports::workloads::{Desired, DesiredChange, Instance, InstanceState, Workloads};

/// Services in memory. The only changing call for faults is `change`, and its target is the service.
#[derive(Debug)]
pub struct SimWorkloads {
    host: Host,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    desired: BTreeMap<String, Desired>,
    /// Keys of the changes that were made.
    made: BTreeSet<String>,
}

impl SimWorkloads {
    /// Services of which nothing runs yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { host: Host::new("workloads", name), state: Mutex::default() }
    }

    /// From now on calls fail as `faults` says.
    pub fn set_faults(&self, faults: Faults) {
        self.host.set_faults(faults);
    }

    /// What should run, to be compared with another world's. Keys of changes are left out: they name runs.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        json!({ "services": self.lock().desired })
    }

    /// The release that serves, if any does.
    pub(super) fn serving(&self, service: &str) -> Option<String> {
        self.lock().desired.get(service).filter(|desired| desired.instances > 0).map(|desired| desired.release.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, change: &DesiredChange) -> Result<(), PortError> {
        let mut state = self.lock();
        if state.made.contains(&change.key) {
            return Ok(());
        }
        if state.desired.get(&change.service) != change.before.as_ref() {
            return Err(self.host.conflict(format!("something else of `{}` should run than the change was planned on", change.service)));
        }
        state.desired.insert(change.service.clone(), change.after.clone());
        state.made.insert(change.key.clone());
        Ok(())
    }
}

#[async_trait]
impl Workloads for SimWorkloads {
    async fn desired(&self, service: &str) -> Result<Option<Desired>, PortError> {
        Ok(self.lock().desired.get(service).cloned())
    }

    async fn change(&self, change: &DesiredChange) -> Result<(), PortError> {
        self.host.change("change", &change.service, || self.make(change))
    }

    async fn is_changed(&self, key: &str) -> Result<bool, PortError> {
        Ok(self.lock().made.contains(key))
    }

    async fn instances(&self, service: Option<&str>) -> Result<Vec<Instance>, PortError> {
        let state = self.lock();
        let asked = state.desired.iter().filter(|(name, _)| service.is_none_or(|service| service == name.as_str()));
        let each = |(name, desired): (&String, &Desired)| {
            let one = |number: u32| Instance {
                service: name.clone(),
                instance: format!("{name}-{}-{number}", desired.release),
                release: desired.release.clone(),
                state: InstanceState::Ready,
                reason: String::new(),
            };
            (1..=desired.instances).map(one).collect::<Vec<_>>()
        };
        Ok(asked.flat_map(each).collect())
    }
}
