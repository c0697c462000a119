//! The looks that a judgement is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::judge::{Barrier, GroupSight, Last, Mark, Sight, Topic, offset_in};
use crate::ports::PortError;
use crate::ports::kafka::{Kafka, PartitionEnds, Position};

/// How long reading a window backwards may take before the broker counts as away.
const PATIENCE: Duration = Duration::from_secs(20);

/// The first window that is read backwards from a barrier; each one after it is twice as long.
const WINDOW: i64 = 64;

/// The longest window.
const LONGEST_WINDOW: i64 = 100_000;

/// How long a high watermark may trail behind a leader whose replicas are slow: Kafka's `replica.lag.time.max.ms`.
pub const REPLICAS_LAG: Duration = Duration::from_secs(30);

/// Takes the barrier: the high watermark, read uncommitted, and never less than `before`, which was taken earlier.
///
/// # Errors
/// When the cluster does not answer; `Invalid` when there is no such topic.
pub async fn take_barrier(kafka: &dyn Kafka, topic: &str, before: Option<&Barrier>) -> Result<Barrier, PortError> {
    let ends = kafka.ends(topic).await?;
    let then =
        |partition| before.and_then(|before| before.marks.iter().find(|mark| mark.partition == partition)).map_or(0, |mark| mark.end);
    let mark = |ends: &PartitionEnds| Mark { partition: ends.partition, end: ends.end.max(then(ends.partition)), last: Last::Unknown };
    let marks = ends.iter().map(mark).collect();
    let found = match before {
        // Why: which topic it was is what the first look says; a later judgement sees that it is another one.
        Some(before) => before.topic.clone(),
        None => identity(kafka, topic).await?.unwrap_or_default(),
    };
    Ok(Barrier { topic: found, marks })
}

async fn identity(kafka: &dyn Kafka, topic: &str) -> Result<Option<Topic>, PortError> {
    Ok(kafka.topic(topic).await?.map(|found| Topic { id: found.id, partitions: found.partitions }))
}

/// Looks where the last record before each mark lies, as far as readers can see by now. Marks that are not stable yet stay unknown.
///
/// # Errors
/// When the cluster does not answer.
pub async fn known_last(kafka: &dyn Kafka, topic: &str, mut barrier: Barrier) -> Result<Barrier, PortError> {
    let stable = kafka.stable_ends(topic).await?;
    let ends = kafka.ends(topic).await?;
    let is_stable = |mark: &&Mark| offset_in(&stable, mark.partition).is_some_and(|stable| stable >= mark.end);
    let wanted = barrier.marks.iter().filter(is_stable).map(|mark| (mark.partition, mark.end)).collect();
    let found = last_records(kafka, topic, &ends, wanted).await?;
    for mark in &mut barrier.marks {
        mark.last = found.get(&mark.partition).copied().unwrap_or(mark.last);
    }
    Ok(barrier)
}

/// Looks at the topic and at these groups. Where a group is not past the barrier, the last record before it is looked for again when
/// nobody knew it, or when compaction may have taken it away.
///
/// # Errors
/// When the cluster does not answer.
pub async fn look(kafka: &dyn Kafka, topic: &str, barrier: &Barrier, groups: &[String]) -> Result<Sight, PortError> {
    let Some(found) = kafka.topic(topic).await? else { return Ok(Sight::default()) };
    let compacted = found.is_compacted();
    let mut sight = Sight {
        topic: Some(Topic { id: found.id, partitions: found.partitions }),
        ends: kafka.ends(topic).await?,
        stable: kafka.stable_ends(topic).await?,
        ..Sight::default()
    };
    let mut wanted = BTreeMap::new();
    for group in groups {
        let committed = kafka.committed(group, topic).await?;
        for mark in &barrier.marks {
            let at = offset_in(&committed, mark.partition);
            let passed = match mark.last {
                Last::Unknown => at.is_some_and(|at| at >= mark.end),
                Last::None => true,
                Last::At(last) => at.is_some_and(|at| at > last),
            };
            if sight.is_stable(mark) && !passed && (mark.last == Last::Unknown || compacted) {
                wanted.insert(mark.partition, mark.end);
            }
        }
        sight.groups.push(GroupSight { group: group.clone(), committed });
    }
    sight.last = last_records(kafka, topic, &sight.ends, wanted).await?;
    Ok(sight)
}

/// The last record before an offset, by partition: reads backwards in windows that grow.
async fn last_records(
    kafka: &dyn Kafka,
    topic: &str,
    ends: &[PartitionEnds],
    mut wanted: BTreeMap<i32, i64>,
) -> Result<BTreeMap<i32, Last>, PortError> {
    let mut found = BTreeMap::new();
    let start = |partition: i32| ends.iter().find(|ends| ends.partition == partition).map_or(0, |ends| ends.start);
    let mut window = WINDOW;
    while !wanted.is_empty() {
        let ranges: Vec<_> = wanted
            .iter()
            .map(|(partition, end)| (Position { partition: *partition, offset: start(*partition).max(end - window) }, *end))
            .filter(|(from, to)| from.offset < *to)
            .collect();
        let records = kafka.read(topic, &ranges, PATIENCE).await?;
        for record in &records {
            found.insert(record.at.partition, Last::At(record.at.offset));
        }
        let begun: BTreeSet<i32> = ranges.iter().map(|(from, _)| from.partition).collect();
        for (from, _) in &ranges {
            wanted.insert(from.partition, from.offset);
        }
        wanted.retain(|partition, to| {
            let over = !begun.contains(partition) || *to <= start(*partition);
            if over {
                found.entry(*partition).or_insert(Last::None);
            }
            !found.contains_key(partition)
        });
        window = (window * 2).min(LONGEST_WINDOW);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ports::kafka::{NewRecord, NewTopic};
    use crate::sim::SimKafka;

    #[tokio::test]
    async fn the_last_record_is_found_however_far_back_it_lies() {
        let kafka = SimKafka::new("main");
        let new = NewTopic { name: "t".to_owned(), partitions: 1, replication: None, configs: BTreeMap::new() };
        kafka.create_topic(&new).await.unwrap();
        let record = NewRecord { key: None, value: Some(b"x".to_vec()), headers: Vec::new() };
        kafka.produce("t", &vec![record; 1000]).await.unwrap();
        let ends = kafka.ends("t").await.unwrap();
        let last = async |end| last_records(&kafka, "t", &ends, BTreeMap::from([(0, end)])).await.unwrap();
        assert_eq!(last(1000).await, BTreeMap::from([(0, Last::At(999))]));
        assert_eq!(last(0).await, BTreeMap::from([(0, Last::None)]));
        kafka.drop_records("t", 0, 3..1000);
        assert_eq!(last(1000).await, BTreeMap::from([(0, Last::At(2))]));
        kafka.drop_records("t", 0, 0..1000);
        assert_eq!(last(1000).await, BTreeMap::from([(0, Last::None)]));
    }
}
