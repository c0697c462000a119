//! Topics: looking at them, making, changing and ending them. A change returns when the cluster shows it.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::producer::Producer;

use super::fault::{Class, class};
use super::ffi::{self, AdminError, End, TopicDescription};
use super::{CHANGING, READING, Shared};
use crate::ports::PortError;
use crate::ports::kafka::{NewTopic, PartitionEnds, Position, TopicState};

/// How long a change that the cluster accepted may take to show.
pub(super) const SHOWING: Duration = Duration::from_secs(30);

/// How long a broker may lag behind the controller.
pub(super) const CATCHING_UP: Duration = Duration::from_secs(3);

/// Pause between two looks.
pub(super) const PAUSE: Duration = Duration::from_millis(30);

impl Shared {
    pub(super) fn topics(&self) -> Result<Vec<String>, PortError> {
        let admin = self.admin("listing topics")?;
        let metadata = admin.client().fetch_metadata(None, READING);
        let metadata = metadata.map_err(|error| self.client_fault("listing topics", &error))?;
        let mut names = metadata.topics().iter().map(|topic| topic.name().to_owned()).collect::<Vec<_>>();
        let suspects = names.iter().filter(|name| name.starts_with("__")).map(String::as_str).collect::<Vec<_>>();
        if !suspects.is_empty() {
            let described = self.ask("listing topics", READING, |line| ffi::describe_topics(line, &suspects))?;
            let internal = described.into_iter().filter(|(_, topic)| topic.as_ref().is_ok_and(|topic| topic.internal));
            let internal = internal.map(|(name, _)| name).collect::<Vec<_>>();
            names.retain(|name| !internal.contains(name));
        }
        names.sort();
        Ok(names)
    }

    /// The topic as metadata shows it, or `None`.
    pub(super) fn describe_topic(&self, name: &str) -> Result<Option<TopicDescription>, PortError> {
        let doing = format!("looking at topic `{name}`");
        let found = self.ask(&doing, READING, |line| ffi::describe_topics(line, &[name]))?;
        match found.into_iter().next().map(|(_, topic)| topic) {
            None => Ok(None),
            Some(Ok(topic)) => Ok(Some(topic)),
            Some(Err(error)) => self.absent_is_none(&doing, error),
        }
    }

    fn absent_is_none<T>(&self, doing: &str, error: AdminError) -> Result<Option<T>, PortError> {
        if class(error.code) == Class::Absent { Ok(None) } else { Err(self.fault(doing, error)) }
    }

    pub(super) fn topic(&self, name: &str) -> Result<Option<TopicState>, PortError> {
        let Some(described) = self.describe_topic(name)? else { return Ok(None) };
        let doing = format!("reading the settings of topic `{name}`");
        let entries = match self.try_ask(&doing, READING, |line| ffi::describe_topic_config(line, name))? {
            Ok(entries) => entries,
            Err(error) => return self.absent_is_none(&doing, error),
        };
        let configs = entries.into_iter().filter(|entry| entry.of_topic);
        Ok(Some(TopicState {
            id: described.id,
            partitions: u32::try_from(described.partitions.len()).unwrap_or(u32::MAX),
            replication: described.partitions.iter().map(|one| one.replicas).max().and_then(|most| u16::try_from(most).ok()).unwrap_or(0),
            configs: configs.filter_map(|entry| Some((entry.name, entry.value?))).collect(),
        }))
    }

    pub(super) fn create_topic(&self, topic: &NewTopic) -> Result<(), PortError> {
        let name = &topic.name;
        let doing = format!("creating topic `{name}`");
        let partitions = i32::try_from(topic.partitions).map_err(|_| self.invalid(format!("{doing}: too many partitions")))?;
        let replication = topic.replication.map_or(-1, i32::from);
        self.describe()?;
        self.ask(&doing, CHANGING, |line| ffi::create_topic(line, name, partitions, replication, &topic.configs))?;
        self.wait_for(&doing, name, |found| {
            found.is_some_and(|found| {
                found.partitions.len() == partitions.unsigned_abs() as usize && found.partitions.iter().all(|one| one.has_leader)
            })
        })
    }

    pub(super) fn grow_topic(&self, name: &str, total: u32) -> Result<(), PortError> {
        let doing = format!("growing topic `{name}` to {total} partitions");
        let now = self.describe_topic(name)?.ok_or_else(|| self.no_topic(name))?.partitions.len();
        let wanted = usize::try_from(total).unwrap_or(usize::MAX);
        if now > wanted {
            return Err(self.invalid(format!("{doing}: it has {now} already, and Kafka cannot take partitions away")));
        }
        if now < wanted {
            self.ask(&doing, CHANGING, |line| ffi::grow_topic(line, name, total))?;
        }
        self.wait_for(&doing, name, |found| {
            found.is_some_and(|found| found.partitions.len() >= wanted && found.partitions.iter().all(|one| one.has_leader))
        })
    }

