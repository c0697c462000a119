//! Events as records: encoding, checking against a schema, and finding the ones that this step sent already.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::super::common::EVENT_HEADER;
use super::{Event, SendEvents, Stamp};
use crate::ports::kafka::{NewRecord, Position, StoredRecord};
use crate::step::pointer::unescape;
use crate::step::{ActContext, Receipt, StepError};

/// How long reading back a few records may take before the broker counts as away.
const PATIENCE: Duration = Duration::from_secs(20);

/// Values of the receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sent {
    /// Where each event lies, in the order of the playbook.
    pub(super) positions: Vec<Position>,
    /// Where the partitions ended before.
    pub(super) from: Vec<Position>,
}

/// `1 event`, `3 events`.
pub(super) fn counted(count: usize) -> String {
    if count == 1 { "1 event".to_owned() } else { format!("{count} events") }
}

pub(super) fn receipt(sent: &BTreeMap<usize, Position>, from: &[Position]) -> Receipt {
    let data = Sent { positions: sent.values().copied().collect(), from: from.to_vec() };
    Receipt::with(format!("sent {}", counted(sent.len())), &data)
}

fn name(context: &ActContext, at: usize) -> String {
    format!("{}/{at}", context.key)
}

/// The event as it is sent, stamped. The same bytes whenever this step of this run sends it.
pub(super) fn encode(context: &ActContext, step: &SendEvents, at: usize, event: &Event) -> NewRecord {
    let mut value = event.value.clone();
    if let Some(stamp) = &step.stamp {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name(context, at).as_bytes());
        fill(&mut value, stamp.event_id.as_deref(), Value::String(id.to_string()));
        fill(&mut value, stamp.produced_at.as_deref(), Value::String(context.began.to_rfc3339()));
    }
    let mut headers: Vec<_> = event.headers.iter().map(|(key, text)| (key.clone(), text.clone().into_bytes())).collect();
    headers.push((EVENT_HEADER.to_owned(), name(context, at).into_bytes()));
    let value = (!value.is_null()).then(|| value.to_string().into_bytes());
    NewRecord { key: event.key.clone().map(String::into_bytes), value, headers }
}

/// Puts a value at a pointer; objects on the way are made, anything else on the way stays as it is.
fn fill(value: &mut Value, pointer: Option<&str>, filling: Value) {
    let Some(pointer) = pointer else { return };
    let mut at = value;
    for part in pointer.trim_start_matches('/').split('/') {
        let Value::Object(fields) = at else { return };
        at = fields.entry(unescape(part)).or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    *at = filling;
}

/// Checks every event against a JSON Schema.
pub(super) fn check(events: &[Event], schema: &str, stamp: Option<&Stamp>) -> Result<(), String> {
    let schema: Value = serde_json::from_str(schema).map_err(|error| format!("the schema is not JSON: {error}"))?;
    let validator = jsonschema::validator_for(&schema).map_err(|error| format!("the schema cannot be used: {error}"))?;
    for (at, event) in events.iter().enumerate() {
        let mut value = event.value.clone();
        if let Some(stamp) = stamp {
            fill(&mut value, stamp.event_id.as_deref(), Value::String(Uuid::nil().to_string()));
            fill(&mut value, stamp.produced_at.as_deref(), Value::String("2000-01-01T00:00:00+00:00".to_owned()));
        }
        if value.is_null() {
            continue;
        }
        if let Some(error) = validator.iter_errors(&value).next() {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { String::new() } else { format!(" at {place}") };
            return Err(format!("event {} does not fit{place}: {error}", at + 1));
        }
    }
    Ok(())
}

/// The events of this step that lie in the topic at or after `from`, by their place in the playbook.
pub(super) async fn find_sent(context: &ActContext, step: &SendEvents, from: &[Position]) -> Result<BTreeMap<usize, Position>, StepError> {
    let kafka = context.world.kafka(&step.cluster)?;
    let ends = kafka.ends(&step.topic).await?;
    let end_of = |partition| ends.iter().find(|ends| ends.partition == partition).map_or(0, |ends| ends.end);
    let ranges: Vec<_> = from.iter().map(|start| (*start, end_of(start.partition))).filter(|(start, end)| start.offset < *end).collect();
    let records = kafka.read(&step.topic, &ranges, PATIENCE).await?;
    Ok(pick(context, step.events.len(), &records))
}

/// Which of this step's events are among the records.
pub(super) fn pick(context: &ActContext, count: usize, records: &[StoredRecord]) -> BTreeMap<usize, Position> {
    let mut found = BTreeMap::new();
    for record in records {
        let header = record.headers.iter().find(|(key, _)| key == EVENT_HEADER);
        let text = header.and_then(|(_, value)| std::str::from_utf8(value).ok());
        let at = text.and_then(|text| text.strip_prefix(context.key.as_str())).and_then(|rest| rest.strip_prefix('/'));
        if let Some(at) = at.and_then(|at| at.parse::<usize>().ok()).filter(|at| *at < count) {
            found.entry(at).or_insert(record.at);
        }
    }
    found
}
