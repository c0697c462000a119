//! How fast a drain looks for old records, beside a bare librdkafka consumer that reads the same records and does nothing with them: by header
//! and by payload, in pairs that take turns, medians as ratios. Then how long it takes from the last commit that matters to `drained`, when the
//! barrier is taken and the index made. Needs a broker: `BOOTSTRAP=host:port cargo bench --bench scan`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cutover::adapters::kafka::KafkaCluster;
use cutover::adapters::secret::ProcessSecrets;
use cutover::drain::{Index, Known, Old, Schemas, Search, Terms, take_barrier};
use cutover::ports::kafka::{Kafka, NewTopic, Position};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const PARTITIONS: i32 = 2;
const PAIRS: usize = 5;
const PATIENCE: Duration = Duration::from_mins(2);

fn main() {
    let Ok(bootstrap) = std::env::var("BOOTSTRAP") else {
        println!("scan: set BOOTSTRAP to a broker, for instance that of `cutover stack up`");
        return;
    };
    let records: i32 = std::env::var("RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure(&bootstrap, records));
}

async fn measure(bootstrap: &str, records: i32) {
    let settings = serde_json::from_value(serde_json::json!({ "bootstrap": bootstrap })).expect("settings");
    let kafka = KafkaCluster::connect("main", &settings, "the bench", &ProcessSecrets::default()).expect("a cluster");
    let name = format!("scan-{}", uuid::Uuid::new_v4());
    let new = NewTopic { name: name.clone(), partitions: PARTITIONS.unsigned_abs(), replication: None, configs: BTreeMap::new() };
    kafka.create_topic(&new).await.expect("a topic");
    fill(bootstrap, &name, records);
    let by_header: Old = "topic=ExerciseChanged,header:event_version=0".parse().expect("a declaration");
    let by_payload: Old = "payload:/event_name=ExerciseChanged,payload:/event_version=0".parse().expect("a declaration");
    let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for _ in 0..PAIRS {
        times.entry("bare").or_default().push(bare(bootstrap, &name, records));
        times.entry("header").or_default().push(scan(kafka.as_ref(), &name, &by_header, records).await);
        times.entry("bare ").or_default().push(bare(bootstrap, &name, records));
        times.entry("payload").or_default().push(scan(kafka.as_ref(), &name, &by_payload, records).await);
    }
    let median = |what: &str| {
        let mut all = times[what].clone();
        all.sort();
        all[all.len() / 2].as_secs_f64()
    };
    for (ours, beside) in [("header", "bare"), ("payload", "bare ")] {
        let (ours_took, bare_took) = (median(ours), median(beside));
        println!(
            "by {ours}: {:.0} records each second, bare {:.0}: ratio {:.2}",
            f64::from(records) / ours_took,
            f64::from(records) / bare_took,
            bare_took / ours_took
        );
    }
    kafka.delete_topic(&name, None).await.expect("the topic's end");
    said(kafka.as_ref(), bootstrap).await;
}

/// How often `drain_topic` looks.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How many groups come to the end, one after the other.
const ROUNDS: u32 = 100;

/// From the last commit to the word.
async fn said(kafka: &KafkaCluster, bootstrap: &str) {
    let topic = format!("said-{}", uuid::Uuid::new_v4());
    let new = NewTopic { name: topic.clone(), partitions: PARTITIONS.unsigned_abs(), replication: None, configs: BTreeMap::new() };
    kafka.create_topic(&new).await.expect("a topic");
    fill(bootstrap, &topic, 10_000);
    let old: Old = "payload:/event_name=ExerciseChanged,payload:/event_version=0".parse().expect("a declaration");
    let search = Search { kafka, registry: None, topic: &topic, old: &old, most: None };
    let barrier = take_barrier(kafka, &topic, None).await.expect("a barrier");
    let index = search.survey(&barrier, &["bare".to_owned()], Terms::default(), |_| {}).await.expect("an index");
    let ends: Vec<(i32, i64)> = index.partitions.iter().map(|(partition, seen)| (*partition, seen.last.expect("an old one") + 1)).collect();
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let group = format!("group-{round}");
        let committed = std::thread::spawn({
            let (bootstrap, topic, group, ends) = (bootstrap.to_owned(), topic.clone(), group.clone(), ends.clone());
            // Why at another moment each time: the look and the commit know nothing of each other.
            move || {
                std::thread::sleep(LOOK_AGAIN * round / ROUNDS);
                commit(&bootstrap, &topic, &group, &ends)
            }
        });
        let groups = [group];
        let drained = loop {
            let judged = search.judge(&barrier, &index, &groups, Terms::default()).await.expect("a judgement");
            if judged.proof.verdict == Known::Drained {
                break Instant::now();
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        };
        times.push(drained.saturating_duration_since(committed.join().expect("a commit")));
    }
    times.sort();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64();
    println!(
        "from the last commit to `drained`, {ROUNDS} times: p50 {:.2} s, p90 {:.2} s, p99 {:.2} s, most {:.2} s",
        at(50),
        at(90),
        at(99),
        times.last().copied().unwrap_or_default().as_secs_f64()
    );
    kafka.delete_topic(&topic, None).await.expect("the topic's end");
}

fn commit(bootstrap: &str, topic: &str, group: &str, ends: &[(i32, i64)]) -> Instant {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    for (partition, offset) in ends {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).expect("a partition");
    }
    consumer.commit(&list, CommitMode::Sync).expect("a commit");
    Instant::now()
}

fn fill(bootstrap: &str, topic: &str, records: i32) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("queue.buffering.max.messages", "200000")
        .set("linger.ms", "20")
        .create()
        .expect("a producer");
    let padding = "x".repeat(190);
    for number in 0..records {
        let version = i32::from(number > records / 2).to_string();
        let value = format!(
            r#"{{"event_id": "{number:036}", "event_name": "ExerciseChanged", "event_version": {version}, "payload": {{"id": {number}, "title": "{padding}"}}}}"#
        );
        loop {
            let headers = OwnedHeaders::new().insert(Header { key: "event_version", value: Some(&version) });
            let record = BaseRecord::<str, str>::to(topic).partition(number % PARTITIONS).payload(&value).headers(headers);
            if producer.send(record).is_ok() {
                break;
            }
            producer.poll(Duration::from_millis(10));
        }
    }
    producer.flush(PATIENCE).expect("records");
}

fn bare(bootstrap: &str, topic: &str, records: i32) -> Duration {
    let begin = Instant::now();
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bare")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.queue.backoff.ms", "5")
        .create()
        .expect("a consumer");
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&list).expect("partitions");
    let mut seen = 0;
    while seen < records {
        if let Some(Ok(_)) = consumer.poll(PATIENCE) {
            seen += 1;
        }
    }
    begin.elapsed()
}

async fn scan(kafka: &dyn Kafka, topic: &str, old: &Old, records: i32) -> Duration {
    let begin = Instant::now();
    let search = Search { kafka, registry: None, topic, old, most: None };
    let barrier = take_barrier(kafka, topic, None).await.expect("a barrier");
    let index = Index::from((0..PARTITIONS).map(|partition| Position { partition, offset: 0 }));
    let index = search.whole(index, &barrier.marks, &mut Schemas::default()).await.expect("an index");
    assert_eq!(index.seen(), u64::from(records.unsigned_abs()));
    assert!(index.old() > 0);
    begin.elapsed()
}
