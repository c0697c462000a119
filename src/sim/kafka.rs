//! A Kafka cluster in memory: one broker, no transactions, no compaction, and nothing that takes time. A wait that would end with its
//! patience on a real cluster ends at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::faults::{Faults, Host, Moment};
use super::topic::{Partition, Topic, name_complaint, setting_complaint};
use crate::ports::PortError;
use crate::ports::kafka::{
    ClusterState, GroupState, Kafka, NewRecord, NewTopic, PartitionEnds, Position, StoredRecord, TopicState, WriteFence,
};

/// How many brokers there are, and so the most replicas.
const BROKERS: u16 = 1;

/// A cluster in memory. Targets for faults are topics, and groups for `consume`.
#[derive(Debug)]
pub struct SimKafka {
    host: Host,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    topics: BTreeMap<String, Topic>,
    groups: BTreeMap<String, Group>,
    /// How many topics were ever created; ids come from it.
    created: u64,
    fences: BTreeSet<WriteFence>,
}

#[derive(Debug, Default)]
struct Group {
    members: u32,
    /// (topic, partition) to committed offset.
    committed: BTreeMap<(String, i32), i64>,
}

impl SimKafka {
    /// An empty cluster.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { host: Host::new("kafka", name), state: Mutex::default() }
    }

    /// From now on calls fail as `faults` says.
    pub fn set_faults(&self, faults: Faults) {
        self.host.set_faults(faults);
    }

    /// Topics with their records, and groups, to be compared with another world's. Topic ids are left out.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let state = self.lock();
        let topics = state.topics.iter().map(|(name, topic)| (name.clone(), topic.snapshot())).collect::<serde_json::Map<_, _>>();
        let groups = state.groups.iter().map(|(name, group)| {
            let committed = group.committed.iter().map(|((topic, partition), offset)| json!([topic, partition, offset]));
            (name.clone(), json!({ "members": group.members, "committed": committed.collect::<Vec<_>>() }))
        });
        let fences: Vec<_> = state.fences.iter().map(ToString::to_string).collect();
        json!({ "topics": topics, "fences": fences, "groups": groups.collect::<serde_json::Map<_, _>>() })
    }

    /// Removes the records of a partition before an offset, as retention or somebody's `DeleteRecords` does.
    pub fn truncate(&self, topic: &str, at: Position) {
        let mut state = self.lock();
        let partitions = state.topics.get_mut(topic).map(|topic| topic.partitions.as_mut_slice()).unwrap_or_default();
        let partition = usize::try_from(at.partition).ok().and_then(|index| partitions.get_mut(index));
        if let Some(partition) = partition {
            partition.truncate(at.offset);
        }
    }

    /// Takes records out of the middle of a partition, as compaction and aborted transactions do; their offsets stay.
    pub fn drop_records(&self, topic: &str, partition: i32, offsets: std::ops::Range<i64>) {
        let mut state = self.lock();
        let partitions = state.topics.get_mut(topic).map(|topic| topic.partitions.as_mut_slice()).unwrap_or_default();
        if let Some(found) = usize::try_from(partition).ok().and_then(|index| partitions.get_mut(index)) {
            found.records.retain(|record| !offsets.contains(&record.at.offset));
        }
    }

    /// Lets a group have this many members, as services that start and stop make it.
    pub fn set_members(&self, group: &str, members: u32) {
        self.lock().groups.entry(group.to_owned()).or_default().members = members;
    }

    /// Commits for a group, as a service that has handled what lies before does.
    pub fn commit(&self, group: &str, topic: &str, at: Position) {
        let mut state = self.lock();
        state.groups.entry(group.to_owned()).or_default().committed.insert((topic.to_owned(), at.partition), at.offset);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn no_topic(&self, name: &str) -> PortError {
        self.host.invalid(format!("there is no topic `{name}`"))
    }

    fn check_settings(&self, configs: &BTreeMap<String, String>) -> Result<(), PortError> {
        match configs.iter().find_map(|(key, value)| setting_complaint(key, value)) {
            Some(complaint) => Err(self.host.invalid(complaint)),
            None => Ok(()),
        }
    }

    fn create(&self, new: &NewTopic) -> Result<(), PortError> {
        if let Some(complaint) = name_complaint(&new.name) {
            return Err(self.host.invalid(complaint));
        }
        let replication = new.replication.unwrap_or(BROKERS);
        if new.partitions == 0 || replication == 0 || replication > BROKERS {
            return Err(self.host.invalid(format!("{} partitions with {replication} replicas are not possible", new.partitions)));
        }
        let mut state = self.lock();
        if state.topics.contains_key(&new.name) {
            return Err(self.host.conflict(format!("there is a topic `{}` already", new.name)));
        }
        self.check_settings(&new.configs)?;
        state.created += 1;
        let id = format!("sim-topic-{:012}", state.created);
        state.topics.insert(new.name.clone(), Topic::new(id, new.partitions, replication, new.configs.clone()));
        Ok(())
    }

    fn append(&self, name: &str, records: &[NewRecord]) -> Result<Vec<Position>, PortError> {
        let mut state = self.lock();
        let topic = state.topics.get_mut(name).ok_or_else(|| self.no_topic(name))?;
        if topic.is_compacted() && records.iter().any(|record| record.key.is_none()) {
            return Err(self.host.invalid(format!("topic `{name}` is compacted and takes no record without a key")));
        }
        Ok(records.iter().map(|record| topic.append(record)).collect())
    }

    fn take(&self, name: &str, group: &str, until: &[Position]) -> Result<Vec<StoredRecord>, PortError> {
        let mut state = self.lock();
        let State { topics, groups, .. } = &mut *state;
        let topic = topics.get(name).ok_or_else(|| self.no_topic(name))?;
        let mut taken = Vec::new();
        let mut passed = BTreeMap::new();
        for at in until {
            let partition = topic.partition(at.partition).ok_or_else(|| self.no_partition(name, at.partition))?;
            let key = (name.to_owned(), at.partition);
            let committed = groups.get(group).and_then(|group| group.committed.get(&key)).copied();
            let from = committed.unwrap_or(partition.start).max(partition.start);
            let to = at.offset.min(partition.end);
            if from < to {
                taken.extend(between(partition, from, to));
                passed.insert(key, to);
            }
        }
        if !passed.is_empty() {
            groups.entry(group.to_owned()).or_default().committed.extend(passed);
        }
        taken.sort_by_key(|record| record.at);
        Ok(taken)
    }

    fn no_partition(&self, name: &str, partition: i32) -> PortError {
        self.host.invalid(format!("topic `{name}` has no partition {partition}"))
    }
}

