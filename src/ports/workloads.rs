//! What cutover asks of whatever runs the services: which release should run, and which instances there are.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;

/// What should run of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// The release.
    pub release: String,
    /// How many instances of it; 0 stops the service.
    pub instances: u32,
}

/// A change of what should run, made at most once per `key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredChange {
    /// Names this change for ever: asked to make it a second time, nothing happens.
    pub key: String,
    /// The service.
    pub service: String,
    /// What should run when the change was planned; `None` when nothing was ever asked for. Anything else is a `Conflict`.
    pub before: Option<Desired>,
    /// What should run from now on.
    pub after: Desired,
}

/// How far an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Its process runs and does not serve yet.
    Starting,
    /// It serves.
    Ready,
    /// It was told to finish what it has and end.
    Stopping,
    /// It ended by itself, again and again; the reason is beside it.
    Failing,
}

impl InstanceState {
    /// The one word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
            Self::Failing => "failing",
        }
    }
}

/// One process of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The service.
    pub service: String,
    /// Names the process for ever, and is the name under which it sends its heartbeats.
    pub instance: String,
    /// The release that it was started as.
    pub release: String,
    /// How far it is.
    pub state: InstanceState,
    /// Why it fails: exit code and last lines of its log. Empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Whatever runs the services.
#[async_trait]
pub trait Workloads: Send + Sync {
    /// What should run of the service; `None` when nothing was ever asked for.
    async fn desired(&self, service: &str) -> Result<Option<Desired>, PortError>;

    /// Asks for something else to run.
    async fn change(&self, change: &DesiredChange) -> Result<(), PortError>;

    /// Whether a change of this key was made.
    async fn is_changed(&self, key: &str) -> Result<bool, PortError>;

    /// Every process that runs or should run now, of one service or of all, by service and instance.
    async fn instances(&self, service: Option<&str>) -> Result<Vec<Instance>, PortError>;

    /// The services that can be run here, each with the number of instances that is meant when nobody says one. `None` when that is
    /// not known.
    async fn services(&self) -> Result<Option<BTreeMap<String, u32>>, PortError> {
        Ok(None)
    }
}
