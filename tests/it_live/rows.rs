//! Rows P1 and P2, undisturbed, with controllers that are killed, and taken back from the middle.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::played::{Demo, did_what_it_foresaw, killed, taken_back, taken_back_after};
use super::stage::{clean, document, stage};

#[tokio::test(flavor = "multi_thread")]
async fn both_rows_move_the_call_and_lose_nothing() {
    let stage = stage().await;
    let (told, code) = stage.json(&["demo", "--seconds", "40"]).await;
    assert_eq!((told["outcome"].as_str(), code), (Some("done"), 0), "{told:#}");
    assert_eq!(told["playbooks"], serde_json::json!(["p1", "p2"]));
    assert!(told["requests"].as_u64().unwrap() >= 1000, "{told:#}");
    assert!(told["by_call"].as_u64().unwrap() > 0 && told["by_events"].as_u64().unwrap() > 0, "{told:#}");
    clean(&told);

    let directory = told["directory"].as_str().unwrap();
    let (again, code) = stage.json(&["demo", "ledger", directory]).await;
    assert_eq!(code, 0, "{again:#}");
    for count in ["requests", "acknowledged", "effects", "events", "credits", "lost", "duplicated", "out_of_order", "late"] {
        assert_eq!(again[count], told[count], "{count}: {again:#}");
    }
    for (damage, count) in [("lose", "lost"), ("double", "duplicated"), ("reorder", "out_of_order")] {
        let (damaged, code) = stage.json(&["demo", "ledger", directory, "--sabotage", damage, "--patience", "1"]).await;
        assert_ne!(code, 0, "{damage}: {damaged:#}");
        assert!(damaged[count].as_u64().unwrap() > 0, "{damage}: {damaged:#}");
    }
    clean(&stage.json(&["demo", "ledger", directory]).await.0);
    for run in told["runs"].as_array().unwrap() {
        did_what_it_foresaw(&stage, run["run"].as_str().unwrap().parse().unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_rows_go_on_when_controllers_are_killed() {
    let stage = stage().await;
    clean(&killed(&stage, &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_at_once_start_one_server() {
    let stage = stage().await;
    stage.run(&["serve", "--stop"]).await;
    let answers = futures_util::future::join_all((0..4).map(|_| stage.json(&["runs"]))).await;
    assert!(answers.iter().all(|(_, code)| *code == 0), "{answers:#?}");
    assert_eq!(stage.servers().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_move_to_events_is_taken_back_from_where_only_events_are_read() {
    let stage = stage().await;
    let (told, kept) = taken_back(&stage, &["p1"], "no-endpoint").await;
    assert!(told["by_call"].as_u64() > Some(0) && told["by_events"].as_u64() > Some(0), "{told:#}");
    // Why: a row that was played before has left the topic, and then this one had nothing to do to it and has nothing to take back.
    let run = &told["runs"][0]["run"];
    let (seen, _) = stage.json(&["runs", "show", run.as_str().unwrap()]).await;
    let topic = seen["steps"].as_array().unwrap().iter().find(|step| step["id"] == "topic").unwrap();
    let made = topic["effects"].as_array().is_some_and(|effects| !effects.is_empty());
    for line in ["revert-schema", "revert-snapshot"].into_iter().chain(made.then_some("revert-topic")) {
        assert!(kept.iter().any(|kept| kept.starts_with(line)), "{line} is not named: {kept:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn services_answer_while_there_is_no_controller_and_the_move_to_calls_is_taken_back_later() {
    let stage = stage().await;
    let (mut from, mut to) = (Utc::now(), Utc::now());
    let without = async |demo: &mut Demo| {
        let server = loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(!demo.is_finished(), "the demo ended before its switch: {:#}", document(&demo.await.unwrap()));
            let Some(server) = stage.server() else { continue };
            // Why not as a document: there may be no run yet.
            let shown = stage.run(&["runs", "show", "--output", "json"]).await;
            if switching(&serde_json::from_slice(&shown.stdout).unwrap_or_default()) {
                break server;
            }
        };
        server.kill().await.unwrap();
        from = Utc::now();
        tokio::time::sleep(Duration::from_secs(30)).await;
        to = Utc::now();
        let mut next = stage.serve(None);
        std::thread::spawn(move || next.wait());
    };
    // Why before the events end: from behind that the copy would lack what changed meanwhile, and `plan --revert` says so.
    let (told, _) = taken_back_after(&stage, &["p1", "p2"], "silence", without).await;
    assert_eq!(told["runs"][0]["state"], "done", "{told:#}");
    let file = std::path::Path::new(told["directory"].as_str().unwrap()).join("traffic.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let meanwhile: Vec<Value> = lines
        .filter_map(|line| line.get("answered").cloned())
        .filter(|answered| (from..to).contains(&answered["at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap()))
        .collect();
    println!("{} requests were answered in the 30 s without a controller", meanwhile.len());
    assert!(meanwhile.len() > 300, "only {} answers", meanwhile.len());
    assert!(meanwhile.iter().all(|answered| answered["status"] == 200 || answered["status"] == 201), "{meanwhile:?}");
}

/// Whether the run is in the middle of its switch.
fn switching(run: &Value) -> bool {
    let step = run["steps"].as_array().into_iter().flatten().find(|step| step["id"] == "switch");
    run["playbook"] == "comm-020" && step.is_some_and(|step| !step["began"].is_null() && step["ended"].is_null())
}
