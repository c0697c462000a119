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

/// Waits until the topic ends there: a transaction is over for its writer before its marker lies in the topic.
async fn ends_at(kafka: &dyn Kafka, topic: &str, end: i64) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while kafka.ends(topic).await.unwrap()[0].end != end {
        assert!(std::time::Instant::now() < deadline, "{topic} never ends at {end}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_may_end_in_aborted_records_or_in_a_marker() {
    let kafka = kafka();
    let name = topic(kafka.as_ref(), 1, &[]).await;
    let writer = Writer::new();
    writer.write(&name, &["a", "b"]).commit();
    writer.write(&name, &["never", "seen"]).abort();
    // Two records, a marker, two aborted records, a marker.
    ends_at(kafka.as_ref(), &name, 6).await;
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
    assert_eq!(kafka.stable_ends(&name).await.unwrap(), [at(0, 1)]);
    let held = kafka.read(&name, &[(at(0, 0), 2)], Duration::from_secs(2)).await;
    assert!(matches!(&held, Err(PortError::Unreachable { detail, .. }) if detail.contains("1 of 2")), "{held:?}");

    let reader = std::sync::Arc::clone(&kafka);
    let topic = name.clone();
    let reading = tokio::spawn(async move { reader.read(&topic, &[(at(0, 0), 2)], PATIENCE).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    writer.commit();
    assert_eq!(values(&reading.await.unwrap().unwrap()), ["plain", "open"]);
}

/// A member that is assigned partitions reads the topic, whether it has committed or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_without_a_commit_is_found_by_its_member() {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    let kafka = kafka();
    let name = topic(kafka.as_ref(), 1, &[]).await;
    let group = fresh("member");
    let member: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap())
        .set("group.id", &group)
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    member.subscribe(&[&name]).unwrap();
    let end = std::time::Instant::now() + PATIENCE;
    while member.assignment().unwrap().count() == 0 {
        assert!(std::time::Instant::now() < end, "nobody is assigned anything");
        let _ = member.poll(Duration::from_millis(100));
    }
    assert_eq!(kafka.groups_on(&name).await.unwrap(), [group]);
}

/// The facts that make "lag 0" the wrong question, on a real broker.
mod drain {
    use cutover::drain::{Barrier, Last, Verdict, judge, known_last, look, take_barrier};

    use super::*;

    async fn verdict(topic: &str, group: &str, barrier: &Barrier) -> Verdict {
        let kafka = kafka();
        judge(barrier, &look(kafka.as_ref(), topic, barrier, &[group.to_owned()]).await.unwrap())
    }

    async fn barrier(topic: &str) -> Barrier {
        let kafka = kafka();
        let barrier = take_barrier(kafka.as_ref(), topic, None).await.unwrap();
        known_last(kafka.as_ref(), topic, barrier).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn markers_and_aborted_records_at_the_end_are_not_waited_for() {
        let kafka = kafka();
        let name = topic(kafka.as_ref(), 1, &[]).await;
        let group = fresh("group");
        let writer = Writer::new();
        writer.write(&name, &["a", "b"]).commit();
        writer.write(&name, &["never", "seen"]).abort();
        ends_at(kafka.as_ref(), &name, 6).await;
        let barrier = barrier(&name).await;
        assert_eq!((barrier.marks[0].end, barrier.marks[0].last), (6, Last::At(1)));
        assert!(matches!(verdict(&name, &group, &barrier).await, Verdict::Unknown(_)));
        kafka.consume(&name, &group, &[at(0, 1)], PATIENCE).await.unwrap();
        assert!(matches!(verdict(&name, &group, &barrier).await, Verdict::Waiting(left) if left[0].records() == 1));
        kafka.consume(&name, &group, &[at(0, 2)], PATIENCE).await.unwrap();
        assert_eq!(kafka.committed(&group, &name).await.unwrap(), [at(0, 2)], "four offsets short of the end");
        assert_eq!(verdict(&name, &group, &barrier).await, Verdict::Drained);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_transaction_that_is_open_at_the_barrier_is_waited_for() {
        let kafka = kafka();
        let name = topic(kafka.as_ref(), 1, &[]).await;
        let group = fresh("group");
        kafka.produce(&name, &[record("k", "plain")]).await.unwrap();
        kafka.consume(&name, &group, &[at(0, 1)], PATIENCE).await.unwrap();
        let writer = Writer::new();
        writer.write(&name, &["open"]);
        let barrier = barrier(&name).await;
        assert_eq!((barrier.marks[0].end, barrier.marks[0].last), (2, Last::Unknown));
        assert!(matches!(verdict(&name, &group, &barrier).await, Verdict::Unstable { stable: 1, barrier: 2, .. }));
        writer.commit();
        assert!(matches!(verdict(&name, &group, &barrier).await, Verdict::Waiting(_)), "it was committed after the barrier");
        kafka.consume(&name, &group, &[at(0, 2)], PATIENCE).await.unwrap();
        assert_eq!(verdict(&name, &group, &barrier).await, Verdict::Drained);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_deleted_unread_is_lost() {
        let kafka = kafka();
        let name = topic(kafka.as_ref(), 1, &[]).await;
        let group = fresh("group");
        let sent = (0..10).map(|number| record("k", &number.to_string())).collect::<Vec<_>>();
        kafka.produce(&name, &sent).await.unwrap();
        kafka.consume(&name, &group, &[at(0, 4)], PATIENCE).await.unwrap();
        let barrier = barrier(&name).await;
        super::super::truncate(&name, at(0, 10)).await;
        let found = verdict(&name, &group, &barrier).await;
        assert!(matches!(&found, Verdict::Lost(why) if why.contains("6 records")), "{found:?}");
    }
}
