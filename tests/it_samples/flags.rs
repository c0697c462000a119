//! Flags reach services, outlive the controller, and are said to be in use.

use std::process::Command;

use serde_json::json;
use uuid::Uuid;

use crate::ground::Ground;

const ON: [&str; 2] = ["off", "on"];

async fn told(ground: &Ground) -> i64 {
    let url = format!("{}/api/v0/exercises/ex-1", ground.exercises.url);
    let body = json!({ "title": "Sorting", "request_id": Uuid::now_v7() });
    ground.http.put(url).json(&body).send().await.unwrap().error_for_status().unwrap();
    ground.number(&ground.exercises, "select count(event_id) from exercise_change").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_controller_that_dies_changes_nothing_and_is_found_where_it_comes_back() {
    let mut ground = Ground::new().await;
    let first = ground.start(&ground.exercises, "1.5").await;
    assert_eq!(told(&ground).await, 0, "the default in the code");
    ground.set_flag_everywhere("exercise-events", ON, "on", None, &[&first]).await;
    assert_eq!(told(&ground).await, 1);

    ground.kill_controller().await;
    assert_eq!(told(&ground).await, 2, "a dead controller changes nothing");
    first.end().await;
    let second = ground.start(&ground.exercises, "1.5").await;
    assert_eq!(told(&ground).await, 3, "a start with the last known flags");
    assert!(ground.beats(&second.name).is_empty());

    ground.revive_controller().await;
    ground.set_flag_everywhere("exercise-events", ON, "off", None, &[&second]).await;
    assert_eq!(told(&ground).await, 3);
    let name = second.name.clone();
    second.end().await;
    let beats = ground.beats(&name);
    let (last, before) = beats.split_last().unwrap();
    assert_eq!(last["ending"], true);
    assert!(before.iter().all(|beat| beat["ending"] == false));
    let about = json!({
        "environment": "local", "store": "main", "service": "exercises", "instance": name, "release": "1.5", "revision": 2, "oldest": 2,
        "flags": ["exercise-events"],
        "ending": true,
    });
    assert_eq!(*last, about);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_start_without_any_flags_is_refused_with_a_sentence() {
    let mut ground = Ground::new().await;
    ground.kill_controller().await;
    let mut command: Command = ground.command(&ground.exercises, "1.5", "cold");
    command.args(["--listen", "127.0.0.1:0"]);
    let status = tokio::task::spawn_blocking(move || command.status().unwrap()).await.unwrap();
    let log = std::fs::read_to_string(ground.directory.join("cold.log")).unwrap();
    assert_eq!(status.code(), Some(69), "{log}");
    assert!(log.contains("there is no flag document to decide by: the controller does not answer"), "{log}");
    assert!(log.contains("hint: start the controller with `cutover serve` first"), "{log}");
}
