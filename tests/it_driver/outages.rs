//! The way to the database: runs outlive its death and its silence.

use std::sync::Arc;
use std::time::Duration;

use cutover::driver::{Driver, DriverOptions};
use cutover::stack::DataDir;
use cutover::stack::process::Identity;
use cutover::store::{Store, StoreOptions};

use crate::bench::{Bench, LONG, Node, SHORT_LEASE, notes};
use crate::ground::{Ground, ground};
use crate::wire::Wire;

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
        bench.until_at_least("select max(seq) from entry", round * 60).await;
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
