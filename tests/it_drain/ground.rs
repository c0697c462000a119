//! One broker with an authorizer and users, started once, and small tools on it: writers, readers, and the plain answer.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use cutover::adapters::kafka::KafkaCluster;
use cutover::adapters::secret::ProcessSecrets;
use cutover::drain::{self, Barrier, Index, Known, Old, Proof, Search, Terms};
use cutover::ports::PortError;
use cutover::ports::kafka::{Kafka, NewRecord, NewTopic, Position};
use cutover::ports::settings::{KafkaSecurity, KafkaSettings};
use cutover::stack::DataDir;
use cutover::stack::local::{self, KafkaOptions, StackAddresses};
use cutover::stack::process::Identity;
use cutover::stack::progress::Silent;
use cutover::stack::reaper::Reaper;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use crate::reaped::Reaped;

/// How long anything that must happen may take; a test that waits longer fails.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub struct Ground {
    pub stack: StackAddresses,
    /// Where users log in.
    pub users: String,
    pub data: DataDir,
    pub directory: PathBuf,
    reaper: Mutex<Reaper>,
}

/// Held by whoever ends brokers, and by whoever cannot do without one for a while.
pub static BROKERS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

pub fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| {
        let begin = || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let ground = runtime.block_on(Ground::begin());
            // Why: the tests' runtimes come and go, and what was started outlives them.
            std::mem::forget(runtime);
            ground
        };
        std::thread::spawn(begin).join().expect("a ground")
    })
}

impl Ground {
    async fn begin() -> Self {
        let Reaped { data, directory, reaper } = Reaped::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required user_old=\"old\" user_new=\"new\";";
        let extra = [
            ("listeners", format!("PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller_port}},USERS://127.0.0.1:{port}")),
            ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{{port}},USERS://127.0.0.1:{port}")),
            ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,USERS:SASL_PLAINTEXT".to_owned()),
            ("listener.name.users.sasl.enabled.mechanisms", "PLAIN".to_owned()),
            ("listener.name.users.plain.sasl.jaas.config", plain.to_owned()),
            ("super.users", "User:ANONYMOUS".to_owned()),
            ("allow.everyone.if.no.acl.found", "true".to_owned()),
            ("log.cleaner.backoff.ms", "200".to_owned()),
            ("message.max.bytes", "20000000".to_owned()),
            ("replica.fetch.max.bytes", "20000000".to_owned()),
            ("replica.lag.time.max.ms", "8000".to_owned()),
        ];
        let extra_properties = extra.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let options = KafkaOptions { extra_properties, java_arguments: Vec::new() };
        let stack = match local::up_with(&data, &options, &mut Silent).await {
            Ok(stack) => stack,
            Err(error) => panic!("{error}\n{}", std::fs::read_to_string(data.stack().join("kafka/broker.log")).unwrap_or_default()),
        };
        // A broker that makes its first group has no coordinator for a moment.
        let (kafka, warm) = (connect(&stack.kafka.bootstrap), "warm".to_owned());
        let new = NewTopic { name: warm.clone(), partitions: 1, replication: None, configs: BTreeMap::new() };
        kafka.create_topic(&new).await.unwrap();
        until("groups are answered for", async || kafka.committed(&warm, &warm).await.is_ok()).await;
        Self { stack, users: format!("127.0.0.1:{port}"), data, directory, reaper: Mutex::new(reaper) }
    }

    /// Has a process ended when the tests end.
    pub fn end_with_tests(&self, process: &Identity) {
        self.reaper.lock().unwrap().watch_pid(process).unwrap();
    }
}

pub fn bootstrap() -> &'static str {
    &ground().stack.kafka.bootstrap
}

pub fn fresh(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}", COUNT.fetch_add(1, Ordering::SeqCst))
}

