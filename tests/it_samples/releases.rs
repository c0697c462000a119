//! Releases that were made to go wrong do so in the way that their name says.

use std::time::Duration;

use cutover::ports::kafka::Kafka;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ground::{Ground, Instance, TOPIC, until};

async fn says(ground: &Ground, instance: &Instance) -> Value {
    ground.http.get(format!("{}/version", instance.admin)).send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_is_what_its_name_says() {
    let ground = Ground::new().await;
    let place = &ground.exercises;

    let mut crash = ground.launch(place, "1.5-crash").await;
    assert_eq!(crash.ended().await.code(), Some(1));

    let mute = ground.start(place, "1.5-mute").await;
    let plain = ground.start(place, "1.5").await;
    let old = ground.start(place, "1.5-old").await;
    until("two beats of another instance", async || ground.beats(&plain.name).len() >= 2).await;
    assert!(ground.beats(&mute.name).is_empty());
    assert_eq!(says(&ground, &mute).await["release"], "1.5-mute");
    ground.heard(&old, |beat| beat["release"] == "1.4").await;
    assert_eq!(says(&ground, &old).await, json!({ "service": "exercises", "release": "1.4", "instance": old.name }));
    for instance in [mute, plain, old] {
        instance.end().await;
    }

    let mut stays = ground.start(place, "1.4-stays").await;
    stays.signal();
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(stays.has_ended(), None);
    std::fs::write(ground.directory.join("state/exercises/let-go"), "").unwrap();
    assert!(stays.ended().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_read_and_a_broken_event_show_where_they_should() {
    let ground = Ground::new().await;
    ground.create_topic(TOPIC).await;
    let _bonuses = ground.start(&ground.bonuses, "1.4").await;
    let bad = ground.start(&ground.exercises, "1.5-bad-schema").await;
    let hiring = ground.start(&ground.hiring, "1.5-broken-read").await;
    ground.set_flag_everywhere("exercise-events", ["off", "on"], "on", None, &[&bad, &hiring]).await;
    let put = async |id: &str| {
        let body = json!({ "title": "Sorting", "request_id": Uuid::now_v7() });
        ground
            .http
            .put(format!("{}/api/v0/exercises/{id}", ground.exercises.url))
            .json(&body)
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
    };
    put("ex-1").await;
    until("the event was put aside", async || ground.number(&ground.hiring, "select count(*) from failed_message").await == 1).await;
    bad.end().await;
    let _good = ground.start(&ground.exercises, "1.5").await;
    put("ex-2").await;
    until("the consumer went on", async || ground.number(&ground.hiring, "select count(*) from exercise_copy").await == 1).await;
    assert_eq!(ground.kafka.ends(TOPIC).await.unwrap().iter().map(|end| end.end).sum::<i64>(), 2);

    let attempt = async || {
        let body = json!({ "request_id": Uuid::now_v7(), "exercise_id": "ex-2", "candidate": "ann" });
        ground.http.post(format!("{}/api/v0/attempts", ground.hiring.url)).json(&body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(attempt().await, 201);
    ground.set_flag_everywhere("exercise-read", ["call", "events"], "events", None, &[&hiring]).await;
    assert_eq!(attempt().await, 500);
    let series = r#"http_requests_total{code="500",release="1.5-broken-read",route="/api/v0/attempts",service="hiring"}"#;
    until("it was counted", async || ground.metric(&hiring, series).await > 0.5).await;
}
