//! What is left in the outside after a case, with names and ids that differ from case to case replaced.

use std::time::Duration;

use cutover::ports::PortError;
use cutover::ports::kafka::Position;
use cutover::step::World;
use cutover::store::Store;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

pub async fn snapshot(world: &World, store: &Store, case: &str) -> Value {
    let (kafka, registry) = (world.kafka("main").unwrap(), world.registry("main").unwrap());
    let (mut topics, mut subjects) = (Vec::new(), Vec::new());
    for stem in ["datarep.exercise", "mistaken.name"] {
        let (name, group) = (format!("{stem}.{case}"), format!("probe.{case}"));
        if let Some(topic) = patiently(|| kafka.topic(&name)).await {
            let ends = patiently(|| kafka.ends(&name)).await;
            let ranges: Vec<_> = ends.iter().map(|ends| (Position { partition: ends.partition, offset: ends.start }, ends.end)).collect();
            let records = patiently(|| kafka.read(&name, &ranges, PATIENCE)).await;
            let record = |record: &cutover::ports::kafka::StoredRecord| {
                let value = record.value.as_deref().map(|value| serde_json::from_slice::<Value>(value).unwrap());
                json!({ "key": record.key.as_deref().map(String::from_utf8_lossy), "value": value.map(without_stamps) })
            };
            let group = patiently(|| kafka.committed(&group, &name)).await;
            let records: Vec<_> = records.iter().map(record).collect();
            topics.push(
                json!({ "topic": stem, "partitions": topic.partitions, "configs": topic.configs, "records": records, "group": group }),
            );
        }
        let subject = format!("{name}-value");
        let latest = patiently(|| registry.latest(&subject)).await;
        let level = patiently(|| registry.level(&subject)).await;
        subjects.push(json!({ "subject": stem, "version": latest.and_then(|latest| latest.version), "level": level }));
    }
    let (revision, flags) = store.flag_document("local/main").await.unwrap();
    let flags: Value = serde_json::from_str(&flags.to_string().replace(case, "CASE")).unwrap();
    let services = store.all_desired("local/main").await.unwrap();
    let instances = store.instances("local/main", None).await.unwrap();
    let instances: Vec<_> = instances.iter().map(|instance| json!([instance.service, instance.release, instance.state])).collect();
    json!({
        "topics": topics, "subjects": subjects, "flags": flags, "revision": revision, "services": services, "instances": instances
    })
}

/// Asks again while a system is passing out: a broker that makes its first group has no coordinator for a moment.
async fn patiently<T, F: Future<Output = Result<T, PortError>>>(ask: impl Fn() -> F) -> T {
    for _ in 0..100 {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => assert!(error.is_passing(), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the system stays away");
}

fn without_stamps(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| !matches!(name.as_str(), "event_id" | "produced_at"));
    }
    value
}
