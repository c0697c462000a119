//! The judgement: a pure function of what was seen.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::ports::kafka::{PartitionEnds, Position};

/// Up to where everything must have been read, and which topic that was. Journaled, so that a later look speaks of the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barrier {
    /// The topic; another id or another number of partitions makes the barrier say nothing.
    pub topic: Topic,
    /// One for each partition, sorted.
    pub marks: Vec<Mark>,
}

/// Which topic something was seen of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its id.
    pub id: Option<String>,
    /// How many partitions it has.
    pub partitions: u32,
}

/// The barrier in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Partition number.
    pub partition: i32,
    /// Everything before this offset counts: the high watermark, read uncommitted.
    pub end: i64,
    /// Where the last record before it lies; [`Last::Unknown`] until somebody has looked.
    #[serde(default)]
    pub last: Last,
}

/// The last record before a barrier. Markers and aborted records are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Last {
    /// Nobody has looked.
    #[default]
    Unknown,
    /// There is none.
    None,
    /// At this offset.
    At(i64),
}

/// A look at the topic and the groups, some time after the barrier was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// The topic; `None` when it is gone.
    pub topic: Option<Topic>,
    /// Where the partitions begin and end.
    pub ends: Vec<PartitionEnds>,
    /// Where readers of committed records stop.
    pub stable: Vec<Position>,
    /// The groups with what they have committed.
    pub groups: Vec<GroupSight>,
    /// The last record before the barrier, by partition, where somebody is not past the barrier.
    pub last: BTreeMap<i32, Last>,
}

/// A group and its commits on the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSight {
    /// Its name.
    pub group: String,
    /// What it has committed; partitions without a commit are left out.
    pub committed: Vec<Position>,
}

impl Barrier {
    /// Why what is seen now is not the topic of which the barrier was taken, if that is so.
    pub(super) fn other_topic(&self, sight: &Sight) -> Option<String> {
        let Some(topic) = &sight.topic else { return Some("the topic is gone".to_owned()) };
        let name = |topic: &Topic| topic.id.clone().unwrap_or_else(|| "unknown".to_owned());
        (topic.id != self.topic.id)
            .then(|| format!("the topic was deleted and created again: its id was {} and is {}", name(&self.topic), name(topic)))
    }
}

impl Sight {
    /// Where a partition begins; `None` for one that is not there.
    pub(super) fn start(&self, partition: i32) -> Option<i64> {
        self.ends.iter().find(|ends| ends.partition == partition).map(|ends| ends.start)
    }

    /// Whether readers of committed records may come as far as a mark.
    pub(super) fn is_stable(&self, mark: &Mark) -> bool {
        self.stable(mark.partition).is_some_and(|stable| stable >= mark.end)
    }

    /// Where readers of committed records stop in a partition; `None` when nobody says.
    #[must_use]
    pub fn stable(&self, partition: i32) -> Option<i64> {
        offset_in(&self.stable, partition)
    }
}

impl GroupSight {
    /// What the group has committed in a partition.
    pub(super) fn committed(&self, partition: i32) -> Option<i64> {
        offset_in(&self.committed, partition)
    }
}

/// The offset that a list has for a partition.
#[must_use]
pub fn offset_in(positions: &[Position], partition: i32) -> Option<i64> {
    positions.iter().find(|at| at.partition == partition).map(|at| at.offset)
}

/// How much a group has not read in one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The group.
    pub group: String,
    /// The partition.
    pub partition: i32,
    /// What it has committed; `None` when nothing.
    pub committed: Option<i64>,
    /// The offset that it must have passed.
    pub last: i64,
}

impl Left {
    /// At most how many records that are.
    #[must_use]
    pub fn records(&self) -> u64 {
        u64::try_from(self.last + 1 - self.committed.unwrap_or_default()).unwrap_or_default()
    }
}

/// What the look says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every group has read every record before the barrier.
    Drained,
    /// Readers are held back before the barrier: a transaction is open.
    Unstable {
        /// Partition number.
        partition: i32,
        /// Where readers stop now.
        stable: i64,
        /// Where the barrier is.
        barrier: i64,
    },
    /// Groups have not read everything.
    Waiting(Vec<Left>),
    /// A group has committed nothing in a partition that holds records: what it has read depends on a setting that nobody can see.
    Unknown(Vec<Left>),
    /// Records went away before a group had read them; a person must decide.
    Lost(String),
    /// It is not the topic any more of which the barrier was taken; a person must decide.
    Changed(String),
}

