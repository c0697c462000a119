//! Workloads that `cutover supervise` keeps: what should run and what does, through the state database. The supervisor owns the
//! processes; here is only what it is told and what it said.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::ports::workloads::{Desired, DesiredChange, Instance, Workloads};
use crate::ports::{PortError, SystemRef};
use crate::store::workloads::DesiredWrite;
use crate::store::{Store, StoreError};

/// A supervisor that has said nothing for so long is dead or cut off, and what it said last proves nothing any more.
pub const SILENCE: Duration = Duration::from_secs(5);

/// The workloads of one environment, kept by a supervisor.
#[derive(Clone, Debug)]
pub struct SupervisedWorkloads {
    store: Store,
    name: String,
    environment: String,
    system: SystemRef,
}

impl SupervisedWorkloads {
    /// The workloads of that name in an environment.
    #[must_use]
    pub fn new(store: Store, environment: &str, name: &str, setting: &str) -> Self {
        let system = SystemRef { name: format!("workloads {name}"), address: "the state database".to_owned(), setting: setting.to_owned() };
        Self { store, name: workloads_name(environment, name), environment: environment.to_owned(), system }
    }

    fn error(&self, error: &StoreError) -> PortError {
        let (system, detail) = (self.system.clone(), error.to_string());
        if error.is_passing() { PortError::Unreachable { system, detail } } else { PortError::Invalid { system, detail } }
    }

    /// The services that the supervisor can run, if it lives.
    async fn alive(&self) -> Result<BTreeMap<String, u32>, PortError> {
        let start = format!("start it with `cutover supervise --env {} --background`", self.environment);
        let detail = match self.store.supervisor(&self.name).await.map_err(|error| self.error(&error))? {
            Some(sign) if sign.age < SILENCE => return Ok(sign.services),
            Some(sign) => format!("the supervisor on {} has said nothing for {} s; {start}", sign.name, sign.age.as_secs()),
            None => format!("no supervisor keeps {}; {start}", self.name),
        };
        Err(PortError::Unreachable { system: self.system.clone(), detail })
    }
}

/// Under which name the state database keeps the workloads of an environment.
#[must_use]
pub fn workloads_name(environment: &str, workloads: &str) -> String {
    format!("{environment}/{workloads}")
}

#[async_trait]
impl Workloads for SupervisedWorkloads {
    async fn desired(&self, service: &str) -> Result<Option<Desired>, PortError> {
        self.store.desired(&self.name, service).await.map_err(|error| self.error(&error))
    }

    async fn change(&self, change: &DesiredChange) -> Result<(), PortError> {
        match self.store.write_desired(&self.name, change).await.map_err(|error| self.error(&error))? {
            DesiredWrite::Made => Ok(()),
            DesiredWrite::Differs(now) => {
                let now = now.map_or_else(|| "nothing".to_owned(), |now| format!("release {} on {} instances", now.release, now.instances));
                let detail = format!("{now} of {} should run by now, not what the change was planned on", change.service);
                Err(PortError::Conflict { system: self.system.clone(), detail })
            }
        }
    }

    async fn is_changed(&self, key: &str) -> Result<bool, PortError> {
        self.store.is_desired_changed(&self.name, key).await.map_err(|error| self.error(&error))
    }

    async fn instances(&self, service: Option<&str>) -> Result<Vec<Instance>, PortError> {
        // Why: a supervisor that ended well has ended what it kept, and one that never was has kept nothing.
        if self.store.supervisor(&self.name).await.map_err(|error| self.error(&error))?.is_none() {
            return Ok(Vec::new());
        }
        self.alive().await?;
        self.store.instances(&self.name, service).await.map_err(|error| self.error(&error))
    }

    async fn services(&self) -> Result<Option<BTreeMap<String, u32>>, PortError> {
        self.alive().await.map(Some)
    }
}
