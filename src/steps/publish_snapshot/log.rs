//! What the topic says of each key since the snapshot began: the version of its last record, and the highest of all.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use super::super::common::EVENT_HEADER;
use super::PublishSnapshot;
use super::envelope::Envelope;
use crate::ports::kafka::{Kafka, Position, StoredRecord};
use crate::step::StepError;

/// How many offsets of a partition are read at a time.
const STRETCH: i64 = 50_000;

/// How long reading a stretch may take before the broker counts as away.
const PATIENCE: Duration = Duration::from_mins(1);

/// The topic since the snapshot began, by key. About a hundred bytes a key are held, so a table of a million rows costs 100 MB while
/// the act lasts.
pub(super) struct Log {
    keys: HashMap<Vec<u8>, Told>,
    /// Up to where each partition was read.
    at: Vec<Position>,
}

/// What the records of one key say.
#[derive(Clone, Copy, Debug)]
struct Told {
    partition: i32,
    /// Version of the last record; `None` for a tombstone and for a record that does not say.
    last: Option<i64>,
    /// The highest version of all its records.
    highest: Option<i64>,
    /// Whether the snapshot published this key.
    ours: bool,
    /// Whether the table has a row for it.
    row: bool,
}

impl Log {
    pub(super) fn new(from: &[Position]) -> Self {
        Self { keys: HashMap::new(), at: from.to_vec() }
    }

    /// Reads on to the end of every partition as it is now.
    pub(super) async fn read_on(&mut self, step: &PublishSnapshot, kafka: &dyn Kafka, envelope: &Envelope) -> Result<(), StepError> {
        let ends = kafka.ends(&step.topic).await?;
        loop {
            let mut ranges = Vec::new();
            for at in &mut self.at {
                let Some(ends) = ends.iter().find(|ends| ends.partition == at.partition) else { continue };
                // Why: what retention took away is no last record of any key.
                at.offset = at.offset.max(ends.start.min(ends.end));
                let to = ends.end.min(at.offset + STRETCH);
                if at.offset < to {
                    ranges.push((*at, to));
                    at.offset = to;
                }
            }
            if ranges.is_empty() {
                return Ok(());
            }
            for record in kafka.read(&step.topic, &ranges, PATIENCE).await? {
                self.hear(step, envelope, &record)?;
            }
        }
    }

    fn hear(&mut self, step: &PublishSnapshot, envelope: &Envelope, record: &StoredRecord) -> Result<(), StepError> {
        let Some(key) = &record.key else { return Ok(()) };
        let value: Option<Value> = record.value.as_deref().and_then(|value| serde_json::from_slice(value).ok());
        if value.as_ref().is_some_and(|value| envelope.is_foreign(value)) {
            return Ok(());
        }
        let version = value.as_ref().and_then(|value| envelope.version_in(value));
        let ours = record.headers.iter().any(|(name, _)| name == EVENT_HEADER);
        let partition = record.at.partition;
        let told = self.keys.entry(key.clone()).or_insert(Told { partition, last: None, highest: None, ours: false, row: false });
        if told.partition != partition {
            let key = String::from_utf8_lossy(key);
            return Err(StepError::Impossible(format!(
                "records of key {key} lie in partitions {} and {partition} of {}: a producer chooses partitions in another way than Kafka's \
                 own clients do (murmur2), so no order holds for the key",
                told.partition, step.topic
            )));
        }
        told.last = version;
        told.highest = told.highest.max(version);
        told.ours |= ours;
        Ok(())
    }

    /// Whether the last record of the key is at least as new as this version of its row, and no older than any before it.
    pub(super) fn is_settled(&self, key: &str, version: i64) -> bool {
        self.keys.get(key.as_bytes()).is_some_and(|told| told.last.is_some_and(|last| last >= version && Some(last) >= told.highest))
    }

    /// Takes note that the table has a row for this key; `false` when it had one before.
    pub(super) fn has_row(&mut self, key: &str) -> bool {
        self.keys.get_mut(key.as_bytes()).is_none_or(|told| !std::mem::replace(&mut told.row, true))
    }

    /// How many keys the snapshot published that the table has no row for.
    pub(super) fn without_row(&self) -> u64 {
        self.keys.values().filter(|told| told.ours && !told.row).count() as u64
    }
}