    pub(super) fn alter_topic(&self, name: &str, set: &BTreeMap<String, String>, unset: &[String]) -> Result<(), PortError> {
        let doing = format!("changing settings of topic `{name}`");
        if self.describe_topic(name)?.is_none() {
            return Err(self.no_topic(name));
        }
        if set.is_empty() && unset.is_empty() {
            return Ok(());
        }
        self.ask(&doing, CHANGING, |line| ffi::alter_topic_config(line, name, set, unset))?;
        self.wait_for_settings(name, set, unset)
    }

    /// Waits until the broker that answers us shows the settings: the controller acknowledges before every broker knows. A broker that
    /// writes a value in its own way never shows ours, so the wait ends by itself.
    fn wait_for_settings(&self, name: &str, set: &BTreeMap<String, String>, unset: &[String]) -> Result<(), PortError> {
        let end = Instant::now() + CATCHING_UP;
        while Instant::now() < end {
            let configs = self.topic(name)?.map(|topic| topic.configs).unwrap_or_default();
            if set.iter().all(|(key, value)| configs.get(key) == Some(value)) && unset.iter().all(|key| !configs.contains_key(key)) {
                break;
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    pub(super) fn delete_topic(&self, name: &str, id: Option<&str>) -> Result<(), PortError> {
        let doing = format!("deleting topic `{name}`");
        let Some(found) = self.describe_topic(name)? else { return Ok(()) };
        if let Some(id) = id.filter(|id| Some(*id) != found.id.as_deref()) {
            let now = found.id.as_deref().unwrap_or("none");
            let detail = format!("{doing}: its id is `{now}` and not `{id}`, so it was deleted and created again meanwhile");
            return Err(PortError::Conflict { system: self.system.clone(), detail });
        }
        match self.try_ask(&doing, CHANGING, |line| ffi::delete_topic(line, name))? {
            Err(error) if class(error.code) != Class::Absent => return Err(self.fault(&doing, error)),
            _ => {}
        }
        // Why: somebody may create the name anew at once; the topic that we were asked to delete is gone all the same.
        self.wait_for(&doing, name, |now| now.is_none_or(|now| now.id.is_some() && now.id != found.id))
    }

    fn wait_for(&self, doing: &str, name: &str, shows: impl Fn(Option<&TopicDescription>) -> bool) -> Result<(), PortError> {
        let end = Instant::now() + SHOWING;
        loop {
            if shows(self.describe_topic(name)?.as_ref()) {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(self.not_shown(doing));
            }
            thread::sleep(PAUSE);
        }
    }

    pub(super) fn not_shown(&self, doing: &str) -> PortError {
        self.unreachable(format!("{doing}: the cluster accepted it {} s ago and does not show it yet", SHOWING.as_secs()))
    }

    pub(super) fn ends(&self, topic: &str) -> Result<Vec<PartitionEnds>, PortError> {
        let described = self.describe_topic(topic)?.ok_or_else(|| self.no_topic(topic))?;
        let partitions = described.partitions.iter().map(|one| one.number).collect::<Vec<_>>();
        let starts = self.offsets(topic, &partitions, End::Earliest)?;
        let ends = self.offsets(topic, &partitions, End::HighWatermark)?;
        let both = starts
            .into_iter()
            .filter_map(|(partition, start)| ends.get(&partition).map(|end| PartitionEnds { partition, start, end: *end }));
        Ok(both.collect())
    }

    pub(super) fn stable_ends(&self, topic: &str) -> Result<Vec<Position>, PortError> {
        let described = self.describe_topic(topic)?.ok_or_else(|| self.no_topic(topic))?;
        let partitions = described.partitions.iter().map(|one| one.number).collect::<Vec<_>>();
        let ends = self.offsets(topic, &partitions, End::LastStable)?;
        Ok(ends.into_iter().map(|(partition, offset)| Position { partition, offset }).collect())
    }

    /// One end of each of these partitions of a topic.
    pub(super) fn offsets(&self, topic: &str, partitions: &[i32], end: End) -> Result<BTreeMap<i32, i64>, PortError> {
        let doing = format!("asking where topic `{topic}` begins and ends");
        let give_up = Instant::now() + CATCHING_UP;
        loop {
            match self.try_ask(&doing, READING, |line| ffi::list_offsets(line, topic, partitions, end))? {
                Ok(found) => return Ok(found.into_iter().collect()),
                // Why: a broker answers "not the leader" for a moment after a topic was made, although its metadata name it.
                Err(error) if error.code > 0 && class(error.code) == Class::Passing && Instant::now() < give_up => thread::sleep(PAUSE),
                Err(error) => return Err(self.fault(&doing, error)),
            }
        }
    }
}
