//! The scan that makes an index: it shows every record of a range to the declaration, and asks the registry where that is needed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::index::{Index, Scanned};
use super::judge::{Barrier, Mark};
use super::old::{Class, Old};
use super::proof::{Goal, Proof, Reset, Terms, prove};
use super::schemas::Schemas;
use super::wire::SchemaKey;
use super::{GroupSight, Last, Sight, Topic};
use crate::ports::PortError;
use crate::ports::kafka::{Kafka, Pace, PartitionEnds, Position, RecordRef};
use crate::ports::registry::Registry;

/// How long a scan may stand still before the broker counts as away.
const PATIENCE: Duration = Duration::from_secs(20);

/// After how many records a scan rests, so that its place can be saved.
const AT_ONCE: u64 = 2_000_000;

/// Where to look, and for what.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// The cluster.
    pub kafka: &'a dyn Kafka,
    /// The registry, where the declaration needs one.
    pub registry: Option<&'a dyn Registry>,
    /// The topic.
    pub topic: &'a str,
    /// What is old.
    pub old: &'a Old,
    /// The most records each second.
    pub most: Option<u32>,
}

/// A judgement with what it was made of.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The judgement.
    pub proof: Proof,
    /// The barrier, partitions that were added included.
    pub barrier: Barrier,
    /// What is known of the records.
    pub index: Index,
    /// What was seen of topic and groups.
    pub sight: Sight,
}

/// What is shared with whatever reads the records.
struct Bench {
    index: Index,
    asks: Option<SchemaKey>,
    left: u64,
}

