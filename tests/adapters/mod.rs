//! The adapters on real servers: how tests get at them, and promises that memory cannot show.

pub mod database;
mod faults;
mod transactions;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use cutover::adapters::kafka::KafkaCluster;
use cutover::adapters::registry::ConfluentRegistry;
use cutover::adapters::secret::ProcessSecrets;
use cutover::ports::kafka::Position;
use cutover::ports::settings::{KafkaSecurity, KafkaSettings, RegistrySettings};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

pub const SETTING: &str = "cutover.yaml: environments.test.main";

/// The broker that all tests of this binary share.
static BOOTSTRAP: OnceLock<(String, String, String)> = OnceLock::new();

/// Why a thread of its own: the tests' runtimes come and go, and the servers outlive them.
fn addresses() -> &'static (String, String, String) {
    BOOTSTRAP.get_or_init(|| {
        let start = || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let addresses = runtime.block_on(async {
                let servers = crate::support::servers().await;
                (servers.stack.kafka.bootstrap.clone(), servers.stack.registry.url.clone(), servers.stack.postgres.url.clone())
            });
            std::mem::forget(runtime);
            addresses
        };
        std::thread::spawn(start).join().unwrap()
    })
}

pub fn bootstrap() -> String {
    addresses().0.clone()
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
    registry_at(&addresses().1)
}

pub fn registry_at(url: &str) -> Arc<ConfluentRegistry> {
    let settings = RegistrySettings { url: url.to_owned(), basic: None, tls: None };
    ConfluentRegistry::connect("main", &settings, SETTING, &ProcessSecrets::default()).unwrap()
}

/// Somebody else's `DeleteRecords`.
pub async fn truncate(topic: &str, at: Position) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new().set("bootstrap.servers", bootstrap()).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, at.partition, Offset::Offset(at.offset)).unwrap();
    admin.delete_records(&list, &AdminOptions::new()).await.unwrap();
}
