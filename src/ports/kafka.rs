//! What cutover asks of a Kafka cluster.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;
use super::access::{Access, Leave};

/// The cluster as it introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterState {
    /// The cluster id that the brokers report; used as a safety check against the wrong cluster.
    pub id: String,
    /// `host:port` of every live broker.
    pub brokers: Vec<String>,
}

/// A topic that exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicState {
    /// The topic id: a topic that was deleted and created again has another one. `None` in a view of the future.
    pub id: Option<String>,
    /// Number of partitions.
    pub partitions: u32,
    /// Replicas of each partition; 0 in a view of the future in which the broker decides.
    pub replication: u16,
    /// Settings that were set on the topic itself; broker defaults are not among them.
    pub configs: BTreeMap<String, String>,
}

impl TopicState {
    /// Whether only the last record of a key is kept for ever.
    #[must_use]
    pub fn is_compacted(&self) -> bool {
        self.configs.get("cleanup.policy").is_some_and(|policy| policy.contains("compact"))
    }
}

/// A topic to be created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Number of partitions.
    pub partitions: u32,
    /// Replicas of each partition; `None` leaves it to the broker's default.
    pub replication: Option<u16>,
    /// Settings of the topic itself.
    pub configs: BTreeMap<String, String>,
}

/// Where one partition begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionEnds {
    /// Partition number.
    pub partition: i32,
    /// Offset of the first record that can still be read (log start).
    pub start: i64,
    /// High watermark, read uncommitted: the offset that the next record gets.
    pub end: i64,
}

/// A place in a topic: the record at this offset, or the next one to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Partition number.
    pub partition: i32,
    /// Offset in that partition.
    pub offset: i64,
}

/// A record to be produced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecord {
    /// Key bytes; `None` lets the partitioner choose.
    pub key: Option<Vec<u8>>,
    /// Value bytes; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// A record as it lies in the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Where it lies.
    pub at: Position,
    /// Key bytes.
    pub key: Option<Vec<u8>>,
    /// Value bytes; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl StoredRecord {
    /// The record without a copy of it.
    #[must_use]
    pub fn borrowed(&self) -> RecordRef<'_> {
        RecordRef { at: self.at, produced: None, key: self.key.as_deref(), value: self.value.as_deref(), headers: Some(&self.headers) }
    }
}

/// Where a header is looked up.
pub trait Headers {
    /// The last header of that name, which is the one that counts.
    fn last(&self, name: &str) -> Option<&[u8]>;
}

impl Headers for Vec<(String, Vec<u8>)> {
    fn last(&self, name: &str) -> Option<&[u8]> {
        self.iter().rev().find(|(found, _)| found == name).map(|(_, value)| value.as_slice())
    }
}

/// A record that is only shown and not kept.
#[derive(Clone, Copy)]
pub struct RecordRef<'a> {
    /// Where it lies.
    pub at: Position,
    /// When it was produced, in milliseconds since 1970, by whoever produced it; nothing may be decided by it.
    pub produced: Option<i64>,
    /// Key bytes.
    pub key: Option<&'a [u8]>,
    /// Value bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers; `None` when it has none.
    pub headers: Option<&'a dyn Headers>,
}

impl<'a> RecordRef<'a> {
    /// The last header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.and_then(|headers| headers.last(name))
    }
}

/// Whom records are shown to. With `Break` the reading ends in front of the record that was shown last.
pub type See = Box<dyn FnMut(&RecordRef<'_>) -> ControlFlow<()> + Send>;

/// How fast a scan may be, and how long it may stand still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The longest time without a step forward before the broker counts as away.
    pub patience: Duration,
    /// The most records each second; `None` is as fast as it goes.
    pub most: Option<u32>,
}

