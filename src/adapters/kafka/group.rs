//! Consumer groups: what the coordinator knows, and being an ordinary member for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::Producer;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::fault::{Class, class, flatten};
use super::ffi::{self, GroupDescription, Line};
use super::listener::Listener;
use super::pool::retire;
use super::progress::{Progress, stored};
use super::{FAR_AWAY, READING, Shared, settings};
use crate::ports::PortError;
use crate::ports::kafka::{GroupState, Position, StoredRecord};

/// How long one poll waits.
const POLL: Duration = Duration::from_millis(100);

/// How often the commits of other members are looked at.
const LOOK: Duration = Duration::from_millis(500);

impl Shared {
    pub(super) fn group(&self, group: &str) -> Result<Option<GroupState>, PortError> {
        let found = self.describe_group(group)?;
        Ok(found.map(|found| GroupState {
            state: found.state,
            members: u32::try_from(found.members).unwrap_or(u32::MAX),
            topics: found.topics,
        }))
    }

    pub(super) fn groups_on(&self, topic: &str) -> Result<Vec<String>, PortError> {
        let all = self.ask("listing consumer groups", READING, ffi::list_groups)?;
        let mut found = Vec::new();
        for group in all {
            let assigned = self.describe_group(&group)?.is_some_and(|found| found.topics.iter().any(|assigned| assigned == topic));
            if assigned || !self.committed(&group, topic)?.is_empty() {
                found.push(group);
            }
        }
        found.sort();
        Ok(found)
    }

    fn describe_group(&self, group: &str) -> Result<Option<GroupDescription>, PortError> {
        let doing = format!("asking about group `{group}`");
        let client = match self.coordination.take(&()) {
            Some(client) => client,
            None => self.client(&doing, &self.config)?,
        };
        let begin = Instant::now();
        let hopeless = || self.trouble.is_hopeless_since(begin);
        let line = Line { client: client.client().native_client(), patience: READING, limit: FAR_AWAY, hopeless: &hopeless };
        let outcome = ffi::describe_group(line, group);
        if self.note(&outcome) {
            self.coordination.keep((), client);
        } else {
            retire(client);
        }
        match outcome {
            // Why: coordinators answer "dead" for a group that they never heard of.
            Ok(found) => Ok(found.filter(|found| found.state != "Dead")),
            Err(error) if class(error.code) == Class::Absent => Ok(None),
            Err(error) => Err(self.fault(&doing, error)),
        }
    }

    pub(super) fn committed(&self, group: &str, topic: &str) -> Result<Vec<Position>, PortError> {
        let doing = format!("asking what group `{group}` committed");
        let Some(described) = self.describe_topic(topic)? else { return Ok(Vec::new()) };
        let mut asked = TopicPartitionList::new();
        for partition in &described.partitions {
            asked.add_partition(topic, partition.number);
        }
        let reader = match self.readers.take(&group.to_owned()) {
            Some(reader) => reader,
            None => self.consumer(&doing, &settings::member(&self.config, group))?,
        };
        let outcome = reader.committed_offsets(asked, READING);
        // Why: nobody else serves this client's events, and its complaints explain a failure.
        while reader.poll(Duration::ZERO).is_some() {}
        let found = match outcome {
            Ok(found) => found,
            Err(error) => {
                retire(reader);
                return Err(self.client_fault(&doing, &error));
            }
        };
        self.trouble.clear();
        self.readers.keep(group.to_owned(), reader);
        let mut positions = Vec::new();
        for element in found.elements() {
            element.error().map_err(|error| self.client_fault(&doing, &error))?;
            if let Offset::Offset(offset) = element.offset() {
                positions.push(Position { partition: element.partition(), offset });
            }
        }
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

        let doing = format!("consuming in group `{group}`");
        let consumer = self.consumer(&doing, &settings::member(&self.config, group))?;
        consumer.subscribe(&[topic]).map_err(|error| self.client_fault(&doing, &error))?;
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
                Some(Err(error)) => return Err(self.client_fault(&doing, &error)),
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
