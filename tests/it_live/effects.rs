//! Rows P3 and P4, and P1 with events that say only that something changed: undisturbed, with controllers that are killed, and taken
//! back from the middle.

use serde_json::Value;

use super::played::{did_what_it_foresaw, killed, taken_back};
use super::stage::{Stage, clean, stage};

fn counted(told: &Value, counts: &[&str]) {
    println!("{}", counts.iter().map(|count| format!("{count} {}", told[*count])).collect::<Vec<_>>().join(", "));
    assert!(counts.iter().all(|count| told[*count].as_u64() > Some(0)), "{counts:?}: {told:#}");
}

/// Plays rows to their end.
async fn played(stage: &Stage, rows: &[&str]) -> Value {
    let named = rows.iter().flat_map(|row| ["--playbook", *row]);
    let (told, code) = stage.json(&["demo", "--seconds", "1"].into_iter().chain(named).collect::<Vec<_>>()).await;
    assert_eq!((told["outcome"].as_str(), code), (Some("done"), 0), "{told:#}");
    clean(&told);
    for run in told["runs"].as_array().unwrap() {
        did_what_it_foresaw(stage, run["run"].as_str().unwrap().parse().unwrap()).await;
    }
    told
}

const MOVED: [&str; 4] = ["requests", "assignments", "assigned_by_call", "assigned_by_events"];

#[tokio::test(flavor = "multi_thread")]
async fn assignments_become_events_and_calls_again_in_order() {
    let stage = stage().await;
    let told = played(&stage, &["p4"]).await;
    assert_eq!(told["playbooks"], serde_json::json!(["p3", "p4"]));
    counted(&told, &MOVED);
    let directory = told["directory"].as_str().unwrap();
    for (damage, count) in [("lose", "lost"), ("double", "duplicated"), ("reorder", "out_of_order")] {
        let arguments = ["demo", "ledger", directory, "--sabotage", damage, "--of", "assign-manager", "--patience", "1"];
        let (damaged, code) = stage.json(&arguments).await;
        assert!(code == 1 && damaged[count] == 1, "{damage}: {damaged:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn assignments_become_events_and_calls_again_though_controllers_are_killed() {
    let stage = stage().await;
    let told = killed(&stage, &["--playbook", "p3", "--playbook", "p4"]).await;
    clean(&told);
    counted(&told, &MOVED);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_move_to_events_is_taken_back_from_where_events_flow() {
    let stage = stage().await;
    let (told, kept) = taken_back(&stage, &["p3"], "only-events").await;
    counted(&told, &MOVED);
    assert!(kept.iter().any(|line| line.starts_with("revert-schema")), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_move_to_calls_is_taken_back_from_where_calls_flow() {
    let stage = stage().await;
    let (told, _) = taken_back(&stage, &["p3", "p4"], "no-producer").await;
    counted(&told, &MOVED);
}

const NOTICED: [&str; 4] = ["requests", "events", "by_call", "by_events"];

#[tokio::test(flavor = "multi_thread")]
async fn what_only_says_that_it_changed_is_asked_for() {
    let stage = stage().await;
    counted(&played(&stage, &["p1-notify"]).await, &NOTICED);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_says_that_it_changed_is_asked_for_though_controllers_are_killed() {
    let stage = stage().await;
    let told = killed(&stage, &["--playbook", "p1-notify"]).await;
    clean(&told);
    counted(&told, &NOTICED);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_move_to_notices_is_taken_back_from_where_the_copy_is_read() {
    let stage = stage().await;
    let (told, kept) = taken_back(&stage, &["p1-notify"], "only-copy").await;
    counted(&told, &NOTICED);
    assert!(kept.iter().any(|line| line.starts_with("revert-schema")), "{kept:?}");
}