/// A producer that a partition's leader remembers. Only idempotent and transactional ones are remembered, those that have ended among
/// them, and none for ever: what is here may be gone, and what is not here may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducerState {
    /// Partition number.
    pub partition: i32,
    /// The number that the cluster gave it.
    pub producer: i64,
    /// How often that number was given out again.
    pub epoch: i32,
    /// What its last record says of its time, in milliseconds since 1970.
    pub last_timestamp: i64,
    /// Where the transaction begins that it has open in this partition.
    pub open_since: Option<i64>,
}

/// A transaction as its coordinator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionState {
    /// The name that its producer uses, `transactional.id`.
    pub id: String,
    /// The producer's number.
    pub producer: i64,
    /// The coordinator's word: `Ongoing`, `CompleteCommit`, …
    pub state: String,
    /// After how many milliseconds the coordinator ends it.
    pub timeout: i64,
    /// When it began, in milliseconds since 1970 by the coordinator's clock.
    pub began: Option<i64>,
}

/// A rule that keeps a principal from writing to a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WriteFence {
    /// The topic, by its exact name.
    pub topic: String,
    /// Whom, as the cluster calls it: `User:exercises`, or `User:*` for everybody.
    pub principal: String,
}

impl std::fmt::Display for WriteFence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} may not write to {}", self.principal, self.topic)
    }
}

/// A consumer group as its coordinator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupState {
    /// Coordinator's word for its state: `Stable`, `Empty`, …
    pub state: String,
    /// Members that are joined now.
    pub members: u32,
    /// Topics of which a member is assigned a partition now, sorted.
    #[serde(default)]
    pub topics: Vec<String>,
}

/// One Kafka cluster. Every method is safe to call again after an unknown outcome, except [`Kafka::produce`].
#[async_trait]
pub trait Kafka: Send + Sync {
    /// Who the cluster is.
    async fn cluster(&self) -> Result<ClusterState, PortError>;

    /// Names of all topics that the user may see, internal ones left out, sorted.
    async fn topics(&self) -> Result<Vec<String>, PortError>;

    /// The topic, or `None` when there is none of that name.
    async fn topic(&self, name: &str) -> Result<Option<TopicState>, PortError>;

    /// Creates a topic and returns once its partitions have leaders. `Conflict` when the name is taken.
    async fn create_topic(&self, topic: &NewTopic) -> Result<(), PortError>;

    /// Raises the number of partitions to `total`.
    async fn grow_topic(&self, name: &str, total: u32) -> Result<(), PortError>;

    /// Sets and unsets single settings and leaves all others alone (`IncrementalAlterConfigs`).
    async fn alter_topic(&self, name: &str, set: &BTreeMap<String, String>, unset: &[String]) -> Result<(), PortError>;

    /// Deletes a topic. With `id` given, `Conflict` when the topic of that name has another id. Deleting what is not there is fine.
    async fn delete_topic(&self, name: &str, id: Option<&str>) -> Result<(), PortError>;

    /// Start and high watermark of every partition, sorted by partition. `Invalid` when there is no such topic.
    async fn ends(&self, topic: &str) -> Result<Vec<PartitionEnds>, PortError>;

    /// Last stable offset of every partition, sorted by partition: where a reader of committed records stops. It stays below the high
    /// watermark while a transaction is open. `Invalid` when there is no such topic.
    async fn stable_ends(&self, topic: &str) -> Result<Vec<Position>, PortError>;

