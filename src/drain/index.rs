//! Where old records lie, as far as somebody has looked. Kept in a receipt, so it holds figures of bounded number and nothing of what
//! the records say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::old::Class;
use crate::ports::kafka::Position;

/// The most places that are kept of one partition; with more old records every second place is left out, and figures become bounds.
const MOST_PLACES: usize = 64;

/// What was seen in each partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// By partition.
    pub partitions: BTreeMap<i32, Scanned>,
}

/// What was seen in one partition, in `[from, to)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanned {
    /// The first offset that was looked at.
    pub from: i64,
    /// The first one that was not looked at any more.
    pub to: i64,
    /// How many records were seen.
    pub seen: u64,
    /// How many of them are old.
    pub old: u64,
    /// Offset of the first old one.
    pub first: Option<i64>,
    /// Offset of the last old one.
    pub last: Option<i64>,
    /// When the last old one was produced, in milliseconds since 1970, by whoever produced it.
    pub produced: Option<i64>,
    /// How many records nobody could tell.
    pub unknown: u64,
    /// The first of them, with why.
    pub unclear: Option<(i64, String)>,
    /// Offset of the last of them.
    pub last_unknown: Option<i64>,
    /// Some old records: offset, and how many there are up to it, itself included.
    places: Vec<(i64, u64)>,
    /// Every how many old records a place is kept.
    every: u64,
}

impl Index {
    /// Nothing seen yet, from these offsets on.
    #[must_use]
    pub fn from(starts: impl IntoIterator<Item = Position>) -> Self {
        let begin = |at: Position| (at.partition, Scanned::at(at.offset));
        Self { partitions: starts.into_iter().map(begin).collect() }
    }

    /// Takes note of a record.
    pub fn note(&mut self, at: Position, produced: Option<i64>, class: Class) {
        if let Some(scanned) = self.partitions.get_mut(&at.partition).filter(|scanned| at.offset >= scanned.to) {
            scanned.note(at.offset, produced, class);
        }
    }

    /// Everything before these offsets was seen.
    pub fn reach(&mut self, reached: &[Position]) {
        for at in reached {
            if let Some(scanned) = self.partitions.get_mut(&at.partition) {
                scanned.to = scanned.to.max(at.offset);
            }
        }
    }

    /// How many records were seen.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.partitions.values().map(|scanned| scanned.seen).sum()
    }

    /// How many old ones.
    #[must_use]
    pub fn old(&self) -> u64 {
        self.partitions.values().map(|scanned| scanned.old).sum()
    }
}

impl Scanned {
    /// Nothing seen yet, from this offset on.
    #[must_use]
    pub fn at(offset: i64) -> Self {
        Self { from: offset, to: offset, ..Self::default() }
    }

    fn note(&mut self, offset: i64, produced: Option<i64>, class: Class) {
        self.seen += 1;
        self.to = offset + 1;
        match class {
            Class::Neutral | Class::Other => {}
            Class::Old => {
                self.old += 1;
                self.first = self.first.or(Some(offset));
                self.last = Some(offset);
                self.produced = produced.or(self.produced);
                self.keep(offset);
            }
            Class::Unknown(why) => self.unclear(offset, why),
            Class::Asks(key) => self.unclear(offset, format!("its schema {key} can be told by a registry only, and none is named")),
        }
    }

    fn unclear(&mut self, offset: i64, why: String) {
        self.unknown += 1;
        self.last_unknown = Some(offset);
        self.unclear.get_or_insert((offset, why));
    }

    fn keep(&mut self, offset: i64) {
        if !self.old.is_multiple_of(self.every.max(1)) {
            return;
        }
        self.places.push((offset, self.old));
        if self.places.len() > MOST_PLACES {
            self.every = self.every.max(1) * 2;
            let every = self.every;
            self.places.retain(|(_, count)| count.is_multiple_of(every));
        }
    }

    /// Whether all of `[from, to)` was looked at.
    #[must_use]
    pub fn covers(&self, from: i64, to: i64) -> bool {
        from >= to || (self.from <= from && to <= self.to)
    }

    /// At most how many old records lie in `[offset, to)`; never fewer than there are.
    #[must_use]
    pub fn old_from(&self, offset: i64) -> u64 {
        if self.last.is_none_or(|last| last < offset) {
            return 0;
        }
        let passed = self.places.iter().take_while(|(at, _)| *at < offset).last().map_or(0, |(_, count)| *count);
        self.old - passed
    }

    /// Whether an old record may lie in `[from, to)`, which was looked at: a record that nobody could tell may be one.
    #[must_use]
    pub fn may_hold(&self, from: i64, to: i64) -> bool {
        // Why not between each two: only the first and the last are kept of those.
        let unknown = self.unclear.as_ref().map(|(first, _)| *first).zip(self.last_unknown);
        if unknown.is_some_and(|(first, last)| from < to && first < to && last >= from) {
            return true;
        }
        let (Some(first), Some(last)) = (self.first, self.last) else { return false };
        if from >= to || to <= first || from > last {
            return false;
        }
        // Why: with every place kept the count is exact, else a stretch between two places may hold one.
        let passed = |offset: i64| self.places.iter().take_while(|(at, _)| *at < offset).last().map_or(0, |(_, count)| *count);
        self.every > 1 || passed(to) > passed(from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(old: &[i64], to: i64) -> Scanned {
        let mut index = Index::from([Position { partition: 0, offset: 0 }]);
        for offset in 0..to {
            let class = if old.contains(&offset) { Class::Old } else { Class::Other };
            index.note(Position { partition: 0, offset }, Some(offset), class);
        }
        index.reach(&[Position { partition: 0, offset: to }]);
        index.partitions.remove(&0).expect("a partition")
    }

    #[test]
    fn few_old_records_are_counted_exactly() {
        let scanned = index(&[2, 5, 7], 10);
        assert_eq!((scanned.old, scanned.first, scanned.last, scanned.produced), (3, Some(2), Some(7), Some(7)));
        assert_eq!([0, 3, 6, 8].map(|from| scanned.old_from(from)), [3, 2, 1, 0]);
        assert!(scanned.may_hold(5, 6) && !scanned.may_hold(3, 5) && !scanned.may_hold(8, 10));
        assert!(scanned.covers(0, 10) && !scanned.covers(0, 11) && scanned.covers(11, 11));
    }

    #[test]
    fn a_record_that_nobody_could_tell_may_be_an_old_one() {
        let mut scanned = index(&[], 4);
        scanned.note(4, None, Class::Unknown("no JSON".to_owned()));
        scanned.note(5, None, Class::Other);
        assert!(scanned.may_hold(4, 5) && scanned.may_hold(0, 6));
        assert!(!scanned.may_hold(0, 4) && !scanned.may_hold(5, 6) && !scanned.may_hold(4, 4));
    }

    proptest! {
        #[test]
        fn a_bound_never_says_fewer_than_there_are(step in 1_i64..5, count in 0_i64..3_000, from in 0_i64..16_000, length in 0_i64..100) {
            let mut scanned = Scanned::default();
            for number in 0..count {
                scanned.note(number * step, None, Class::Old);
            }
            let truly = |from: i64, to: i64| (0..count).filter(|number| (from..to).contains(&(number * step))).count() as u64;
            prop_assert!(scanned.old_from(from) >= truly(from, i64::MAX));
            prop_assert!(scanned.old_from(from) <= truly(from, i64::MAX) + scanned.every.max(1));
            prop_assert!(scanned.places.len() <= MOST_PLACES);
            prop_assert!(scanned.may_hold(from, from + length) || truly(from, from + length) == 0);
        }
    }
}
