//! The step kinds about schemas on the real registry and broker: references, other languages, documents of the topic itself, and deleting for
//! good.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover::adapters::kafka::KafkaCluster;
use cutover::adapters::secret::ProcessSecrets;
use cutover::driver::{Driver, DriverOptions, NewRunRequest, RealWorlds, Worlds, plan_bundle, start_run};
use cutover::engine::{Command, Entry, Order, PlanDocument, RunState};
use cutover::playbook::environment::{Config, System};
use cutover::playbook::{Bundle, Carried, Source};
use cutover::ports::kafka::{Kafka, NewRecord, NewTopic};
use cutover::ports::registry::Registry;
use cutover::step::ErasedPlan;
use cutover::store::{Store, StoreOptions};
use serde_json::json;
use uuid::Uuid;

use super::registry::registry;
use super::support;

const LONG: Duration = Duration::from_mins(1);

async fn kafka() -> Arc<KafkaCluster> {
    let settings = json!({ "bootstrap": support::servers().await.stack.kafka.bootstrap });
    KafkaCluster::connect("main", &serde_json::from_value(settings).unwrap(), "the tests", &ProcessSecrets::default()).unwrap()
}

/// A place where playbooks are planned and run.
struct Stage {
    store: Store,
    worlds: Arc<dyn Worlds>,
}

impl Stage {
    async fn open(name: &str) -> Self {
        let servers = support::servers().await;
        let main = Store::connect(&StoreOptions { url: servers.database.clone(), lease: LONG, connections: 1 }).unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(main.pool()).await.unwrap();
        main.close().await;
        let store = Store::connect(&StoreOptions { url: servers.database_named(name), lease: LONG, connections: 4 }).unwrap();
        store.migrate().await.unwrap();
        let worlds = Arc::new(RealWorlds::new(store.clone(), Arc::new(ProcessSecrets::default())));
        Self { store, worlds }
    }

