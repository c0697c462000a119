//! Guards on rows of a real database and on answers of a real service.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use cutover::adapters::database::PostgresDatabase;
use cutover::adapters::http::HttpService;
use cutover::adapters::secret::ProcessSecrets;
use cutover::driver::Worlds;
use cutover::engine::Entry;
use cutover::playbook::environment::Environment;
use cutover::ports::flags::Flags;
use cutover::ports::settings::{DatabaseSettings, HttpSettings};
use cutover::step::World;
use uuid::Uuid;

use crate::bench::{Bench, FLAG};

const SETTING: &str = "cutover.yaml: environments.local.test";

/// Flags in memory, a database and a service.
struct Outside {
    flags: Arc<dyn Flags>,
    database: DatabaseSettings,
    service: HttpSettings,
}

impl Worlds for Outside {
    fn world(&self, environment: &Environment) -> World {
        let secrets = ProcessSecrets::default();
        let database = PostgresDatabase::connect("hiring", &self.database, SETTING, &secrets).map(|one| one as _);
        let service = HttpService::connect("hiring", &self.service, SETTING, &secrets).map(|one| one as _);
        World::builder(&environment.name)
            .flags("main", Ok(Arc::clone(&self.flags)))
            .database("hiring", database)
            .http("hiring", service)
            .build()
    }
}

/// What the service answers.
#[derive(Default)]
struct Says {
    status: AtomicU16,
    queue: AtomicU64,
}

struct Stage {
    bench: Bench,
    says: Arc<Says>,
    served: tokio::task::JoinHandle<()>,
}

