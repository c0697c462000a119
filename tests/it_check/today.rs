//! Where a plan begins by what live systems say: it goes before what the playbook declares.

use std::collections::{BTreeMap, BTreeSet};

use cutover::check::{Proof, prove_playbook};
use cutover::step::{Today, TopicToday, Violation};

use super::delivered::{book_of_delivered, open};

/// Proves a delivered playbook from there.
fn from(name: &str, today: Today) -> Proof {
    let mut book = book_of_delivered(name);
    book.today = Some(today);
    prove_playbook(&open(name), &book)
}

fn sets(pairs: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    pairs.iter().map(|(name, names)| ((*name).to_owned(), set(names))).collect()
}

fn names(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(Violation::name).collect()
}

/// What runs before P1.
fn over_http() -> Today {
    Today {
        releases: sets(&[("exercises", &["1.4"]), ("hiring", &["1.4"]), ("bonuses", &["1.4"])]),
        flags: sets(&[("exercise-events", &["off"]), ("exercise-read", &["call"])]),
        topics: [("datarep.exercise".to_owned(), TopicToday::Missing)].into(),
        ..Today::default()
    }
}

fn says(proof: &Proof, part: &str) -> bool {
    proof.assumed.iter().any(|line| line.contains(part))
}

#[test]
fn what_runs_as_declared_is_proven_and_no_longer_assumed() {
    let proof = from("comm-020.yaml", over_http());
    assert!(proof.proven && proof.start_violations.is_empty(), "{proof:#?}");
    assert!(!says(&proof, "does not count") && !says(&proof, "taken for compacted"), "{:#?}", proof.assumed);
}

#[test]
fn what_an_earlier_run_left_in_the_topic_is_no_harm_to_a_reader_that_handles_it() {
    let groups = BTreeMap::from([("hiring-exercises".to_owned(), true)]);
    let topic = TopicToday::There { compacted: true, holds: true, groups };
    let mut today = Today { topics: [("datarep.exercise".to_owned(), topic)].into(), ..over_http() };
    today.schemas.insert("ExerciseChanged@0".to_owned());
    today.releases = sets(&[("exercises", &["1.8"]), ("hiring", &["1.8"]), ("bonuses", &["1.8"])]);
    let proof = from("comm-020.yaml", today);
    assert!(proof.proven && proof.start_violations.is_empty(), "{proof:#?}");
    assert!(says(&proof, "exercises 1.8 runs now; `start:` says 1.4, which does not count"), "{:#?}", proof.assumed);
}

#[test]
fn what_puts_everything_in_its_place_takes_its_start_as_declared() {
    let releases = sets(&[("exercises", &["1.6"]), ("hiring", &["1.6"]), ("bonuses", &["1.4"])]);
    let flags = sets(&[("exercise-events", &["on"]), ("exercise-read", &["events"])]);
    let proof = from("start.yaml", Today { releases, flags, ..over_http() });
    assert!(proof.proven && says(&proof, "the start is as declared, whatever runs"), "{proof:#?}");
}

#[test]
fn a_switch_that_somebody_has_thrown_already_is_found_out() {
    let flags = sets(&[("exercise-events", &["off"]), ("exercise-read", &["call", "events"])]);
    let proof = from("comm-020.yaml", Today { flags, ..over_http() });
    assert_eq!(names(&proof.violations), ["f:exercise"], "{proof:#?}");
    let first = &proof.violations[0];
    assert!(first.steps.iter().any(|step| step == "handler"), "{first:#?}");
}

#[test]
fn a_release_that_is_there_too_early_is_told_as_already_so() {
    let releases = sets(&[("exercises", &["1.4"]), ("hiring", &["1.4", "1.6"]), ("bonuses", &["1.4"])]);
    let proof = from("comm-020.yaml", Today { releases, ..over_http() });
    assert!(names(&proof.start_violations).contains(&"f:exercise".to_owned()), "{proof:#?}");
}

#[test]
fn a_release_that_nobody_declares_is_named() {
    let releases = sets(&[("exercises", &["1.4"]), ("hiring", &["1.4", "9.9"]), ("bonuses", &[])]);
    let proof = from("comm-020.yaml", Today { releases, unasked: vec!["registry main (away)".to_owned()], ..over_http() });
    assert!(proof.proven, "{proof:#?}");
    for part in ["hiring 9.9 runs now and is not declared", "no instance of bonuses runs now", "as declared where registry main (away)"] {
        assert!(says(&proof, part), "{part}: {:#?}", proof.assumed);
    }
}

#[test]
fn what_a_group_has_not_read_keeps_its_handler_needed() {
    let topic = |read| TopicToday::There { compacted: false, holds: true, groups: BTreeMap::from([("hiring-exercises".to_owned(), read)]) };
    let ends = |read| {
        let mut book = book_of_delivered("p2.yaml");
        // Why: only what lies there is asked about, not what is still produced.
        book.steps.retain(|step| matches!(step.id.as_str(), "no-consumer"));
        let mut today = Today {
            releases: sets(&[("exercises", &["1.8"]), ("hiring", &["1.7"]), ("bonuses", &["1.4"])]),
            flags: sets(&[("exercise-events", &["off"]), ("exercise-read", &["call"])]),
            topics: [("datarep.exercise".to_owned(), topic(read))].into(),
            ..Today::default()
        };
        today.schemas.insert("ExerciseChanged@0".to_owned());
        book.steps[0].moves = vec![cutover::step::Move::DeleteSchema { event: "ExerciseChanged@0".to_owned(), topic: None }];
        book.today = Some(today);
        names(&prove_playbook(&open("p2.yaml"), &book).violations)
    };
    assert_eq!(ends(false), ["d:ExerciseChanged@0"]);
    assert_eq!(ends(true), Vec::<String>::new());
}
