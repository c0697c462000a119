//! Worlds of real systems. Clients are kept by their settings, so that runs of one environment share connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::adapters::database::PostgresDatabase;
use crate::adapters::flags::BuiltInFlags;
use crate::adapters::http::HttpService;
use crate::adapters::kafka::KafkaCluster;
use crate::adapters::metrics::Prometheus;
use crate::adapters::registry::ConfluentRegistry;
use crate::adapters::secret::Secrets;
use crate::adapters::workloads::SupervisedWorkloads;
use crate::playbook::environment::{Environment, System};
use crate::ports::database::Database;
use crate::ports::http::Http;
use crate::ports::kafka::Kafka;
use crate::ports::metrics::Metrics;
use crate::ports::registry::Registry;
use crate::ports::settings::WorkloadsSettings;
use crate::step::{StepError, World};
use crate::store::Store;

use super::source::Worlds;

/// Most clients of one kind that are kept.
const MOST_KEPT: usize = 32;

/// Clients by the JSON of their settings.
type Kept<T> = Mutex<HashMap<String, Arc<T>>>;

/// Makes worlds of real systems.
pub struct RealWorlds {
    store: Store,
    secrets: Arc<dyn Secrets>,
    kafka: Kept<dyn Kafka>,
    registry: Kept<dyn Registry>,
    metrics: Kept<dyn Metrics>,
    http: Kept<dyn Http>,
    database: Kept<dyn Database>,
}

impl RealWorlds {
    /// Worlds whose built-in flags lie in this database and whose secrets are found there.
    #[must_use]
    pub fn new(store: Store, secrets: Arc<dyn Secrets>) -> Self {
        Self {
            store,
            secrets,
            kafka: Mutex::default(),
            registry: Mutex::default(),
            metrics: Mutex::default(),
            http: Mutex::default(),
            database: Mutex::default(),
        }
    }
}

impl Worlds for RealWorlds {
    fn world(&self, environment: &Environment) -> World {
        let mut world = World::builder(&environment.name);
        for (name, system) in &environment.kafka {
            let connect = || {
                let cluster = KafkaCluster::connect(name, &system.settings, &system.setting, self.secrets.as_ref())?;
                Ok(cluster as Arc<dyn Kafka>)
            };
            world = world.kafka(name, keep(&self.kafka, name, system, connect));
        }
        for (name, system) in &environment.registry {
            let connect = || {
                let registry = ConfluentRegistry::connect(name, &system.settings, &system.setting, self.secrets.as_ref())?;
                Ok(registry as Arc<dyn Registry>)
            };
            world = world.registry(name, keep(&self.registry, name, system, connect));
        }
        for (name, system) in &environment.metrics {
            let connect = || {
                let metrics = Prometheus::connect(name, &system.settings, &system.setting, self.secrets.as_ref())?;
                Ok(metrics as Arc<dyn Metrics>)
            };
            world = world.metrics(name, keep(&self.metrics, name, system, connect));
        }
        for (name, system) in &environment.database {
            let connect = || {
                let database = PostgresDatabase::connect(name, &system.settings, &system.setting, self.secrets.as_ref())?;
                Ok(database as Arc<dyn Database>)
            };
            world = world.database(name, keep(&self.database, name, system, connect));
        }
        for (name, system) in &environment.flags {
            world = world.flags(name, Ok(Arc::new(BuiltInFlags::new(self.store.clone(), &environment.name, name, &system.setting))));
        }
        if environment.flags.is_empty() {
            // Why: an environment that says nothing of flags has the store that every controller brings along.
            let setting = format!("environment {}, built in", environment.name);
            world = world.flags("main", Ok(Arc::new(BuiltInFlags::new(self.store.clone(), &environment.name, "main", &setting))));
        }
        for (name, system) in &environment.workloads {
            let WorkloadsSettings::Supervisor = system.settings;
            let workloads = SupervisedWorkloads::new(self.store.clone(), &environment.name, name, &system.setting);
            world = world.workloads(name, Ok(Arc::new(workloads)));
        }
        for (name, system) in &environment.http {
            let connect = || {
                let service = HttpService::connect(name, &system.settings, &system.setting, self.secrets.as_ref())?;
                Ok(service as Arc<dyn Http>)
            };
            world = world.http(name, keep(&self.http, name, system, connect));
        }
        world.build()
    }
}

fn keep<T: ?Sized, S: serde::Serialize>(
    kept: &Kept<T>,
    name: &str,
    system: &System<S>,
    connect: impl FnOnce() -> Result<Arc<T>, StepError>,
) -> Result<Arc<T>, StepError> {
    let key = format!("{name} {}", serde_json::to_string(system).map_err(StepError::broken)?);
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = kept.get(&key) {
        return Ok(Arc::clone(client));
    }
    let client = connect()?;
    if kept.len() >= MOST_KEPT {
        kept.clear();
    }
    kept.insert(key, Arc::clone(&client));
    Ok(client)
}