async fn stage() -> Stage {
    let bench = Bench::new().await;
    bench
        .execute(
            "create table public.failed (topic text); create table public.switch (on_ boolean); create sequence public.numbers".to_owned(),
        )
        .await;
    let says = Arc::new(Says { status: AtomicU16::new(200), queue: AtomicU64::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = {
        let says = Arc::clone(&says);
        async move || {
            let status = StatusCode::from_u16(says.status.load(Ordering::Relaxed)).unwrap();
            (status, format!(r#"{{"queue": {}, "name": "hiring"}}"#, says.queue.load(Ordering::Relaxed))).into_response()
        }
    };
    let router = Router::new().route("/health", get(answer)).route("/text", get(async || "no JSON"));
    let served = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let worlds = Arc::new(Outside {
        flags: Arc::clone(&bench.gate) as _,
        database: DatabaseSettings { url: bench.url.clone(), password: None, tls: None },
        service: HttpSettings { url, bearer: None, tls: None },
    });
    Stage { bench: Bench { worlds, ..bench }, says, served }
}

fn guarded(guard: &str) -> String {
    format!("{FLAG}    guards:\n      - {guard}\n")
}

async fn failure(bench: &Bench, run: Uuid) -> String {
    let journal = bench.journal(run).await;
    let told = |entry: &Entry| if let Entry::StepFailed { error, .. } = entry { Some(error.to_string()) } else { None };
    journal.iter().find_map(|entry| told(&entry.entry)).expect("a failure")
}

/// The newest readings, in words.
async fn lines(bench: &Bench, run: Uuid) -> String {
    format!(
        "{:?}",
        bench.journal(run).await.iter().rev().find(|entry| matches!(entry.entry, Entry::Watched { .. })).expect("a sample").entry
    )
}

const SAMPLES: &str = "select count(*) from entry where kind = 'watched'";

#[tokio::test]
async fn rows_that_should_not_be_there_take_the_step_back() {
    let stage = stage().await;
    let bench = &stage.bench;
    let query = "sql: {database: hiring, query: 'select count(*) from failed where topic = $1', binds: [orders], above: 1, then: revert_step, interval: 500ms}";
    let node = bench.node("one").await;
    let run = bench.start(&guarded(query)).await;
    bench.execute("insert into public.failed values ('orders'), ('others'), ('others')".to_owned()).await;
    let before = bench.count(SAMPLES).await;
    bench.until_at_least(SAMPLES, before + 3).await;
    assert!(bench.store.run(run).await.unwrap().unwrap().state != "failed", "one row is the limit itself");
    bench.execute("insert into public.failed values ('orders')".to_owned()).await;
    bench.until("select count(*) from entry where kind = 'revert_begun'", 1).await;
    bench.gate.permits.add_permits(100);
    bench.reach(run, "failed").await;
    let told = failure(bench, run).await;
    let begins = "sql select count(*) from failed where topic = $1 in hiring is 2 at ";
    assert!(told.starts_with(begins) && told.ends_with("and must not be above 1"), "{told}");
    assert_eq!(bench.count("select count(*) from public.failed").await, 4, "it only read");
    node.hand_over().await;
}

#[tokio::test]
async fn a_query_that_gives_nothing_holds_and_never_passes() {
    let stage = stage().await;
    let bench = &stage.bench;
    bench.gate.permits.add_permits(100);
    let guard = "sql: {database: hiring, query: 'select on_ from switch', must_be: true, then: hold, interval: 500ms, consecutive_error_limit: 0, release_after: 1}";
    let node = bench.node("one").await;
    let run = bench.start(&guarded(guard)).await;
    bench.reach(run, "held").await;
    assert!(lines(bench, run).await.contains("no row"), "{}", lines(bench, run).await);
    assert_eq!(bench.count("select count(*) from entry where kind = 'act_begun'").await, 0);
    bench.execute("insert into public.switch values (true)".to_owned()).await;
    bench.reach(run, "done").await;
    node.hand_over().await;
}

#[tokio::test]
async fn another_status_takes_the_run_back_and_silence_holds_it() {
    let stage = stage().await;
    let bench = &stage.bench;
    let guard = |then: &str| {
        format!(
            "http: {{http: hiring, path: /health, pointer: /queue, above: 5, then: {then}, interval: 500ms, consecutive_error_limit: 0}}"
        )
    };
    let node = bench.node("one").await;
    stage.says.queue.store(5, Ordering::Relaxed);
    let run = bench.start(&guarded(&guard("revert_step"))).await;
    bench.until_at_least(SAMPLES, 2).await;
    stage.says.status.store(503, Ordering::Relaxed);
    bench.until("select count(*) from entry where kind = 'revert_begun'", 1).await;
    bench.gate.permits.add_permits(100);
    bench.reach(run, "failed").await;
    let told = failure(bench, run).await;
    assert!(told.starts_with("http /health of hiring at /queue is status 503 at "), "{told}");

    stage.served.abort();
    let _ = stage.served.await;
    let second = bench.start(&guarded(&guard("revert_step")).replace("flag: f", "flag: g")).await;
    bench.reach(second, "held").await;
    assert!(lines(bench, second).await.contains("cannot be reached"), "{}", lines(bench, second).await);
    node.hand_over().await;
}

#[tokio::test]
async fn what_a_guard_cannot_use_is_told_before_the_run() {
    let stage = stage().await;
    let told = async |guard: &str| {
        let bundle = crate::bench::bundle("self", &guarded(guard));
        match cutover::driver::plan_bundle(&stage.bench.store, stage.bench.worlds.as_ref(), &bundle).await {
            Ok(_) => "fine".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    let sql = async |query: &str, limit: &str| told(&format!("sql: {{database: hiring, query: \"{query}\", {limit}, then: hold}}")).await;
    for (query, limit, why) in [
        ("select 1, 2", "above: 1", "the query gives 2 columns"),
        ("select topic from failed union all select 'a'", "above: 1", "neither a number nor a boolean"),
        ("select 1", "must_be: true", "gives no boolean"),
        ("select true", "above: 1", "gives a boolean"),
        ("select generate_series(1, 3)", "above: 1", "several rows"),
        ("selec 1", "above: 1", "syntax error"),
        ("delete from failed", "above: 1", "gives no rows"),
        ("delete from failed returning 1", "above: 1", "syntax error"),
        ("select 1; select 2", "above: 1", "multiple commands"),
        ("select nextval('numbers')", "above: 1", "read-only"),
        ("select count(*) from comes_later", "above: 1", "fine"),
        ("select pg_sleep(60)::text::int", "above: 1, timeout: 300ms", "timeout"),
    ] {
        let said = sql(query, limit).await;
        assert!(said.contains(why), "{query}: {said}");
    }
    for (guard, why) in [
        ("http: {http: bonuses, path: /x, then: hold}", "has no http `bonuses`"),
        ("http: {http: hiring, path: /text, pointer: /a, above: 1, then: hold}", "fine"),
        ("sql: {database: bonuses, query: select 1, above: 1, then: hold}", "has no database `bonuses`"),
    ] {
        let said = told(guard).await;
        assert!(said.contains(why), "{guard}: {said}");
    }
}