    /// Produces records with acks=all and an idempotent producer, in order, and returns where each one lies.
    /// An error leaves the outcome unknown: read back before sending again.
    async fn produce(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>, PortError>;

    /// Reads what is committed in the half-open ranges `[from, to)`, without a consumer group and without a trace.
    /// Returns them by partition and offset when every range has been read to its end; `Unreachable` when that takes longer than
    /// `patience`, as behind an open transaction; `Invalid` when a range begins before the log does.
    async fn read(&self, topic: &str, ranges: &[(Position, i64)], patience: Duration) -> Result<Vec<StoredRecord>, PortError>;

    /// Reads like [`Kafka::read`] and shows every record to `see`, in the order of its partition, instead of keeping it; so memory does not
    /// grow with the ranges. Returns for each partition the first offset that was not passed: the range's end, unless `see` broke off.
    /// `Unreachable` when it stands still for longer than the pace's patience.
    async fn sift(&self, topic: &str, ranges: &[(Position, i64)], pace: Pace, mut see: See) -> Result<Vec<Position>, PortError> {
        let records = self.read(topic, ranges, pace.patience).await?;
        let mut reached: BTreeMap<i32, i64> = ranges.iter().map(|(from, _)| (from.partition, from.offset)).collect();
        for record in &records {
            if see(&record.borrowed()).is_break() {
                return Ok(reached.into_iter().map(|(partition, offset)| Position { partition, offset }).collect());
            }
            reached.insert(record.at.partition, record.at.offset + 1);
        }
        Ok(ranges.iter().map(|(from, to)| Position { partition: from.partition, offset: *to }).collect())
    }

    /// Joins `group` as an ordinary consumer of `topic`, reads until the group's position has passed every one of `until`
    /// (exclusive ends), commits up to there and leaves. Returns the records before those ends that it was handed, by partition and
    /// offset; what it had when `patience` ended.
    async fn consume(&self, topic: &str, group: &str, until: &[Position], patience: Duration) -> Result<Vec<StoredRecord>, PortError>;

    /// The group, or `None` when the coordinator does not know it.
    async fn group(&self, group: &str) -> Result<Option<GroupState>, PortError>;

    /// Committed offsets of the group on the topic; partitions without a commit are left out.
    async fn committed(&self, group: &str, topic: &str) -> Result<Vec<Position>, PortError>;

    /// Every group that has a commit on the topic or a member that is assigned a partition of it, sorted. Readers without a group are in
    /// nobody's list.
    async fn groups_on(&self, topic: &str) -> Result<Vec<String>, PortError>;

    /// The producers that the leaders of the topic's partitions remember; see [`ProducerState`] for what that is worth.
    async fn producers(&self, _topic: &str) -> Result<Vec<ProducerState>, PortError> {
        Ok(Vec::new())
    }

    /// The transactions of these producers, as far as a coordinator knows them and we may see them.
    async fn transactions(&self, _producers: &[i64]) -> Result<Vec<TransactionState>, PortError> {
        Ok(Vec::new())
    }

    /// Ends what a `transactional.id` has open and keeps its present producer from ever writing again; a new one of that name may. Fine to do
    /// twice.
    async fn fence_transaction(&self, id: &str) -> Result<(), PortError> {
        Err(PortError::unfit("ending a transaction", id))
    }

    /// Whether this very rule is there; `None` when the cluster has no authorizer, so that rules mean nothing.
    async fn has_fence(&self, fence: &WriteFence) -> Result<Option<bool>, PortError> {
        Err(PortError::unfit("looking for a rule", &fence.to_string()))
    }

    /// Adds the rule. Fine when it is there.
    async fn add_fence(&self, fence: &WriteFence) -> Result<(), PortError> {
        Err(PortError::unfit("adding a rule", &fence.to_string()))
    }

    /// Takes this very rule away and no other. Fine when it is gone.
    async fn remove_fence(&self, fence: &WriteFence) -> Result<(), PortError> {
        Err(PortError::unfit("removing a rule", &fence.to_string()))
    }

    /// Deletes the records before these offsets. `Invalid` where the topic is compacted only.
    async fn delete_before(&self, topic: &str, _before: &[Position]) -> Result<(), PortError> {
        Err(PortError::unfit("deleting records", topic))
    }

    /// Whether we may do each of these, as the cluster tells us itself; what is not there yet is asked about, too. Changes nothing.
    async fn allows(&self, asked: &[Access]) -> Result<Vec<Leave>, PortError> {
        Ok(Leave::unknown(asked, "nobody here tells who may do what"))
    }
}
