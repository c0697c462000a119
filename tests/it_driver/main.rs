//! The driver on a real Postgres: runs go on whatever happens to controllers, connections, the database, and other runs.

mod ground;
#[path = "it_driver/wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cutover::driver::{Driver, DriverOptions, NewRunRequest, Worlds, claim_again, plan_bundle, start_run};
use cutover::engine::command::Answer;
use cutover::engine::{Command, Entry, JournalEntry, Order};
use cutover::playbook::environment::{Config, Environment};
use cutover::playbook::{self, Bundle, Carried, Source};
use cutover::ports::PortError;
use cutover::ports::flags::{FlagChange, FlagState, Flags};
use cutover::ports::metrics::Metrics;
use cutover::sim::{SimFlags, SimMetrics};
use cutover::stack::DataDir;
use cutover::stack::process::Identity;
use cutover::step::World;
use cutover::store::{Store, StoreOptions, shard_of};
use ground::{Ground, ground};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use uuid::Uuid;
use wire::Wire;

/// A guard against waiting for ever, never a measure.
const LONG: Duration = Duration::from_mins(2);
const SHORT_LEASE: Duration = Duration::from_secs(1);

/// Flags in memory whose changes wait for a permit; a flag called `panic` does what it says.
struct Gate {
    flags: SimFlags,
    permits: Semaphore,
    metrics: Arc<SimMetrics>,
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
struct Bench {
    url: String,
    store: Store,
    gate: Arc<Gate>,
    worlds: Arc<dyn Worlds>,
    lease: Duration,
}

/// A controller in a runtime of its own, so that it can be killed like a process.
struct Node {
    runtime: Option<Runtime>,
    driver: Option<Driver>,
}

impl Node {
    /// Ends everything it does, where it stands.
    fn kill(mut self) {
        std::mem::forget(self.driver.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    async fn hand_over(mut self) {
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
    async fn new() -> Self {
        Self::on(ground().database().await, Duration::from_secs(5)).await
    }

    async fn on(url: String, lease: Duration) -> Self {
        // Why: a test that fails should show what its controllers said.
        let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_test_writer().try_init();
        let store = ground::store(&url, Duration::from_secs(5)).await;
        let metrics = Arc::new(SimMetrics::new("main", Arc::default()));
        let gate = Arc::new(Gate { flags: SimFlags::new("main"), permits: Semaphore::new(0), metrics });
        let worlds: Arc<dyn Worlds> = Arc::new(Gated(Arc::clone(&gate)));
        Self { url, store, gate, worlds, lease }
    }

    async fn node(&self, name: &str) -> Node {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (url, lease, worlds, name) = (self.url.clone(), self.lease, Arc::clone(&self.worlds), name.to_owned());
        let driver = runtime.spawn(async move {
            let store = Store::connect(&StoreOptions { url, lease, connections: 8 }).unwrap();
            Driver::start(DriverOptions { store, worlds, name, crash: None }).await.unwrap()
        });
        Node { driver: Some(driver.await.unwrap()), runtime: Some(runtime) }
    }

    async fn start(&self, text: &str) -> Uuid {
        self.start_in("self", text).await
    }

    async fn start_in(&self, approvals: &str, text: &str) -> Uuid {
        let bundle = bundle(approvals, text);
        let (plan, _) = plan_bundle(&self.store, self.worlds.as_ref(), &bundle).await.unwrap();
        let request = NewRunRequest { id: Uuid::now_v7(), bundle, plan, by: "ada".to_owned(), yes: false };
        start_run(&self.store, request).await.unwrap()
    }

    async fn reach(&self, run: Uuid, state: &str) {
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
    async fn until_longer(&self, run: Uuid, entries: usize) {
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

    async fn say(&self, run: Uuid, by: &str, command: Command) -> Answer {
        let order = Order { command, by: by.to_owned(), reason: Some("a test".to_owned()), step: None, evidence: None };
        let id = self.store.say(run, &order).await.unwrap();
        self.answer(id).await
    }

    async fn answer(&self, id: i64) -> Answer {
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

    async fn journal(&self, run: Uuid) -> Vec<JournalEntry> {
        self.store.journal(run, 0, 100_000).await.unwrap()
    }

    async fn execute(&self, sql: String) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(self.store.pool()).await.unwrap();
    }

    async fn epoch(&self, run: Uuid) -> i64 {
        sqlx::query_scalar("select epoch from shard where id = $1").bind(shard_of(run)).fetch_one(self.store.pool()).await.unwrap()
    }

    /// How often the run was loaded at its present place.
    async fn loaded(&self, run: Uuid) -> i16 {
        sqlx::query_scalar("select loads from wake where run = $1").bind(run).fetch_one(self.store.pool()).await.unwrap()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.store.pool()).await.unwrap_or(-1)
    }

    async fn until(&self, sql: &'static str, wanted: i64) {
        let wait = async {
            while self.count(sql).await != wanted {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.unwrap_or_else(|_| panic!("{sql} is never {wanted}"));
    }
}

fn bundle(approvals: &str, text: &str) -> Bundle {
    let source = Source::new("test.yaml", text);
    let (playbook, _) = playbook::read(&source, &BTreeMap::new(), &Carried::default()).unwrap_or_else(|error| panic!("{}", error.plain()));
    let config = Config::read("cutover.yaml", &format!("environments:\n  local:\n    approvals: {approvals}\n")).expect("a config");
    Bundle::pack(&source, &BTreeMap::new(), &playbook, config.environment(None).expect("an environment").clone())
}

fn notes(count: usize) -> String {
    let steps: String = (0..count).map(|at| format!("  - id: n{at}\n    note: {{text: number {at}}}\n")).collect::<Vec<_>>().concat();
    format!("playbook: notes\nsteps:\n{steps}")
}

fn found(journal: &[JournalEntry]) -> usize {
    journal.iter().filter(|entry| matches!(entry.entry, Entry::ActDone { found: true, .. })).count()
}

const WAITS: &str = "playbook: waits\nsteps:\n  - id: wait\n    wait: {for: 1h}\n  - id: after\n    note: {text: after}\n";
const FLAG: &str = "playbook: flag\nsteps:\n  - id: flag\n    set_flag: {flag: f, to: on}\n";

/// A flag whose change is guarded.
fn guarded(then: &str) -> String {
    format!("{FLAG}    guards:\n      - metric: {{query: errors, above: 1, then: {then}, interval: 500ms}}\n")
}

#[tokio::test]
async fn a_guard_is_looked_at_while_an_act_hangs_and_takes_the_step_back() {
    let bench = Bench::new().await;
    bench.gate.metrics.set("errors", 0.0);
    let node = bench.node("one").await;
    let run = bench.start(&guarded("revert_step")).await;
    bench.until("select count(*) from entry where kind = 'act_begun'", 1).await;
    // The act waits for its permit, and rounds of samples come in meanwhile.
    let rounds = async {
        while bench.count("select count(*) from entry where kind = 'watched'").await < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, rounds).await.expect("nobody looks at the guard");
    bench.gate.metrics.set("errors", 9.0);
    bench.until("select count(*) from entry where kind = 'revert_begun'", 1).await;
    bench.gate.permits.add_permits(100);
    bench.reach(run, "failed").await;
    let journal = bench.journal(run).await;
    let kinds: Vec<_> = journal.iter().map(|entry| entry.entry.write().unwrap().0).filter(|kind| kind != "watched").collect();
    let expected = ["run_begun", "step_begun", "act_begun", "step_failed", "revert_ordered", "revert_begun"];
    assert_eq!(kinds[..expected.len()], expected, "{kinds:?}");
    let told =
        journal.iter().find_map(|entry| if let Entry::StepFailed { error, .. } = &entry.entry { Some(error.to_string()) } else { None });
    let told = told.unwrap();
    assert!(told.starts_with("metric errors is 9 at ") && told.ends_with(" UTC and must not be above 1"), "{told}");
    let flag = bench.gate.flags.flag("f").await.unwrap().unwrap();
    assert!(!flag.enabled);
    assert_eq!(bench.gate.flags.revision().await.unwrap(), 1, "the act that was given up happened all the same");
    node.hand_over().await;
}

#[tokio::test]
async fn a_hold_outlives_its_controller_and_ends_when_the_guard_is_good_again() {
    let bench = Bench { lease: SHORT_LEASE, ..Bench::new().await };
    bench.gate.metrics.set("errors", 9.0);
    bench.gate.permits.add_permits(1);
    let first = bench.node("first").await;
    let run = bench.start(&guarded("hold")).await;
    bench.reach(run, "held").await;
    let answer = bench.say(run, "bob", Command::Retry).await;
    assert!(!answer.taken && answer.text.contains("resume"), "{}", answer.text);
    first.kill();
    let samples = bench.count("select count(*) from entry where kind = 'watched'").await;
    let second = bench.node("second").await;
    let looked = async {
        while bench.count("select count(*) from entry where kind = 'watched'").await < samples + 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, looked).await.expect("nobody looks at the guard any more");
    bench.reach(run, "held").await;
    assert_eq!(bench.count("select count(*) from entry where kind in ('act_begun', 'act_done')").await, 0);
    bench.gate.metrics.set("errors", 0.0);
    bench.reach(run, "done").await;
    let kinds: Vec<_> =
        bench.journal(run).await.iter().map(|entry| entry.entry.write().unwrap().0).filter(|kind| kind != "watched").collect();
    assert_eq!(kinds, ["run_begun", "step_begun", "held", "released", "act_begun", "act_done", "step_done", "run_ended"]);
    second.hand_over().await;
}

#[tokio::test]
async fn a_run_of_notes_ends_done() {
    let bench = Bench::new().await;
    let node = bench.node("one").await;
    let run = bench.start(&notes(5)).await;
    bench.reach(run, "done").await;
    let journal = bench.journal(run).await;
    let kinds: Vec<_> = journal.iter().map(|entry| entry.entry.write().unwrap().0).collect();
    assert_eq!(kinds.len(), 1 + 5 * 3 + 1, "{kinds:?}");
    assert!(journal.iter().zip(1..).all(|(entry, seq)| entry.seq == seq));
    node.hand_over().await;
    // What counts is that another controller may take every shard at once: a name in it of one that has left holds nothing.
    assert_eq!(bench.count("select count(*) from shard s join controller c on c.id = s.owner").await, 0);
    assert_eq!(bench.count("select count(*) from controller").await, 0);
}

#[tokio::test]
async fn controllers_share_the_shards_and_one_that_dies_is_replaced() {
    let bench = Bench { lease: SHORT_LEASE, ..Bench::new().await };
    let first = bench.node("first").await;
    bench.until("select count(*) from shard where owner is not null", 256).await;
    let second = bench.node("second").await;
    bench.until("select count(*) from (select owner from shard group by owner having count(*) = 128) as halves", 2).await;
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(bench.start(&notes(100)).await);
    }
    bench.until("select count(distinct run) from entry where seq > 5", 20).await;
    first.kill();
    for run in &runs {
        bench.reach(*run, "done").await;
    }
    bench.until("select count(distinct owner) from shard where owner is not null", 1).await;
    for run in runs {
        assert_eq!(bench.journal(run).await.len(), 302);
    }
    second.hand_over().await;
}

#[tokio::test]
async fn a_controller_that_hands_over_leaves_no_act_to_be_looked_for() {
    let bench = Bench::new().await;
    let mut node = bench.node("0").await;
    let mut runs = Vec::new();
    for _ in 0..10 {
        runs.push(bench.start(&notes(60)).await);
    }
    for turn in 1..4 {
        let floor = turn * 20;
        let wait = async {
            while bench.count("select max(seq) from entry").await < floor {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.expect("runs go on");
        let next = bench.node(&turn.to_string()).await;
        std::mem::replace(&mut node, next).hand_over().await;
    }
    for run in runs {
        bench.reach(run, "done").await;
        assert_eq!(found(&bench.journal(run).await), 0);
    }
    node.hand_over().await;
}

#[tokio::test]
async fn an_act_that_takes_longer_than_the_lease_is_finished_before_the_hand_over() {
    let bench = Bench { lease: SHORT_LEASE, ..Bench::new().await };
    let node = bench.node("first").await;
    let run = bench.start(FLAG).await;
    bench.until("select count(*) from entry where kind = 'step_begun'", 1).await;
    let handed = tokio::spawn(node.hand_over());
    tokio::time::sleep(SHORT_LEASE * 3).await;
    bench.gate.permits.add_permits(1);
    handed.await.unwrap();
    let acted = bench.journal(run).await.iter().any(|entry| matches!(entry.entry, Entry::ActDone { .. }));
    assert!(acted, "it was handed over before the act was finished");
    let next = bench.node("second").await;
    bench.reach(run, "done").await;
    assert_eq!(found(&bench.journal(run).await), 0);
    next.hand_over().await;
}

#[tokio::test]
async fn a_controller_that_loses_its_lease_again_and_again_blames_no_run() {
    let bench = Bench::new().await;
    let node = bench.node("one").await;
    let run = bench.start(FLAG).await;
    bench.until("select count(*) from entry where kind = 'step_begun'", 1).await;
    for _ in 0..6 {
        let epoch = bench.epoch(run).await;
        bench.execute("update controller set lease_until = clock_timestamp()".to_owned()).await;
        let again = async {
            while bench.epoch(run).await == epoch || bench.loaded(run).await < 1 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LONG, again).await.expect("the run is not taken up again");
    }
    bench.gate.permits.add_permits(100);
    bench.reach(run, "done").await;
    node.hand_over().await;
}

#[tokio::test]
async fn a_run_that_cannot_be_read_is_set_aside_and_the_others_go_on() {
    let bench = Bench::new().await;
    let (bad, holed) = (bench.start(WAITS).await, bench.start(&WAITS.replace("waits", "holed")).await);
    let node = bench.node("one").await;
    bench.reach(bad, "waiting").await;
    bench.reach(holed, "waiting").await;
    bench.execute(format!("update entry set body = '{{}}' where run = '{bad}' and seq = 2")).await;
    bench.execute(format!("update entry set seq = 99 where run = '{holed}' and seq = 3")).await;
    for run in [bad, holed] {
        let answer = bench.say(run, "ada", Command::Skip).await;
        assert!(!answer.taken && answer.text.contains("cannot be read"), "{answer:?}");
        bench.reach(run, "quarantined").await;
    }
    let good = bench.start(&notes(3)).await;
    bench.reach(good, "done").await;

    // Mended, it does not go on by itself.
    bench.execute(format!("update entry set seq = 3 where run = '{holed}' and seq = 99")).await;
    let answer = bench.say(holed, "ada", Command::Resume).await;
    assert!(!answer.taken, "{answer:?}");
    assert!(bench.say(holed, "ada", Command::Retry).await.taken);
    bench.reach(holed, "waiting").await;
    node.hand_over().await;
}

#[tokio::test]
async fn an_order_in_unknown_words_is_refused_and_stops_nobody() {
    let bench = Bench::new().await;
    let run = bench.start(WAITS).await;
    let node = bench.node("one").await;
    bench.reach(run, "waiting").await;
    bench.execute(format!("insert into inbox (run, shard, body) values ('{run}', {}, '{{\"command\": \"dance\"}}')", shard_of(run))).await;
    let id = bench.count("select max(id) from inbox").await;
    let answer = bench.answer(id).await;
    assert!(!answer.taken && answer.text.contains("dance"), "{answer:?}");
    assert!(bench.say(run, "ada", Command::Skip).await.taken);
    bench.reach(run, "done").await;
    node.hand_over().await;
}

#[tokio::test]
async fn a_run_that_brings_controllers_down_is_taken_out_of_service() {
    let bench = Bench::new().await;
    let run = bench.start(&notes(2)).await;
    bench.execute(format!("update wake set loads = 3, loaded = 1 where run = '{run}'")).await;
    let node = bench.node("one").await;
    bench.reach(run, "quarantined").await;
    assert!(!bench.say(run, "ada", Command::Resume).await.taken);
    assert!(bench.say(run, "ada", Command::Retry).await.taken);
    bench.reach(run, "done").await;
    node.hand_over().await;
}

#[tokio::test]
async fn runs_outlive_the_database() {
    let own = Ground::begin().await;
    let bench = Bench::on(own.database().await, SHORT_LEASE).await;
    let node = bench.node("one").await;
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.push(bench.start(&notes(300)).await);
    }
    for round in 1..=3 {
        let floor = round * 60;
        let wait = async {
            while bench.count("select max(seq) from entry").await < floor {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(LONG, wait).await.expect("runs go on");
        let holding: serde_json::Value =
            serde_json::from_slice(&std::fs::read(AsRef::<DataDir>::as_ref(&own).keeper().join("holding.json")).unwrap()).unwrap();
        let postgres: Identity = serde_json::from_value(holding["postgres"].clone()).unwrap();
        let pid = nix::unistd::Pid::from_raw(postgres.pid.try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        assert!(postgres.wait(LONG).await);
    }
    for run in runs {
        bench.reach(run, "done").await;
        let journal = bench.journal(run).await;
        assert_eq!(journal.len(), 902, "each step has its three entries and no more");
    }
    node.hand_over().await;
}

#[tokio::test]
async fn connections_that_fall_silent_stop_nothing() {
    let url = ground().database().await;
    let bench = Bench::on(url.clone(), Duration::from_secs(5)).await;
    let wire = Wire::to(&url).await;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (through, worlds) = (wire.url.clone(), Arc::clone(&bench.worlds));
    let driver = runtime.spawn(async move {
        let store = Store::connect(&StoreOptions { url: through, lease: Duration::from_secs(1), connections: 4 }).unwrap();
        Driver::start(DriverOptions { store, worlds, name: "far".to_owned(), crash: None }).await.unwrap()
    });
    let node = Node { driver: Some(driver.await.unwrap()), runtime: Some(runtime) };
    let run = bench.start(&notes(2000)).await;
    for silences in 1..=3 {
        let seen = bench.journal(run).await.len();
        bench.until_longer(run, seen + 300).await;
        assert!(wire.fall_silent() > 0, "silence {silences} silences nobody");
    }
    bench.reach(run, "done").await;
    assert_eq!(bench.journal(run).await.len(), 6002, "each step has its three entries and no more");
    node.hand_over().await;
}

#[tokio::test]
async fn a_waiting_run_hears_orders_and_costs_no_memory() {
    let bench = Bench::new().await;
    let runs: Vec<Uuid> = {
        let bundle = bundle("self", WAITS);
        let (plan, _) = plan_bundle(&bench.store, bench.worlds.as_ref(), &bundle).await.unwrap();
        let mut runs = Vec::new();
        for _ in 0..1000 {
            let request =
                NewRunRequest { id: Uuid::now_v7(), bundle: bundle.clone(), plan: plan.clone(), by: "ada".to_owned(), yes: false };
            runs.push(start_run(&bench.store, request).await.unwrap());
        }
        runs
    };
    let node = bench.node("one").await;
    bench.until("select count(*) from run where state = 'waiting'", 1000).await;
    bench.until("select count(*) from wake where at > clock_timestamp() + interval '1 minute'", 1000).await;
    let empty = async {
        while node.driver.as_ref().unwrap().in_memory() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, empty).await.expect("waiting runs stay in memory");
    assert!(bench.say(runs[500], "ada", Command::Pause).await.taken);
    bench.reach(runs[500], "paused").await;
    assert!(bench.say(runs[500], "ada", Command::Resume).await.taken);
    bench.reach(runs[500], "waiting").await;
    assert!(bench.say(runs[500], "ada", Command::Skip).await.taken);
    bench.reach(runs[500], "done").await;
    node.hand_over().await;
}

#[tokio::test]
async fn a_done_run_is_taken_back_and_holds_what_it_touches_meanwhile() {
    let bench = Bench::new().await;
    let node = bench.node("one").await;
    bench.gate.permits.add_permits(1);
    let run = bench.start(FLAG).await;
    bench.reach(run, "done").await;
    assert_eq!(bench.store.held_by(run).await.unwrap(), []);

    // A refused order frees what was claimed for it.
    claim_again(&bench.store, bench.worlds.as_ref(), run).await.unwrap();
    assert!(!bench.say(run, "ada", Command::Retry).await.taken);
    assert_eq!(bench.store.held_by(run).await.unwrap(), []);

    claim_again(&bench.store, bench.worlds.as_ref(), run).await.unwrap();
    assert!(bench.say(run, "ada", Command::Revert).await.taken);
    bench.reach(run, "reverting").await;
    bench.until("select count(*) from entry where kind = 'step_begun'", 2).await;
    assert_eq!(bench.store.held_by(run).await.unwrap().len(), 1, "it is taken back without holding what it touches");
    bench.gate.permits.add_permits(1);
    bench.reach(run, "reverted").await;
    assert!(!bench.gate.flags.flag("f").await.unwrap().unwrap().enabled);
    assert_eq!(bench.store.held_by(run).await.unwrap(), []);
    node.hand_over().await;
}

#[tokio::test]
async fn somebody_else_must_approve_where_the_environment_says_so() {
    let bench = Bench::new().await;
    let node = bench.node("one").await;
    let run = bench.start_in("other", "playbook: asks\nsteps:\n  - id: ask\n    approval: {text: shall we}\n").await;
    bench.reach(run, "asking").await;
    assert!(!bench.say(run, "ada", Command::Approve).await.taken);
    assert!(bench.say(run, "bob", Command::Approve).await.taken);
    bench.reach(run, "done").await;
    node.hand_over().await;
}

#[tokio::test]
async fn an_act_that_panics_fails_its_step_and_nothing_else() {
    let bench = Bench::new().await;
    let node = bench.node("one").await;
    let run = bench.start(&FLAG.replace("flag: f,", "flag: panic,")).await;
    bench.reach(run, "failed").await;
    let journal = bench.journal(run).await;
    let said = journal
        .iter()
        .any(|entry| matches!(&entry.entry, Entry::StepFailed { error, .. } if error.to_string().contains("the port panics")));
    assert!(said, "{journal:?}");
    let other = bench.start(&notes(2)).await;
    bench.reach(other, "done").await;
    node.hand_over().await;
}
