//! Promises of a Kafka cluster. Names are fresh, so nothing is cleaned up but what a test is about.

use std::collections::BTreeMap;
use std::time::Duration;

use cutover::ports::PortError;
use cutover::ports::kafka::{Kafka, NewRecord, NewTopic, PartitionEnds, Position, StoredRecord};

use super::fresh;

/// Longer than any answer that comes at all.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// For waits that are meant to end in vain.
const IN_VAIN: Duration = Duration::from_secs(2);

pub fn at(partition: i32, offset: i64) -> Position {
    Position { partition, offset }
}

pub fn record(key: &str, value: &str) -> NewRecord {
    NewRecord { key: Some(key.as_bytes().to_vec()), value: Some(value.as_bytes().to_vec()), headers: Vec::new() }
}

/// Makes a topic of a fresh name.
pub async fn topic(kafka: &dyn Kafka, partitions: u32, configs: &[(&str, &str)]) -> String {
    let name = fresh("conformance");
    kafka.create_topic(&new(&name, partitions, configs)).await.unwrap();
    name
}

fn new(name: &str, partitions: u32, configs: &[(&str, &str)]) -> NewTopic {
    NewTopic { name: name.to_owned(), partitions, replication: None, configs: map(configs) }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn configs(kafka: &dyn Kafka, name: &str) -> BTreeMap<String, String> {
    kafka.topic(name).await.unwrap().expect("the topic is there").configs
}

pub fn values(records: &[StoredRecord]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8(record.value.clone().unwrap_or_default()).unwrap()).collect()
}

fn is_invalid<T: std::fmt::Debug>(outcome: &Result<T, PortError>) {
    assert!(matches!(outcome, Err(PortError::Invalid { .. })), "{outcome:?}");
}

fn is_conflict<T: std::fmt::Debug>(outcome: &Result<T, PortError>) {
    assert!(matches!(outcome, Err(PortError::Conflict { .. })), "{outcome:?}");
}

pub async fn the_cluster_says_who_it_is(kafka: &dyn Kafka) {
    let cluster = kafka.cluster().await.unwrap();
    assert!(!cluster.id.is_empty() && !cluster.brokers.is_empty(), "{cluster:?}");
    assert_eq!(kafka.cluster().await.unwrap(), cluster);
}

pub async fn a_topic_is_made_shown_and_deleted(kafka: &dyn Kafka) {
    let name = fresh("conformance");
    assert_eq!(kafka.topic(&name).await.unwrap(), None);
    let wanted = NewTopic { replication: Some(1), ..new(&name, 3, &[("retention.ms", "86400000"), ("cleanup.policy", "compact")]) };
    kafka.create_topic(&wanted).await.unwrap();
    let made = kafka.topic(&name).await.unwrap().unwrap();
    assert_eq!((made.partitions, made.replication, &made.configs), (3, 1, &wanted.configs), "and no default of the broker");
    let id = made.id.clone().expect("a topic id");
    assert!(kafka.topics().await.unwrap().contains(&name));
    is_conflict(&kafka.create_topic(&wanted).await);
    assert_eq!(kafka.topic(&name).await.unwrap(), Some(made));

    is_conflict(&kafka.delete_topic(&name, Some("AAAAAAAAAAAAAAAAAAAAAA")).await);
    assert!(kafka.topic(&name).await.unwrap().is_some());
    kafka.delete_topic(&name, Some(&id)).await.unwrap();
    assert_eq!(kafka.topic(&name).await.unwrap(), None);
    assert!(!kafka.topics().await.unwrap().contains(&name));
    kafka.delete_topic(&name, Some(&id)).await.unwrap();
    kafka.delete_topic(&name, None).await.unwrap();
}