fn between(partition: &Partition, from: i64, to: i64) -> impl Iterator<Item = StoredRecord> + '_ {
    partition.records.iter().filter(move |record| (from..to).contains(&record.at.offset)).cloned()
}

#[async_trait]
impl Kafka for SimKafka {
    async fn cluster(&self) -> Result<ClusterState, PortError> {
        Ok(ClusterState { id: self.host.system.name.replace(' ', "-"), brokers: vec!["memory:0".to_owned()] })
    }

    async fn topics(&self) -> Result<Vec<String>, PortError> {
        Ok(self.lock().topics.keys().cloned().collect())
    }

    async fn topic(&self, name: &str) -> Result<Option<TopicState>, PortError> {
        if let Some(complaint) = name_complaint(name) {
            return Err(self.host.invalid(complaint));
        }
        Ok(self.lock().topics.get(name).map(|topic| TopicState {
            id: Some(topic.id.clone()),
            partitions: u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX),
            replication: topic.replication,
            configs: topic.configs.clone(),
        }))
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<(), PortError> {
        self.host.change("create_topic", &topic.name, || self.create(topic))
    }

    async fn grow_topic(&self, name: &str, total: u32) -> Result<(), PortError> {
        self.host.change("grow_topic", name, || {
            let mut state = self.lock();
            let topic = state.topics.get_mut(name).ok_or_else(|| self.no_topic(name))?;
            if topic.partitions.len() > total as usize {
                return Err(self.host.invalid(format!("topic `{name}` has more than {total} partitions already")));
            }
            topic.grow(total);
            Ok(())
        })
    }

    async fn alter_topic(&self, name: &str, set: &BTreeMap<String, String>, unset: &[String]) -> Result<(), PortError> {
        self.host.change("alter_topic", name, || {
            let mut state = self.lock();
            let topic = state.topics.get_mut(name).ok_or_else(|| self.no_topic(name))?;
            self.check_settings(set)?;
            topic.configs.extend(set.clone());
            for key in unset {
                topic.configs.remove(key);
            }
            Ok(())
        })
    }

    async fn delete_topic(&self, name: &str, id: Option<&str>) -> Result<(), PortError> {
        self.host.change("delete_topic", name, || {
            let mut state = self.lock();
            let Some(topic) = state.topics.get(name) else { return Ok(()) };
            if id.is_some_and(|id| id != topic.id) {
                return Err(self.host.conflict(format!("topic `{name}` has the id `{}`: it was created again meanwhile", topic.id)));
            }
            state.topics.remove(name);
            for group in state.groups.values_mut() {
                group.committed.retain(|(topic, _), _| topic != name);
            }
            state.groups.retain(|_, group| group.members > 0 || !group.committed.is_empty());
            Ok(())
        })
    }

