//! What comes twice has its effect once.

use cutover::ports::kafka::{Kafka, NewRecord};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ground::{Ground, TOPIC, until};

async fn put(ground: &Ground, id: &str, request: Uuid, title: &str) -> (StatusCode, Value) {
    let url = format!("{}/api/v0/exercises/{id}", ground.exercises.url);
    let answer = ground.http.put(url).json(&json!({ "title": title, "request_id": request })).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_events_and_credits_count_once_however_often_they_come() {
    let ground = Ground::new().await;
    ground.create_topic(TOPIC).await;
    let _bonuses = ground.start(&ground.bonuses, "1.5").await;
    let _exercises = ground.start(&ground.exercises, "1.5").await;
    let hiring = ground.start(&ground.hiring, "1.5").await;

    let request = Uuid::now_v7();
    let answers = futures_util::future::join_all((0..8).map(|_| put(&ground, "ex-1", request, "Sorting"))).await;
    assert!(answers.iter().all(|(status, body)| status.is_success() && *body == json!({ "id": "ex-1", "version": 1 })), "{answers:?}");
    assert_eq!(put(&ground, "ex-1", Uuid::now_v7(), "Sorting, again").await.1["version"], 2);
    assert_eq!(ground.number(&ground.exercises, "select count(*) from exercise_change").await, 2);

    let attempt = Uuid::now_v7();
    let body = json!({ "request_id": attempt, "exercise_id": "ex-1", "candidate": "ann" });
    let url = format!("{}/api/v0/attempts", ground.hiring.url);
    let sent = (0..8).map(|_| ground.http.post(&url).json(&body).send());
    for answer in futures_util::future::join_all(sent).await {
        let answer: Value = answer.unwrap().error_for_status().unwrap().json().await.unwrap();
        assert_eq!(answer, json!({ "attempt": attempt, "version_seen": 2 }));
    }
    assert_eq!(ground.number(&ground.hiring, "select count(*) from attempt").await, 1);
    until("the bonus was credited", async || ground.number(&ground.bonuses, "select count(*) from credit").await >= 1).await;

    let credited: (String, chrono::DateTime<chrono::Utc>) =
        sqlx::query_as("select event_id, produced_at from credit").fetch_one(&mut ground.database(&ground.bonuses).await).await.unwrap();
    let payload = json!({ "attempt": attempt, "candidate": "ann", "exercise_id": "ex-1", "amount": 10 });
    let again = json!({
        "event_id": credited.0, "event_name": "BonusAdded", "event_version": 0, "produced_at": credited.1, "payload": payload,
    });
    let answer = ground.http.post(format!("{}/api/v0/bonuses", ground.bonuses.url)).json(&again).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(ground.number(&ground.bonuses, "select count(*) from credit").await, 1);

    let event = json!({
        "event_id": "one", "event_name": "ExerciseChanged", "event_version": 0, "produced_at": "2026-01-01T00:00:00Z",
        "payload": { "id": "ex-9", "title": "Graphs", "version": 4 },
    });
    let record = |value: &[u8]| NewRecord { key: Some(b"ex-9".to_vec()), value: Some(value.to_vec()), headers: Vec::new() };
    let bytes = event.to_string().into_bytes();
    let older = event.to_string().replace("\"one\"", "\"two\"").replace("\"version\":4", "\"version\":3").into_bytes();
    ground.kafka.produce(TOPIC, &[record(&bytes), record(b"no event at all"), record(&bytes), record(&older)]).await.unwrap();
    until("the last event was applied", async || ground.number(&ground.hiring, "select count(*) from applied").await >= 2).await;
    assert_eq!(ground.number(&ground.hiring, "select version from exercise_copy where id = 'ex-9'").await, 4, "the newest wins");
    assert_eq!(ground.number(&ground.hiring, "select count(*) from failed_message").await, 1);
    let counted = async |name: &str| ground.metric(&hiring, name).await;
    until("everything was counted", async || counted("events_consumed_total").await > 1.5).await;
    assert_eq!((counted("events_duplicate_total").await, counted("events_failed_total").await), (1.0, 1.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_told_now_waits_in_the_outbox() {
    let ground = Ground::new().await;
    let exercises = ground.start(&ground.exercises, "1.6").await;
    let hiring = ground.start(&ground.hiring, "1.4").await;
    assert_eq!(put(&ground, "ex-1", Uuid::now_v7(), "Sorting").await.0, StatusCode::CREATED);
    let unsent = async || ground.metric(&exercises, "outbox_unsent").await;
    until("the event waits for its topic", async || unsent().await > 0.5).await;
    ground.create_topic(TOPIC).await;
    until("the event was sent", async || unsent().await < 0.5).await;
    let ends = ground.kafka.ends(TOPIC).await.unwrap();
    assert_eq!(ends.iter().map(|end| end.end).sum::<i64>(), 1);

    // Release 1.6 of exercises answers no calls, and hiring says so rather than "no such exercise".
    let body = json!({ "request_id": Uuid::now_v7(), "exercise_id": "ex-1", "candidate": "ann" });
    let answer = ground.http.post(format!("{}/api/v0/attempts", ground.hiring.url)).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    hiring.end().await;
}
