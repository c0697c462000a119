//! Looking again and again while somebody waits: what need not be looked at twice, and how long it may take yet.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Barrier, Index, Judged, Known, Proof, Search, Terms, readers};
use crate::ports::PortError;
use crate::step::scalar::Span;

/// How often a topic is looked at whose old records somebody must take away: that is a scan each time.
pub const ABSENT_AGAIN: Duration = Duration::from_secs(15);

/// What is watched.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Where and for what to look.
    pub search: &'a Search<'a>,
    /// Groups that must have read, besides those that are found on the topic.
    pub named: &'a [String],
    /// Groups on the topic that need not.
    pub except: &'a [String],
    /// When it is done.
    pub terms: Terms,
}

impl Watch<'_> {
    /// Looks once more. `known` is what the look before this one has found, as long as it still says everything; `tell` hears how many
    /// records were looked at.
    ///
    /// # Errors
    /// When a system does not answer.
    pub async fn look(
        &self,
        barrier: &Barrier,
        known: &mut Option<(Index, Vec<String>)>,
        mut tell: impl FnMut(u64),
    ) -> Result<Judged, PortError> {
        let groups = readers(self.search.kafka, self.search.topic, self.named, self.except).await?;
        let index = match known.take() {
            Some((index, before)) if before == groups => index,
            _ => self.search.survey(barrier, &groups, self.terms, |index| tell(index.seen())).await?,
        };
        let judged = self.search.judge(barrier, &index, &groups, self.terms).await?;
        // Why not where a transaction held the look back: it must go on behind it.
        let whole = barrier.marks.iter().all(|mark| index.partitions.get(&mark.partition).is_some_and(|found| found.to >= mark.end));
        // And not where nobody can tell: a group may have been set back behind where the look began.
        *known = (whole && judged.proof.verdict != Known::Unknown).then_some((index, groups));
        Ok(judged)
    }
}

/// What was left when somebody looked first, and when that was.
#[derive(Clone, Debug, Default)]
pub struct Speed(Option<(Instant, BTreeMap<String, u64>)>);

impl Speed {
    /// For each group that has something left: how much, how fast it becomes less, and so how long that will take.
    pub fn lines(&mut self, now: Instant, proof: &Proof) -> Vec<String> {
        let left: BTreeMap<String, u64> = proof.left().into_iter().map(|(group, left)| (group.to_owned(), left)).collect();
        let (since, before) = self.0.get_or_insert_with(|| (now, left.clone()));
        let passed = now.saturating_duration_since(*since);
        let behind = left.iter().filter(|(_, left)| **left > 0);
        behind.map(|(group, left)| line(group, *left, before.get(group).copied().unwrap_or(*left), passed)).collect()
    }
}

fn line(group: &str, left: u64, before: u64, passed: Duration) -> String {
    let done = before.saturating_sub(left);
    let known = Some(done).filter(|done| *done > 0 && passed >= Duration::from_secs(1));
    let Some(done) = known else { return format!("{group}: up to {left} old left, standing still so far") };
    // Whole numbers: a time left is an estimate, to the second.
    let rate = u128::from(done) * 1000 / passed.as_millis().max(1);
    let seconds = (u128::from(left) * passed.as_millis()).div_ceil(u128::from(done) * 1000);
    let time = Span(Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX)));
    format!("{group}: up to {left} old left, {rate} each second, {time} left")
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
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(speed.lines(begin, &proof(&[("g", 100), ("h", 0)])), ["g: up to 100 old left, standing still so far"]);
        assert_eq!(speed.lines(at(10), &proof(&[("g", 80)])), ["g: up to 80 old left, 2 each second, 40s left"]);
        assert_eq!(speed.lines(at(20), &proof(&[("g", 100)])), ["g: up to 100 old left, standing still so far"]);
        assert_eq!(speed.lines(at(20), &proof(&[("g", 0)])), [String::new(); 0]);
    }
}
