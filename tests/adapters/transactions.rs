//! Topics that somebody writes in transactions: markers, aborted records and open transactions hold offsets without records.

use std::time::Duration;

use cutover::ports::PortError;
use cutover::ports::kafka::Kafka;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::{bootstrap, kafka};
use crate::conformance::fresh;
use crate::conformance::kafka::{PATIENCE, at, record, topic, values};

const TIMEOUT: Duration = Duration::from_secs(30);

struct Writer(BaseProducer);

impl Writer {
    fn new() -> Self {
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", bootstrap()).set("transactional.id", fresh("writer")).create().unwrap();
        producer.init_transactions(TIMEOUT).unwrap();
        Self(producer)
    }

    /// Begins a transaction and writes into it.
    fn write(&self, topic: &str, values: &[&str]) -> &Self {
        self.0.begin_transaction().unwrap();
        for value in values {
            self.0.send(BaseRecord::to(topic).key("k").payload(*value)).map_err(|(error, _)| error).unwrap();
        }
        self.0.flush(TIMEOUT).unwrap();
        self
    }

    fn commit(&self) {
        self.0.commit_transaction(TIMEOUT).unwrap();
    }

    fn abort(&self) {
        self.0.abort_transaction(TIMEOUT).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_may_end_in_aborted_records_or_in_a_marker() {
    let kafka = kafka();
    let name = topic(kafka.as_ref(), 1, &[]).await;
    let writer = Writer::new();
    writer.write(&name, &["a", "b"]).commit();
    writer.write(&name, &["never", "seen"]).abort();
    let end = kafka.ends(&name).await.unwrap()[0].end;
    assert_eq!(end, 6, "two records, a marker, two aborted records, a marker");
    for (from, to, expected) in [
        (0, 6, vec!["a", "b"]),
        (0, 5, vec!["a", "b"]),
        (0, 4, vec!["a", "b"]),
        (1, 3, vec!["b"]),
        (2, 3, vec![]),
        (3, 5, vec![]),
        (5, 6, vec![]),
    ] {
        let read = kafka.read(&name, &[(at(0, from), to)], PATIENCE).await.unwrap();
        assert_eq!(values(&read), expected, "[{from}, {to})");
    }

    writer.write(&name, &["c"]).commit();
    assert_eq!(values(&kafka.read(&name, &[(at(0, 2), 7)], PATIENCE).await.unwrap()), ["c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_commits_past_the_markers() {
    let kafka = kafka();
    let name = topic(kafka.as_ref(), 1, &[]).await;
    let group = fresh("group");
    let writer = Writer::new();
    writer.write(&name, &["a", "b"]).commit();
    writer.write(&name, &["never"]).abort();
    let end = kafka.ends(&name).await.unwrap()[0].end;
    assert_eq!(values(&kafka.consume(&name, &group, &[at(0, end)], PATIENCE).await.unwrap()), ["a", "b"]);
    assert_eq!(kafka.committed(&group, &name).await.unwrap(), [at(0, end)]);

    writer.write(&name, &["never again"]).abort();
    let end = kafka.ends(&name).await.unwrap()[0].end;
    assert_eq!(kafka.consume(&name, &group, &[at(0, end)], PATIENCE).await.unwrap(), []);
    assert_eq!(kafka.committed(&group, &name).await.unwrap(), [at(0, end)], "nothing but aborted records lay between");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_transaction_holds_readers_back_but_not_the_end() {
    let kafka = kafka();
    let name = topic(kafka.as_ref(), 1, &[]).await;
    kafka.produce(&name, &[record("k", "plain")]).await.unwrap();
    let writer = Writer::new();
    writer.write(&name, &["open"]);
    assert_eq!(kafka.ends(&name).await.unwrap()[0].end, 2, "the high watermark, not the last stable offset");
    let held = kafka.read(&name, &[(at(0, 0), 2)], Duration::from_secs(2)).await;
    assert!(matches!(&held, Err(PortError::Unreachable { detail, .. }) if detail.contains("1 of 2")), "{held:?}");

    let reader = std::sync::Arc::clone(&kafka);
    let topic = name.clone();
    let reading = tokio::spawn(async move { reader.read(&topic, &[(at(0, 0), 2)], PATIENCE).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    writer.commit();
    assert_eq!(values(&reading.await.unwrap().unwrap()), ["plain", "open"]);
}