    async fn ends(&self, topic: &str) -> Result<Vec<PartitionEnds>, PortError> {
        let state = self.lock();
        let found = state.topics.get(topic).ok_or_else(|| self.no_topic(topic))?;
        let numbered = (0..).zip(&found.partitions);
        Ok(numbered.map(|(partition, one)| PartitionEnds { partition, start: one.start, end: one.end }).collect())
    }

    async fn stable_ends(&self, topic: &str) -> Result<Vec<Position>, PortError> {
        let ends = self.ends(topic).await?;
        Ok(ends.into_iter().map(|ends| Position { partition: ends.partition, offset: ends.end }).collect())
    }

    async fn produce(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>, PortError> {
        self.host.strike("produce", topic, Moment::Before)?;
        let (first, second) = records.split_at(records.len() / 2);
        let mut positions = self.append(topic, first)?;
        if !first.is_empty() {
            self.host.strike("produce", topic, Moment::Between)?;
        }
        positions.extend(self.append(topic, second)?);
        self.host.strike("produce", topic, Moment::After)?;
        Ok(positions)
    }

    async fn read(&self, topic: &str, ranges: &[(Position, i64)], _: Duration) -> Result<Vec<StoredRecord>, PortError> {
        let state = self.lock();
        let found = state.topics.get(topic).ok_or_else(|| self.no_topic(topic))?;
        let mut records = Vec::new();
        for (from, to) in ranges.iter().filter(|(from, to)| from.offset < *to) {
            let partition = found.partition(from.partition).ok_or_else(|| self.no_partition(topic, from.partition))?;
            if from.offset < partition.start {
                let start = partition.start;
                return Err(self.host.invalid(format!("partition {} of `{topic}` begins at {start}", from.partition)));
            }
            if *to > partition.end {
                let end = partition.end;
                return Err(self.host.unreachable(format!("partition {} of `{topic}` was read up to {end} of {to}", from.partition)));
            }
            records.extend(between(partition, from.offset, *to));
        }
        records.sort_by_key(|record| record.at);
        records.dedup_by_key(|record| record.at);
        Ok(records)
    }

    async fn consume(&self, topic: &str, group: &str, until: &[Position], _: Duration) -> Result<Vec<StoredRecord>, PortError> {
        self.host.change("consume", group, || self.take(topic, group, until))
    }

    async fn group(&self, group: &str) -> Result<Option<GroupState>, PortError> {
        Ok(self.lock().groups.get(group).map(|group| {
            // Why: members in memory have what their group has ever read.
            let mut topics: Vec<_> = group.committed.keys().filter(|_| group.members > 0).map(|(topic, _)| topic.clone()).collect();
            topics.dedup();
            let state = if group.members == 0 { "Empty" } else { "Stable" }.to_owned();
            GroupState { state, members: group.members, topics }
        }))
    }

    async fn committed(&self, group: &str, topic: &str) -> Result<Vec<Position>, PortError> {
        let state = self.lock();
        let committed = state.groups.get(group).into_iter().flat_map(|group| &group.committed);
        let ours = committed.filter(|((name, _), _)| name == topic);
        Ok(ours.map(|((_, partition), offset)| Position { partition: *partition, offset: *offset }).collect())
    }

    async fn has_fence(&self, fence: &WriteFence) -> Result<Option<bool>, PortError> {
        Ok(Some(self.lock().fences.contains(fence)))
    }

    async fn add_fence(&self, fence: &WriteFence) -> Result<(), PortError> {
        self.host.change("add_fence", &fence.topic, || {
            self.lock().fences.insert(fence.clone());
            Ok(())
        })
    }

    async fn remove_fence(&self, fence: &WriteFence) -> Result<(), PortError> {
        self.host.change("remove_fence", &fence.topic, || {
            self.lock().fences.remove(fence);
            Ok(())
        })
    }

    async fn delete_before(&self, topic: &str, before: &[Position]) -> Result<(), PortError> {
        self.host.change("delete_before", topic, || {
            let mut state = self.lock();
            let found = state.topics.get_mut(topic).ok_or_else(|| self.no_topic(topic))?;
            if found.is_compacted() {
                return Err(self.host.invalid(format!("topic `{topic}` is compacted, and no record of it can be deleted by its offset")));
            }
            for at in before {
                let partition = usize::try_from(at.partition).ok().and_then(|index| found.partitions.get_mut(index));
                partition.ok_or_else(|| self.no_partition(topic, at.partition))?.truncate(at.offset);
            }
            Ok(())
        })
    }

    async fn groups_on(&self, topic: &str) -> Result<Vec<String>, PortError> {
        let state = self.lock();
        let reads = |group: &Group| group.committed.keys().any(|(name, _)| name == topic);
        Ok(state.groups.iter().filter(|(_, group)| reads(group)).map(|(name, _)| name.clone()).collect())
    }
}
