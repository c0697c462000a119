//! The long act: rows in the order of the primary key, a batch at a time, the place journaled after every acknowledged batch.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::common::EVENT_HEADER;
use super::events::{Event, encode};
use super::{PublishSnapshot, Snapshot};
use crate::ports::kafka::{Kafka, Position};
use crate::step::{ActContext, Receipt, StepError};

/// How long reading back what a crash left may take before the broker counts as away.
const PATIENCE: Duration = Duration::from_mins(1);

/// How far the act is. The next controller goes on from here.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cursor {
    /// Where the partitions ended before the first record.
    from: Vec<Position>,
    /// Key of the last row whose record is acknowledged.
    last: Option<Vec<Value>>,
    rows: u64,
    /// About how many rows there are.
    estimate: u64,
    acked: Acked,
}

/// Offsets of acknowledged records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Acked(pub(super) BTreeMap<i32, (i64, i64)>);

impl Acked {
    pub(super) fn take(&mut self, positions: &[Position]) {
        for at in positions {
            let span = self.0.entry(at.partition).or_insert((at.offset, at.offset));
            *span = (span.0.min(at.offset), span.1.max(at.offset));
        }
    }

    fn merge(&mut self, other: &Self) {
        for (partition, (first, last)) in &other.0 {
            self.take(&[*first, *last].map(|offset| Position { partition: *partition, offset }));
        }
    }
}

/// Values of the receipts of both acts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Published {
    /// Id of the topic.
    pub(super) topic: Option<String>,
    /// Where the partitions ended before the first record.
    #[serde(default)]
    pub(super) from: Vec<Position>,
    /// Rows that were read.
    pub(super) rows: u64,
    /// Records that were acknowledged.
    pub(super) records: u64,
    /// Rows that were deleted after their record was published.
    #[serde(default)]
    pub(super) deleted: u64,
    pub(super) acked: Acked,
}

/// Everything that a snapshot's receipts say together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(in super::super) struct Acknowledged {
    /// Id of the topic.
    pub(in super::super) topic: Option<String>,
    /// Rows that were read.
    pub(in super::super) rows: u64,
    /// Records that were acknowledged.
    pub(in super::super) records: u64,
    /// How many of them were published again, because a live change had overtaken them.
    pub(in super::super) again: u64,
    /// Rows that were deleted after their record was published; the records stay.
    pub(in super::super) deleted: u64,
    /// First and last acknowledged offset by partition.
    pub(in super::super) offsets: BTreeMap<i32, (i64, i64)>,
}

/// Reads the receipts of a snapshot.
pub(in super::super) fn acknowledged(receipts: &[Receipt]) -> Acknowledged {
    let mut sum = Acknowledged::default();
    let mut acked = Acked::default();
    for (at, receipt) in receipts.iter().enumerate() {
        let Ok(found) = serde_json::from_value::<Published>(receipt.data.clone()) else { continue };
        sum.topic = found.topic.or(sum.topic);
        sum.rows += found.rows;
        sum.records += found.records;
        sum.again += if at > 0 { found.records } else { 0 };
        sum.deleted += found.deleted;
        acked.merge(&found.acked);
    }
    sum.offsets = acked.0;
    sum
}

pub(super) async fn publish(step: &PublishSnapshot, context: &ActContext, change: &Snapshot) -> Result<Receipt, StepError> {
    let (name, table) = step.source();
    let (kafka, database) = (context.world.kafka(&step.cluster)?, context.world.database(name)?);
    let envelope = step.envelope().map_err(|(_, why)| StepError::Impossible(why))?;
    let topic = kafka.topic(&step.topic).await?.and_then(|topic| topic.id);
    let (mut cursor, mut sent) = if let Some(cursor) = context.resume::<Cursor>()? {
        let sent = sent_since(step, context, kafka.as_ref(), &cursor).await?;
        (cursor, sent)
    } else {
        let ends = kafka.ends(&step.topic).await?;
        let from = ends.iter().map(|ends| Position { partition: ends.partition, offset: ends.end }).collect();
        let cursor = Cursor { from, estimate: database.estimate(table).await?, ..Cursor::default() };
        context.save(&cursor).await?;
        (cursor, BTreeMap::new())
    };
    loop {
        let rows = database.rows(table, cursor.last.as_deref(), step.batch).await?;
        if rows.is_empty() {
            break;
        }
        let events = encode(step, context, change, &envelope, &rows)?;
        let positions = send(step, kafka.as_ref(), &events, &mut sent).await?;
        cursor.acked.take(&positions);
        cursor.rows += events.len() as u64;
        cursor.last = events.last().map(|event| event.primary.clone());
        context.save(&cursor).await?;
    }
    let Cursor { from, rows, acked, .. } = cursor;
    let line = format!("published {rows} rows of {}", step.from);
    Ok(Receipt::with(line, &Published { topic, from, rows, records: rows, deleted: 0, acked }))
}

/// Sends those events that were not sent before a crash, and says where all of them lie.
pub(super) async fn send(
    step: &PublishSnapshot,
    kafka: &dyn Kafka,
    events: &[Event],
    sent: &mut BTreeMap<String, Position>,
) -> Result<Vec<Position>, StepError> {
    let (mut positions, mut missing) = (Vec::with_capacity(events.len()), Vec::new());
    for event in events {
        match sent.remove(&event.name) {
            Some(at) => positions.push(at),
            None => missing.push(event.record.clone()),
        }
    }
    positions.extend(kafka.produce(&step.topic, &missing).await?);
    Ok(positions)
}

/// This step's records behind what its cursor knows: those of the batch that was under way when a controller died.
async fn sent_since(
    step: &PublishSnapshot,
    context: &ActContext,
    kafka: &dyn Kafka,
    cursor: &Cursor,
) -> Result<BTreeMap<String, Position>, StepError> {
    let known = |from: &Position| cursor.acked.0.get(&from.partition).map_or(from.offset, |(_, last)| last + 1);
    let ends = kafka.ends(&step.topic).await?;
    let mut ranges = Vec::new();
    for from in &cursor.from {
        let Some(ends) = ends.iter().find(|ends| ends.partition == from.partition) else { continue };
        // Why: what retention took away cannot be looked at, and a row whose record is gone is published once more.
        let start = known(from).max(ends.start);
        if start < ends.end {
            ranges.push((Position { partition: from.partition, offset: start }, ends.end));
        }
    }
    let mut found = BTreeMap::new();
    for record in kafka.read(&step.topic, &ranges, PATIENCE).await? {
        let header = record.headers.iter().find(|(name, _)| name == EVENT_HEADER).map(|(_, value)| value);
        let name = header.and_then(|value| std::str::from_utf8(value).ok()).filter(|name| name.starts_with(context.key.as_str()));
        if let Some(name) = name {
            found.insert(name.to_owned(), record.at);
        }
    }
    Ok(found)
}