pub fn connect(bootstrap: &str) -> Arc<KafkaCluster> {
    let settings = KafkaSettings {
        bootstrap: bootstrap.to_owned(),
        cluster_id: None,
        security: KafkaSecurity::Plaintext,
        sasl: None,
        tls: None,
        options: BTreeMap::new(),
    };
    KafkaCluster::connect("main", &settings, "the tests", &ProcessSecrets::default()).unwrap()
}

pub fn kafka() -> Arc<KafkaCluster> {
    connect(bootstrap())
}

/// A new topic.
pub async fn topic(kafka: &dyn Kafka, partitions: u32, configs: &[(&str, &str)]) -> String {
    let name = fresh("topic");
    let configs = configs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let new = NewTopic { name: name.clone(), partitions, replication: None, configs };
    kafka.create_topic(&new).await.unwrap();
    name
}

pub fn event(version: u32) -> String {
    format!(r#"{{"event_name": "ExerciseChanged", "event_version": {version}, "payload": {{"id": 17}}}}"#)
}

pub fn record(key: &str, value: &str) -> NewRecord {
    NewRecord { key: Some(key.as_bytes().to_vec()), value: Some(value.as_bytes().to_vec()), headers: Vec::new() }
}

/// Events of these versions, one after the other.
pub async fn write(kafka: &dyn Kafka, topic: &str, versions: &[u32]) {
    let records: Vec<_> = versions.iter().map(|version| record("k", &event(*version))).collect();
    kafka.produce(topic, &records).await.unwrap();
}

pub fn at(partition: i32, offset: i64) -> Position {
    Position { partition, offset }
}

/// What is old in these tests: version 0.
pub fn old() -> Old {
    "payload:/event_name=ExerciseChanged,payload:/event_version=0".parse().unwrap()
}

/// Commits for a group that nobody is a member of, as a service that handled everything before has done.
pub fn commit(bootstrap: &str, group: &str, topic: &str, places: &[Position]) {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("group.id", group).set("enable.auto.commit", "false").create().unwrap();
    let mut list = TopicPartitionList::new();
    for at in places {
        list.add_partition_offset(topic, at.partition, Offset::Offset(at.offset)).unwrap();
    }
    let end = Instant::now() + PATIENCE;
    while let Err(error) = consumer.commit(&list, CommitMode::Sync) {
        assert!(Instant::now() < end, "{error}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The plain answer: what `lag` is by the usual sum of "end minus committed", as the usual client sees the end. A partition without a commit
/// counts as nothing, as in the usual tables.
pub fn lag(bootstrap: &str, group: &str, topic: &str, partitions: i32) -> i64 {
    let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", bootstrap).set("group.id", group).create().unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition(topic, partition);
    }
    let committed = consumer.committed_offsets(list, PATIENCE).unwrap();
    committed
        .elements()
        .iter()
        .map(|element| match element.offset() {
            Offset::Offset(committed) => consumer.fetch_watermarks(topic, element.partition(), PATIENCE).unwrap().1 - committed,
            _ => 0,
        })
        .sum()
}

/// Asks until there is an answer, as a run does: brokers that come and go break calls off.
pub async fn answered<T>(mut ask: impl AsyncFnMut() -> Result<T, PortError>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(error.is_passing() && Instant::now() < end, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The barrier and the index, as far as the topic is stable.
pub async fn survey(kafka: &dyn Kafka, topic: &str, groups: &[&str], old: &Old, terms: Terms) -> (Barrier, Index) {
    let barrier = answered(async || drain::take_barrier(kafka, topic, None).await).await;
    let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    let index = answered(async || search(kafka, topic, old).survey(&barrier, &groups, terms, |_| {}).await).await;
    (barrier, index)
}

pub fn search<'a>(kafka: &'a dyn Kafka, topic: &'a str, old: &'a Old) -> Search<'a> {
    Search { kafka, registry: None, topic, old, most: None }
}

pub async fn judge(kafka: &dyn Kafka, topic: &str, groups: &[&str], seen: &(Barrier, Index), terms: Terms) -> Proof {
    let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    answered(async || search(kafka, topic, &old()).judge(&seen.0, &seen.1, &groups, terms).await).await.proof
}

/// Our answer now, about version 0.
pub async fn ours(kafka: &dyn Kafka, topic: &str, groups: &[&str]) -> Proof {
    let seen = survey(kafka, topic, groups, &old(), Terms::default()).await;
    judge(kafka, topic, groups, &seen, Terms::default()).await
}

/// Prints both answers, and holds ours to what is true.
pub fn beside(fact: &str, lag: i64, proof: &Proof, truth: Known) {
    let plain = if lag == 0 { Known::Drained } else { Known::Waiting };
    let right = |said: Known| if said == truth || (said == Known::Unknown && truth == Known::Waiting) { "right" } else { "WRONG" };
    println!(
        "{fact}\n  plain: lag {lag}, so {} ({})\n  ours:  {} ({}): {}",
        plain.as_str(),
        right(plain),
        proof.verdict.as_str(),
        right(proof.verdict),
        proof.words()
    );
    assert_eq!(proof.verdict, truth, "{fact}: {proof:#?}");
}

/// A producer in transactions.
pub struct Writer(pub BaseProducer, pub String);

impl Writer {
    pub fn new(bootstrap: &str) -> Self {
        Self::with(ClientConfig::new().set("bootstrap.servers", bootstrap))
    }

    /// As this user.
    pub fn user(user: &str) -> Self {
        Self::with(
            ClientConfig::new()
                .set("bootstrap.servers", &ground().users)
                .set("security.protocol", "sasl_plaintext")
                .set("sasl.mechanisms", "PLAIN")
                .set("sasl.username", user)
                .set("sasl.password", user),
        )
    }

    fn with(config: &mut ClientConfig) -> Self {
        let id = fresh("writer");
        let producer: BaseProducer = config.set("transactional.id", &id).set("transaction.timeout.ms", "600000").create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        Self(producer, id)
    }

    /// Begins a transaction and writes into it.
    pub fn write(&self, topic: &str, values: &[&str]) -> &Self {
        self.0.begin_transaction().unwrap();
        for value in values {
            self.0.send(BaseRecord::to(topic).partition(0).key("k").payload(*value)).map_err(|(error, _)| error).unwrap();
        }
        self.0.flush(PATIENCE).unwrap();
        self
    }

    pub fn commit(&self) {
        self.0.commit_transaction(PATIENCE).unwrap();
    }

    pub fn abort(&self) {
        self.0.abort_transaction(PATIENCE).unwrap();
    }
}

/// A record with a header.
pub fn with_header(topic: &str, header: (&str, &str), value: Option<&[u8]>) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", bootstrap()).set("message.max.bytes", "20000000").create().unwrap();
    let headers = OwnedHeaders::new().insert(Header { key: header.0, value: Some(header.1) });
    let record = BaseRecord::<str, [u8]>::to(topic).key("k").headers(headers);
    let record = match value {
        Some(value) => record.payload(value),
        None => record,
    };
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

/// Waits until something is so.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so().await {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the topic ends there: a transaction is over for its writer before its marker lies in the topic.
pub async fn ends_at(kafka: &dyn Kafka, topic: &str, end: i64) {
    until("the topic ends there", async || kafka.ends(topic).await.unwrap()[0].end == end).await;
    until("it is stable", async || kafka.stable_ends(topic).await.unwrap()[0].offset == end).await;
}

/// Reads on in a group, as an ordinary service does: commits `record + 1` for each, up to this many records.
pub fn read_on(bootstrap: &str, group: &str, topic: &str, reset: &str, most: usize, patience: Duration) -> Vec<(i32, i64)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", reset)
        .set("session.timeout.ms", "6000")
        .create()
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let (mut found, end) = (Vec::new(), Instant::now() + patience);
    while found.len() < most && Instant::now() < end {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            found.push((message.partition(), message.offset()));
            consumer.commit_message(&message, CommitMode::Sync).unwrap();
        }
    }
    found
}
