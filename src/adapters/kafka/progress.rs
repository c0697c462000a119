//! How far a reader of committed records has come in each partition. The end of a range may be a transaction marker or lie among
//! aborted records, which never arrive as records, so "the last record was seen" cannot be the test.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::Shared;
use super::ffi::End;
use super::listener::Listener;
use crate::ports::PortError;
use crate::ports::kafka::{Position, StoredRecord};

/// How long a seek may take.
const SEEKING: Duration = Duration::from_secs(5);

/// One partition's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// Where it began.
    pub from: i64,
    /// The next offset that has not been passed.
    pub next: i64,
    /// Exclusive end.
    pub to: i64,
    /// The cluster has said that nothing unstable is left before `to`, and reading was begun anew after that.
    confirmed: bool,
}

impl Way {
    pub fn done(self) -> bool {
        self.next >= self.to
    }
}

/// All partitions' ways on one topic.
#[derive(Debug)]
pub(super) struct Progress {
    topic: String,
    pub ways: BTreeMap<i32, Way>,
}

impl Progress {
    /// Ways from their beginnings to their ends.
    pub fn new(topic: &str, ways: impl IntoIterator<Item = (Position, i64)>) -> Self {
        let ways = ways.into_iter().map(|(at, to)| (at.partition, Way { from: at.offset, next: at.offset, to, confirmed: false }));
        Self { topic: topic.to_owned(), ways: ways.collect() }
    }

    pub fn done(&self) -> bool {
        self.ways.values().all(|way| way.done())
    }

    /// Whether a record is new and lies on the way.
    pub fn wants(&self, at: Position) -> bool {
        self.ways.get(&at.partition).is_some_and(|way| at.offset >= way.next && at.offset < way.to)
    }

    /// The first offset of each partition that was not passed, its end at most.
    pub fn reached(&self) -> Vec<Position> {
        self.ways.iter().map(|(partition, way)| Position { partition: *partition, offset: way.next.min(way.to) }).collect()
    }

    /// Takes note of a record. Says whether it is new and lies on the way.
    pub fn pass(&mut self, at: Position) -> bool {
        let news = self.wants(at);
        self.reach(Position { offset: at.offset + 1, ..at });
        news
    }

    /// Takes note of where the group or the reader stands without a record of ours.
    pub fn reach(&mut self, at: Position) {
        if let Some(way) = self.ways.get_mut(&at.partition) {
            way.next = way.next.max(at.offset);
        }
    }

    /// Takes note of the reader's own position, which also passes transaction markers.
    pub fn look(&mut self, consumer: &BaseConsumer<Listener>) {
        let Ok(positions) = consumer.position() else { return };
        for element in positions.elements() {
            if let Offset::Offset(offset) = element.offset() {
                self.reach(Position { partition: element.partition(), offset });
            }
        }
    }

    /// The reader met the end of what is committed in this partition.
    ///
    /// Its position may still be short of the range's end although nothing is left to read, for instance where compaction emptied
    /// the last batch. So the cluster is asked whether the last stable offset has passed the end; if so, reading begins anew, and the
    /// next end of the partition proves that all was read.
    pub fn met_end(&mut self, shared: &Shared, consumer: &BaseConsumer<Listener>, partition: i32) -> Result<(), PortError> {
        self.look(consumer);
        let Some(way) = self.ways.get_mut(&partition).filter(|way| !way.done()) else { return Ok(()) };
        if way.confirmed {
            way.next = way.to;
            return Ok(());
        }
        let stable = shared.offsets(&self.topic, &[partition], End::LastStable)?;
        if stable.get(&partition).is_some_and(|stable| *stable >= way.to) {
            way.confirmed = true;
            let seek = consumer.seek(&self.topic, partition, Offset::Offset(way.next), SEEKING);
            seek.map_err(|error| shared.client_fault("reading on", &error))?;
        }
        Ok(())
    }

    /// Stops fetching a partition that is done or none of ours.
    pub fn rest(&self, consumer: &BaseConsumer<Listener>, partition: i32) {
        if self.ways.get(&partition).is_some_and(|way| !way.done()) {
            return;
        }
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, partition);
        // Why: only a saving; a partition that goes on sending is ignored all the same.
        let _ = consumer.pause(&list);
    }

    /// The first partition that is not done, in words.
    pub fn short_of(&self) -> String {
        self.ways
            .iter()
            .find(|(_, way)| !way.done())
            .map_or_else(String::new, |(partition, way)| format!("partition {partition} was read up to offset {} of {}", way.next, way.to))
    }
}

/// Copies a record out of librdkafka.
pub(super) fn stored(message: &BorrowedMessage<'_>) -> StoredRecord {
    let headers = message
        .headers()
        .map(|headers| headers.iter().map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect());
    StoredRecord {
        at: Position { partition: message.partition(), offset: message.offset() },
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32, offset: i64) -> Position {
        Position { partition, offset }
    }

    #[test]
    fn a_range_is_done_when_its_end_is_passed_not_when_its_last_record_was_seen() {
        let mut progress = Progress::new("t", [(at(0, 2), 5), (at(1, 0), 0)]);
        assert!(!progress.done());
        assert!(progress.pass(at(0, 2)));
        assert!(!progress.pass(at(0, 2)), "the same record a second time");
        assert!(!progress.pass(at(7, 0)), "a partition that is none of ours");
        assert!(progress.pass(at(0, 3)));
        assert!(!progress.done(), "offset 4 may be a marker");
        assert!(!progress.pass(at(0, 9)), "a record beyond the end");
        assert!(progress.done());
    }

    #[test]
    fn a_position_never_goes_back() {
        let mut progress = Progress::new("t", [(at(0, 0), 5)]);
        progress.reach(at(0, 4));
        progress.reach(at(0, 1));
        assert_eq!(progress.short_of(), "partition 0 was read up to offset 4 of 5");
    }
}
