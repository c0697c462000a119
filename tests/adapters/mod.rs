//! The adapters on real servers: how tests get at them, and promises that memory cannot show.

pub mod database;
mod faults;
pub mod metrics;
mod transactions;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cutover::adapters::flags::{BuiltInFlags, document_name};
use cutover::adapters::kafka::KafkaCluster;
use cutover::adapters::registry::ConfluentRegistry;
use cutover::adapters::secret::ProcessSecrets;
use cutover::flags::Heartbeat;
use cutover::ports::kafka::Position;
use cutover::ports::settings::{ApiSettings, KafkaSecurity, KafkaSettings};
use cutover::store::heartbeats::Report;
use cutover::store::{Store, StoreOptions};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

pub const SETTING: &str = "cutover.yaml: environments.test.main";

/// Where the servers answer that all tests of this binary share.
struct Addresses {
    bootstrap: String,
    registry: String,
    /// The private Postgres.
    state: String,
    /// The stack's Postgres.
    postgres: String,
}

static ADDRESSES: OnceLock<Addresses> = OnceLock::new();

/// Why a thread of its own: the tests' runtimes come and go, and the servers outlive them.
fn addresses() -> &'static Addresses {
    ADDRESSES.get_or_init(|| {
        let start = || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let addresses = runtime.block_on(async {
                let servers = crate::support::servers().await;
                Addresses {
                    bootstrap: servers.stack.kafka.bootstrap.clone(),
                    registry: servers.stack.registry.url.clone(),
                    state: servers.database.clone(),
                    postgres: servers.stack.postgres.url.clone(),
                }
            });
            std::mem::forget(runtime);
            addresses
        };
        std::thread::spawn(start).join().unwrap()
    })
}

pub fn bootstrap() -> String {
    addresses().bootstrap.clone()
}

pub fn kafka_settings(bootstrap: &str) -> KafkaSettings {
    KafkaSettings {
        bootstrap: bootstrap.to_owned(),
        cluster_id: None,
        security: KafkaSecurity::Plaintext,
        sasl: None,
        tls: None,
        options: BTreeMap::new(),
    }
}

pub fn connect(settings: &KafkaSettings) -> Arc<KafkaCluster> {
    KafkaCluster::connect("main", settings, SETTING, &ProcessSecrets::default()).unwrap()
}

pub fn kafka() -> Arc<KafkaCluster> {
    connect(&kafka_settings(&bootstrap()))
}

pub fn registry() -> Arc<ConfluentRegistry> {
    registry_at(&addresses().registry)
}

pub fn registry_at(url: &str) -> Arc<ConfluentRegistry> {
    let settings = ApiSettings { url: url.to_owned(), basic: None, tls: None };
    ConfluentRegistry::connect("main", &settings, SETTING, &ProcessSecrets::default()).unwrap()
}

/// A built-in flag store with a document of its own, and the door through which services report.
pub struct BuiltIn {
    pub flags: Arc<BuiltInFlags>,
    store: Store,
    name: String,
}

impl BuiltIn {
    pub async fn new() -> Self {
        let options = StoreOptions { url: addresses().state.clone(), lease: Duration::from_secs(5), connections: 2 };
        let store = Store::connect(&options).unwrap();
        store.migrate().await.unwrap();
        let name = crate::conformance::fresh("store");
        let flags = Arc::new(BuiltInFlags::new(store.clone(), "test", &name, SETTING));
        Self { flags, store, name }
    }

    pub async fn report(&self, heartbeat: Heartbeat) {
        let heartbeat = Heartbeat { store: self.name.clone(), ..heartbeat };
        let kept = self.store.keep_heartbeat(&document_name("test", &self.name), &heartbeat).await.unwrap();
        assert_eq!(kept, Report::Kept);
    }
}

/// Somebody else's `DeleteRecords`.
pub async fn truncate(topic: &str, at: Position) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new().set("bootstrap.servers", bootstrap()).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, at.partition, Offset::Offset(at.offset)).unwrap();
    admin.delete_records(&list, &AdminOptions::new()).await.unwrap();
}
