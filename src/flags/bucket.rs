//! How a key finds its bucket, in integers only: flagd's `fractional` in its second version. What a service draws here and what any
//! other client of the same document draws is the same variant.

/// The name of the algorithm, kept with every roll-out: another version would draw other cohorts.
pub const ALGORITHM: &str = "fractional-v2";

/// The most that the weights of one draw may come to.
pub const MOST_WEIGHT: i64 = 2_147_483_647;

/// `MurmurHash3`, x86, 32 bits, seed 0.
#[must_use]
pub fn hash(bytes: &[u8]) -> u32 {
    let (blocks, tail) = bytes.as_chunks::<4>();
    let mut hash = blocks
        .iter()
        .fold(0_u32, |hash, block| (hash ^ scramble(u32::from_le_bytes(*block))).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64));
    if !tail.is_empty() {
        let last = tail.iter().rev().fold(0_u32, |last, byte| (last << 8) | u32::from(*byte));
        hash ^= scramble(last);
    }
    // Why truncated: the algorithm mixes in the length modulo 2^32.
    #[expect(clippy::cast_possible_truncation, reason = "the algorithm takes the length modulo 2^32")]
    let length = bytes.len() as u32;
    hash ^= length;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

fn scramble(block: u32) -> u32 {
    block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593)
}

/// Which of the weights a hash falls on, by position; `None` when there is nothing to draw from, or too much.
#[must_use]
pub fn draw(hash: u32, weights: impl Iterator<Item = i64> + Clone) -> Option<usize> {
    let total = weights.clone().try_fold(0_i64, |total, weight| Some(total + weight.max(0)).filter(|total| *total <= MOST_WEIGHT))?;
    let total = u64::try_from(total).ok().filter(|total| *total > 0)?;
    let bucket = (u64::from(hash) * total) >> 32;
    let mut end = 0;
    weights.into_iter().position(|weight| {
        end += u64::try_from(weight).unwrap_or_default();
        bucket < end
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_at_the_edges_of_the_hash_are_where_they_should_be() {
        let edges = [("ejOoVL", 0), ("bY9fO-", 1), ("SI7p-", 0x7fff_ffff), ("6LvT0", 0x8000_0000), ("ceQdGm", 0xffff_ffff)];
        for (key, expected) in edges {
            assert_eq!(hash(key.as_bytes()), expected, "{key}");
        }
        let others = [("fractional-flagjack", 0x9fe8_43e0), ("fractional-flag-shorthandjon@company.com", 0x24d6_87a4), ("", 0)];
        for (key, expected) in others {
            assert_eq!(hash(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn a_draw_without_weight_or_with_too_much_is_none() {
        let drawn = |hash, weights: &[i64]| draw(hash, weights.iter().copied());
        assert_eq!(drawn(u32::MAX, &[50, 50]), Some(1));
        assert_eq!(drawn(0x7fff_ffff, &[50, 50]), Some(0));
        assert_eq!(drawn(0, &[-50, 100]), Some(1));
        assert_eq!(drawn(0, &[0, 0]), None);
        assert_eq!(drawn(0, &[]), None);
        assert_eq!(drawn(u32::MAX, &[MOST_WEIGHT]), Some(0));
        assert_eq!(drawn(0, &[MOST_WEIGHT, 1]), None);
        assert_eq!(drawn(0, &[i64::MAX, i64::MAX]), None);
    }
}