pub async fn a_topic_that_is_made_again_is_another_one(kafka: &dyn Kafka) {
    let name = topic(kafka, 1, &[]).await;
    let first = kafka.topic(&name).await.unwrap().unwrap().id.unwrap();
    kafka.produce(&name, &[record("a", "old")]).await.unwrap();
    let ends = kafka.ends(&name).await.unwrap();
    kafka.consume(&name, &name, &[at(0, ends[0].end)], PATIENCE).await.unwrap();
    kafka.delete_topic(&name, Some(&first)).await.unwrap();
    kafka.create_topic(&new(&name, 1, &[])).await.unwrap();
    let second = kafka.topic(&name).await.unwrap().unwrap().id.unwrap();
    assert_ne!(first, second);
    assert_eq!(kafka.ends(&name).await.unwrap(), [PartitionEnds { partition: 0, start: 0, end: 0 }]);
    assert_eq!(kafka.produce(&name, &[record("a", "new")]).await.unwrap(), [at(0, 0)]);
    assert_eq!(values(&kafka.read(&name, &[(at(0, 0), 1)], PATIENCE).await.unwrap()), ["new"]);
    is_conflict(&kafka.delete_topic(&name, Some(&first)).await);
    let mut left = kafka.committed(&name, &name).await.unwrap();
    for _ in 0..100 {
        if left.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        left = kafka.committed(&name, &name).await.unwrap();
    }
    assert_eq!(left, [], "commits of the deleted topic say nothing about the new one");
}

pub async fn what_a_broker_refuses_is_invalid(kafka: &dyn Kafka) {
    is_invalid(&kafka.create_topic(&new(&fresh("conformance"), 0, &[])).await);
    is_invalid(&kafka.create_topic(&new("not a name", 1, &[])).await);
    is_invalid(&kafka.create_topic(&new("", 1, &[])).await);
    is_invalid(&kafka.topic("not a name").await);
    is_invalid(&kafka.create_topic(&NewTopic { replication: Some(7), ..new(&fresh("conformance"), 1, &[]) }).await);
    for config in [("retention.ms", "a day"), ("cleanup.policy", "burn"), ("no.such.setting", "1")] {
        let name = fresh("conformance");
        is_invalid(&kafka.create_topic(&new(&name, 1, &[config])).await);
        assert_eq!(kafka.topic(&name).await.unwrap(), None, "{config:?}");
    }
}

pub async fn one_setting_changes_and_the_others_stay(kafka: &dyn Kafka) {
    let name = topic(kafka, 1, &[("cleanup.policy", "compact"), ("retention.ms", "86400000")]).await;
    kafka.alter_topic(&name, &map(&[("max.message.bytes", "2000000")]), &[]).await.unwrap();
    let all = map(&[("cleanup.policy", "compact"), ("retention.ms", "86400000"), ("max.message.bytes", "2000000")]);
    assert_eq!(configs(kafka, &name).await, all);

    kafka.alter_topic(&name, &map(&[("max.message.bytes", "3000000")]), &["retention.ms".to_owned()]).await.unwrap();
    let left = map(&[("cleanup.policy", "compact"), ("max.message.bytes", "3000000")]);
    assert_eq!(configs(kafka, &name).await, left);
    kafka.alter_topic(&name, &BTreeMap::new(), &["retention.ms".to_owned()]).await.unwrap();
    kafka.alter_topic(&name, &BTreeMap::new(), &[]).await.unwrap();

    for wrong in [("retention.ms", "a day"), ("no.such.setting", "1")] {
        is_invalid(&kafka.alter_topic(&name, &map(&[("segment.ms", "60000"), wrong]), &[]).await);
        assert_eq!(configs(kafka, &name).await, left, "all or nothing: {wrong:?}");
    }
    is_invalid(&kafka.alter_topic(&fresh("conformance"), &map(&[("retention.ms", "1000")]), &[]).await);
    is_invalid(&kafka.alter_topic(&fresh("conformance"), &BTreeMap::new(), &[]).await);
}

pub async fn partitions_grow_and_never_shrink(kafka: &dyn Kafka) {
    let name = topic(kafka, 1, &[]).await;
    kafka.produce(&name, &[record("a", "kept")]).await.unwrap();
    kafka.grow_topic(&name, 3).await.unwrap();
    assert_eq!(kafka.topic(&name).await.unwrap().unwrap().partitions, 3);
    kafka.grow_topic(&name, 3).await.unwrap();
    is_invalid(&kafka.grow_topic(&name, 2).await);
    is_invalid(&kafka.grow_topic(&fresh("conformance"), 2).await);
    let ends = kafka.ends(&name).await.unwrap();
    assert_eq!(ends.iter().map(|ends| (ends.partition, ends.start, ends.end)).collect::<Vec<_>>(), [(0, 0, 1), (1, 0, 0), (2, 0, 0)]);
}

