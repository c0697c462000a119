//! Managers are assigned while the way by which hiring is told of it moves. Straight from one way to the other the order is lost, and the
//! ledger says so; by way of `hold` it is kept, also when services are killed in between.

use std::time::Duration;

use serde_json::{Value, json};

use crate::ground::{ATTEMPTS, Ground, Instance, goes_on, until};

const FLAG: &str = "manager-assignment";
const WAYS: [&str; 3] = ["call", "hold", "events"];
const LONG: Duration = Duration::from_mins(1);

/// What hiring has done by a way.
async fn done(ground: &Ground, path: &str) -> i64 {
    let query = if path == "call" {
        "select count(*) from review where path = 'call'"
    } else {
        "select count(*) from review where path = 'events'"
    };
    ground.number(&ground.hiring, query).await
}

async fn held(ground: &Ground) -> i64 {
    ground.number(&ground.exercises, "select count(*) from held").await
}

/// How many assignments hiring has been told of, or will be without anybody's help.
async fn told(ground: &Ground) -> i64 {
    ground.number(&ground.exercises, "select count(*) from assignment").await - held(ground).await
}

fn let_go(ground: &Ground) {
    std::fs::write(ground.directory.join("state/hiring/let-go"), "").unwrap();
}

/// Sets the flag, and waits until this instance uses the revision for new requests; what is under way may use an older one.
async fn set(ground: &Ground, to: &str, on: &Instance) -> i64 {
    let revision = ground.set_flag(FLAG, WAYS, to, None).await;
    ground.heard(on, |beat| beat["revision"].as_i64() >= Some(revision)).await;
    revision
}

