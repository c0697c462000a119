//! Kills a controller at every journal write of every step kind, on each side of it, and has another controller finish the run.
//!
//! For each (kind, write, side) a `cutover serve` in a process of its own ends itself with SIGKILL there; then a second controller takes
//! the run over on real Kafka, registry and Postgres. The run must end well, the world must be as after an undisturbed run, and no act
//! may have happened twice.

mod service;
mod support;

#[path = "it_crash/case.rs"]
mod case;
#[path = "it_crash/controller.rs"]
mod controller;
#[path = "it_crash/services.rs"]
mod services;
#[path = "it_crash/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use cutover::steps::KINDS;
use serde_json::Value;
use tokio::sync::Semaphore;

use self::case::{Case, Outcome};

/// How many cases run at once.
const AT_ONCE: usize = 4;

/// More writes than any example makes.
const MOST_WRITES: u32 = 40;

/// One kind: an undisturbed run, then a kill at each write about each of its steps, on each side, until there is nothing left to kill. Why its
/// own steps only: the others of its example have matrices of their own.
async fn kind(name: &'static str, permits: Arc<Semaphore>) -> Vec<(String, Outcome)> {
    let permit = permits.acquire().await.unwrap();
    let golden = Case::new(name, "golden").play(None).await;
    drop(permit);
    let mut rows = vec![(format!("{name:<18} undisturbed"), golden.clone())];
    // The run's own writes, its beginning and its end, are the same for every kind.
    let whole = (name == "note").then_some(String::new());
    let steps = Case::new(name, "steps").steps().into_iter().chain(whole);
    let steps = steps.map(|step| tokio::task::spawn_local(killed(name, step, golden.world.clone(), Arc::clone(&permits))));
    for killed in steps.collect::<Vec<_>>() {
        rows.extend(killed.await.unwrap());
    }
    rows
}

/// Kills at each write about a step, or at each write of the run where none is named.
async fn killed(name: &'static str, step: String, golden: Value, permits: Arc<Semaphore>) -> Vec<(String, Outcome)> {
    let mut rows = Vec::new();
    for write in 1..=MOST_WRITES {
        let mut survived = 0;
        let sides = ["before", "committed", "acted"].map(|side| {
            let (permits, golden, step) = (Arc::clone(&permits), golden.clone(), step.clone());
            tokio::task::spawn_local(async move {
                let _permit = permits.acquire_owned().await.unwrap();
                let point = [side, &write.to_string(), &step].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(":");
                let outcome = Case::new(name, &format!("{step}-{side}{write}")).play(Some(point)).await;
                assert_eq!(outcome.world, golden, "{name}, killed {side} write {write} about {step}: the world is another one");
                (side, outcome)
            })
        });
        for side in sides {
            let (side, outcome) = side.await.unwrap();
            survived += u32::from(!outcome.killed);
            rows.push((format!("{name:<18} {step}, write {write:>2} {side:<9}"), outcome));
        }
        if survived == 3 {
            return rows;
        }
    }
    panic!("{step} of {name} makes more than {MOST_WRITES} writes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_may_be_killed_at_every_write_of_every_kind() {
    tokio::task::LocalSet::new().run_until(matrix()).await;
}

async fn matrix() {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let hears = Box::pin(case::hears_of_instances()).await;
    let played: Vec<_> = KINDS.iter().filter(|found| hears || found.name != "retire_producers").collect();
    let kinds: Vec<_> = played.iter().map(|found| tokio::task::spawn_local(kind(found.name, Arc::clone(&permits)))).collect();
    let mut killed: BTreeMap<String, usize> = BTreeMap::new();
    let mut total = 0;
    for (found, rows) in played.iter().zip(kinds) {
        for (place, outcome) in rows.await.unwrap() {
            println!("{place}  {}", outcome.line());
            total += usize::from(outcome.killed);
            *killed.entry(found.name.to_owned()).or_default() += usize::from(outcome.killed);
        }
    }
    println!("{total} kills, {} kinds", killed.len());
    for found in played {
        assert!(killed.get(found.name).is_some_and(|count| *count >= 2), "{} was hardly ever killed", found.name);
    }
}
