//! A state database, an outside that tests steer, and controllers that can be killed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cutover::driver::{Driver, DriverOptions, NewRunRequest, Worlds, plan_bundle, start_run};
use cutover::engine::command::Answer;
use cutover::engine::{Command, Entry, JournalEntry, Order};
use cutover::playbook::environment::{Config, Environment};
use cutover::playbook::{self, Bundle, Carried, Source};
use cutover::ports::PortError;
use cutover::ports::flags::{FlagChange, FlagState, Flags};
use cutover::ports::metrics::Metrics;
use cutover::sim::{SimFlags, SimMetrics};
use cutover::step::World;
use cutover::store::{Store, StoreOptions, shard_of};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::ground::{self, ground};

/// A guard against waiting for ever, never a measure.
pub const LONG: Duration = Duration::from_mins(2);
pub const SHORT_LEASE: Duration = Duration::from_secs(1);

pub const WAITS: &str = "playbook: waits\nsteps:\n  - id: wait\n    wait: {for: 1h}\n  - id: after\n    note: {text: after}\n";
pub const FLAG: &str = "playbook: flag\nsteps:\n  - id: flag\n    set_flag: {flag: f, to: on}\n";

/// Flags in memory whose changes wait for a permit; a flag called `panic` does what it says.
pub struct Gate {
    pub flags: SimFlags,
    pub permits: Semaphore,
    pub metrics: Arc<SimMetrics>,
}

#[async_trait]
impl Flags for Gate {
    async fn revision(&self) -> Result<i64, PortError> {
        self.flags.revision().await
    }
    async fn flag(&self, name: &str) -> Result<Option<FlagState>, PortError> {
        self.flags.flag(name).await
    }
    async fn change(&self, change: &FlagChange) -> Result<i64, PortError> {
        assert_ne!(change.flag, "panic", "the port panics");
        self.permits.acquire().await.unwrap().forget();
        self.flags.change(change).await
    }
    async fn revision_of(&self, key: &str) -> Result<Option<i64>, PortError> {
        self.flags.revision_of(key).await
    }
}

struct Gated(Arc<Gate>);

impl Worlds for Gated {
    fn world(&self, environment: &Environment) -> World {
        let (flags, metrics) = (Arc::clone(&self.0) as Arc<dyn Flags>, Arc::clone(&self.0.metrics) as Arc<dyn Metrics>);
        World::builder(&environment.name).flags("main", Ok(flags)).metrics("main", Ok(metrics)).build()
    }
}

/// A state database, an outside, and as many controllers as a test wants.
pub struct Bench {
    pub url: String,
    pub store: Store,
    pub gate: Arc<Gate>,
    pub worlds: Arc<dyn Worlds>,
    pub lease: Duration,
}

/// A controller in a runtime of its own, so that it can be killed like a process.
pub struct Node {
    pub runtime: Option<Runtime>,
    pub driver: Option<Driver>,
}