fn has_left(beat: &Value, revision: i64) -> bool {
    beat["oldest"].as_i64() >= Some(revision)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn straight_from_calls_to_events_the_order_is_lost() {
    let ground = Ground::new().await;
    let (traffic, exercises, _others) = by_stalled_calls(&ground).await;
    set(&ground, "events", &exercises).await;
    until("events have overtaken them", async || done(&ground, "events").await > 20).await;
    assert_eq!(done(&ground, "call").await, 0);
    let_go(&ground);
    until("the calls have come", async || done(&ground, "call").await > 12).await;
    disordered(&ground, traffic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_way_of_hold_calls_become_events_in_order_though_services_are_killed() {
    let ground = Ground::new().await;
    let (traffic, exercises, [_bonuses, hiring]) = by_stalled_calls(&ground).await;
    let revision = set(&ground, "hold", &exercises).await;
    until("assignments are held", async || held(&ground).await > 20).await;
    assert!(!ground.beats(&exercises.name).last().is_some_and(|beat| has_left(beat, revision)), "it says so while calls are under way");
    let_go(&ground);
    ground.heard(&exercises, |beat| has_left(beat, revision)).await;
    assert_eq!(ground.number(&ground.exercises, "select count(*) from outbox where transport = 'call'").await, 0);

    // What is held is held, whoever dies.
    hiring.kill();
    exercises.kill();
    let _hiring = ground.start(&ground.hiring, "2.1").await;
    let exercises = ground.start(&ground.exercises, "2.1").await;
    goes_on(&traffic, 20).await;
    assert_eq!(done(&ground, "events").await, 0);
    ground.set_flag_everywhere(FLAG, WAYS, "events", None, &[&exercises]).await;
    assert_eq!(held(&ground).await, 0, "it says so while something is held");
    goes_on(&traffic, 40).await;
    exercises.kill();
    let _exercises = ground.start(&ground.exercises, "2.1").await;
    goes_on(&traffic, 40).await;
    let report = settled(&ground, traffic).await;
    for (damage, counter) in [("lose", "lost"), ("double", "duplicated"), ("reorder", "out_of_order")] {
        let (code, report) = ground.ledger(&["--sabotage", damage, "--of", "assign-manager"]).await;
        assert!(code == 1 && report[counter] == 1, "{damage}: {report:#}");
        let others: Vec<_> = ["lost", "duplicated", "out_of_order"].into_iter().filter(|other| *other != counter).collect();
        assert!(others.iter().all(|other| report[*other] == 0), "{damage}: {report:#}");
    }
    assert!(report["assigned_by_call"].as_u64() > Some(0) && report["assigned_by_events"].as_u64() > Some(0), "{report:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn straight_from_events_to_calls_the_order_is_lost() {
    let ground = Ground::new().await;
    let (traffic, exercises, _others) = by_unread_events(&ground).await;
    set(&ground, "call", &exercises).await;
    until("calls have overtaken the events", async || done(&ground, "call").await > 20).await;
    assert_eq!(done(&ground, "events").await, 0);
    let_go(&ground);
    until("the events have come", async || done(&ground, "events").await > 12).await;
    disordered(&ground, traffic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_way_of_hold_and_a_drain_events_become_calls_in_order() {
    let ground = Ground::new().await;
    let (traffic, exercises, _others) = by_unread_events(&ground).await;
    ground.set_flag_everywhere(FLAG, WAYS, "hold", None, &[&exercises]).await;
    until("assignments are held", async || held(&ground).await > 20).await;
    let_go(&ground);
    until("every event has been read", async || done(&ground, "events").await == told(&ground).await).await;
    ground.set_flag_everywhere(FLAG, WAYS, "call", None, &[&exercises]).await;
    goes_on(&traffic, 60).await;
    let report = settled(&ground, traffic).await;
    assert!(report["assigned_by_call"].as_u64() > Some(0) && report["assigned_by_events"].as_u64() > Some(0), "{report:#}");
}

/// Traffic whose assignments go by calls that hiring does not answer, for every attempt.
async fn by_stalled_calls(ground: &Ground) -> (cutover::samples::traffic::Traffic, Instance, [Instance; 2]) {
    ground.create_topic(ATTEMPTS).await;
    let bonuses = ground.start(&ground.bonuses, "1.5").await;
    let exercises = ground.start(&ground.exercises, "2.1").await;
    let hiring = ground.start(&ground.hiring, "2.1-stalled-calls").await;
    let traffic = ground.traffic(60.0).await;
    let waiting = "select count(distinct key) from outbox where transport = 'call'";
    until("calls are under way for every attempt", async || ground.number(&ground.exercises, waiting).await == 12).await;
    (traffic, exercises, [bonuses, hiring])
}

/// Traffic whose assignments go by events that hiring has not read, for every attempt.
async fn by_unread_events(ground: &Ground) -> (cutover::samples::traffic::Traffic, Instance, [Instance; 2]) {
    ground.create_topic(ATTEMPTS).await;
    ground.set_flag(FLAG, WAYS, "events", None).await;
    let bonuses = ground.start(&ground.bonuses, "1.5").await;
    let exercises = ground.start(&ground.exercises, "2.1").await;
    let hiring = ground.start(&ground.hiring, "2.1-stalled-events").await;
    let traffic = ground.traffic(60.0).await;
    let made = "select count(distinct attempt_id) from assignment";
    until("every attempt has an assignment", async || ground.number(&ground.exercises, made).await == 12).await;
    until("events are sent", async || ground.number(&ground.exercises, "select count(*) from outbox").await == 0).await;
    (traffic, exercises, [bonuses, hiring])
}

/// Ends the traffic; the count must say that the order is lost, and nothing else.
async fn disordered(ground: &Ground, traffic: cutover::samples::traffic::Traffic) {
    traffic.stop(LONG).await.unwrap();
    until("all has come", async || done(ground, "call").await + done(ground, "events").await == told(ground).await).await;
    let (code, report) = ground.ledger(&["--patience", "3"]).await;
    println!("{} assignments, {} of them out of order", report["assignments"], report["out_of_order"]);
    assert_eq!((code, &report["lost"], &report["duplicated"]), (1, &json!(0), &json!(0)), "{report:#}");
    assert!(report["out_of_order"].as_u64() > Some(0), "{report:#}");
}

/// Ends the traffic; the count must be clean.
async fn settled(ground: &Ground, traffic: cutover::samples::traffic::Traffic) -> Value {
    let progress = traffic.stop(LONG).await.unwrap();
    let (code, report) = ground.ledger(&["--patience", "60"]).await;
    println!("{report:#}");
    assert_eq!((code, &report["acknowledged"]), (0, &json!(progress.acknowledged)), "{report:#}");
    for none in ["lost", "duplicated", "out_of_order", "pending"] {
        assert_eq!(report[none], 0, "{none}: {report:#}");
    }
    report
}
