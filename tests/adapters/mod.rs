//! The adapters on real servers: how tests get at them, and promises that memory cannot show.

mod faults;
mod transactions;

use std::collections::BTreeMap;
use std::sync::Arc;

use cutover::adapters::kafka::KafkaCluster;
use cutover::adapters::registry::ConfluentRegistry;
use cutover::adapters::secret::ProcessSecrets;
use cutover::ports::kafka::Position;
use cutover::ports::settings::{KafkaSecurity, KafkaSettings, RegistrySettings};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

pub const SETTING: &str = "cutover.yaml: environments.test.main";

fn address(variable: &str, example: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("this test needs a real server: set {variable} to its address, for instance {example}"))
}

pub fn bootstrap() -> String {
    address("CUTOVER_TEST_KAFKA", "127.0.0.1:9092")
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
    registry_at(&address("CUTOVER_TEST_REGISTRY", "http://127.0.0.1:8080/apis/ccompat/v7"))
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