impl Node {
    /// Ends everything it does, where it stands.
    pub fn kill(mut self) {
        std::mem::forget(self.driver.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    pub async fn hand_over(mut self) {
        self.driver.take().unwrap().stop().await;
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Bench {
    pub async fn new() -> Self {
        Self::on(ground().database().await, Duration::from_secs(5)).await
    }

    pub async fn on(url: String, lease: Duration) -> Self {
        // Why: a test that fails should show what its controllers said.
        let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_test_writer().try_init();
        let store = ground::store(&url, Duration::from_secs(5)).await;
        let metrics = Arc::new(SimMetrics::new("main", Arc::default()));
        let gate = Arc::new(Gate { flags: SimFlags::new("main"), permits: Semaphore::new(0), metrics });
        let worlds: Arc<dyn Worlds> = Arc::new(Gated(Arc::clone(&gate)));
        Self { url, store, gate, worlds, lease }
    }

    pub async fn node(&self, name: &str) -> Node {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (url, lease, worlds, name) = (self.url.clone(), self.lease, Arc::clone(&self.worlds), name.to_owned());
        let driver = runtime.spawn(async move {
            let store = Store::connect(&StoreOptions { url, lease, connections: 8 }).unwrap();
            Driver::start(DriverOptions { store, worlds, name, crash: None }).await.unwrap()
        });
        Node { driver: Some(driver.await.unwrap()), runtime: Some(runtime) }
    }

    pub async fn start(&self, text: &str) -> Uuid {
        self.start_in("self", text).await
    }

    pub async fn start_in(&self, approvals: &str, text: &str) -> Uuid {
        let bundle = bundle(approvals, text);
        let (plan, _) = plan_bundle(&self.store, self.worlds.as_ref(), &bundle).await.unwrap();
        let request = NewRunRequest { id: Uuid::now_v7(), bundle, plan, by: "ada".to_owned(), yes: false };
        start_run(&self.store, request).await.unwrap()
    }

    pub async fn reach(&self, run: Uuid, state: &str) {
        let mut last = String::new();
        let wait = async {
            loop {
                if let Ok(Some(row)) = self.store.run(run).await {
                    last = row.state;
                }
                if last == state {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let late = tokio::time::timeout(LONG, wait).await.is_err();
        assert!(!late, "run is {last}, not {state}: {:#?}", self.store.journal(run, 0, 1000).await);
    }

    /// Waits until the journal has this many entries.
    pub async fn until_longer(&self, run: Uuid, entries: usize) {
        let wait = async {
            while self.store.run(run).await.is_ok_and(|row| row.is_some_and(|row| row.state != "done")) {
                if self.journal(run).await.len() >= entries {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.expect("the journal does not grow");
    }

    pub async fn say(&self, run: Uuid, by: &str, command: Command) -> Answer {
        self.order(run, by, command, None).await
    }

    pub async fn say_about(&self, run: Uuid, by: &str, command: Command, step: &str) -> Answer {
        self.order(run, by, command, Some(step.to_owned())).await
    }

    async fn order(&self, run: Uuid, by: &str, command: Command, step: Option<String>) -> Answer {
        let order = Order { command, by: by.to_owned(), reason: Some("a test".to_owned()), step, evidence: None };
        let id = self.store.say(run, &order).await.unwrap();
        self.answer(id).await
    }

    pub async fn answer(&self, id: i64) -> Answer {
        let wait = async {
            loop {
                if let Ok(Some(answer)) = self.store.answer(id).await {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.expect("no answer")
    }

    pub async fn journal(&self, run: Uuid) -> Vec<JournalEntry> {
        self.store.journal(run, 0, 100_000).await.unwrap()
    }

    pub async fn execute(&self, sql: String) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(self.store.pool()).await.unwrap();
    }

    pub async fn epoch(&self, run: Uuid) -> i64 {
        sqlx::query_scalar("select epoch from shard where id = $1").bind(shard_of(run)).fetch_one(self.store.pool()).await.unwrap()
    }

    /// How often the run was loaded at its present place.
    pub async fn loaded(&self, run: Uuid) -> i16 {
        sqlx::query_scalar("select loads from wake where run = $1").bind(run).fetch_one(self.store.pool()).await.unwrap()
    }

    /// Waits until a count is at least this.
    pub async fn until_at_least(&self, sql: &'static str, least: i64) {
        let wait = async {
            while self.count(sql).await < least {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.unwrap_or_else(|_| panic!("{sql} never reaches {least}"));
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.store.pool()).await.unwrap_or(-1)
    }

    pub async fn until(&self, sql: &'static str, wanted: i64) {
        let wait = async {
            while self.count(sql).await != wanted {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.unwrap_or_else(|_| panic!("{sql} is never {wanted}"));
    }
}

pub fn bundle(approvals: &str, text: &str) -> Bundle {
    let source = Source::new("test.yaml", text);
    let (playbook, _) = playbook::read(&source, &BTreeMap::new(), &Carried::default()).unwrap_or_else(|error| panic!("{}", error.plain()));
    let config = Config::read("cutover.yaml", &format!("environments:\n  local:\n    approvals: {approvals}\n")).expect("a config");
    Bundle::pack(&source, &BTreeMap::new(), &playbook, config.environment(None).expect("an environment").clone())
}

pub fn notes(count: usize) -> String {
    let steps: String = (0..count).map(|at| format!("  - id: n{at}\n    note: {{text: number {at}}}\n")).collect::<Vec<_>>().concat();
    format!("playbook: notes\nsteps:\n{steps}")
}

pub fn found(journal: &[JournalEntry]) -> usize {
    journal.iter().filter(|entry| matches!(entry.entry, Entry::ActDone { found: true, .. })).count()
}
