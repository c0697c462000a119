//! The table of pairs: kept as data, judged at every level.

use std::fs;
use std::path::Path;

use cutover::ports::registry::{Compatibility, SchemaFormat};
use cutover::schemas::{Direction, Document, Policy, Reason, RegistryKind, asks, judge};
use serde::Deserialize;

/// A change of a schema and what the rules say of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    pub name: String,
    pub old: String,
    pub new: String,
    /// Rules and places that refuse it when the new schema reads what the old one wrote.
    pub backward: Vec<String>,
    pub forward: Vec<String>,
    #[serde(default)]
    pub unsafe_backward: Vec<String>,
    #[serde(default)]
    pub unsafe_forward: Vec<String>,
}

impl Pair {
    /// Whether the rules admit it in that direction.
    pub fn admits(&self, direction: Direction) -> bool {
        match direction {
            Direction::Backward => self.backward.is_empty(),
            Direction::Forward => self.forward.is_empty(),
        }
    }
}

pub const LEVELS: [Compatibility; 7] = [
    Compatibility::None,
    Compatibility::Backward,
    Compatibility::BackwardTransitive,
    Compatibility::Forward,
    Compatibility::ForwardTransitive,
    Compatibility::Full,
    Compatibility::FullTransitive,
];

/// The table.
pub fn table() -> Vec<Pair> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it_schema/pairs.yaml");
    serde_saphyr::from_str(&fs::read_to_string(path).expect("the table")).expect("pairs")
}

pub fn read(text: &str) -> Document {
    Document::read(text, SchemaFormat::Json).expect("a schema")
}

fn told(reasons: &[Reason], direction: Direction) -> Vec<String> {
    reasons.iter().filter(|reason| reason.direction == direction).map(|reason| format!("{} {}", reason.rule, reason.path)).collect()
}

#[test]
fn every_pair_is_judged_by_its_rules() {
    let table = table();
    assert!(table.len() >= 120, "{} pairs", table.len());
    for pair in &table {
        let verdict = judge(&[read(&pair.old)], &read(&pair.new), Compatibility::Full, Policy::Strict, RegistryKind::Confluent);
        assert_eq!(told(&verdict.reasons, Direction::Backward), pair.backward, "{}", pair.name);
        assert_eq!(told(&verdict.reasons, Direction::Forward), pair.forward, "{}", pair.name);
        assert_eq!(told(&verdict.warnings, Direction::Backward), pair.unsafe_backward, "{}", pair.name);
        assert_eq!(told(&verdict.warnings, Direction::Forward), pair.unsafe_forward, "{}", pair.name);
        for reason in verdict.reasons.iter().chain(&verdict.warnings) {
            assert!(reason.message.contains("schema") || reason.message.contains("registries"), "{}: {}", pair.name, reason.message);
        }
    }
}

#[test]
fn every_level_follows_from_the_directions_and_the_versions_that_it_looks_at() {
    for pair in table() {
        // Why a third: between them stands one that both sides may follow only by chance, so a transitive level is seen to look further.
        let (old, new) = (read(&pair.old), read(&pair.new));
        let versions = [old.clone(), new.clone()];
        for level in LEVELS {
            let (directions, all) = asks(level);
            let once = judge(std::slice::from_ref(&old), &new, level, Policy::Strict, RegistryKind::Confluent);
            let may = directions.iter().all(|direction| pair.admits(*direction));
            assert_eq!(once.compatible, may, "{} at {level}", pair.name);
            assert_eq!(once.admitted_by.contains(&level), may, "{} at {level}", pair.name);
            let twice = judge(&versions, &new, level, Policy::Strict, RegistryKind::Confluent);
            assert_eq!(twice.compatible, may || !all, "{} at {level} behind itself", pair.name);
        }
    }
}
