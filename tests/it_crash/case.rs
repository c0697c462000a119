//! One case: a run of a kind's example with names of its own, a controller that is killed, and one that finishes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover::adapters::secret::ProcessSecrets;
use cutover::driver::{Driver, DriverOptions, NewRunRequest, RealWorlds, Worlds, plan_bundle, start_run};
use cutover::engine::{Command, Entry, Order, RunState};
use cutover::playbook::environment::{Config, Environment, System};
use cutover::playbook::{Bundle, Carried, Playbook, Source};
use cutover::store::{Store, StoreOptions};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::controller::Controller;
use super::services::Services;
use super::support::{Servers, ServiceDatabase, servers};
use super::world;

/// Lease of the controllers: short, so that a takeover does not take long.
pub const LEASE: Duration = Duration::from_millis(500);

/// A run that takes longer is stuck.
const LONG: Duration = Duration::from_mins(3);

const SCHEMA: &str = r#"{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": false,
    "properties": {"event_name": {"type": "string"}, "payload": {"type": "object"}}}"#;

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whether the first controller was killed.
    pub killed: bool,
    /// How many acts the second one found done.
    pub found: usize,
    /// How many acts there were.
    pub acts: usize,
    /// The end world, names and ids replaced.
    pub world: Value,
}

impl Outcome {
    pub fn line(&self) -> String {
        let killed = if self.killed { "killed, finished by another" } else { "nothing left to finish" };
        format!("{killed}: done, {} acts once each, {} of them found done", self.acts, self.found)
    }
}

/// A case.
pub struct Case {
    kind: &'static str,
    name: String,
}

impl Case {
    pub fn new(kind: &'static str, place: &str) -> Self {
        Self { kind, name: format!("{kind}-{place}").replace('_', "-") }
    }

    /// The example with names that no other case uses.
    fn text(&self) -> String {
        let example = cutover::steps::find(self.kind).unwrap().example;
        let own = |name: &str| format!("{name}.{}", self.name);
        let mut text = example.to_owned();
        for name in ["datarep.exercise", "mistaken.name", "exercise-events"] {
            text = text.replace(name, &own(name));
        }
        text.replace("group: probe", &format!("group: {}", own("probe"))).replace("groups: [probe]", &format!("groups: [{}]", own("probe")))
    }

    /// The steps of this kind in the example, by their ids.
    pub fn steps(&self) -> Vec<String> {
        let (_, playbook) = self.playbook();
        let ids: Vec<_> = playbook.steps.iter().filter(|step| step.kind.name == self.kind).map(|step| step.id.clone()).collect();
        assert!(!ids.is_empty(), "the example of {} has no step of it", self.kind);
        ids
    }

    fn playbook(&self) -> (Source, Playbook) {
        let files = [
            ("schemas/exercise_changed.v0.json", SCHEMA.to_owned()),
            ("schemas/exercise_state.v0.json", include_str!("../../playbooks/schemas/exercise_state.v0.json").to_owned()),
            (
                "services.yaml",
                include_str!("../../playbooks/services.yaml").replace("datarep.exercise", &format!("datarep.exercise.{}", self.name)),
            ),
        ];
        let files = files.into_iter().map(|(path, text)| (path.to_owned(), Arc::from(text))).collect();
        let source = Source::new("example.yaml", self.text().as_str());
        let read = cutover::playbook::read(&source, &BTreeMap::new(), &Carried(files));
        let (playbook, _) = read.unwrap_or_else(|wrong| panic!("{}", wrong.plain()));
        (source, playbook)
    }

    fn bundle(&self, servers: &Servers, exercises: ServiceDatabase, services: Option<&Services>) -> Bundle {
        let (source, playbook) = self.playbook();
        let config = Config::read("cutover.yaml", "environments:\n  local:\n    approvals: self\n").unwrap();
        let mut environment = config.environment(None).unwrap().clone();
        let kafka = serde_json::from_value(json!({ "bootstrap": servers.stack.kafka.bootstrap })).unwrap();
        let registry = serde_json::from_value(json!({ "url": servers.stack.registry.url })).unwrap();
        environment.kafka.insert("main".to_owned(), System { settings: kafka, setting: "the tests".to_owned() });
        environment.registry.insert("main".to_owned(), System { settings: registry, setting: "the tests".to_owned() });
        environment.database.insert("exercises".to_owned(), System { settings: exercises.settings, setting: "the tests".to_owned() });
        if let Some(services) = services {
            services.fill(&mut environment);
        }
        Bundle::pack(&source, &BTreeMap::new(), &playbook, environment)
    }

