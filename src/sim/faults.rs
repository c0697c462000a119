//! Failures on order: before a change, so that nothing happened; after it, so that only the answer is lost; or in the middle.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::ports::{PortError, SystemRef};

/// A changing call, as a hook sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// Kind and name, as in `kafka main`.
    pub system: &'a str,
    /// The port's method.
    pub operation: &'static str,
    /// What it changes: a topic, a group, a subject, a flag.
    pub target: &'a str,
}

/// When a hook is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing has happened yet.
    Before,
    /// Half of it has happened. Asked only where half is possible: several records in one call.
    Between,
    /// All of it has happened, and the answer is about to be given.
    After,
}

type Hook = dyn Fn(&Call<'_>, Moment) -> bool + Send + Sync;

/// Decides which calls fail. Chance, if any, is the caller's: a hook that is seeded makes a run that can be repeated.
#[derive(Clone)]
pub struct Faults(Arc<Hook>);

impl Faults {
    /// Calls fail where `strikes` says so.
    pub fn new(strikes: impl Fn(&Call<'_>, Moment) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(strikes))
    }
}

impl Default for Faults {
    /// Nothing fails.
    fn default() -> Self {
        Self::new(|_, _| false)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faults")
    }
}

/// A system's name and its hook.
#[derive(Debug)]
pub(super) struct Host {
    pub system: SystemRef,
    faults: RwLock<Faults>,
}

impl Host {
    pub fn new(kind: &str, name: &str) -> Self {
        let system = SystemRef {
            name: format!("{kind} {name}"),
            address: "memory".to_owned(),
            setting: format!("cutover.yaml: environments.sim.{kind}.{name}"),
        };
        Self { system, faults: RwLock::default() }
    }

    pub fn set_faults(&self, faults: Faults) {
        *self.faults.write().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// Asks the hook, outside every lock of the system itself.
    pub fn strike(&self, operation: &'static str, target: &str, moment: Moment) -> Result<(), PortError> {
        let faults = self.faults.read().unwrap_or_else(PoisonError::into_inner).clone();
        let call = Call { system: &self.system.name, operation, target };
        if !(faults.0)(&call, moment) {
            return Ok(());
        }
        let detail = match moment {
            Moment::Before => "the connection was refused",
            Moment::Between | Moment::After => "the connection broke before the answer came",
        };
        Err(self.unreachable(format!("{operation} of `{target}`: {detail}")))
    }

    /// Runs a change between the two questions to the hook.
    pub fn change<T>(&self, operation: &'static str, target: &str, change: impl FnOnce() -> Result<T, PortError>) -> Result<T, PortError> {
        self.strike(operation, target, Moment::Before)?;
        let done = change()?;
        self.strike(operation, target, Moment::After)?;
        Ok(done)
    }

    pub fn unreachable(&self, detail: impl Into<String>) -> PortError {
        PortError::Unreachable { system: self.system.clone(), detail: detail.into() }
    }

    pub fn conflict(&self, detail: impl Into<String>) -> PortError {
        PortError::Conflict { system: self.system.clone(), detail: detail.into() }
    }

    pub fn invalid(&self, detail: impl Into<String>) -> PortError {
        PortError::Invalid { system: self.system.clone(), detail: detail.into() }
    }
}