/// Judges a look against the barrier. What is broken is said first, then what is unknown, then what is waited for.
#[must_use]
pub fn judge(barrier: &Barrier, sight: &Sight) -> Verdict {
    if let Some(changed) = changed(barrier, sight) {
        return Verdict::Changed(changed);
    }
    let unstable = barrier.marks.iter().find_map(|mark| {
        let stable = sight.stable(mark.partition).filter(|stable| *stable < mark.end)?;
        Some(Verdict::Unstable { partition: mark.partition, stable, barrier: mark.end })
    });
    let (mut waiting, mut unknown) = (Vec::new(), Vec::new());
    for group in &sight.groups {
        for mark in &barrier.marks {
            match standing(mark, group, sight) {
                Standing::Passed => {}
                Standing::Lost(why) => return Verdict::Lost(why),
                Standing::Behind(left) => waiting.push(left),
                Standing::NoCommit(left) => unknown.push(left),
            }
        }
    }
    match unstable {
        Some(unstable) => unstable,
        None if !waiting.is_empty() => Verdict::Waiting(waiting),
        None if !unknown.is_empty() => Verdict::Unknown(unknown),
        None => Verdict::Drained,
    }
}

fn changed(barrier: &Barrier, sight: &Sight) -> Option<String> {
    let grown = || {
        let (then, now) = (barrier.topic.partitions, sight.topic.as_ref()?.partitions);
        (now != then).then(|| format!("the topic had {then} partitions and has {now}; records of one key may lie in two of them"))
    };
    barrier.other_topic(sight).or_else(grown)
}

enum Standing {
    Passed,
    Behind(Left),
    NoCommit(Left),
    Lost(String),
}

/// One group in one partition.
fn standing(mark: &Mark, group: &GroupSight, sight: &Sight) -> Standing {
    let start = sight.start(mark.partition).unwrap_or_default();
    let committed = group.committed(mark.partition);
    let found = sight.last.get(&mark.partition).copied().unwrap_or_default();
    let last = if found == Last::Unknown { mark.last } else { found };
    let passed = |committed: i64| committed >= mark.end || matches!(mark.last, Last::At(last) if committed > last);
    if committed.is_some_and(passed) || mark.end == 0 {
        return Standing::Passed;
    }
    if let Some(committed) = committed.filter(|committed| *committed < start.min(mark.end)) {
        // Why: what lay there cannot be looked at any more, so nobody can say that it was nothing.
        let gone = start.min(mark.end) - committed;
        return Standing::Lost(format!(
            "group {} has read partition {} up to offset {committed}, and the partition begins at {start} now: up to {gone} records went \
             away unread",
            group.group, mark.partition
        ));
    }
    let last = match last {
        Last::None => return Standing::Passed,
        Last::At(last) => last,
        // Why: without a look the barrier itself is the bound; it asks for more than there may be, never for less.
        Last::Unknown => mark.end - 1,
    };
    let left = Left { group: group.group.clone(), partition: mark.partition, committed, last };
    match committed {
        Some(committed) if committed > last => Standing::Passed,
        Some(_) => Standing::Behind(left),
        None if start >= mark.end => Standing::Passed,
        None => Standing::NoCommit(left),
    }
}

impl Verdict {
    /// How it is, as a sentence with the number that is waited for.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Drained => "everything before the barrier is read".to_owned(),
            Self::Unstable { partition, stable, barrier } => {
                format!("a transaction is open: partition {partition} is stable up to {stable} of {barrier}")
            }
            Self::Waiting(left) => behind(left),
            Self::Unknown(left) => left.first().map_or_else(String::new, |first| {
                format!(
                    "unknown: group {} has committed nothing in partition {}, which holds records up to offset {}",
                    first.group, first.partition, first.last
                )
            }),
            Self::Lost(why) | Self::Changed(why) => why.clone(),
        }
    }
}

