//! What must hold for schemas that nobody thought of.

use std::time::Instant;

use cutover::ports::registry::{Compatibility, SchemaFormat};
use cutover::schemas::{Direction, Document, Policy, RegistryKind, Weight, compare, judge};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::invent;

const LEVELS: [Compatibility; 7] = [
    Compatibility::None,
    Compatibility::Backward,
    Compatibility::BackwardTransitive,
    Compatibility::Forward,
    Compatibility::ForwardTransitive,
    Compatibility::Full,
    Compatibility::FullTransitive,
];

fn read(value: &Value) -> Document {
    Document { format: SchemaFormat::Json, value: value.clone(), references: Vec::new() }
}

fn pair(seed: u64) -> (Value, Value) {
    let rng = &mut StdRng::seed_from_u64(seed);
    let old = invent::schema(rng, 3);
    let new = if seed.is_multiple_of(5) { invent::schema(rng, 3) } else { invent::changed(rng, &old) };
    (old, new)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_schema_may_follow_itself_at_every_level(seed in any::<u64>()) {
        let (schema, _) = pair(seed);
        for level in LEVELS {
            let verdict = judge(&[read(&schema)], &read(&schema), level, Policy::Strict, RegistryKind::Confluent);
            prop_assert!(verdict.compatible && verdict.warnings.is_empty(), "{schema} at {level}: {verdict:?}");
        }
    }

    #[test]
    fn backward_one_way_is_forward_the_other_way(seed in any::<u64>()) {
        let (old, new) = pair(seed);
        let rules = |old: &Value, new: &Value, level| {
            let verdict = judge(&[read(old)], &read(new), level, Policy::Strict, RegistryKind::Confluent);
            verdict.reasons.into_iter().map(|reason| (reason.path, reason.rule)).collect::<Vec<_>>()
        };
        prop_assert_eq!(rules(&old, &new, Compatibility::Backward), rules(&new, &old, Compatibility::Forward));
    }

    #[test]
    fn a_closed_object_may_gain_an_optional_property(seed in any::<u64>()) {
        let (inside, added) = pair(seed);
        let old = json!({ "type": "object", "properties": { "p": inside }, "additionalProperties": false });
        let mut new = old.clone();
        new["properties"]["q"] = added;
        let verdict = judge(&[read(&old)], &read(&new), Compatibility::Backward, Policy::Strict, RegistryKind::Confluent);
        prop_assert!(verdict.compatible && verdict.warnings.is_empty(), "{}: {:?}", old, verdict);
    }
}

#[test]
fn a_hundred_thousand_pairs_are_judged_and_levels_agree_with_directions() {
    let begun = Instant::now();
    let mut admitted = 0;
    for seed in 0..100_000 {
        let (old, new) = pair(seed);
        let verdict = judge(&[read(&old)], &read(&new), Compatibility::Full, Policy::Strict, RegistryKind::Confluent);
        let may = |level| verdict.admitted_by.contains(&level);
        assert_eq!(may(Compatibility::Full), may(Compatibility::Backward) && may(Compatibility::Forward), "{old} {new}");
        assert_eq!(verdict.compatible, verdict.reasons.is_empty(), "{old} {new}");
        assert!(may(Compatibility::None));
        let backward = verdict.reasons.iter().any(|reason| reason.direction == Direction::Backward);
        assert_eq!(backward, !may(Compatibility::Backward), "{old} {new}");
        admitted += usize::from(may(Compatibility::Backward));
    }
    println!("{admitted} of 100000 random changes are backward compatible, in {:?}", begun.elapsed());
}

#[test]
fn where_safety_is_claimed_every_document_is_taken() {
    let (mut claimed, mut tried, mut by_rules, mut documents) = (0, 0, 0, 0);
    let mut seed = 0;
    while tried < 2_000 {
        seed += 1;
        let (old, new) = pair(seed);
        let (Ok(writer), Ok(reader)) = (jsonschema::draft7::new(&old), jsonschema::draft7::new(&new)) else { continue };
        tried += 1;
        let findings = compare((&read(&old), "the old schema"), (&read(&new), "the new schema"), Policy::Strict);
        by_rules += usize::from(findings.iter().all(|finding| finding.weight != Weight::Refused));
        if !findings.is_empty() {
            continue;
        }
        claimed += 1;
        let rng = &mut StdRng::seed_from_u64(seed);
        let mut valid = 0;
        for _ in 0..2_000 {
            let document = invent::document(rng, &old, 0);
            if !writer.is_valid(&document) {
                continue;
            }
            valid += 1;
            assert!(reader.is_valid(&document), "{old}\n{new}\n{document}");
            if valid == 50 {
                break;
            }
        }
        documents += valid;
    }
    println!("safety is claimed for {claimed} of {tried} changes, {by_rules} pass by the rules; {documents} documents were all taken");
    assert!(claimed * 10 >= tried * 3, "safety is claimed for {claimed} of {tried} only");
    assert!(documents >= claimed * 40, "{documents} documents for {claimed} claims");
}
