//! One simulated environment: a cluster, a registry, a flag store, services, a store of metrics and a clock, each named `main`, the
//! database `exercises`, and the services `hiring` and `exercises` by HTTP.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Faults, SimClock, SimDatabase, SimFlags, SimHttp, SimKafka, SimMetrics, SimRegistry, SimWorkloads};
use crate::step::World;

/// The name of each system in [`SimWorld::world`].
pub const NAME: &str = "main";

/// A service that is reached by HTTP; [`OTHER_SERVICE`] is another one.
pub const SERVICE: &str = "hiring";
/// A service that is reached by HTTP.
pub const OTHER_SERVICE: &str = "exercises";
/// The name of the database in [`SimWorld::world`].
pub const DATABASE: &str = "exercises";

/// A simulated environment. Clones share it.
#[derive(Clone, Debug)]
pub struct SimWorld {
    /// The cluster.
    pub kafka: Arc<SimKafka>,
    /// The registry.
    pub registry: Arc<SimRegistry>,
    /// The flag store.
    pub flags: Arc<SimFlags>,
    /// The store of metrics.
    pub metrics: Arc<SimMetrics>,
    /// The services.
    pub workloads: Arc<SimWorkloads>,
    /// The database.
    pub database: Arc<SimDatabase>,
    /// The clock.
    pub clock: Arc<SimClock>,
}

impl Default for SimWorld {
    fn default() -> Self {
        let clock = Arc::default();
        Self {
            kafka: Arc::new(SimKafka::new(NAME)),
            registry: Arc::new(SimRegistry::new(NAME)),
            flags: Arc::new(SimFlags::with_clock(NAME, Arc::clone(&clock))),
            workloads: Arc::new(SimWorkloads::new(NAME)),
            metrics: Arc::new(SimMetrics::new(NAME, Arc::clone(&clock))),
            database: Arc::new(SimDatabase::new(DATABASE)),
            clock,
        }
    }
}

impl SimWorld {
    /// An empty environment.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The environment as steps see it, under the name `sim`.
    #[must_use]
    pub fn world(&self) -> World {
        let (kafka, registry, flags) = (Arc::clone(&self.kafka), Arc::clone(&self.registry), Arc::clone(&self.flags));
        let http = |service| Arc::new(SimHttp::new(service, Arc::clone(&self.workloads)));
        let metrics = Arc::clone(&self.metrics);
        let database = Arc::clone(&self.database);
        let world = World::builder("sim").kafka(NAME, Ok(kafka)).registry(NAME, Ok(registry)).flags(NAME, Ok(flags));
        let world = world
            .workloads(NAME, Ok(Arc::clone(&self.workloads) as _))
            .http(SERVICE, Ok(http(SERVICE)))
            .http(OTHER_SERVICE, Ok(http(OTHER_SERVICE)));
        world.metrics(NAME, Ok(metrics)).database(DATABASE, Ok(database)).build()
    }

    /// From now on calls to every system fail as `faults` says.
    pub fn set_faults(&self, faults: &Faults) {
        self.kafka.set_faults(faults.clone());
        self.registry.set_faults(faults.clone());
        self.flags.set_faults(faults.clone());
        self.metrics.set_faults(faults.clone());
        self.workloads.set_faults(faults.clone());
    }

    /// Everything that two worlds in which the same things were done have in common: ids that systems draw are left out or numbered
    /// in order, and the clock is left out.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        json!({
            "kafka": self.kafka.snapshot(),
            "registry": self.registry.snapshot(),
            "flags": self.flags.snapshot(),
            "workloads": self.workloads.snapshot(),
            "database": self.database.snapshot(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ports::PortError;
    use crate::ports::flags::{FlagChange, FlagState};
    use crate::ports::kafka::{NewRecord, NewTopic};
    use crate::ports::registry::{NewSchema, SchemaFormat};
    use crate::sim::Moment;

    fn topic(name: &str) -> NewTopic {
        NewTopic { name: name.to_owned(), partitions: 2, replication: None, configs: BTreeMap::new() }
    }

    fn record(value: &str) -> NewRecord {
        NewRecord { key: Some(b"k".to_vec()), value: Some(value.as_bytes().to_vec()), headers: Vec::new() }
    }

    async fn fill(sim: &SimWorld) {
        let world = sim.world();
        let kafka = world.kafka(NAME).unwrap();
        kafka.create_topic(&topic("t")).await.unwrap();
        kafka.produce("t", &[record("one")]).await.unwrap();
        let schema = NewSchema { format: SchemaFormat::Json, text: r#"{"type":"object"}"#.to_owned(), ..NewSchema::default() };
        world.registry(NAME).unwrap().register("t-value", &schema).await.unwrap();
        let after = FlagState { enabled: true, variants: BTreeMap::new(), default_variant: None, targeting: None };
        let change = FlagChange { key: "k".to_owned(), flag: "f".to_owned(), before: None, after: Some(after) };
        world.flags(NAME).unwrap().change(&change).await.unwrap();
    }

    #[tokio::test]
    async fn two_worlds_with_the_same_doings_compare_equal_whatever_their_ids() {
        let (one, other) = (SimWorld::new(), SimWorld::new());
        let kafka = other.world().kafka(NAME).unwrap();
        kafka.create_topic(&topic("gone")).await.unwrap();
        kafka.delete_topic("gone", None).await.unwrap();
        fill(&one).await;
        fill(&other).await;
        assert_eq!(one.snapshot(), other.snapshot());
        kafka.produce("t", &[record("two")]).await.unwrap();
        assert_ne!(one.snapshot(), other.snapshot());
    }

    #[tokio::test]
    async fn a_fault_strikes_before_between_or_after_the_effect() {
        for (struck, landed) in [(Moment::Before, 0), (Moment::Between, 2), (Moment::After, 4)] {
            let sim = SimWorld::new();
            sim.kafka.set_faults(Faults::new(move |call, moment| call.operation == "produce" && moment == struck));
            let kafka = sim.world().kafka(NAME).unwrap();
            kafka.create_topic(&topic("t")).await.unwrap();
            let error = kafka.produce("t", &[record("1"), record("2"), record("3"), record("4")]).await.unwrap_err();
            assert!(matches!(&error, PortError::Unreachable { system, .. } if system.name == "kafka main"), "{error}");
            let total = kafka.ends("t").await.unwrap().iter().map(|ends| ends.end).sum::<i64>();
            assert_eq!(total, landed, "{struck:?}");
        }
    }

    #[tokio::test]
    async fn a_lost_reply_leaves_the_change_made() {
        let sim = SimWorld::new();
        sim.set_faults(&Faults::new(|_, moment| moment == Moment::After));
        let world = sim.world();
        let kafka = world.kafka(NAME).unwrap();
        assert!(kafka.create_topic(&topic("t")).await.is_err());
        assert!(kafka.topic("t").await.unwrap().is_some());
        let after = FlagState { enabled: true, variants: BTreeMap::new(), default_variant: None, targeting: None };
        let change = FlagChange { key: "k".to_owned(), flag: "f".to_owned(), before: None, after: Some(after) };
        let flags = world.flags(NAME).unwrap();
        assert!(flags.change(&change).await.is_err());
        assert_eq!(flags.revision_of("k").await.unwrap(), Some(1));
    }
}
