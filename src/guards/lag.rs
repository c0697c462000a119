//! `lag`: how far a consumer group is behind the end of a topic.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Guard, GuardKind, main_system};
use crate::ports::kafka::{PartitionEnds, Position};
use crate::step::{Claim, Operation, Reading, Resource, Right, StepError, World};

/// How far a consumer group is behind: the sum over the topic's partitions of high watermark minus committed offset.
///
/// A rough figure: markers of transactions and records that compaction took away count like records, the two numbers of a partition are
/// not read at the same instant, and a group commits later than it handles. It says that a group falls behind; that everything was
/// consumed is proven by other means, never by a lag of 0. A partition without a commit counts from the start of its log.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lag {
    /// Name of the cluster.
    #[serde(default = "main_system")]
    pub cluster: String,
    /// Name of the consumer group.
    #[schemars(length(min = 1, max = 255))]
    pub group: String,
    /// Name of the topic.
    #[schemars(extend("format" = "topic-name"))]
    pub topic: String,
    /// More records than this are bad.
    pub above: u64,
}

impl Lag {
    /// See [`GuardKind`].
    pub const KIND: GuardKind = GuardKind {
        name: "lag",
        summary: "how many records a consumer group is behind",
        example: "lag: {group: hiring-exercises, topic: datarep.exercise, above: 10000, then: hold}",
    };
}

#[async_trait]
impl Guard for Lag {
    fn kind(&self) -> &'static GuardKind {
        &Self::KIND
    }

    fn query(&self) -> String {
        format!("{} on {}", self.group, self.topic)
    }

    fn limit(&self) -> String {
        format!("above {}", self.above)
    }

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::read(Resource::topic(&self.cluster, &self.topic)), Claim::read(Resource::group(&self.cluster, &self.group))]
    }

    fn rights(&self) -> Vec<Right> {
        let (topic, group) = (Resource::topic(&self.cluster, &self.topic), Resource::group(&self.cluster, &self.group));
        [Right::all(&topic, [Operation::Describe]), Right::all(&group, [Operation::Describe])].concat()
    }

    async fn ready(&self, world: &World) -> Result<(), StepError> {
        // Why: topic and group may only come with the run's own earlier steps.
        world.kafka(&self.cluster)?.cluster().await?;
        Ok(())
    }

    async fn look(&self, world: &World) -> Result<Reading, StepError> {
        let kafka = world.kafka(&self.cluster)?;
        // Why in this order: a commit that is older than the ends makes the figure too high rather than too low.
        let committed = kafka.committed(&self.group, &self.topic).await?;
        let behind = behind(&kafka.ends(&self.topic).await?, &committed);
        #[expect(clippy::cast_precision_loss, reason = "a rough figure, and exact up to 2^53 records")]
        let value = behind as f64;
        let line = format!("{behind} {}", if behind == 1 { "record" } else { "records" });
        Ok(Reading::Value { value, good: behind <= self.above, line })
    }
}

/// Records between what is committed and the ends.
fn behind(ends: &[PartitionEnds], committed: &[Position]) -> u64 {
    let one = |ends: &PartitionEnds| {
        let commit = committed.iter().find(|position| position.partition == ends.partition).map(|position| position.offset);
        // Why: what lies before the start of the log cannot be read any more, so nobody is behind by it.
        let from = commit.unwrap_or(ends.start).max(ends.start);
        u64::try_from(ends.end.saturating_sub(from)).unwrap_or_default()
    };
    ends.iter().map(one).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(partition: i32, start: i64, end: i64) -> PartitionEnds {
        PartitionEnds { partition, start, end }
    }

    fn at(partition: i32, offset: i64) -> Position {
        Position { partition, offset }
    }

    #[test]
    fn it_is_the_sum_over_the_partitions() {
        assert_eq!(behind(&[ends(0, 0, 10), ends(1, 0, 5)], &[at(0, 4), at(1, 5)]), 6);
    }

    #[test]
    fn without_a_commit_it_counts_from_the_start_of_the_log() {
        assert_eq!(behind(&[ends(0, 3, 10)], &[]), 7);
        assert_eq!(behind(&[ends(0, 3, 10), ends(1, 0, 2)], &[at(0, 10)]), 2);
    }

    #[test]
    fn what_is_gone_and_what_is_ahead_count_nothing() {
        assert_eq!(behind(&[ends(0, 8, 10)], &[at(0, 2)]), 2);
        assert_eq!(behind(&[ends(0, 0, 10)], &[at(0, 12)]), 0);
    }
}