impl Search<'_> {
    /// Looks further, up to the barrier at most, and answers whether it came there. What was seen is in the index then; the caller may save
    /// it and go on. Records that went away before anybody looked are not passed in silence: the index begins anew behind them.
    ///
    /// # Errors
    /// When a system does not answer.
    pub async fn further(&self, index: &mut Index, marks: &[Mark], schemas: &mut Schemas) -> Result<bool, PortError> {
        let ends = self.kafka.ends(self.topic).await?;
        skip_gone(index, &ends);
        let way = |mark: &Mark| {
            let to = index.partitions.get(&mark.partition)?.to;
            (to < mark.end).then_some((Position { partition: mark.partition, offset: to }, mark.end))
        };
        let ranges: Vec<_> = marks.iter().filter_map(way).collect();
        if ranges.is_empty() {
            return Ok(true);
        }
        let bench = Arc::new(Mutex::new(Bench { index: std::mem::take(index), asks: None, left: AT_ONCE }));
        let (old, topic, known, shared) = (self.old.clone(), self.topic.to_owned(), schemas.clone(), Arc::clone(&bench));
        let has_registry = self.registry.is_some();
        let see = move |record: &RecordRef<'_>| {
            let class = old.classify(&topic, record, &known);
            let mut bench = shared.lock().unwrap_or_else(PoisonError::into_inner);
            if let Class::Asks(key) = class
                && has_registry
            {
                bench.asks = Some(key);
                return ControlFlow::Break(());
            }
            if bench.left == 0 {
                return ControlFlow::Break(());
            }
            bench.left -= 1;
            bench.index.note(record.at, record.produced, class);
            ControlFlow::Continue(())
        };
        let pace = Pace { patience: PATIENCE, most: self.most };
        let outcome = self.kafka.sift(self.topic, &ranges, pace, Box::new(see)).await;
        let asks = {
            let mut bench = bench.lock().unwrap_or_else(PoisonError::into_inner);
            *index = std::mem::take(&mut bench.index);
            bench.asks.take()
        };
        match outcome {
            Ok(reached) => index.reach(&reached),
            Err(error @ PortError::Invalid { .. }) => {
                // Why: what is deleted while it is read is gone, not wrong. With the new beginning the next look goes on.
                let now = self.kafka.ends(self.topic).await?;
                if !skip_gone(index, &now) {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
        if let (Some(key), Some(registry)) = (asks, self.registry) {
            schemas.ask(registry, key).await?;
        }
        Ok(marks.iter().all(|mark| index.partitions.get(&mark.partition).is_some_and(|scanned| scanned.to >= mark.end)))
    }

    /// Looks at the topic and the groups and judges. Partitions that were added since are looked at whole, up to where they end now; and
    /// where nothing old may lie, what still held some is looked at again, for compaction and deletion take records away.
    ///
    /// # Errors
    /// When a system does not answer.
    pub async fn judge(&self, barrier: &Barrier, index: &Index, groups: &[String], terms: Terms) -> Result<Judged, PortError> {
        let sight = glance(self.kafka, self.topic, groups).await?;
        let barrier = extended(barrier, &sight);
        let mut index = index.clone();
        let start = |partition| sight.start(partition).unwrap_or_default();
        let holds = |mark: &Mark| {
            index
                .partitions
                .get(&mark.partition)
                .is_none_or(|found| terms.goal == Goal::Absent && found.old_from(start(mark.partition)) > 0)
        };
        let again: Vec<Mark> = barrier.marks.iter().filter(|mark| sight.is_stable(mark) && holds(mark)).copied().collect();
        if !again.is_empty() && sight.topic.as_ref().is_some_and(|topic| topic.id == barrier.topic.id) {
            let begin = again.iter().map(|mark| Position { partition: mark.partition, offset: start(mark.partition).min(mark.end) });
            let found = self.whole(Index::from(begin), &again, &mut Schemas::default()).await?;
            index.partitions.extend(found.partitions);
        }
        let proof = prove(&barrier, &index, &sight, terms);
        Ok(Judged { proof, barrier, index, sight })
    }

    /// An index from where the slowest of these groups stands, as far as the topic is stable now. `tell` hears how far it is.
    ///
    /// # Errors
    /// When a system does not answer.
    pub async fn survey(
        &self,
        barrier: &Barrier,
        groups: &[String],
        terms: Terms,
        mut tell: impl FnMut(&Index),
    ) -> Result<Index, PortError> {
        let sight = glance(self.kafka, self.topic, groups).await?;
        let mut index = begin(barrier, &sight, terms.goal, terms.reset);
        // Why only as far as that: what an open transaction holds back cannot be looked at yet.
        let marks: Vec<Mark> = barrier
            .marks
            .iter()
            .filter_map(|mark| {
                let stable = sight.stable(mark.partition)?;
                Some(Mark { end: mark.end.min(stable), ..*mark })
            })
            .collect();
        let mut schemas = Schemas::default();
        while !self.further(&mut index, &marks, &mut schemas).await? {
            tell(&index);
        }
        Ok(index)
    }

    /// Looks until the barrier is reached.
    ///
    /// # Errors
    /// When a system does not answer.
    pub async fn whole(&self, mut index: Index, marks: &[Mark], schemas: &mut Schemas) -> Result<Index, PortError> {
        while !self.further(&mut index, marks, schemas).await? {}
        Ok(index)
    }
}

/// Begins anew where a partition begins behind what was seen; says whether that was so somewhere.
fn skip_gone(index: &mut Index, ends: &[PartitionEnds]) -> bool {
    let mut skipped = false;
    for ends in ends {
        if let Some(scanned) = index.partitions.get_mut(&ends.partition).filter(|scanned| scanned.to < ends.start) {
            *scanned = Scanned::at(ends.start);
            skipped = true;
        }
    }
    skipped
}

/// An index that begins where the slowest of these groups stands, or at the log's beginning when the topic itself must hold nothing old.
#[must_use]
pub fn begin(barrier: &Barrier, sight: &Sight, goal: Goal, reset: Option<Reset>) -> Index {
    let from = |mark: &Mark| {
        let start = sight.start(mark.partition).unwrap_or_default();
        let stands = |group: &GroupSight| {
            let committed = group.committed(mark.partition);
            committed.or(if reset == Some(Reset::Latest) { Some(mark.end) } else { None }).unwrap_or(start)
        };
        let slowest = sight.groups.iter().map(stands).min().filter(|_| goal == Goal::Consumed).unwrap_or(start);
        Position { partition: mark.partition, offset: slowest.clamp(start.min(mark.end), mark.end) }
    };
    Index::from(barrier.marks.iter().map(from))
}

/// Looks at the topic and at these groups, without a look at records.
///
/// # Errors
/// When the cluster does not answer.
pub async fn glance(kafka: &dyn Kafka, topic: &str, groups: &[String]) -> Result<Sight, PortError> {
    let mut sight = Sight::default();
    if kafka.topic(topic).await?.is_none() {
        return Ok(sight);
    }
    sight.ends = kafka.ends(topic).await?;
    sight.stable = kafka.stable_ends(topic).await?;
    for group in groups {
        sight.groups.push(GroupSight { group: group.clone(), committed: kafka.committed(group, topic).await? });
    }
    // Why last: a topic that was made anew while we looked shows another id now.
    sight.topic = kafka.topic(topic).await?.map(|found| Topic { id: found.id, partitions: found.partitions });
    Ok(sight)
}

/// The barrier with marks for partitions that were added since: whatever lies in them counts.
#[must_use]
pub fn extended(barrier: &Barrier, sight: &Sight) -> Barrier {
    let mut extended = barrier.clone();
    let known: BTreeMap<i32, i64> = barrier.marks.iter().map(|mark| (mark.partition, mark.end)).collect();
    let added = sight.ends.iter().filter(|ends| !known.contains_key(&ends.partition));
    extended.marks.extend(added.map(|ends| Mark { partition: ends.partition, end: ends.end, last: Last::Unknown }));
    extended.marks.sort_by_key(|mark| mark.partition);
    extended
}

/// The groups that must have read: those that are named and those that are found, but for those that are excepted. Sorted.
///
/// # Errors
/// When the cluster does not answer.
pub async fn readers(kafka: &dyn Kafka, topic: &str, named: &[String], except: &[String]) -> Result<Vec<String>, PortError> {
    let mut groups = kafka.groups_on(topic).await?;
    groups.extend(named.iter().cloned());
    groups.sort();
    groups.dedup();
    groups.retain(|group| !except.contains(group));
    Ok(groups)
}