/// `hiring-exercises has up to 1204 records left: 1200 in partition 0, 4 in partition 2`.
fn behind(left: &[Left]) -> String {
    let mut groups: BTreeMap<&str, Vec<&Left>> = BTreeMap::new();
    for one in left {
        groups.entry(&one.group).or_default().push(one);
    }
    let mut words = String::new();
    for (group, left) in groups {
        let total: u64 = left.iter().map(|one| one.records()).sum();
        let parts = left.iter().map(|one| format!("{} in partition {}", one.records(), one.partition)).collect::<Vec<_>>();
        let records = if total == 1 { "record" } else { "records" };
        let _ = write!(words, "{}{group} has up to {total} {records} left: {}", if words.is_empty() { "" } else { "; " }, parts.join(", "));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn barrier(end: i64, last: Last) -> Barrier {
        Barrier { topic: topic("a", 1), marks: vec![Mark { partition: 0, end, last }] }
    }

    fn topic(id: &str, partitions: u32) -> Topic {
        Topic { id: Some(id.to_owned()), partitions }
    }

    fn sight(start: i64, stable: i64, committed: Option<i64>) -> Sight {
        let committed = committed.map(|offset| Position { partition: 0, offset }).into_iter().collect();
        Sight {
            topic: Some(topic("a", 1)),
            ends: vec![PartitionEnds { partition: 0, start, end: stable }],
            stable: vec![Position { partition: 0, offset: stable }],
            groups: vec![GroupSight { group: "g".to_owned(), committed }],
            last: BTreeMap::new(),
        }
    }

    #[test]
    fn a_marker_behind_the_last_record_is_not_waited_for() {
        // Three records and the marker that commits them: a consumer that commits record by record stays at 3.
        assert_eq!(judge(&barrier(4, Last::At(2)), &sight(0, 4, Some(3))), Verdict::Drained);
        assert!(matches!(judge(&barrier(4, Last::At(2)), &sight(0, 4, Some(2))), Verdict::Waiting(left) if left[0].records() == 1));
    }

    #[test]
    fn aborted_records_alone_are_nothing_to_read() {
        assert_eq!(judge(&barrier(7, Last::None), &sight(0, 7, Some(0))), Verdict::Drained);
        assert_eq!(judge(&barrier(7, Last::None), &sight(0, 7, None)), Verdict::Drained);
    }

    #[test]
    fn an_open_transaction_holds_the_drain_back() {
        let found = judge(&barrier(11, Last::At(9)), &sight(0, 10, Some(10)));
        assert_eq!(found, Verdict::Unstable { partition: 0, stable: 10, barrier: 11 });
    }

    #[test]
    fn what_expired_unread_is_lost_and_not_drained() {
        let found = judge(&barrier(10, Last::None), &sight(10, 10, Some(4)));
        assert!(matches!(&found, Verdict::Lost(why) if why.contains("up to 6 records")), "{found:?}");
        assert_eq!(judge(&barrier(10, Last::None), &sight(10, 10, Some(10))), Verdict::Drained);
    }

    #[test]
    fn no_commit_is_unknown_unless_there_is_nothing_to_read() {
        assert_eq!(judge(&barrier(0, Last::Unknown), &sight(0, 0, None)), Verdict::Drained);
        assert!(matches!(judge(&barrier(3, Last::At(2)), &sight(0, 3, None)), Verdict::Unknown(_)));
        assert_eq!(judge(&barrier(3, Last::None), &sight(3, 3, None)), Verdict::Drained, "all of it expired before the barrier");
    }

    #[test]
    fn compacted_away_offsets_are_not_waited_for() {
        // 24 offsets, of which 19 to 23 are left; a group that has read 20 stands at 20.
        let mut found = sight(0, 24, Some(20));
        found.last.insert(0, Last::At(19));
        assert_eq!(judge(&barrier(24, Last::At(23)), &found), Verdict::Drained, "the newer look counts");
    }

    #[test]
    fn another_topic_of_that_name_says_nothing() {
        for (now, word) in [(Some(topic("b", 1)), "created again"), (Some(topic("a", 2)), "2"), (None, "gone")] {
            let found = judge(&barrier(3, Last::At(2)), &Sight { topic: now, ..sight(0, 3, Some(3)) });
            assert!(matches!(&found, Verdict::Changed(why) if why.contains(word)), "{found:?}");
        }
    }

    #[test]
    fn the_words_count_what_is_left() {
        let left = |group: &str, partition, committed, last| Left { group: group.to_owned(), partition, committed, last };
        let found = Verdict::Waiting(vec![left("h", 0, Some(5), 1204), left("h", 2, None, 3), left("z", 1, Some(1), 1)]);
        assert_eq!(
            found.words(),
            "h has up to 1204 records left: 1200 in partition 0, 4 in partition 2; z has up to 1 record left: 1 in partition 1"
        );
    }
}
