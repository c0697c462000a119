//! Reading ranges of a topic without a group and without a trace.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaErrorCode;

use super::fault::{Class, class, flatten};
use super::listener::Listener;
use super::pool::retire;
use super::progress::{Progress, stored};
use super::{Shared, settings};
use crate::ports::PortError;
use crate::ports::kafka::{Headers, Pace, Position, RecordRef, See, StoredRecord};

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);

/// The longest rest at once, so that nobody who ends a scan waits for it.
const LONGEST_REST: Duration = Duration::from_millis(200);

/// When a reader gives up.
#[derive(Clone, Copy)]
enum Patience {
    /// So long after it began.
    InAll(Duration),
    /// So long after it last came forward.
    StandingStill(Duration),
}

/// What a reader does with a record.
type Take<'a> = &'a mut dyn FnMut(Position, &BorrowedMessage<'_>) -> ControlFlow<()>;

/// Keeps a reader from being faster than it may.
struct Brake {
    most: Option<u32>,
    begin: Instant,
    passed: u64,
}

impl Brake {
    fn new(most: Option<u32>) -> Self {
        Self { most, begin: Instant::now(), passed: 0 }
    }

    /// One record more; rests when that is too early.
    fn pass(&mut self) {
        self.passed += 1;
        let Some(most) = self.most.filter(|most| *most > 0 && self.passed.is_multiple_of(u64::from((*most / 20).max(1)))) else { return };
        let due = Duration::from_secs_f64(Duration::from_secs(self.passed).as_secs_f64() / f64::from(most));
        if let Some(early) = due.checked_sub(self.begin.elapsed()) {
            thread::sleep(early.min(LONGEST_REST));
        }
    }
}

/// The headers of a message, looked up only when somebody asks.
struct Lazy<'a>(&'a BorrowedMessage<'a>);

impl Headers for Lazy<'_> {
    fn last(&self, name: &str) -> Option<&[u8]> {
        let headers = self.0.headers()?;
        (0..headers.count()).rev().map(|index| headers.get(index)).find(|header| header.key == name).and_then(|header| header.value)
    }
}

impl Shared {
    pub(super) fn read(
        &self,
        topic: &str,
        ranges: &[(Position, i64)],
        patience: Duration,
        cancelled: &AtomicBool,
    ) -> Result<Vec<StoredRecord>, PortError> {
        let mut records = Vec::new();
        let wanted =
            |at: Position| ranges.iter().any(|(from, to)| from.partition == at.partition && (from.offset..*to).contains(&at.offset));
        let mut take = |at: Position, message: &BorrowedMessage<'_>| {
            if wanted(at) {
                records.push(stored(message));
            }
            ControlFlow::Continue(())
        };
        self.scan(topic, ranges, Patience::InAll(patience), cancelled, &mut take)?;
        records.sort_by_key(|record| record.at);
        Ok(records)
    }

    pub(super) fn sift(
        &self,
        topic: &str,
        ranges: &[(Position, i64)],
        pace: Pace,
        cancelled: &AtomicBool,
        see: &mut See,
    ) -> Result<Vec<Position>, PortError> {
        let mut brake = Brake::new(pace.most);
        let mut take = |at: Position, message: &BorrowedMessage<'_>| {
            brake.pass();
            let headers = Lazy(message);
            see(&RecordRef {
                at,
                produced: message.timestamp().to_millis(),
                key: message.key(),
                value: message.payload(),
                headers: Some(&headers),
            })
        };
        self.scan(topic, ranges, Patience::StandingStill(pace.patience), cancelled, &mut take)
    }

    fn scan(
        &self,
        topic: &str,
        ranges: &[(Position, i64)],
        patience: Patience,
        cancelled: &AtomicBool,
        take: Take<'_>,
    ) -> Result<Vec<Position>, PortError> {
        let begin = Instant::now();
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
            return Ok(progress.reached());
        }

        let consumer = self.consumer(&format!("reading topic `{topic}`"), &settings::scanner(&self.config))?;
        self.assign(topic, &consumer, &progress)?;
        let (mut stood, mut since) = (progress.reached(), begin);
        while !progress.done() {
            let message = consumer.poll(POLL);
            // Why only where nothing came: comparing positions for every record would cost more than reading it.
            if matches!(message, Some(Ok(_))) {
                since = Instant::now();
            } else if stood != progress.reached() {
                (stood, since) = (progress.reached(), Instant::now());
            }
            let (limit, over) = match patience {
                Patience::InAll(limit) => (limit, begin.elapsed() >= limit),
                Patience::StandingStill(limit) => (limit, since.elapsed() >= limit),
            };
            if cancelled.load(Ordering::Acquire) || over {
                let detail = format!("reading topic `{topic}` took longer than {limit:?}: {}", progress.short_of());
                return Err(self.unreachable(detail));
            }
            match message {
                None => progress.look(&consumer),
                Some(Ok(message)) => {
                    let at = Position { partition: message.partition(), offset: message.offset() };
                    if progress.wants(at) && take(at, &message).is_break() {
                        break;
                    }
                    progress.pass(at);
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
        Ok(progress.reached())
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
