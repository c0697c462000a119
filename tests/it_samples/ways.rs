//! The call moves to events and the services are replaced under traffic, and the ledger judges what became of every request.

use std::time::Duration;

use cutover::ports::kafka::{Kafka, NewRecord};
use serde_json::json;

use crate::ground::{ATTEMPTS, Ground, Instance, TOPIC, goes_on, until};

const ON: [&str; 2] = ["off", "on"];
const READ: [&str; 2] = ["call", "events"];
const LONG: Duration = Duration::from_mins(1);

/// Publishes every exercise as it is in the table, as a playbook's snapshot does.
async fn publish_snapshot(ground: &Ground) -> i64 {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("select id, title, version from exercise").fetch_all(&mut ground.database(&ground.exercises).await).await.unwrap();
    let record = |(id, title, version): &(String, String, i64)| {
        let event = json!({
            "event_id": uuid::Uuid::now_v7(),
            "event_name": "ExerciseChanged",
            "event_version": 0,
            "produced_at": chrono::Utc::now(),
            "payload": { "id": id, "title": title, "version": version },
        });
        NewRecord { key: Some(id.clone().into_bytes()), value: Some(event.to_string().into_bytes()), headers: Vec::new() }
    };
    let records: Vec<NewRecord> = rows.iter().map(record).collect();
    ground.kafka.produce(TOPIC, &records).await.unwrap();
    rows.len().try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_moves_to_events_and_back_under_traffic_and_every_request_is_accounted_for() {
    let ground = Ground::new().await;
    let (exercises, hiring, bonuses) = (&ground.exercises, &ground.hiring, &ground.bonuses);
    let old = [ground.start(bonuses, "1.4").await, ground.start(exercises, "1.4").await, ground.start(hiring, "1.4").await];
    let traffic = ground.traffic(80.0).await;
    goes_on(&traffic, 60).await;

    ground.create_topic(TOPIC).await;
    let new = [ground.start(bonuses, "1.5").await, ground.start(exercises, "1.5").await, ground.start(hiring, "1.5").await];
    for instance in old {
        instance.end().await;
    }
    goes_on(&traffic, 40).await;
    assert_eq!(ground.number(exercises, "select count(event_id) from exercise_change").await, 0, "nothing is told before the flag");

    let [new_bonuses, new_exercises, new_hiring] = &new;
    ground.set_flag_everywhere("exercise-events", ON, "on", None, &[new_exercises, new_hiring, new_bonuses]).await;
    let count = publish_snapshot(&ground).await;
    until("the copy has every exercise", async || ground.number(hiring, "select count(*) from exercise_copy").await >= count).await;
    let half = json!({ "fractional": [["events", 1], ["call", 1]] });
    ground.set_flag_everywhere("exercise-read", READ, "call", Some(half), &[new_hiring]).await;
    goes_on(&traffic, 60).await;
    ground.set_flag_everywhere("exercise-read", READ, "events", None, &[new_hiring]).await;
    let before = ground.number(hiring, "select count(*) from attempt where path = 'events'").await;
    goes_on(&traffic, 60).await;
    assert!(ground.number(hiring, "select count(*) from attempt where path = 'events'").await > before);

    // Deploys of the same release in the middle: the consumer moves, relays move, no connection is refused.
    let [old_bonuses, old_exercises, old_hiring] = new;
    let newest = [ground.start(bonuses, "1.6").await, ground.start(exercises, "1.6").await, ground.start(hiring, "1.6").await];
    for instance in [old_hiring, old_exercises, old_bonuses] {
        instance.end().await;
    }
    goes_on(&traffic, 60).await;

    // And back: the endpoint again, the call again, then no producer and no consumer.
    let back = [ground.start(exercises, "1.7").await, ground.start(hiring, "1.7").await];
    let [same_bonuses, old_exercises, old_hiring] = newest;
    old_exercises.end().await;
    old_hiring.end().await;
    ground.set_flag_everywhere("exercise-read", READ, "call", None, &[&back[1]]).await;
    goes_on(&traffic, 40).await;
    ground.set_flag_everywhere("exercise-events", ON, "off", None, &[&back[0]]).await;
    until("the outbox is empty", async || ground.metric(&back[0], "outbox_unsent").await < 0.5).await;
    let promised = ground.number(exercises, "select count(event_id) from exercise_change").await;
    until("every event was applied", async || {
        let applied = "select count(distinct event_id) from applied where number > 0";
        ground.number(hiring, applied).await >= promised
    })
    .await;
    let last = [ground.start(exercises, "1.8").await, ground.start(hiring, "1.8").await];
    for instance in back {
        instance.end().await;
    }
    goes_on(&traffic, 40).await;

    let progress = traffic.stop(LONG).await.unwrap();
    assert_eq!((progress.refused, progress.given_up), (0, 0), "{progress:?}");
    assert_eq!(progress.requests, progress.acknowledged, "{progress:?}");
    let (code, report) = ground.ledger(&["--patience", "60"]).await;
    assert_eq!(code, 0, "{report:#}");
    println!("{report:#}\n{progress:?}");
    assert_eq!(report["requests"], json!(progress.requests));
    assert_eq!(report["acknowledged"], report["effects"]);
    for counted in ["by_call", "by_events", "events", "credits"] {
        assert!(report[counted].as_u64() > Some(0), "{counted}: {report:#}");
    }
    for none in ["lost", "duplicated", "out_of_order", "unknown_exercise", "pending", "unanswered", "refused", "put_aside"] {
        assert_eq!(report[none], 0, "{none}: {report:#}");
    }

    for (damage, counter) in [("lose", "lost"), ("double", "duplicated"), ("reorder", "out_of_order")] {
        let (code, report) = ground.ledger(&["--sabotage", damage]).await;
        assert_eq!(code, 1, "{damage}: {report:#}");
        assert!(report[counter].as_u64() > Some(0), "{damage}: {report:#}");
        assert!(report["sabotage"].is_string() && report["clean"] == false);
    }
    assert_eq!(ground.ledger(&[]).await.0, 0, "sabotage has left something behind");
    for instance in last {
        instance.end().await;
    }
    same_bonuses.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_alone_are_clean_and_damage_to_them_is_found() {
    let ground = Ground::new().await;
    let _services = [
        ground.start(&ground.bonuses, "1.4").await,
        ground.start(&ground.exercises, "1.4").await,
        ground.start(&ground.hiring, "1.4").await,
    ];
    let traffic = ground.traffic(100.0).await;
    goes_on(&traffic, 80).await;
    let progress = traffic.stop(LONG).await.unwrap();
    let (code, report) = ground.ledger(&["--patience", "60"]).await;
    assert_eq!((code, &report["requests"], &report["by_events"]), (0, &json!(progress.requests), &json!(0)), "{report:#}");
    for (damage, counter) in [("lose", "lost"), ("double", "duplicated"), ("reorder", "out_of_order")] {
        let (code, report) = ground.ledger(&["--sabotage", damage]).await;
        assert!(code == 1 && report[counter].as_u64() > Some(0), "{damage}: {report:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_to_a_copy_without_a_snapshot_is_seen() {
    let ground = Ground::new().await;
    ground.create_topic(TOPIC).await;
    let _bonuses = ground.start(&ground.bonuses, "1.5").await;
    let (exercises, hiring) = (ground.start(&ground.exercises, "1.5").await, ground.start(&ground.hiring, "1.5").await);
    let traffic = ground.traffic(60.0).await;
    goes_on(&traffic, 20).await;
    ground.set_flag_everywhere("exercise-events", ON, "on", None, &[&exercises]).await;
    ground.set_flag_everywhere("exercise-read", READ, "events", None, &[&hiring]).await;
    until("an attempt found no exercise", async || traffic.progress().statuses.contains_key(&404)).await;
    goes_on(&traffic, 10).await;
    drop(traffic);
    let (code, report) = ground.ledger(&["--patience", "1"]).await;
    assert_eq!(code, 1, "{report:#}");
    assert!(report["unknown_exercise"].as_u64() > Some(0), "{report:#}");
    assert!(report["lost"].as_u64() > Some(0), "quiet exercises are missing in the copy: {report:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_that_are_killed_again_and_again_lose_and_double_nothing() {
    let ground = Ground::new().await;
    ground.create_topic(TOPIC).await;
    ground.create_topic(ATTEMPTS).await;
    let (exercises, hiring, bonuses) = (&ground.exercises, &ground.hiring, &ground.bonuses);
    ground.set_flag("exercise-events", ON, "on", None).await;
    let half = json!({ "fractional": [["events", 1], ["call", 1]] });
    ground.set_flag("bonus-transport", READ, "call", Some(half)).await;
    let mut running = [ground.start(bonuses, "1.5").await, ground.start(exercises, "1.5").await, ground.start(hiring, "1.5").await];
    let traffic = ground.traffic(80.0).await;
    until("the copy has every exercise", async || ground.number(hiring, "select count(*) from exercise_copy").await >= 12).await;
    ground.set_flag_everywhere("exercise-read", READ, "events", None, &[&running[2]]).await;
    for _ in 0..2 {
        goes_on(&traffic, 40).await;
        running.into_iter().for_each(Instance::kill);
        running = [ground.start(bonuses, "1.5").await, ground.start(exercises, "1.5").await, ground.start(hiring, "1.5").await];
    }
    goes_on(&traffic, 40).await;
    let progress = traffic.stop(LONG).await.unwrap();
    let (code, report) = ground.ledger(&["--patience", "60"]).await;
    println!("{report:#}\n{progress}");
    assert_eq!(code, 0, "{report:#}");
    assert_eq!((report["acknowledged"].as_u64(), &report["refused"]), (Some(progress.acknowledged), &json!(0)), "{report:#}");
    assert!(report["by_events"].as_u64() > Some(0), "{report:#}");
    for path in ["call", "events"] {
        let query = if path == "call" {
            "select count(*) from credit where path = 'call'"
        } else {
            "select count(*) from credit where path = 'events'"
        };
        assert!(ground.number(bonuses, query).await > 0, "no credit by {path}");
    }
}
