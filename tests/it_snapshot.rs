//! Snapshots and drains on real Kafka, registry and Postgres, while a service goes on writing and controllers are lost.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use cutover::adapters::kafka::KafkaCluster;
use cutover::adapters::secret::ProcessSecrets;
use cutover::driver::{Driver, DriverOptions, NewRunRequest, RealWorlds, Worlds, plan_bundle, start_run};
use cutover::engine::{Entry, RunState};
use cutover::playbook::environment::{Config, Environment, System};
use cutover::playbook::{Bundle, Carried, Source};
use cutover::ports::PortError;
use cutover::ports::kafka::{ClusterState, GroupState, Kafka, NewRecord, NewTopic, PartitionEnds, Position, StoredRecord, TopicState};
use cutover::ports::settings::KafkaSettings;
use cutover::step::{Evidence, World};
use cutover::store::{Store, StoreOptions};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use support::servers;
use uuid::Uuid;

/// A guard against waiting for ever, never a measure.
const LONG: Duration = Duration::from_mins(2);

const STATE: &str = include_str!("../playbooks/schemas/exercise_state.v0.json");

/// A cluster on which producing takes its time, so that live changes overtake what was read before.
struct Slow(Arc<dyn Kafka>);

/// How long.
const DELAY: Duration = Duration::from_millis(40);