pub async fn records_lie_in_the_order_in_which_they_were_sent(kafka: &dyn Kafka) {
    let name = topic(kafka, 3, &[]).await;
    let sent = (0..3_000).map(|number| record(&format!("key-{}", number % 50), &number.to_string())).collect::<Vec<_>>();
    let positions = kafka.produce(&name, &sent).await.unwrap();
    assert_eq!(positions.len(), sent.len());
    let ends = kafka.ends(&name).await.unwrap();
    assert_eq!(ends.iter().map(|ends| ends.end - ends.start).sum::<i64>(), 3_000);

    let ranges = ends.iter().map(|ends| (at(ends.partition, ends.start), ends.end)).collect::<Vec<_>>();
    let read = kafka.read(&name, &ranges, PATIENCE).await.unwrap();
    assert!(read.is_sorted_by_key(|record| record.at), "by partition and offset");
    let found = read.iter().map(|record| (record.at, record)).collect::<BTreeMap<_, _>>();
    for (position, sent) in positions.iter().zip(&sent) {
        assert_eq!((&found[position].key, &found[position].value), (&sent.key, &sent.value), "{position:?}");
    }
    for partition in 0..3 {
        let numbers = read.iter().filter(|record| record.at.partition == partition);
        let numbers = values(&numbers.cloned().collect::<Vec<_>>()).iter().map(|text| text.parse::<u32>().unwrap()).collect::<Vec<_>>();
        assert!(!numbers.is_empty() && numbers.is_sorted(), "partition {partition}: {numbers:?}");
    }
    assert_eq!(kafka.produce(&name, &[]).await.unwrap(), []);
    is_invalid(&kafka.produce(&fresh("conformance"), &[record("a", "b")]).await);
    is_invalid(&kafka.produce(&fresh("conformance"), &[]).await);
    is_invalid(&kafka.ends(&fresh("conformance")).await);
}

pub async fn a_key_has_the_partition_that_java_clients_give_it(kafka: &dyn Kafka) {
    let name = topic(kafka, 7, &[]).await;
    let keys = ["", "a", "ab", "abc", "abcd", "exercise-1", "exercise-2", "9f1c2e", "\u{fc}ber"];
    let sent = keys.map(|key| record(key, "x"));
    let partitions = kafka.produce(&name, &sent).await.unwrap().iter().map(|at| at.partition).collect::<Vec<_>>();
    assert_eq!(partitions, JAVA_PARTITIONS, "of {keys:?}");
}

/// What murmur2 gives for the keys above and seven partitions.
const JAVA_PARTITIONS: [i32; 9] = [2, 5, 0, 4, 5, 0, 4, 6, 5];

pub async fn every_byte_comes_back(kafka: &dyn Kafka) {
    let name = topic(kafka, 1, &[]).await;
    let headers = vec![("version".to_owned(), b"1".to_vec()), ("empty".to_owned(), Vec::new()), ("version".to_owned(), vec![0, 255])];
    let sent = [
        NewRecord { key: Some(b"k".to_vec()), value: Some(vec![0, 159, 146, 150]), headers },
        NewRecord { key: Some(b"k".to_vec()), value: None, headers: Vec::new() },
        NewRecord { key: Some(Vec::new()), value: Some(Vec::new()), headers: Vec::new() },
        NewRecord { key: None, value: Some(b"no key".to_vec()), headers: Vec::new() },
    ];
    let positions = kafka.produce(&name, &sent).await.unwrap();
    assert_eq!(positions, [at(0, 0), at(0, 1), at(0, 2), at(0, 3)]);
    let read = kafka.read(&name, &[(at(0, 0), 4)], PATIENCE).await.unwrap();
    let back =
        read.iter().map(|record| NewRecord { key: record.key.clone(), value: record.value.clone(), headers: record.headers.clone() });
    assert_eq!(back.collect::<Vec<_>>(), sent);
}

