//! What is left in the outside after a case, with names and ids that differ from case to case replaced.

use std::time::Duration;

use cutover::ports::kafka::Position;
use cutover::step::World;
use cutover::store::Store;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

pub async fn snapshot(world: &World, store: &Store, case: &str) -> Value {
    let (kafka, registry) = (world.kafka("main").unwrap(), world.registry("main").unwrap());
    let (mut topics, mut subjects) = (Vec::new(), Vec::new());
    for stem in ["datarep.exercise", "mistaken.name"] {
        let name = format!("{stem}.{case}");
        if let Some(topic) = kafka.topic(&name).await.unwrap() {
            let ends = kafka.ends(&name).await.unwrap();
            let ranges: Vec<_> = ends.iter().map(|ends| (Position { partition: ends.partition, offset: ends.start }, ends.end)).collect();
            let records = kafka.read(&name, &ranges, PATIENCE).await.unwrap();
            let record = |record: &cutover::ports::kafka::StoredRecord| {
                let value = record.value.as_deref().map(|value| serde_json::from_slice::<Value>(value).unwrap());
                json!({ "key": record.key.as_deref().map(String::from_utf8_lossy), "value": value.map(without_stamps) })
            };
            let group = kafka.committed(&format!("probe.{case}"), &name).await.unwrap();
            let records: Vec<_> = records.iter().map(record).collect();
            topics.push(
                json!({ "topic": stem, "partitions": topic.partitions, "configs": topic.configs, "records": records, "group": group }),
            );
        }
        let subject = format!("{name}-value");
        let latest = registry.latest(&subject).await.unwrap();
        let level = registry.level(&subject).await.unwrap();
        subjects.push(json!({ "subject": stem, "version": latest.and_then(|latest| latest.version), "level": level }));
    }
    let (revision, flags) = store.flag_document("local/main").await.unwrap();
    let flags: Value = serde_json::from_str(&flags.to_string().replace(case, "CASE")).unwrap();
    json!({ "topics": topics, "subjects": subjects, "flags": flags, "revision": revision })
}

fn without_stamps(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| !matches!(name.as_str(), "event_id" | "produced_at"));
    }
    value
}