#[async_trait]
impl Kafka for Slow {
    async fn cluster(&self) -> Result<ClusterState, PortError> {
        self.0.cluster().await
    }
    async fn topics(&self) -> Result<Vec<String>, PortError> {
        self.0.topics().await
    }
    async fn topic(&self, name: &str) -> Result<Option<TopicState>, PortError> {
        self.0.topic(name).await
    }
    async fn create_topic(&self, topic: &NewTopic) -> Result<(), PortError> {
        self.0.create_topic(topic).await
    }
    async fn grow_topic(&self, name: &str, total: u32) -> Result<(), PortError> {
        self.0.grow_topic(name, total).await
    }
    async fn alter_topic(&self, name: &str, set: &BTreeMap<String, String>, unset: &[String]) -> Result<(), PortError> {
        self.0.alter_topic(name, set, unset).await
    }
    async fn delete_topic(&self, name: &str, id: Option<&str>) -> Result<(), PortError> {
        self.0.delete_topic(name, id).await
    }
    async fn ends(&self, topic: &str) -> Result<Vec<PartitionEnds>, PortError> {
        self.0.ends(topic).await
    }
    async fn stable_ends(&self, topic: &str) -> Result<Vec<Position>, PortError> {
        self.0.stable_ends(topic).await
    }
    async fn produce(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>, PortError> {
        tokio::time::sleep(DELAY).await;
        self.0.produce(topic, records).await
    }
    async fn read(&self, topic: &str, ranges: &[(Position, i64)], patience: Duration) -> Result<Vec<StoredRecord>, PortError> {
        self.0.read(topic, ranges, patience).await
    }
    async fn consume(&self, topic: &str, group: &str, until: &[Position], patience: Duration) -> Result<Vec<StoredRecord>, PortError> {
        self.0.consume(topic, group, until, patience).await
    }
    async fn group(&self, group: &str) -> Result<Option<GroupState>, PortError> {
        self.0.group(group).await
    }
    async fn committed(&self, group: &str, topic: &str) -> Result<Vec<Position>, PortError> {
        self.0.committed(group, topic).await
    }
    async fn groups_on(&self, topic: &str) -> Result<Vec<String>, PortError> {
        self.0.groups_on(topic).await
    }
}

struct SlowWorlds(RealWorlds);

impl Worlds for SlowWorlds {
    fn world(&self, environment: &Environment) -> World {
        let real = self.0.world(environment);
        let mut world = World::builder(&environment.name).flags("main", real.flags("main"));
        for name in environment.database.keys() {
            world = world.database(name, real.database(name));
        }
        let slow = |kafka| Arc::new(Slow(kafka)) as Arc<dyn Kafka>;
        world.kafka("main", real.kafka("main").map(slow)).registry("main", real.registry("main")).build()
    }
}

/// A service with its table, a state database, and everything that a run needs.
struct Bench {
    topic: String,
    group: String,
    pool: PgPool,
    store: Store,
    url: String,
    environment: Environment,
    kafka: Arc<KafkaCluster>,
}

impl Bench {
    async fn new(name: &str) -> Self {
        let servers = servers().await;
        let exercises = servers.exercises(&format!("exercises_{name}")).await;
        let url = servers.database_named(&format!("snapshot_{name}"));
        let main = PgPool::connect(&servers.database).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("create database snapshot_{name}"))).execute(&main).await.unwrap();
        let store = Store::connect(&StoreOptions { url: url.clone(), lease: Duration::from_secs(1), connections: 8 }).unwrap();
        store.migrate().await.unwrap();
        let config = Config::read("cutover.yaml", "environments:\n  local:\n    approvals: self\n").unwrap();
        let mut environment = config.environment(None).unwrap().clone();
        let kafka: KafkaSettings = serde_json::from_value(json!({ "bootstrap": servers.stack.kafka.bootstrap })).unwrap();
        let registry = serde_json::from_value(json!({ "url": servers.stack.registry.url })).unwrap();
        let cluster = KafkaCluster::connect("main", &kafka, "the tests", &ProcessSecrets::default()).unwrap();
        environment.kafka.insert("main".to_owned(), System { settings: kafka, setting: "the tests".to_owned() });
        environment.registry.insert("main".to_owned(), System { settings: registry, setting: "the tests".to_owned() });
        environment.database.insert("exercises".to_owned(), System { settings: exercises.settings, setting: "the tests".to_owned() });
        let pool = PgPool::connect(&exercises.url).await.unwrap();
        let (topic, group) = (format!("state.{name}"), format!("readers.{name}"));
        Self { topic, group, pool, store, url, environment, kafka: cluster }
    }

    async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.unwrap();
    }

    fn worlds(&self) -> SlowWorlds {
        SlowWorlds(RealWorlds::new(self.store.clone(), Arc::new(ProcessSecrets::default())))
    }

    async fn start(&self, steps: &str) -> Uuid {
        let text = format!(
            "playbook: snapshot\nsteps:\n  - id: topic\n    create_topic: {{topic: {topic}, partitions: 3, configs: {{cleanup.policy: compact}}}}\n  \
             - id: schema\n    register_schema: {{subject: {topic}-value, file: schemas/exercise_state.v0.json}}\n{steps}",
            topic = self.topic
        );
        let source = Source::new("snapshot.yaml", text.as_str());
        let services = json!({
            "events": { "ExerciseChanged": { "topic": self.topic, "key": "id" } },
            "services": { "exercises": { "delivery_timeout": "3s", "1.5": { "produces": ["ExerciseChanged@0"] } } },
        });
        let files = [("schemas/exercise_state.v0.json", Arc::from(STATE)), ("services.yaml", services.to_string().into())];
        let files = Carried(files.map(|(path, text)| (path.to_owned(), text)).into());
        let read = cutover::playbook::read(&source, &BTreeMap::new(), &files);
        let (playbook, _) = read.unwrap_or_else(|wrong| panic!("{}", wrong.plain()));
        let bundle = Bundle::pack(&source, &BTreeMap::new(), &playbook, self.environment.clone());
        let (plan, _) = plan_bundle(&self.store, &self.worlds(), &bundle).await.unwrap();
        let request = NewRunRequest { id: Uuid::now_v7(), bundle, plan, by: "ada".to_owned(), yes: true };
        start_run(&self.store, request).await.unwrap()
    }

    fn snapshot(&self, batch: u32) -> String {
        format!(
            "  - id: snapshot\n    publish_snapshot: {{from: exercises.exercise, topic: {}, schema: schema, batch: {batch}}}\n",
            self.topic
        )
    }

    /// Waits until the run has said that it waits for something like this.
    async fn waits(&self, run: Uuid, fits: impl Fn(&str) -> bool) {
        let said = async {
            loop {
                let waits = self.entries(run, |entry| if let Entry::StepWaits { now, .. } = entry { Some(now) } else { None }).await;
                if waits.iter().any(|now| fits(now)) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let said = tokio::time::timeout(LONG, said).await;
        assert!(said.is_ok(), "the run does not wait for it: {:#?}", self.store.journal(run, 0, 10_000).await);
    }

    /// The event of a row as a live producer writes it.
    async fn produce(&self, id: i64, version: i64) {
        self.kafka.produce(&self.topic, &[event(id, "live", version)]).await.unwrap();
    }

    /// A controller in a runtime of its own, so that it can be lost like a process.
    fn controller(&self, name: &str) -> tokio::runtime::Runtime {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (url, name) = (self.url.clone(), name.to_owned());
        runtime.spawn(async move {
            let store = Store::connect(&StoreOptions { url, lease: Duration::from_secs(1), connections: 8 }).unwrap();
            let worlds = SlowWorlds(RealWorlds::new(store.clone(), Arc::new(ProcessSecrets::default())));
            let driver = Driver::start(DriverOptions { store, worlds: Arc::new(worlds), name, crash: None }).await.unwrap();
            std::mem::forget(driver);
        });
        runtime
    }

    async fn reach(&self, run: Uuid, wanted: &[RunState]) -> RunState {
        let wait = async {
            loop {
                let state: RunState = self.store.run(run).await.unwrap().unwrap().state.parse().unwrap();
                if wanted.contains(&state) {
                    return state;
                }
                assert!(
                    !state.is_end() && state != RunState::Failed,
                    "the run is {state}: {:#?}",
                    self.store.journal(run, 0, 10_000).await
                );
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if let Ok(state) = tokio::time::timeout(LONG, wait).await {
            return state;
        }
        panic!("the run never is {wanted:?}: {:#?}", self.store.journal(run, 0, 10_000).await)
    }

    async fn entries<T>(&self, run: Uuid, pick: impl Fn(Entry) -> Option<T>) -> Vec<T> {
        self.store.journal(run, 0, 100_000).await.unwrap().into_iter().filter_map(|entry| pick(entry.entry)).collect()
    }

    async fn evidence(&self, run: Uuid, of: &str) -> Evidence {
        let found = self.entries(run, |entry| match entry {
            Entry::StepDone { step, evidence, .. } if step == of => Some(evidence),
            _ => None,
        });
        found.await.pop().expect("the step is done")
    }

    async fn records(&self) -> Vec<StoredRecord> {
        let ends = self.kafka.ends(&self.topic).await.unwrap();
        let ranges: Vec<_> = ends.iter().map(|ends| (Position { partition: ends.partition, offset: ends.start }, ends.end)).collect();
        self.kafka.read(&self.topic, &ranges, LONG).await.unwrap()
    }

    async fn until(&self) -> Vec<Position> {
        let ends = self.kafka.ends(&self.topic).await.unwrap();
        ends.iter().map(|ends| Position { partition: ends.partition, offset: ends.end }).collect()
    }
}

fn version(record: &StoredRecord) -> i64 {
    let value: Value = serde_json::from_slice(record.value.as_deref().expect("no tombstone")).expect("JSON");
    value.pointer("/payload/version").and_then(Value::as_i64).expect("a version")
}

fn event(id: i64, title: &str, version: i64) -> NewRecord {
    let value = json!({
        "event_id": Uuid::new_v4(), "event_name": "ExerciseChanged", "event_version": 0, "produced_at": "2026-01-01T00:00:00Z",
        "payload": { "id": id, "title": title, "version": version },
    });
    NewRecord { key: Some(id.to_string().into_bytes()), value: Some(value.to_string().into_bytes()), headers: Vec::new() }
}

/// The live producer: every change of a row is an event, in order for every row.
async fn write(pool: PgPool, kafka: Arc<KafkaCluster>, topic: String, ids: Vec<i64>, stop: Arc<AtomicBool>, for_ever: bool) -> u64 {
    let mut made = 0;
    loop {
        for id in &ids {
            if stop.load(Ordering::Acquire) {
                return made;
            }
            let changed: (String, i64) =
                sqlx::query_as("update exercise set title = title || '.', version = version + 1 where id = $1 returning title, version")
                    .bind(id)
                    .fetch_one(&pool)
                    .await
                    .unwrap();
            kafka.produce(&topic, &[event(*id, &changed.0, changed.1)]).await.unwrap();
            made += 1;
        }
        if !for_ever {
            return made;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_stale_record_is_the_last_one_for_its_key_under_a_live_writer() {
    let bench = Bench::new("live").await;
    bench.execute("insert into exercise select id, 'Exercise ' || id, null, 1 from generate_series(1, 400) as id").await;
    let run = bench.start(&bench.snapshot(50)).await;
    let controller = bench.controller("one");
    let stop = Arc::new(AtomicBool::new(false));
    let there = async {
        while bench.kafka.topic(&bench.topic).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, there).await.expect("the topic");
    // Some rows change all the time, and most change once, so that nothing heals a stale record of theirs.
    let spawn = |ids: Vec<i64>, for_ever| {
        tokio::spawn(write(bench.pool.clone(), Arc::clone(&bench.kafka), bench.topic.clone(), ids, Arc::clone(&stop), for_ever))
    };
    let hot = spawn(vec![1, 2, 3, 60, 110], true);
    let quiet: Vec<_> = (0..4).map(|part| spawn((4..=400).filter(|id| id % 4 == part).collect(), false)).collect();
    bench.reach(run, &[RunState::Done]).await;
    let mut made = 0;
    for writer in quiet {
        made += writer.await.unwrap();
    }
    stop.store(true, Ordering::Release);
    made += hot.await.unwrap();

    let evidence = bench.evidence(run, "snapshot").await;
    println!("{made} live changes; {}", evidence.line);
    let rows: Vec<(i64, i64)> = sqlx::query_as("select id, version from exercise order by id").fetch_all(&bench.pool).await.unwrap();
    let mut last: BTreeMap<i64, i64> = BTreeMap::new();
    for record in bench.records().await {
        let id = String::from_utf8(record.key.clone().unwrap()).unwrap().parse().unwrap();
        last.insert(id, version(&record));
    }
    let stale: Vec<_> = rows.iter().filter(|(id, version)| last.get(id) != Some(version)).collect();
    assert!(stale.is_empty(), "rows whose last record is another version: {stale:?}");
    assert_eq!(last.len(), 400);
    assert!(evidence.data["again"].as_u64() > Some(0), "nothing was overtaken, so nothing was tested: {}", evidence.line);
    controller.shutdown_background();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_record_that_arrives_late_is_overtaken_within_the_delivery_timeout() {
    let bench = Bench::new("late").await;
    bench.execute("insert into exercise select id, 'Exercise ' || id, null, 7 from generate_series(1, 9) as id").await;
    let step = bench.snapshot(50).replace("batch: 50", "batch: 50, services: services.yaml");
    let run = bench.start(&step).await;
    let controller = bench.controller("one");
    bench.waits(run, |now| now.starts_with("the last record is acknowledged since")).await;
    bench.produce(5, 6).await;
    bench.reach(run, &[RunState::Done]).await;
    let last: BTreeMap<_, _> = bench.records().await.iter().map(|record| (record.key.clone(), version(record))).collect();
    assert_eq!((last.len(), last.values().copied().collect::<BTreeSet<_>>()), (9, BTreeSet::from([7])));
    assert_eq!(bench.evidence(run, "snapshot").await.data["again"], 1);
    controller.shutdown_background();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_has_read_the_snapshot_reads_what_may_have_replaced_records_of_it() {
    let bench = Bench::new("replaced").await;
    bench.execute("insert into exercise select id, 'Exercise ' || id, null, 1 from generate_series(1, 30) as id").await;
    let run =
        bench.start(&format!("{}  - id: caught-up\n    catch_up: {{group: {}, of: snapshot}}\n", bench.snapshot(30), bench.group)).await;
    let controller = bench.controller("one");
    bench.waits(run, |now| now.contains("has committed nothing")).await;
    let snapshot = bench.until().await;
    for id in 1..=30 {
        bench.produce(id, 2).await;
    }
    bench.kafka.consume(&bench.topic, &bench.group, &snapshot, LONG).await.unwrap();
    let wanted = format!("{} has up to 30 records left", bench.group);
    bench.waits(run, |now| now.starts_with(&wanted)).await;
    let replaced = bench.until().await;
    // What comes after the group had reached the snapshot's end is not waited for.
    bench.produce(1, 3).await;
    bench.kafka.consume(&bench.topic, &bench.group, &replaced, LONG).await.unwrap();
    bench.reach(run, &[RunState::Done]).await;
    controller.shutdown_background();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_goes_on_where_a_lost_controller_left_it() {
    let bench = Bench::new("lost").await;
    bench.execute("insert into exercise select id, 'Exercise ' || id, null, 1 from generate_series(1, 300) as id").await;
    let run = bench.start(&bench.snapshot(10)).await;
    let saved = |bench: &Bench| {
        let store = bench.store.clone();
        async move {
            let journal = store.journal(run, 0, 100_000).await.unwrap();
            journal
                .iter()
                .filter_map(|entry| if let Entry::CursorSaved { cursor, .. } = &entry.entry { cursor["rows"].as_u64() } else { None })
                .max()
        }
    };
    for floor in [50, 120, 200] {
        let controller = bench.controller(&format!("to-{floor}"));
        let wait = async {
            while saved(&bench).await < Some(floor) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.expect("rows are published");
        controller.shutdown_background();
    }
    assert!(saved(&bench).await < Some(300), "the snapshot was done before anything was lost");
    let controller = bench.controller("last");
    bench.reach(run, &[RunState::Done]).await;
    let records = bench.records().await;
    let keys: BTreeSet<_> = records.iter().map(|record| record.key.clone()).collect();
    assert_eq!((keys.len(), records.len()), (300, 300), "every row, and none of them twice");
    let evidence = bench.evidence(run, "snapshot").await;
    assert_eq!((evidence.data["rows"].as_u64(), evidence.data["records"].as_u64()), (Some(300), Some(300)));
    let acknowledged: i64 = evidence.data["offsets"].as_object().unwrap().values().map(|span| span[1].as_i64().unwrap() + 1).sum();
    assert_eq!(acknowledged, 300, "the last acknowledged offset of every partition is its end: {}", evidence.data);
    controller.shutdown_background();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_does_not_fit_is_named_and_nothing_of_its_batch_is_sent() {
    let bench = Bench::new("misfit").await;
    bench
        .execute("insert into exercise select id, case id when 7 then '' else 'E' || id end, null, 1 from generate_series(1, 9) as id")
        .await;
    let run = bench.start(&bench.snapshot(5)).await;
    let controller = bench.controller("one");
    let failed = async {
        while bench.store.run(run).await.unwrap().unwrap().state != "failed" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, failed).await.expect("the step fails");
    let said = bench.entries(run, |entry| if let Entry::StepFailed { error, .. } = entry { Some(error.to_string()) } else { None }).await;
    assert!(said[0].contains("row 7 at /payload/title") && said[0].contains("minLength"), "{said:?}");
    assert_eq!(bench.records().await.len(), 5, "the batch before it, and nothing of its own");
    controller.shutdown_background();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_waited_for_and_one_that_nobody_named_is_shown() {
    let bench = Bench::new("groups").await;
    bench.execute("insert into exercise select id, 'Exercise ' || id, null, 1 from generate_series(1, 30) as id").await;
    let (topic, group) = (&bench.topic, &bench.group);
    let steps = format!(
        "{}  - id: caught-up\n    catch_up: {{group: {group}, of: snapshot}}\n  - id: drained\n    drain_topic: {{topic: {topic}, groups: [{group}]}}\n",
        bench.snapshot(7)
    );
    let run = bench.start(&steps).await;
    let controller = bench.controller("one");
    bench.reach(run, &[RunState::Waiting]).await;
    bench.waits(run, |now| now.contains("has committed nothing in partition")).await;

    // Why: half of each partition is read, so that both steps have something to count.
    let until = bench.until().await;
    let half: Vec<_> = until.iter().map(|at| Position { offset: at.offset / 2, ..*at }).collect();
    bench.kafka.consume(topic, group, &half, LONG).await.unwrap();
    bench.kafka.consume(topic, "stranger.groups", &half, LONG).await.unwrap();
    let left: i64 = until.iter().zip(&half).map(|(until, half)| until.offset - half.offset).sum();
    let wanted = format!("{group} has up to {left} records left");
    bench.waits(run, |now| now.starts_with(&wanted)).await;
    bench.kafka.consume(topic, group, &until, LONG).await.unwrap();
    bench.reach(run, &[RunState::Done]).await;
    let drained = bench.evidence(run, "drained").await;
    assert_eq!(drained.data["undeclared"], json!(["stranger.groups"]), "{}", drained.line);
    assert!(drained.line.contains("stranger.groups"), "{}", drained.line);
    let caught_up = bench.evidence(run, "caught-up").await;
    assert!(caught_up.line.starts_with(&format!("group {group} has passed offset")), "{}", caught_up.line);
    controller.shutdown_background();
}
