//! What a roll-out promises to its keys: nobody moves against its direction.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, json};

use crate::flags::Document;
use crate::flags::rollout::{ALL, Cohort};

const KEYS: usize = 20_000;

/// The keys that get the new variant at this share.
fn drawn(cohort: &Cohort, parts: u32, keys: &[String]) -> BTreeSet<usize> {
    let flag = json!({ "state": "ENABLED", "variants": { "events": "events", "call": "call" }, "defaultVariant": "call",
                       "targeting": cohort.targeting(parts) });
    let document = Document::parse(&json!({ "flags": { "exercise-read": flag } })).unwrap();
    let served = |key: &str| document.evaluate("exercise-read", key, &Map::new()).unwrap().variant.unwrap();
    keys.iter().enumerate().filter(|(_, key)| served(key) == "events").map(|(at, _)| at).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_key_never_moves_against_the_direction(
        seed in "[a-z-]{1,20}@[0-9]{1,4}:",
        stem in "[ -~äß€]{0,6}",
        shares in prop::collection::btree_set(prop_oneof![1..20_u32, 1..1_000_u32, 1..=ALL], 2..7),
    ) {
        let keys: Vec<String> = (0..KEYS).map(|number| format!("{stem}{number}")).collect();
        let cohort = Cohort { seed, key: "targetingKey".to_owned(), to: "events".to_owned(), from: "call".to_owned() };
        let up: Vec<_> = shares.iter().map(|parts| drawn(&cohort, *parts, &keys)).collect();
        for pair in up.windows(2) {
            prop_assert!(pair[0].is_subset(&pair[1]));
        }
        // And back: what is drawn depends on the share alone, so the last to come are the first to go.
        let down: Vec<_> = shares.iter().rev().map(|parts| drawn(&cohort, *parts, &keys)).collect();
        prop_assert!(down.iter().rev().eq(up.iter()));
        for (parts, drawn) in shares.iter().zip(&up) {
            let (share, count) = (f64::from(*parts) / f64::from(ALL), f64::from(u32::try_from(drawn.len()).unwrap()));
            let expected = share * 20_000.0;
            let spread = (expected * (1.0 - share)).sqrt();
            prop_assert!((count - expected).abs() <= 6.0 * spread + 3.0, "{parts} parts drew {count} of {KEYS}, expected {expected}");
        }
    }
}

#[test]
fn the_least_share_draws_one_key_in_a_hundred_thousand_and_the_whole_draws_all() {
    let keys: Vec<String> = (0..KEYS).map(|number| number.to_string()).collect();
    let cohort = Cohort { seed: "f@1:".to_owned(), key: "targetingKey".to_owned(), to: "events".to_owned(), from: "call".to_owned() };
    assert!(drawn(&cohort, 1, &keys).len() <= 3);
    assert_eq!(drawn(&cohort, ALL, &keys).len(), KEYS);
    assert_eq!(drawn(&cohort, 0, &keys).len(), 0);
}

#[test]
fn another_seed_is_another_cohort() {
    let keys: Vec<String> = (0..KEYS).map(|number| number.to_string()).collect();
    let cohort =
        |seed: &str| Cohort { seed: seed.to_owned(), key: "targetingKey".to_owned(), to: "events".to_owned(), from: "call".to_owned() };
    let (one, other) = (drawn(&cohort("f@1:"), 10_000, &keys), drawn(&cohort("f@2:"), 10_000, &keys));
    let both = one.intersection(&other).count();
    assert!((100..=300).contains(&both), "{both} of {} keys are in both", one.len());
}
