//! A topic in memory, and what a broker accepts of names and settings.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::ports::kafka::{NewRecord, Position, StoredRecord};

/// The longest name of a topic.
const LONGEST_NAME: usize = 249;

/// The settings of a topic that take a whole number.
const NUMBERS: [&str; 21] = [
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "index.interval.bytes",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "compression.gzip.level",
    "compression.zstd.level",
];

/// The settings of a topic that take a word.
const WORDS: [&str; 10] = [
    "compression.type",
    "compression.lz4.level",
    "follower.replication.throttled.replicas",
    "leader.replication.throttled.replicas",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "preallocate",
    "remote.storage.enable",
    "unclean.leader.election.enable",
    "cleanup.policy",
];

/// A topic.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    pub id: String,
    pub replication: u16,
    pub configs: BTreeMap<String, String>,
    pub partitions: Vec<Partition>,
    /// How many records without a key came, so that they go round.
    keyless: usize,
}

/// A partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Partition {
    pub start: i64,
    pub end: i64,
    pub records: Vec<StoredRecord>,
}

impl Topic {
    pub fn new(id: String, partitions: u32, replication: u16, configs: BTreeMap<String, String>) -> Self {
        let partitions = (0..partitions).map(|_| Partition::default()).collect();
        Self { id, replication, configs, partitions, keyless: 0 }
    }

    pub fn grow(&mut self, total: u32) {
        while self.partitions.len() < total as usize {
            self.partitions.push(Partition::default());
        }
    }

    pub fn is_compacted(&self) -> bool {
        self.configs.get("cleanup.policy").is_some_and(|policy| policy.split(',').any(|word| word.trim() == "compact"))
    }

    pub fn partition(&self, number: i32) -> Option<&Partition> {
        usize::try_from(number).ok().and_then(|index| self.partitions.get(index))
    }

    pub fn append(&mut self, record: &NewRecord) -> Position {
        let count = self.partitions.len().max(1);
        let index = if let Some(key) = &record.key {
            (murmur2(key) & 0x7fff_ffff) as usize % count
        } else {
            self.keyless += 1;
            (self.keyless - 1) % count
        };
        let number = i32::try_from(index).unwrap_or(i32::MAX);
        let Some(partition) = self.partitions.get_mut(index) else { return Position { partition: number, offset: 0 } };
        let at = Position { partition: number, offset: partition.end };
        partition.end += 1;
        let NewRecord { key, value, headers } = record.clone();
        partition.records.push(StoredRecord { at, key, value, headers });
        at
    }

    pub fn snapshot(&self) -> Value {
        let partitions = self.partitions.iter().map(|partition| {
            let records = partition.records.iter().map(|record| {
                let headers = record.headers.iter().map(|(name, value)| json!([name, shown(value)])).collect::<Vec<_>>();
                let (key, value) = (record.key.as_deref().map(shown), record.value.as_deref().map(shown));
                json!({ "offset": record.at.offset, "key": key, "value": value, "headers": headers })
            });
            json!({ "start": partition.start, "end": partition.end, "records": records.collect::<Vec<_>>() })
        });
        json!({ "replication": self.replication, "configs": self.configs, "partitions": partitions.collect::<Vec<_>>() })
    }
}

impl Partition {
    /// Removes everything before an offset, as retention does.
    pub fn truncate(&mut self, before: i64) {
        self.start = before.clamp(self.start, self.end);
        self.records.retain(|record| record.at.offset >= self.start);
    }
}

/// Bytes as text where they are text.
fn shown(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::String(text.to_owned()),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

/// Why a broker would not take this name.
pub(super) fn name_complaint(name: &str) -> Option<String> {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if name.is_empty() || name == "." || name == ".." || name.len() > LONGEST_NAME || !name.chars().all(legal) {
        return Some(format!("`{}` cannot be the name of a topic", name.escape_debug()));
    }
    None
}

/// Why a broker would not take this setting.
pub(super) fn setting_complaint(key: &str, value: &str) -> Option<String> {
    if NUMBERS.contains(&key) {
        return value.parse::<i64>().is_err().then(|| format!("`{value}` is no number for {key}"));
    }
    if !WORDS.contains(&key) {
        return Some(format!("there is no setting {key}"));
    }
    let known = key != "cleanup.policy" || value.split(',').all(|word| matches!(word.trim(), "compact" | "delete" | ""));
    (!known).then(|| format!("`{value}` is no cleanup policy"))
}

/// The hash by which Kafka's clients choose the partition of a key.
fn murmur2(data: &[u8]) -> u32 {
    const MIX: u32 = 0x5bd1_e995;
    const SHIFT: u32 = 24;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = 0x9747_b28c ^ length;
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut word = chunk.iter().rev().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
        word = word.wrapping_mul(MIX);
        word ^= word >> SHIFT;
        word = word.wrapping_mul(MIX);
        hash = hash.wrapping_mul(MIX) ^ word;
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        hash ^= rest.iter().rev().fold(0_u32, |word, byte| (word << 8) | u32::from(*byte));
        hash = hash.wrapping_mul(MIX);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MIX);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_settings_that_a_broker_refuses() {
        assert_eq!(name_complaint("datarep.exercise-1_a"), None);
        for name in ["", ".", "..", "a b", "ü", &"a".repeat(250)] {
            assert!(name_complaint(name).is_some(), "{name}");
        }
        assert_eq!(setting_complaint("retention.ms", "-1"), None);
        assert_eq!(setting_complaint("cleanup.policy", "compact,delete"), None);
        for (key, value) in [("retention.ms", "a day"), ("no.such", "1"), ("cleanup.policy", "burn")] {
            assert!(setting_complaint(key, value).is_some(), "{key}={value}");
        }
    }

    #[test]
    fn truncation_never_goes_back_or_past_the_end() {
        let mut topic = Topic::new("id".to_owned(), 1, 1, BTreeMap::new());
        for _ in 0..4 {
            topic.append(&NewRecord { key: None, value: None, headers: Vec::new() });
        }
        for (before, start, left) in [(2, 2, 2), (1, 2, 2), (9, 4, 0)] {
            topic.partitions[0].truncate(before);
            assert_eq!((topic.partitions[0].start, topic.partitions[0].records.len()), (start, left), "before {before}");
        }
    }
}
