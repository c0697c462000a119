//! Consumer groups: what the coordinator knows, and being an ordinary member for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::fault::{Class, class, flatten};
use super::ffi;
use super::listener::Listener;
use super::progress::{Progress, stored};
use super::{READING, Shared, settings};
use crate::ports::PortError;
use crate::ports::kafka::{GroupState, Position, StoredRecord};

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);

/// How often the commits of other members are looked at.
const LOOK: Duration = Duration::from_millis(500);

impl Shared {
    pub(super) fn group(&self, group: &str) -> Result<Option<GroupState>, PortError> {
        let doing = format!("asking about group `{group}`");
        match self.try_ask(&doing, READING, |line| ffi::describe_group(line, group))? {
            // Why: coordinators answer "dead" for a group that they never heard of.
            Ok(found) => Ok(found
                .filter(|found| found.state != "Dead")
                .map(|found| GroupState { state: found.state, members: u32::try_from(found.members).unwrap_or(u32::MAX) })),
            Err(error) if class(error.code) == Class::Absent => Ok(None),
            Err(error) => Err(self.fault(&doing, error)),
        }
    }

    pub(super) fn committed(&self, group: &str, topic: &str) -> Result<Vec<Position>, PortError> {
        let doing = format!("asking what group `{group}` committed");
        let found = match self.try_ask(&doing, READING, |line| ffi::list_committed(line, group))? {
            Ok(found) => found,
            Err(error) if class(error.code) == Class::Absent => Vec::new(),
            Err(error) => return Err(self.fault(&doing, error)),
        };
        let ours = found.into_iter().filter(|(name, _, offset)| name == topic && *offset >= 0);
        let mut positions = ours.map(|(_, partition, offset)| Position { partition, offset }).collect::<Vec<_>>();
        positions.sort();
        Ok(positions)
    }

    pub(super) fn consume(
        &self,
        topic: &str,
        group: &str,
        until: &[Position],
        patience: Duration,
        cancelled: &AtomicBool,
    ) -> Result<Vec<StoredRecord>, PortError> {
        let end = Instant::now() + patience;
        let starts = self.ends(topic)?.into_iter().map(|ends| (ends.partition, ends.start)).collect::<BTreeMap<_, _>>();
        let committed = self.committed(group, topic)?.into_iter().map(|at| (at.partition, at.offset)).collect::<BTreeMap<_, _>>();
        let mut ways = BTreeMap::new();
        for Position { partition, offset: to } in until.iter().copied() {
            let Some(start) = starts.get(&partition) else {
                return Err(self.invalid(format!("topic `{topic}` has no partition {partition}")));
            };
            let from = committed.get(&partition).map_or(*start, |committed| *committed.max(start));
            let way = ways.entry(partition).or_insert((Position { partition, offset: from }, to));
            way.1 = way.1.max(to);
        }
        let mut progress = Progress::new(topic, ways.into_values());
        if progress.done() {
            return Ok(Vec::new());
        }

        let consumer = self.consumer(&settings::member(&self.config, group))?;
        consumer.subscribe(&[topic]).map_err(|error| self.client_fault(&format!("joining group `{group}`"), &error))?;
        let mut records = Vec::new();
        let mut looked = Instant::now();
        // Partitions that others have are passed by their commits, and theirs are not ours to commit.
        let mut handed = BTreeSet::new();
        while !progress.done() && Instant::now() < end && !cancelled.load(Ordering::Acquire) {
            match consumer.poll(POLL) {
                None => {}
                Some(Ok(message)) => {
                    let at = Position { partition: message.partition(), offset: message.offset() };
                    if progress.pass(at) {
                        records.push(stored(&message));
                    }
                    drop(message);
                    handed.insert(at.partition);
                    progress.rest(&consumer, at.partition);
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    handed.insert(partition);
                    progress.met_end(self, &consumer, partition)?;
                    progress.rest(&consumer, partition);
                }
                Some(Err(error)) if class(flatten(&error).code) == Class::Passing => {}
                Some(Err(error)) => return Err(self.client_fault(&format!("consuming in group `{group}`"), &error)),
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                for at in self.committed(group, topic)? {
                    progress.reach(at);
                }
            }
        }
        self.commit(topic, group, &consumer, &progress, &handed)?;
        records.sort_by_key(|record| record.at);
        Ok(records)
    }

    /// Commits what was passed, but never beyond the ends: what lies there was not handed to the caller.
    fn commit(
        &self,
        topic: &str,
        group: &str,
        consumer: &BaseConsumer<Listener>,
        progress: &Progress,
        handed: &BTreeSet<i32>,
    ) -> Result<(), PortError> {
        let doing = format!("committing in group `{group}`");
        let mut list = TopicPartitionList::new();
        for (partition, way) in
            progress.ways.iter().filter(|(partition, way)| handed.contains(partition) && way.next.min(way.to) > way.from)
        {
            let added = list.add_partition_offset(topic, *partition, Offset::Offset(way.next.min(way.to)));
            added.map_err(|error| self.client_fault(&doing, &error))?;
        }
        if list.count() == 0 {
            return Ok(());
        }
        consumer.commit(&list, CommitMode::Sync).map_err(|error| self.client_fault(&doing, &error))
    }
}
