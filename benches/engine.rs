//! Measures the engine on a private Postgres of its own with fsync on: time per step of one long run, steps per second over many runs.
//! Run it with `cargo bench --bench engine`; each figure is the median of several rounds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover::adapters::secret::{ProcessSecrets, Redactor};
use cutover::driver::{Driver, DriverOptions, NewRunRequest, RealWorlds, Worlds, plan_bundle, start_run};
use cutover::playbook::environment::Config;
use cutover::playbook::{Bundle, Carried, Source};
use cutover::stack::{DataDir, keeper};
use cutover::store::{Store, StoreOptions};
use uuid::Uuid;

const ROUNDS: usize = 5;

fn bundle(name: &str, steps: usize) -> Bundle {
    let mut text = format!("playbook: {name}\nsteps:\n");
    for step in 0..steps {
        writeln!(text, "  - id: s{step}\n    note: {{text: \"note number {step}\"}}").expect("a text");
    }
    let source = Source::new("bench.yaml", text.as_str());
    let (playbook, _) = cutover::playbook::read(&source, &BTreeMap::new(), &Carried(BTreeMap::new())).expect("a playbook");
    let config = Config::read("cutover.yaml", "environments:\n  local:\n    approvals: self\n").expect("a config");
    Bundle::pack(&source, &BTreeMap::new(), &playbook, config.environment(None).expect("an environment").clone())
}

struct Bench {
    store: Store,
    worlds: Arc<RealWorlds>,
    driver: Driver,
}

impl Bench {
    async fn start_all(&self, bundle: &Bundle, runs: usize) -> Vec<Uuid> {
        let (plan, _) = plan_bundle(&self.store, self.worlds.as_ref(), bundle).await.expect("a plan");
        let mut ids = Vec::new();
        for _ in 0..runs {
            let id = Uuid::now_v7();
            let request = NewRunRequest { id, bundle: bundle.clone(), plan: plan.clone(), by: "bench".to_owned(), yes: true };
            start_run(&self.store, request).await.expect("a run");
            ids.push(id);
        }
        ids
    }

    async fn wait(&self, ids: &[Uuid]) {
        loop {
            let open: i64 = sqlx::query_scalar("select count(*) from run where id = any ($1) and state <> 'done'")
                .bind(ids)
                .fetch_one(self.store.pool())
                .await
                .expect("a count");
            if open == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Milliseconds from the first to the last journal entry of these runs, as the database wrote them.
    async fn span(&self, ids: &[Uuid]) -> f64 {
        sqlx::query_scalar("select (extract(epoch from max(at) - min(at)) * 1000)::float8 from entry where run = any ($1) and seq > 1")
            .bind(ids)
            .fetch_one(self.store.pool())
            .await
            .expect("a span")
    }

    /// Milliseconds from one step's end to the next one's, the median.
    async fn p50(&self, id: Uuid) -> f64 {
        sqlx::query_scalar(
            "select percentile_cont(0.5) within group (order by gap) from (
                 select (extract(epoch from at - lag(at) over (order by seq)) * 1000)::float8 as gap from entry where run = $1 and kind = 'step_done') g",
        )
        .bind(id)
        .fetch_one(self.store.pool())
        .await
        .expect("a median")
    }
}

impl Bench {
    /// Milliseconds of one autocommit insert of three rows of a journal entry's size, the median of 200 one after the other.
    async fn bare_insert(&self) -> f64 {
        sqlx::query("create table if not exists bare (run uuid, seq bigint, body jsonb, primary key (run, seq))")
            .execute(self.store.pool())
            .await
            .expect("a table");
        let (run, mut times) = (Uuid::now_v7(), Vec::new());
        for step in 0..200_i64 {
            let begun = Instant::now();
            sqlx::query("insert into bare select $1, $2 * 3 + n, $3 from generate_series(0, 2) n")
                .bind(run)
                .bind(step)
                .bind(serde_json::json!({ "step": "s1", "change": { "text": "note number 1" }, "effects": [], "acts": [] }))
                .execute(self.store.pool())
                .await
                .expect("an insert");
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        median(times)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = DataDir::open(&directory.path().join("data")).expect("a data directory");
    let url = keeper::ensure_with(&data, Path::new(env!("CARGO_BIN_EXE_cutover"))).await.expect("a database");
    let lease = keeper::register(&data).expect("a lease");
    let options = StoreOptions { url: url.expose().to_owned(), lease: Duration::from_secs(5), connections: 10 };
    let store = Store::connect(&options).expect("a store");
    store.migrate().await.expect("a schema");
    let secrets = Arc::new(ProcessSecrets::new(Arc::new(Redactor::default())));
    let worlds = Arc::new(RealWorlds::new(store.clone(), secrets));
    let shared: Arc<dyn Worlds> = worlds.clone();
    let driver = Driver::start(DriverOptions { store: store.clone(), worlds: shared, name: "bench".to_owned(), crash: None })
        .await
        .expect("a driver");
    let bench = Bench { store, worlds, driver };
    tokio::time::sleep(Duration::from_secs(2)).await;

    let long = bundle("long", 200);
    let (mut means, mut p50s) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let ids = bench.start_all(&long, 1).await;
        bench.driver.poke();
        bench.wait(&ids).await;
        means.push(bench.span(&ids).await / 200.0);
        p50s.push(bench.p50(ids[0]).await);
    }
    println!("one run of 200 steps: p50 {:.3} ms per step, mean {:.3} ms", median(p50s), median(means));

    let short = bundle("short", 10);
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let ids = bench.start_all(&short, 200).await;
        let begun = Instant::now();
        bench.driver.poke();
        bench.wait(&ids).await;
        rates.push(2000.0 / begun.elapsed().as_secs_f64());
    }
    println!("200 runs of 10 steps: {:.0} steps/s", median(rates));

    let mut inserts = Vec::new();
    for _ in 0..ROUNDS {
        inserts.push(bench.bare_insert().await);
    }
    println!("baseline, one autocommit insert of three such rows at a time: p50 {:.3} ms", median(inserts));

    bench.driver.stop().await;
    drop(lease);
    keeper::stop(&data).await.expect("an end");
}
