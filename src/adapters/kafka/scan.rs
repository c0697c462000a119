//! Reading ranges of a topic without a group and without a trace.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaErrorCode;

use super::fault::{Class, class, flatten};
use super::listener::Listener;
use super::pool::retire;
use super::progress::{Progress, stored};
use super::{Shared, settings};
use crate::ports::PortError;
use crate::ports::kafka::{Position, StoredRecord};

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);

impl Shared {
    pub(super) fn scan(
        &self,
        topic: &str,
        ranges: &[(Position, i64)],
        patience: Duration,
        cancelled: &AtomicBool,
    ) -> Result<Vec<StoredRecord>, PortError> {
        let end = Instant::now() + patience;
        let ends = self.ends(topic)?;
        let mut hulls = BTreeMap::new();
        for (from, to) in ranges.iter().filter(|(from, to)| from.offset < *to) {
            let Position { partition, offset } = *from;
            let Some(now) = ends.iter().find(|now| now.partition == partition) else {
                return Err(self.invalid(format!("topic `{topic}` has no partition {partition}")));
            };
            if offset < now.start {
                let start = now.start;
                let detail = format!("partition {partition} of topic `{topic}` begins at offset {start}: {offset} is gone");
                return Err(self.invalid(detail));
            }
            let hull = hulls.entry(partition).or_insert((offset, *to));
            *hull = (hull.0.min(offset), hull.1.max(*to));
        }
        let hulls = hulls.into_iter().map(|(partition, (offset, to))| (Position { partition, offset }, to));
        let mut progress = Progress::new(topic, hulls);
        if progress.done() {
            return Ok(Vec::new());
        }

        let consumer = self.consumer(&format!("reading topic `{topic}`"), &settings::scanner(&self.config))?;
        self.assign(topic, &consumer, &progress)?;
        let wanted =
            |at: Position| ranges.iter().any(|(from, to)| from.partition == at.partition && (from.offset..*to).contains(&at.offset));
        let mut records = Vec::new();
        while !progress.done() {
            if cancelled.load(Ordering::Acquire) || Instant::now() >= end {
                let detail = format!("reading topic `{topic}` took longer than {patience:?}: {}", progress.short_of());
                return Err(self.unreachable(detail));
            }
            match consumer.poll(POLL) {
                None => progress.look(&consumer),
                Some(Ok(message)) => {
                    let at = Position { partition: message.partition(), offset: message.offset() };
                    if progress.pass(at) && wanted(at) {
                        records.push(stored(&message));
                    }
                    drop(message);
                    progress.rest(&consumer, at.partition);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    progress.met_end(self, &consumer, partition)?;
                    progress.rest(&consumer, partition);
                }
                Some(Err(error)) => self.survivable(topic, &error)?,
            }
        }
        retire(consumer);
        records.sort_by_key(|record| record.at);
        Ok(records)
    }

    fn assign(&self, topic: &str, consumer: &BaseConsumer<Listener>, progress: &Progress) -> Result<(), PortError> {
        let mut list = TopicPartitionList::new();
        for (partition, way) in progress.ways.iter().filter(|(_, way)| !way.done()) {
            let added = list.add_partition_offset(topic, *partition, Offset::Offset(way.next));
            added.map_err(|error| self.client_fault("choosing partitions", &error))?;
        }
        consumer.assign(&list).map_err(|error| self.client_fault("choosing partitions", &error))
    }

    /// Errors that a reader without a group may wait out: the connection comes and goes, and the group that librdkafka makes us name
    /// is of no interest.
    fn survivable(&self, topic: &str, error: &KafkaError) -> Result<(), PortError> {
        let code = error.rdkafka_error_code();
        if code == Some(RDKafkaErrorCode::GroupAuthorizationFailed) {
            return Ok(());
        }
        if matches!(code, Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange)) {
            return Err(self.invalid(format!("reading topic `{topic}`: records were deleted while they were read")));
        }
        match class(flatten(error).code) {
            Class::Passing => Ok(()),
            _ => Err(self.client_fault(&format!("reading topic `{topic}`"), error)),
        }
    }
}
