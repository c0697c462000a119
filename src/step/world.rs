//! The outside as a step sees it: the environment's systems by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StepError;
use crate::ports::database::Database;
use crate::ports::flags::Flags;
use crate::ports::http::Http;
use crate::ports::kafka::Kafka;
use crate::ports::metrics::Metrics;
use crate::ports::registry::Registry;
use crate::ports::workloads::Workloads;

/// A system that is ready to be used, or the reason why it is not, told to whoever asks for it.
type Slot<T> = Result<Arc<T>, StepError>;

/// The systems of one environment. Cheap to clone.
#[derive(Clone, Default)]
pub struct World {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    environment: String,
    kafka: BTreeMap<String, Slot<dyn Kafka>>,
    registry: BTreeMap<String, Slot<dyn Registry>>,
    flags: BTreeMap<String, Slot<dyn Flags>>,
    workloads: BTreeMap<String, Slot<dyn Workloads>>,
    database: BTreeMap<String, Slot<dyn Database>>,
    http: BTreeMap<String, Slot<dyn Http>>,
    metrics: BTreeMap<String, Slot<dyn Metrics>>,
}

/// Puts a [`World`] together.
#[derive(Default)]
pub struct WorldBuilder {
    inner: Inner,
}

impl WorldBuilder {
    /// Adds a Kafka cluster, or why it cannot be had.
    #[must_use]
    pub fn kafka(mut self, name: &str, slot: Result<Arc<dyn Kafka>, StepError>) -> Self {
        self.inner.kafka.insert(name.to_owned(), slot);
        self
    }

    /// Adds a schema registry, or why it cannot be had.
    #[must_use]
    pub fn registry(mut self, name: &str, slot: Result<Arc<dyn Registry>, StepError>) -> Self {
        self.inner.registry.insert(name.to_owned(), slot);
        self
    }

    /// Adds a flag store, or why it cannot be had.
    #[must_use]
    pub fn flags(mut self, name: &str, slot: Result<Arc<dyn Flags>, StepError>) -> Self {
        self.inner.flags.insert(name.to_owned(), slot);
        self
    }

    /// Adds what runs the services, or why it cannot be had.
    #[must_use]
    pub fn workloads(mut self, name: &str, slot: Result<Arc<dyn Workloads>, StepError>) -> Self {
        self.inner.workloads.insert(name.to_owned(), slot);
        self
    }

    /// Adds a database, or why it cannot be had.
    #[must_use]
    pub fn database(mut self, name: &str, slot: Result<Arc<dyn Database>, StepError>) -> Self {
        self.inner.database.insert(name.to_owned(), slot);
        self
    }

    /// Adds a service that is reached by HTTP, or why it cannot be had.
    #[must_use]
    pub fn http(mut self, name: &str, slot: Result<Arc<dyn Http>, StepError>) -> Self {
        self.inner.http.insert(name.to_owned(), slot);
        self
    }

    /// Adds a store of metrics, or why it cannot be had.
    #[must_use]
    pub fn metrics(mut self, name: &str, slot: Result<Arc<dyn Metrics>, StepError>) -> Self {
        self.inner.metrics.insert(name.to_owned(), slot);
        self
    }

    /// The finished world.
    #[must_use]
    pub fn build(self) -> World {
        World { inner: Arc::new(self.inner) }
    }
}

impl World {
    /// An environment of that name without any systems yet.
    #[must_use]
    pub fn builder(environment: &str) -> WorldBuilder {
        WorldBuilder { inner: Inner { environment: environment.to_owned(), ..Inner::default() } }
    }

    /// The Kafka cluster of that name.
    ///
    /// # Errors
    /// When the environment has none, or a secret it needs is not set.
    pub fn kafka(&self, name: &str) -> Result<Arc<dyn Kafka>, StepError> {
        self.find("kafka", &self.inner.kafka, name)
    }

    /// The schema registry of that name.
    ///
    /// # Errors
    /// When the environment has none, or a secret it needs is not set.
    pub fn registry(&self, name: &str) -> Result<Arc<dyn Registry>, StepError> {
        self.find("registry", &self.inner.registry, name)
    }

    /// The flag store of that name.
    ///
    /// # Errors
    /// When the environment has none, or a secret it needs is not set.
    pub fn flags(&self, name: &str) -> Result<Arc<dyn Flags>, StepError> {
        self.find("flags", &self.inner.flags, name)
    }

    /// The names of all flag stores: those of the environment, and the one that is there without being named.
    pub fn flag_stores(&self) -> impl Iterator<Item = &str> {
        self.inner.flags.keys().map(String::as_str)
    }

    /// What runs the services, by its name.
    ///
    /// # Errors
    /// When the environment has none of that name, or a secret it needs is not set.
    pub fn workloads(&self, name: &str) -> Result<Arc<dyn Workloads>, StepError> {
        self.find("workloads", &self.inner.workloads, name)
    }

    /// A database, by its name.
    ///
    /// # Errors
    /// When the environment has none of that name, or a secret it needs is not set.
    pub fn database(&self, name: &str) -> Result<Arc<dyn Database>, StepError> {
        self.find("database", &self.inner.database, name)
    }

    /// A service that is reached by HTTP, by its name.
    ///
    /// # Errors
    /// When the environment has none of that name, or a secret it needs is not set.
    pub fn http(&self, name: &str) -> Result<Arc<dyn Http>, StepError> {
        self.find("http", &self.inner.http, name)
    }

    /// A store of metrics, by its name.
    ///
    /// # Errors
    /// When the environment has none of that name, or a secret it needs is not set.
    pub fn metrics(&self, name: &str) -> Result<Arc<dyn Metrics>, StepError> {
        self.find("metrics", &self.inner.metrics, name)
    }

    /// Everything that runs services here.
    pub fn all_workloads(&self) -> impl Iterator<Item = Slot<dyn Workloads>> + '_ {
        self.inner.workloads.values().cloned()
    }

    fn find<T: ?Sized>(&self, kind: &str, slots: &BTreeMap<String, Slot<T>>, name: &str) -> Result<Arc<T>, StepError> {
        slots.get(name).cloned().unwrap_or_else(|| {
            let known = slots.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            Err(StepError::NoSystem {
                environment: self.inner.environment.clone(),
                kind: kind.to_owned(),
                name: name.to_owned(),
                known: if known.is_empty() { format!("it has no {kind} at all") } else { format!("it has {known}") },
            })
        })
    }
}