pub async fn a_compacted_topic_takes_no_record_without_a_key(kafka: &dyn Kafka) {
    let name = topic(kafka, 1, &[("cleanup.policy", "compact")]).await;
    is_invalid(&kafka.produce(&name, &[NewRecord { key: None, value: Some(b"x".to_vec()), headers: Vec::new() }]).await);
    assert_eq!(kafka.produce(&name, &[record("a", "x")]).await.unwrap(), [at(0, 0)]);
}

pub async fn ranges_are_read_exactly(kafka: &dyn Kafka) {
    let name = topic(kafka, 1, &[]).await;
    let sent = (0..10).map(|number| record("k", &number.to_string())).collect::<Vec<_>>();
    kafka.produce(&name, &sent).await.unwrap();
    let read = async |ranges: &[(Position, i64)]| kafka.read(&name, ranges, PATIENCE).await.map(|records| values(&records));
    assert_eq!(read(&[(at(0, 3), 5)]).await.unwrap(), ["3", "4"]);
    assert_eq!(read(&[(at(0, 8), 10), (at(0, 0), 2)]).await.unwrap(), ["0", "1", "8", "9"], "two ranges of one partition");
    assert_eq!(read(&[(at(0, 2), 5), (at(0, 4), 6)]).await.unwrap(), ["2", "3", "4", "5"], "ranges that overlap");
    assert_eq!(read(&[]).await.unwrap(), Vec::<String>::new());
    assert_eq!(read(&[(at(0, 5), 5), (at(0, 9), 3)]).await.unwrap(), Vec::<String>::new());
    is_invalid(&read(&[(at(4, 0), 1)]).await);
    is_invalid(&kafka.read(&fresh("conformance"), &[(at(0, 0), 1)], PATIENCE).await);
    let beyond = kafka.read(&name, &[(at(0, 8), 11)], IN_VAIN).await;
    assert!(matches!(&beyond, Err(PortError::Unreachable { detail, .. }) if detail.contains("10 of 11")), "{beyond:?}");
    assert_eq!(kafka.group("cutover-scan").await.unwrap(), None, "reading leaves no group");
}

pub async fn a_group_reads_on_from_what_it_committed(kafka: &dyn Kafka) {
    let name = topic(kafka, 2, &[]).await;
    let group = fresh("group");
    assert_eq!((kafka.group(&group).await.unwrap(), kafka.committed(&group, &name).await.unwrap()), (None, Vec::new()));
    let sent = (0..20).map(|number| record(&format!("key-{number}"), &number.to_string())).collect::<Vec<_>>();
    kafka.produce(&name, &sent).await.unwrap();
    let ends = kafka.ends(&name).await.unwrap();
    assert!(ends.iter().all(|ends| ends.end > 3), "the keys were chosen to reach both partitions: {ends:?}");

    let part = kafka.consume(&name, &group, &[at(0, 3)], PATIENCE).await.unwrap();
    assert_eq!(part.iter().map(|record| record.at).collect::<Vec<_>>(), [at(0, 0), at(0, 1), at(0, 2)]);
    assert_eq!(kafka.committed(&group, &name).await.unwrap(), [at(0, 3)], "what was not handed over is not committed");
    let state = kafka.group(&group).await.unwrap().expect("a group with commits");
    assert_eq!((state.state.as_str(), state.members), ("Empty", 0), "it left");

    let until = ends.iter().map(|ends| at(ends.partition, ends.end)).collect::<Vec<_>>();
    let rest = kafka.consume(&name, &group, &until, PATIENCE).await.unwrap();
    assert_eq!(rest.len(), 17);
    assert_eq!(rest.first().map(|record| record.at), Some(at(0, 3)));
    assert_eq!(kafka.committed(&group, &name).await.unwrap(), until);
    assert_eq!(kafka.consume(&name, &group, &until, PATIENCE).await.unwrap(), []);
    assert_eq!(kafka.committed(&group, &name).await.unwrap(), until);
    assert_eq!(kafka.committed(&group, &fresh("conformance")).await.unwrap(), [], "another topic");
    let all = kafka.consume(&name, &fresh("group"), &until, PATIENCE).await.unwrap();
    assert_eq!(all.len(), 20, "another group starts at the beginning");
    is_invalid(&kafka.consume(&fresh("conformance"), &group, &[at(0, 1)], PATIENCE).await);
    is_invalid(&kafka.consume(&name, &group, &[at(9, 1)], PATIENCE).await);
}