    async fn bundle(&self, text: &str, files: &[(&str, &str)]) -> Bundle {
        let servers = support::servers().await;
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(*text))).collect();
        let source = Source::new("playbook.yaml", text);
        let (playbook, _) =
            cutover::playbook::read(&source, &BTreeMap::new(), &Carried(files)).unwrap_or_else(|wrong| panic!("{}", wrong.plain()));
        let config = Config::read("cutover.yaml", "environments:\n  local:\n    approvals: self\n").unwrap();
        let mut environment = config.environment(None).unwrap().clone();
        let setting = "the tests".to_owned();
        let settings = serde_json::from_value(json!({ "bootstrap": servers.stack.kafka.bootstrap })).unwrap();
        environment.kafka.insert("main".to_owned(), System { settings, setting: setting.clone() });
        let settings = serde_json::from_value(json!({ "url": servers.stack.registry.url })).unwrap();
        environment.registry.insert("main".to_owned(), System { settings, setting });
        Bundle::pack(&source, &BTreeMap::new(), &playbook, environment)
    }

    async fn plan(&self, bundle: &Bundle) -> PlanDocument {
        plan_bundle(&self.store, self.worlds.as_ref(), bundle).await.unwrap().0
    }

    /// Runs a playbook to its end: the state, and a line for each step that is done or failed.
    async fn run(&self, text: &str, files: &[(&str, &str)]) -> (RunState, Vec<String>) {
        let bundle = self.bundle(text, files).await;
        let plan = self.plan(&bundle).await;
        let run =
            start_run(&self.store, NewRunRequest { id: Uuid::now_v7(), bundle, plan, by: "tests".to_owned(), yes: true }).await.unwrap();
        let options = DriverOptions { store: self.store.clone(), worlds: Arc::clone(&self.worlds), name: "tests".to_owned(), crash: None };
        let driver = Driver::start(options).await.unwrap();
        let begun = Instant::now();
        let state = loop {
            let state: RunState = self.store.run(run).await.unwrap().unwrap().state.parse().unwrap();
            if matches!(state, RunState::Done | RunState::Failed | RunState::Frozen | RunState::Stuck) {
                break state;
            }
            assert!(begun.elapsed() < LONG, "it is {state}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        if state == RunState::Frozen {
            // Why: a run that waits for a person keeps what it touches.
            let (command, reason) = (Command::Abandon, Some("a test".to_owned()));
            let order = Order { command, by: "tests".to_owned(), reason, step: None, evidence: None };
            self.store.say(run, &order).await.unwrap();
            while self.store.run(run).await.unwrap().unwrap().state.parse() != Ok(RunState::Abandoned) {
                assert!(begun.elapsed() < LONG, "it is not given up");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        driver.stop().await;
        let journal = self.store.journal(run, 0, i64::MAX).await.unwrap();
        let lines = journal.into_iter().filter_map(|entry| match entry.entry {
            Entry::StepDone { step, evidence, .. } => Some(format!("{step}: {}", evidence.line)),
            Entry::StepFailed { step, error, .. } => Some(format!("{step} failed: {error}")),
            _ => None,
        });
        (state, lines.collect())
    }
}

fn impossible(plan: &PlanDocument, step: &str) -> String {
    match &plan.steps.iter().find(|found| found.id == step).expect("the step").plan {
        ErasedPlan::Impossible(why) => why.clone(),
        other => panic!("{other:?}"),
    }
}

const AREA: &str =
    r#"{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {"code": {"type": "string"}}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn schemas_that_refer_to_others_and_other_languages_are_registered() {
    let ground = Stage::open("schema_languages").await;
    let refers =
        r#"{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {"area": {"$ref": "area.json"}}}"#;
    let avro = r#"{"type": "record", "name": "Exercise", "fields": [{"name": "id", "type": "long"}]}"#;
    let proto = "syntax = \"proto3\";\npackage datarep;\nmessage Exercise {\n  int64 id = 1;\n  string title = 2;\n}\n";
    let wider = proto.replace("string title = 2;", "string title = 2;\n  string note = 3;");
    let broken = "syntax = \"proto3\"; message Exercise { int64 id = }";
    let text = "playbook: languages
steps:
  - id: area
    register_schema: {subject: languages-area, file: area.json}
  - id: refers
    register_schema: {subject: languages-refers, file: refers.json, references: [{name: area.json, subject: languages-area, version: 1}]}
  - id: avro
    register_schema: {subject: languages-avro, file: exercise.avsc}
  - id: proto
    register_schema: {subject: languages-proto, file: exercise.proto}
  - id: wider
    register_schema: {subject: languages-proto, file: wider.proto, compatibility: BACKWARD}
";
    let files = [("area.json", AREA), ("refers.json", refers), ("exercise.avsc", avro), ("exercise.proto", proto), ("wider.proto", &wider)];
    let (state, lines) = ground.run(text, &files).await;
    assert_eq!(state, RunState::Done, "{lines:#?}");
    let registry = registry().await;
    for (subject, version) in [("languages-area", 1), ("languages-refers", 1), ("languages-avro", 1), ("languages-proto", 2)] {
        assert_eq!(registry.latest(subject).await.unwrap().unwrap().version, Some(version), "{subject}");
    }

    let text = "playbook: broken\nsteps:\n  - id: broken\n    register_schema: {subject: languages-broken, file: broken.proto}\n";
    let (state, lines) = ground.run(text, &[("broken.proto", broken)]).await;
    assert_eq!(state, RunState::Failed, "{lines:#?}");
    assert_eq!(registry.latest("languages-broken").await.unwrap(), None);
    ground.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_the_topic_stand_in_the_way_of_a_schema_that_refuses_them() {
    let (ground, kafka) = (Stage::open("schema_samples").await, kafka().await);
    let new = NewTopic { name: "sampled".to_owned(), partitions: 2, replication: None, configs: BTreeMap::new() };
    kafka.create_topic(&new).await.unwrap();
    let record = |value: &[u8]| NewRecord { key: Some(b"k".to_vec()), value: Some(value.to_vec()), headers: Vec::new() };
    let framed = [&b"\0\0\0\0\x07"[..], br#"{"code": "b"}"#].concat();
    kafka.produce("sampled", &[record(br#"{"code": "a"}"#), record(&framed), record(br#"{"code": 3}"#)]).await.unwrap();
    let text = "playbook: sampled
steps:
  - id: schema
    register_schema: {subject: sampled-value, file: area.json, samples: {last: 10}}
";
    let plan = ground.plan(&ground.bundle(text, &[("area.json", AREA)]).await).await;
    let why = impossible(&plan, "schema");
    assert!(why.contains("2 of 3 documents") && why.contains("/code") && !why.contains("\"a\""), "{why}");
    let wider = AREA.replace(r#""type": "string""#, r#""type": ["string", "integer"]"#);
    let (state, lines) = ground.run(text, &[("area.json", &wider)]).await;
    assert_eq!(state, RunState::Done, "{lines:#?}");
    ground.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_goes_for_good_when_no_record_carries_it() {
    let (ground, kafka, registry) = (Stage::open("schema_dropped").await, kafka().await, registry().await);
    let configs = BTreeMap::from([("cleanup.policy".to_owned(), "delete".to_owned())]);
    let new = NewTopic { name: "dropped".to_owned(), partitions: 1, replication: None, configs };
    kafka.create_topic(&new).await.unwrap();
    let wider = AREA.replace(r#""type": "string""#, r#""type": ["string", "integer"]"#);
    let text = "playbook: registered
steps:
  - id: first
    register_schema: {subject: dropped-value, file: area.json, compatibility: BACKWARD}
  - id: second
    register_schema: {subject: dropped-value, file: wider.json}
";
    let (state, lines) = ground.run(text, &[("area.json", AREA), ("wider.json", &wider)]).await;
    assert_eq!(state, RunState::Done, "{lines:#?}");
    let mut ids = Vec::new();
    for version in [1, 2] {
        let id = registry.version("dropped-value", version).await.unwrap().unwrap().id.unwrap();
        ids.push(u32::try_from(id).unwrap());
    }
    let framed = |id: u32| {
        let value = [&[0], id.to_be_bytes().as_slice(), br#"{"code": "a"}"#].concat();
        NewRecord { key: Some(b"k".to_vec()), value: Some(value), headers: Vec::new() }
    };
    kafka.produce("dropped", &[framed(ids[0]), framed(ids[1])]).await.unwrap();

    let elsewhere = "playbook: elsewhere\nsteps:\n  - id: gone\n    drop_schema: {subject: dropped-value, version: 1, topics: [droped]}\n";
    let (state, lines) = ground.run(elsewhere, &[]).await;
    assert_eq!(state, RunState::Frozen, "a topic that is not there was not looked at: {lines:#?}");
    assert!(lines.iter().any(|line| line.contains("no topic droped")), "{lines:#?}");

    let drop = "playbook: dropped\nsteps:\n  - id: gone\n    drop_schema: {subject: dropped-value, version: 1}\n    timeout: 3s\n";
    let (state, lines) = ground.run(drop, &[]).await;
    assert_eq!(state, RunState::Frozen, "a record carries it: {lines:#?}");
    assert!(registry.version("dropped-value", 1).await.unwrap().is_some());

    // Retention takes the record, and the other version's stays.
    kafka.delete_before("dropped", &[cutover::ports::kafka::Position { partition: 0, offset: 1 }]).await.unwrap();
    let (state, lines) = ground.run(drop, &[]).await;
    assert_eq!(state, RunState::Done, "{lines:#?}");
    assert_eq!(registry.version("dropped-value", 1).await.unwrap(), None);
    assert!(!registry.places_of_id(ids[0]).await.unwrap().iter().any(|place| place.subject == "dropped-value"));
    assert_eq!(registry.latest("dropped-value").await.unwrap().unwrap().version, Some(2));

    // What names no schema may be anything.
    let plain = NewRecord { key: None, value: Some(br#"{"code": "a"}"#.to_vec()), headers: Vec::new() };
    kafka.produce("dropped", &[plain]).await.unwrap();
    kafka.delete_before("dropped", &[cutover::ports::kafka::Position { partition: 0, offset: 2 }]).await.unwrap();
    let second = drop.replace("version: 1}", "version: 2}");
    let (state, lines) = ground.run(&second, &[]).await;
    assert_eq!(state, RunState::Frozen);
    assert!(lines.iter().any(|line| line.contains("unnamed: neutral")), "{lines:#?}");
    let (state, lines) = ground.run(&second.replace("version: 2}", "version: 2, unnamed: neutral}"), &[]).await;
    assert_eq!(state, RunState::Done, "{lines:#?}");
    ground.store.close().await;
}
