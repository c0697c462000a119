//! Looking again and again while somebody waits: what need not be looked at twice, and how long it may take yet.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Barrier, Index, Judged, Known, Proof, Search, Terms, readers};
use crate::ports::PortError;

/// How often a topic is looked at whose old records somebody must take away: that is a scan each time.
pub const ABSENT_AGAIN: Duration = Duration::from_secs(15);

/// What is watched.
pub struct Watch<'a> {
    /// Where and for what to look.
    pub search: &'a Search<'a>,
    /// Groups that must have read, besides those that are found on the topic.
    pub named: &'a [String],
    /// Groups on the topic that need not.
    pub except: &'a [String],
    /// When it is done.
    pub terms: Terms,
    /// What the last look has found, with the groups that it was for, as long as that says everything; nothing before the first look.
    pub known: Option<(Index, Vec<String>)>,
}

impl Watch<'_> {
    /// Looks once more. `tell` hears how many records were looked at.
    ///
    /// # Errors
    /// When a system does not answer.
    pub async fn look(&mut self, barrier: &Barrier, mut tell: impl FnMut(u64)) -> Result<Judged, PortError> {
        let groups = readers(self.search.kafka, self.search.topic, self.named, self.except).await?;
        let index = match self.known.take() {
            Some((index, before)) if before == groups => index,
            _ => self.search.survey(barrier, &groups, self.terms, |index| tell(index.seen())).await?,
        };
        let judged = self.search.judge(barrier, &index, &groups, self.terms).await?;
        // Why not where a transaction held the look back: it must go on behind it.
        let whole = barrier.marks.iter().all(|mark| index.partitions.get(&mark.partition).is_some_and(|found| found.to >= mark.end));
        // And not where nobody can tell: a group may have been set back behind where the look began.
        self.known = (whole && judged.proof.verdict != Known::Unknown).then_some((index, groups));
        Ok(judged)
    }
}

/// What was left when somebody looked first, and when that was.
#[derive(Clone, Debug, Default)]
pub struct Speed(Option<(Instant, BTreeMap<String, u64>)>);

/// How far a group is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Its name.
    pub group: String,
    /// At most how many old records it has left.
    pub left: u64,
    /// How many became less each second, and so how long the others will take; `None` while it stands still.
    pub pace: Option<(u64, Duration)>,
}

impl Speed {
    /// The groups that have something left.
    pub fn behind(&mut self, now: Instant, proof: &Proof) -> Vec<Behind> {
        let left: BTreeMap<String, u64> = proof.left().into_iter().map(|(group, left)| (group.to_owned(), left)).collect();
        let (since, before) = self.0.get_or_insert_with(|| (now, left.clone()));
        let passed = now.saturating_duration_since(*since);
        let behind = left.iter().filter(|(_, left)| **left > 0);
        let told = |(group, left): (&String, &u64)| {
            let done = before.get(group).copied().unwrap_or(*left).saturating_sub(*left);
            Behind { group: group.clone(), left: *left, pace: pace(*left, done, passed) }
        };
        behind.map(told).collect()
    }
}

/// Whole numbers: a time left is an estimate, to the second.
fn pace(left: u64, done: u64, passed: Duration) -> Option<(u64, Duration)> {
    if done == 0 || passed < Duration::from_secs(1) {
        return None;
    }
    let (left, done, millis) = (u128::from(left), u128::from(done), passed.as_millis());
    let whole = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
    Some((whole(done * 1000 / millis), Duration::from_secs(whole((left * millis).div_ceil(done * 1000)))))
}

#[cfg(test)]
mod tests {
    use super::super::{GroupProof, PartitionProof};
    use super::*;

    fn proof(left: &[(&str, u64)]) -> Proof {
        let group = |(name, left): &(&str, u64)| GroupProof {
            group: (*name).to_owned(),
            committed: None,
            verdict: Known::Waiting,
            old_left: *left,
        };
        let groups = left.iter().map(group).collect();
        let partition = PartitionProof { partition: 0, barrier: 9, lso: None, log_start: 0, last_old: None, groups };
        Proof { partitions: vec![partition], ..Proof::default() }
    }

    #[test]
    fn the_time_left_follows_from_what_went_since_the_first_look() {
        let (begin, mut speed) = (Instant::now(), Speed::default());
        let behind = |left, pace: Option<(u64, u64)>| {
            vec![Behind { group: "g".to_owned(), left, pace: pace.map(|(rate, seconds)| (rate, Duration::from_secs(seconds))) }]
        };
        let mut at = |seconds, left: &[(&str, u64)]| speed.behind(begin + Duration::from_secs(seconds), &proof(left));
        assert_eq!(at(0, &[("g", 100), ("h", 0)]), behind(100, None));
        assert_eq!(at(10, &[("g", 80)]), behind(80, Some((2, 40))));
        assert_eq!(at(20, &[("g", 100)]), behind(100, None), "a group that was set back");
        assert_eq!(at(20, &[("g", 0)]), []);
    }
}