pub async fn a_group_that_waits_in_vain_keeps_what_it_got(kafka: &dyn Kafka) {
    let name = topic(kafka, 1, &[]).await;
    let group = fresh("group");
    kafka.produce(&name, &[record("a", "1"), record("a", "2")]).await.unwrap();
    // Why: longer than joining takes, for the records have to come before the patience ends.
    let got = kafka.consume(&name, &group, &[at(0, 5)], Duration::from_secs(10)).await.unwrap();
    assert_eq!(values(&got), ["1", "2"]);
    assert_eq!(kafka.committed(&group, &name).await.unwrap(), [at(0, 2)]);
}

pub async fn records_that_are_gone_are_missed(kafka: &dyn Kafka, truncate: impl AsyncFn(&str, Position)) {
    let name = topic(kafka, 1, &[]).await;
    let sent = (0..6).map(|number| record("k", &number.to_string())).collect::<Vec<_>>();
    kafka.produce(&name, &sent).await.unwrap();
    truncate(&name, at(0, 4)).await;
    assert_eq!(kafka.ends(&name).await.unwrap(), [PartitionEnds { partition: 0, start: 4, end: 6 }]);
    is_invalid(&kafka.read(&name, &[(at(0, 0), 6)], PATIENCE).await);
    assert_eq!(values(&kafka.read(&name, &[(at(0, 4), 6)], PATIENCE).await.unwrap()), ["4", "5"]);
    let group = fresh("group");
    assert_eq!(values(&kafka.consume(&name, &group, &[at(0, 6)], PATIENCE).await.unwrap()), ["4", "5"]);
    truncate(&name, at(0, 6)).await;
    assert_eq!(kafka.consume(&name, &fresh("group"), &[at(0, 6)], PATIENCE).await.unwrap(), [], "nothing is left to wait for");
}

pub async fn groups_on_a_topic_are_found_by_their_commits(kafka: &dyn Kafka) {
    let (name, other) = (topic(kafka, 1, &[]).await, topic(kafka, 1, &[]).await);
    let (first, second) = (fresh("group-a"), fresh("group-b"));
    kafka.produce(&name, &[record("a", "1")]).await.unwrap();
    kafka.produce(&other, &[record("a", "1")]).await.unwrap();
    assert_eq!(kafka.groups_on(&name).await.unwrap(), Vec::<String>::new());
    kafka.consume(&name, &second, &[at(0, 1)], PATIENCE).await.unwrap();
    kafka.consume(&name, &first, &[at(0, 1)], PATIENCE).await.unwrap();
    kafka.consume(&other, &first, &[at(0, 1)], PATIENCE).await.unwrap();
    assert_eq!(kafka.groups_on(&name).await.unwrap(), [first.clone(), second]);
    assert_eq!(kafka.groups_on(&other).await.unwrap(), [first]);
}

pub async fn a_topic_without_transactions_is_stable_to_its_end(kafka: &dyn Kafka) {
    let name = topic(kafka, 2, &[]).await;
    assert_eq!(kafka.stable_ends(&name).await.unwrap(), [at(0, 0), at(1, 0)]);
    let sent: Vec<_> = (0..10).map(|number| record(&format!("key-{number}"), "x")).collect();
    kafka.produce(&name, &sent).await.unwrap();
    let ends = kafka.ends(&name).await.unwrap();
    let stable = kafka.stable_ends(&name).await.unwrap();
    assert_eq!(stable, ends.iter().map(|ends| at(ends.partition, ends.end)).collect::<Vec<_>>());
    is_invalid(&kafka.stable_ends(&fresh("conformance")).await);
}