    /// Plays the case; with a crash point a first controller is killed there.
    pub async fn play(&self, crash: Option<String>) -> Outcome {
        let servers = servers().await;
        let database = format!("crash_{}", self.name.replace('-', "_"));
        let store = database_of_its_own(servers, &database).await;
        let worlds: Arc<dyn Worlds> = Arc::new(RealWorlds::new(store.clone(), Arc::new(ProcessSecrets::default())));
        let services = Services::start(servers, &self.text(), &servers.database_named(&database), &self.name).await;
        let bundle = self.bundle(servers, exercises(servers).await, services.as_ref());
        let world = worlds.world(&bundle.environment);
        let (plan, _) = plan_bundle(&store, worlds.as_ref(), &bundle).await.unwrap();
        let request = NewRunRequest { id: Uuid::now_v7(), bundle, plan, by: "harness".to_owned(), yes: true };
        let run = start_run(&store, request).await.unwrap();
        let killed = match crash {
            Some(crash) => {
                let mut controller = Controller::start(servers, &servers.database_named(&database), &self.name, &crash);
                let ended = self.follow(&store, run, || controller.is_dead()).await;
                let killed = !ended;
                controller.end();
                killed
            }
            None => false,
        };
        // Why a store of its own: a controller gives a statement no longer than a part of its lease, and the harness has no lease to keep.
        let own = Store::connect(&StoreOptions { url: servers.database_named(&database), lease: LEASE, connections: 4 }).unwrap();
        let options = DriverOptions { store: own.clone(), worlds, name: "second".to_owned(), crash: None };
        let second = Driver::start(options).await.unwrap();
        assert!(self.follow(&store, run, || false).await, "{} does not end", self.name);
        second.stop().await;
        own.close().await;
        let (acts, found) = self.acts_once_each(&store, run).await;
        let world = world::snapshot(&world, &store, &self.name).await;
        if let Some(services) = services {
            services.end().await;
        }
        store.close().await;
        Outcome { killed, found, acts, world }
    }

    /// Follows the run until it is done, answering what it asks, or until the controller is dead. Says whether it is done.
    async fn follow(&self, store: &Store, run: Uuid, mut dead: impl FnMut() -> bool) -> bool {
        let begun = Instant::now();
        let mut asked_at = None;
        while begun.elapsed() < LONG {
            let state: RunState = store.run(run).await.unwrap().unwrap().state.parse().unwrap();
            match state {
                RunState::Done => return true,
                RunState::Asking if asked_at.is_none_or(|at: Instant| at.elapsed() > LEASE * 6) => {
                    let evidence = Some("https://example.org/change/1".to_owned());
                    let order = Order { command: Command::Approve, by: "harness".to_owned(), reason: None, step: None, evidence };
                    store.say(run, &order).await.unwrap();
                    asked_at = Some(Instant::now());
                }
                RunState::Failed | RunState::Stuck | RunState::Quarantined => panic!("{} is {state}", self.name),
                _ => {}
            }
            if dead() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{} takes longer than {LONG:?}", self.name);
    }

    /// Checks in the journal that every act has one result and no entry is missing.
    async fn acts_once_each(&self, store: &Store, run: Uuid) -> (usize, usize) {
        let journal = store.journal(run, 0, i64::MAX).await.unwrap();
        let mut done: BTreeMap<(String, usize), bool> = BTreeMap::new();
        for (at, journaled) in journal.iter().enumerate() {
            assert_eq!(usize::try_from(journaled.seq), Ok(at + 1), "{}: the journal has a hole", self.name);
            if let Entry::ActDone { step, act, found, .. } = &journaled.entry {
                let before = done.insert((step.clone(), *act), *found);
                assert!(before.is_none(), "{}: act {act} of {step} has two results", self.name);
            }
        }
        (done.len(), done.values().filter(|found| **found).count())
    }
}

/// The rows that steps publish; they are the same for every case, for nothing here changes them.
async fn exercises(servers: &Servers) -> ServiceDatabase {
    static MADE: OnceCell<ServiceDatabase> = OnceCell::const_new();
    let make = || async {
        let made = servers.exercises("exercises").await;
        let mut connection = PgConnection::connect(&made.url).await.unwrap();
        let rows = "insert into exercise select id, 'Exercise ' || id, null, id from generate_series(1, 5) as id";
        sqlx::raw_sql(rows).execute(&mut connection).await.unwrap();
        made
    };
    MADE.get_or_init(make).await.clone()
}

/// Whether anybody can tell which instances of services run; a step that waits for them cannot be played without.
pub async fn hears_of_instances() -> bool {
    let servers = servers().await;
    let store = Store::connect(&StoreOptions { url: servers.database.clone(), lease: LONG, connections: 1 }).unwrap();
    let worlds = RealWorlds::new(store, Arc::new(ProcessSecrets::default()));
    let environment = Environment { name: "local".to_owned(), ..Environment::default() };
    worlds.world(&environment).flags("main").unwrap().listeners().await.is_ok_and(|listeners| listeners.is_some())
}

async fn database_of_its_own(servers: &Servers, name: &str) -> Store {
    let main = Store::connect(&StoreOptions { url: servers.database.clone(), lease: LONG, connections: 1 }).unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(main.pool()).await.unwrap();
    main.close().await;
    let store = Store::connect(&StoreOptions { url: servers.database_named(name), lease: LONG, connections: 4 }).unwrap();
    store.migrate().await.unwrap();
    store
}
