//! A set of small numbers, as words of 64 bits. States are such sets; they are copied, joined and hashed all the time.

/// A set of numbers below a bound that is fixed when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bits(Box<[u64]>);

impl Bits {
    /// The empty set of numbers below `bound`.
    pub(super) fn new(bound: usize) -> Self {
        Self(vec![0; bound.div_ceil(64)].into_boxed_slice())
    }

    pub(super) fn has(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    /// Whether it was not in there before.
    pub(super) fn put(&mut self, at: usize) -> bool {
        match self.0.get_mut(at / 64) {
            Some(word) => {
                let bit = 1 << (at % 64);
                let new = *word & bit == 0;
                *word |= bit;
                new
            }
            None => false,
        }
    }

    /// Whether it was in there before.
    pub(super) fn take(&mut self, at: usize) -> bool {
        match self.0.get_mut(at / 64) {
            Some(word) => {
                let bit = 1 << (at % 64);
                let was = *word & bit != 0;
                *word &= !bit;
                was
            }
            None => false,
        }
    }

    /// The numbers in which two sets differ.
    pub(super) fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = usize> + 'a {
        self.0.iter().zip(&other.0).enumerate().flat_map(|(index, (left, right))| Ones(left ^ right).map(move |bit| index * 64 + bit))
    }

    /// The numbers of it within a range.
    pub(super) fn within(&self, from: usize, count: usize) -> impl Iterator<Item = usize> + '_ {
        let first = from / 64;
        let last = (from + count).div_ceil(64);
        let words = self.0.get(first..last.min(self.0.len())).unwrap_or_default();
        let all = words.iter().enumerate().flat_map(move |(index, word)| Ones(*word).map(move |bit| (first + index) * 64 + bit));
        all.filter(move |bit| (from..from + count).contains(bit)).map(move |bit| bit - from)
    }
}

struct Ones(u64);

impl Iterator for Ones {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_there_until_it_is_taken() {
        let mut bits = Bits::new(130);
        assert!(bits.put(3) && bits.put(64) && bits.put(129) && !bits.put(3));
        assert_eq!(bits.within(0, 130).collect::<Vec<_>>(), [3, 64, 129]);
        assert_eq!(bits.within(60, 70).collect::<Vec<_>>(), [4, 69]);
        let before = bits.clone();
        assert!(bits.take(64) && !bits.take(64) && !bits.has(64));
        assert_eq!(bits.differing(&before).collect::<Vec<_>>(), [64]);
    }
}
