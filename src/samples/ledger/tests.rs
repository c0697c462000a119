//! The judgement on made-up worlds: clean ones are clean, and every fault that is put into one is found.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use uuid::Uuid;

use super::evidence::{Acknowledged, Applied, Assignment, Attempt, Change, Credit, Evidence, Request, Review, Topic, TopicRecord};
use super::judge::{Report, judge};
use crate::samples::traffic::file::Doing;

fn time(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(second)
}

/// What happened, one per second: a change of an exercise, an attempt at one, or a manager who was assigned.
#[derive(Clone, Copy, Debug)]
enum Did {
    Change(u8),
    Attempt(u8, bool),
    Assign(u8, bool),
}

/// A world in which everything went well: each of `exercises` is made first, then `did` happens.
fn world(exercises: u8, did: &[Did]) -> Evidence {
    let mut evidence =
        Evidence { copy: Some(BTreeMap::new()), topic: Some(Topic { whole: true, ..Topic::default() }), ..Evidence::default() };
    let made = (0..exercises).map(Did::Change);
    for (second, did) in (0_i64..).zip(made.chain(did.iter().copied())) {
        let id = Uuid::from_u128(second.unsigned_abs().into());
        let (Did::Change(number) | Did::Attempt(number, _) | Did::Assign(number, _)) = did;
        let exercise = format!("exercise-{}", number % exercises);
        let at = time(second);
        let version = match did {
            Did::Change(_) => {
                let version = evidence.exercises.entry(exercise.clone()).or_insert(0);
                *version += 1;
                let (version, event) = (*version, format!("event-{second}"));
                evidence.changes.push(Change { exercise: exercise.clone(), version, request: id, event: Some(event.clone()), at });
                let topic = evidence.topic.as_mut().unwrap();
                topic.records.push(TopicRecord { partition: 0, event: event.clone(), exercise: exercise.clone(), version, at });
                evidence.applied.push(Applied { exercise: exercise.clone(), version, event, copied: Some(version) });
                evidence.copy.as_mut().unwrap().insert(exercise.clone(), version);
                version
            }
            Did::Attempt(_, by_events) => {
                let version_seen = evidence.exercises[&exercise];
                evidence.attempts.push(Attempt { request: id, version_seen, by_events, at });
                evidence.credits.push(Credit { attempt: id });
                version_seen
            }
            Did::Assign(_, by_events) => {
                let (attempt, event) = (exercise.clone(), format!("event-{second}"));
                let number = 1 + evidence.assignments.iter().filter(|one| one.attempt == attempt).map(|one| one.number).max().unwrap_or(0);
                evidence.assignments.push(Assignment { attempt: attempt.clone(), number, request: id, event: event.clone() });
                evidence.reviews.push(Review { attempt, number, event, by_events });
                number
            }
        };
        let doing = match did {
            Did::Change(_) => Doing::Change,
            Did::Attempt(..) => Doing::Attempt,
            Did::Assign(..) => Doing::Assign,
        };
        let acknowledged = Some(Acknowledged { at, version: Some(version) });
        let request = Request { id, doing, exercise, sent: at, tries: 1, refused: 0, not_found: Vec::new(), acknowledged };
        evidence.requests.push(request);
    }
    evidence
}

fn faults(report: &Report) -> [u64; 5] {
    [report.lost, report.duplicated, report.out_of_order, report.unknown_exercise, report.pending]
}

const DID: [Did; 7] = [
    Did::Attempt(0, false),
    Did::Change(0),
    Did::Change(1),
    Did::Attempt(0, true),
    Did::Change(0),
    Did::Attempt(1, true),
    Did::Attempt(0, true),
];

#[test]
fn a_world_in_which_all_went_well_is_clean_and_counted() {
    let report = judge(&world(2, &DID));
    assert!(report.is_clean() && report.is_settled(), "{report:?}");
    assert_eq!((report.requests, report.acknowledged, report.effects), (9, 9, 9));
    assert_eq!((report.by_call, report.by_events, report.events, report.credits), (1, 3, 5, 4));
}

#[test]
fn assignments_count_by_the_way_on_which_they_took_effect_and_wait_while_they_are_held() {
    let mut evidence = world(1, &[Did::Assign(0, false), Did::Assign(0, true), Did::Assign(0, true)]);
    let report = judge(&evidence);
    assert_eq!((faults(&report), report.assignments, report.assigned_by_call, report.assigned_by_events), ([0; 5], 3, 1, 2));
    let last = evidence.reviews.pop().unwrap();
    evidence.unsent_events.insert(last.event);
    assert_eq!(faults(&judge(&evidence)), [0, 0, 0, 0, 1]);
    evidence.reviews.swap(0, 1);
    let report = judge(&evidence);
    assert_eq!((faults(&report), report.findings.len()), ([0, 0, 1, 0, 1], 1));
    assert_eq!(report.findings[0].what, "assignment 1 to exercise-0 took effect after assignment 2");
}

#[test]
fn what_was_never_acknowledged_may_be_there_or_not() {
    let mut there = world(2, &DID);
    there.requests.iter_mut().for_each(|request| request.acknowledged = None);
    assert_eq!((faults(&judge(&there)), judge(&there).unanswered), ([0; 5], 9));
    there.requests.push(Request { id: Uuid::from_u128(99), tries: 3, refused: 3, ..there.requests[0].clone() });
    let report = judge(&there);
    assert_eq!((faults(&report), report.unanswered, report.refused), ([0; 5], 10, 3));
}

#[test]
fn what_is_on_its_way_is_neither_lost_nor_finished() {
    let mut evidence = world(2, &DID);
    let event = evidence.topic.as_mut().unwrap().records.pop().unwrap().event;
    evidence.unsent_events.insert(event);
    let attempt = evidence.credits.pop().unwrap().attempt;
    evidence.unsent_bonuses.insert(attempt);
    let report = judge(&evidence);
    assert_eq!(faults(&report), [0, 0, 0, 0, 2]);
    assert!(report.is_clean() && !report.is_settled());
}

#[test]
fn a_snapshot_may_repeat_old_versions_and_change_nothing() {
    let mut evidence = world(2, &DID);
    let old = TopicRecord { event: "snapshot".to_owned(), ..evidence.topic.as_ref().unwrap().records[0].clone() };
    evidence.applied.push(Applied { exercise: old.exercise.clone(), version: old.version, event: old.event.clone(), copied: None });
    evidence.topic.as_mut().unwrap().records.push(old.clone());
    assert_eq!(faults(&judge(&evidence)), [0; 5]);
    evidence.applied.last_mut().unwrap().copied = Some(old.version);
    assert_eq!(faults(&judge(&evidence)), [0, 0, 1, 0, 0], "a copy that went back");
}

#[test]
fn a_late_notice_that_finds_something_newer_takes_nothing_back() {
    let mut evidence = world(2, &DID);
    let old = evidence.topic.as_ref().unwrap().records[0].clone();
    let newer = evidence.applied.iter().filter_map(|event| event.copied).max().unwrap() + 1;
    evidence.applied.push(Applied { exercise: old.exercise, version: old.version, event: "snapshot".to_owned(), copied: Some(newer) });
    assert_eq!(faults(&judge(&evidence)), [0; 5]);
}

#[test]
fn a_record_that_was_delivered_twice_to_the_topic_is_no_fault_of_order() {
    let mut evidence = world(2, &DID);
    let topic = evidence.topic.as_mut().unwrap();
    let again = topic.records[0].clone();
    topic.records.push(again);
    assert_eq!(faults(&judge(&evidence)), [0; 5]);
}

#[test]
fn an_event_may_be_gone_from_a_compacted_topic_when_a_newer_one_is_there() {
    let mut evidence = world(2, &DID);
    let topic = evidence.topic.as_mut().unwrap();
    topic.whole = false;
    let newest = topic.records.pop().unwrap();
    assert_eq!(faults(&judge(&evidence)), [1, 0, 0, 0, 0], "the newest of its exercise");
    let topic = evidence.topic.as_mut().unwrap();
    topic.records.retain(|record| record.exercise != newest.exercise);
    topic.records.push(newest);
    assert_eq!(faults(&judge(&evidence)), [0; 5]);
}

#[test]
fn a_copy_that_nobody_relies_on_any_more_may_fall_behind() {
    let mut evidence = world(2, &[Did::Attempt(0, true), Did::Change(0), Did::Attempt(0, false)]);
    evidence.copy.as_mut().unwrap().insert("exercise-0".to_owned(), 1);
    assert_eq!(faults(&judge(&evidence)), [0; 5]);
    evidence.copy.as_mut().unwrap().remove("exercise-1");
    assert_eq!(faults(&judge(&evidence)), [1, 0, 0, 0, 0], "it was made while the copy was relied on");
}

#[test]
fn an_exercise_that_was_acknowledged_and_is_not_known_is_a_fault() {
    let mut evidence = world(2, &DID);
    let last = evidence.requests.last_mut().unwrap();
    last.not_found.push(last.sent);
    assert_eq!(faults(&judge(&evidence)), [0, 0, 0, 1, 0]);
}

#[test]
fn a_read_of_what_was_long_changed_is_late_and_no_fault() {
    let wait = [Did::Attempt(1, false); 6];
    let mut evidence = world(2, &[&[Did::Change(0)], wait.as_slice(), &[Did::Attempt(0, true)]].concat());
    let stale = |evidence: &mut Evidence| {
        evidence.attempts.last_mut().unwrap().version_seen = 1;
        evidence.requests.last_mut().unwrap().acknowledged.as_mut().unwrap().version = Some(1);
    };
    stale(&mut evidence);
    assert_eq!((faults(&judge(&evidence)), judge(&evidence).late), ([0; 5], 1));
    let mut soon = world(2, &[Did::Change(0), Did::Attempt(0, true)]);
    stale(&mut soon);
    assert_eq!(judge(&soon).late, 0);
}

/// A fault that is put into a world where all went well. Each names the counter that must notice it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Injected {
    LoseChange,
    LoseAttempt,
    LoseExercise,
    LoseRecord,
    LoseAssignment,
    LoseReview,
    DoubleReview,
    SwapReviews,
    LoseCredit,
    LoseFromCopy,
    DoubleChange,
    DoubleAttempt,
    DoubleCredit,
    DoubleApplied,
    SwapChanges,
    SwapRecords,
    SwapApplied,
    MovePartition,
    AnswerOtherwise,
    ForgetExercise,
}

impl Injected {
    const ALL: [Self; 20] = [
        Self::LoseChange,
        Self::LoseAttempt,
        Self::LoseExercise,
        Self::LoseRecord,
        Self::LoseAssignment,
        Self::LoseReview,
        Self::DoubleReview,
        Self::SwapReviews,
        Self::LoseCredit,
        Self::LoseFromCopy,
        Self::DoubleChange,
        Self::DoubleAttempt,
        Self::DoubleCredit,
        Self::DoubleApplied,
        Self::SwapChanges,
        Self::SwapRecords,
        Self::SwapApplied,
        Self::MovePartition,
        Self::AnswerOtherwise,
        Self::ForgetExercise,
    ];

    fn count(self, report: &Report) -> u64 {
        match self {
            Self::LoseChange
            | Self::LoseAttempt
            | Self::LoseExercise
            | Self::LoseRecord
            | Self::LoseAssignment
            | Self::LoseReview
            | Self::LoseCredit
            | Self::LoseFromCopy => report.lost,
            Self::DoubleReview | Self::DoubleChange | Self::DoubleAttempt | Self::DoubleCredit | Self::DoubleApplied => report.duplicated,
            Self::SwapReviews | Self::SwapChanges | Self::SwapRecords | Self::SwapApplied | Self::MovePartition | Self::AnswerOtherwise => {
                report.out_of_order
            }
            Self::ForgetExercise => report.unknown_exercise,
        }
    }

    /// Puts the fault in at a place that `pick` chooses.
    fn put(self, evidence: &mut Evidence, pick: usize) {
        let topic = evidence.topic.as_mut().unwrap();
        let records = &mut topic.records;
        match self {
            Self::LoseChange => drop(evidence.changes.remove(pick % evidence.changes.len())),
            Self::LoseAttempt => drop(evidence.attempts.remove(pick % evidence.attempts.len())),
            Self::LoseExercise => {
                let exercise = evidence.changes[pick % evidence.changes.len()].exercise.clone();
                evidence.exercises.remove(&exercise);
            }
            Self::LoseRecord => drop(records.remove(pick % records.len())),
            Self::LoseAssignment => drop(evidence.assignments.remove(pick % evidence.assignments.len())),
            Self::LoseReview => drop(evidence.reviews.remove(pick % evidence.reviews.len())),
            Self::DoubleReview => evidence.reviews.push(evidence.reviews[pick % evidence.reviews.len()].clone()),
            Self::SwapReviews => {
                let (one, other) = pair(&evidence.reviews, pick, |review| &review.attempt);
                evidence.reviews.swap(one, other);
            }
            Self::LoseCredit => drop(evidence.credits.remove(pick % evidence.credits.len())),
            Self::LoseFromCopy => {
                let exercise = evidence.changes[pick % evidence.changes.len()].exercise.clone();
                evidence.copy.as_mut().unwrap().remove(&exercise);
            }
            Self::DoubleChange => evidence.changes.push(evidence.changes[pick % evidence.changes.len()].clone()),
            Self::DoubleAttempt => evidence.attempts.push(evidence.attempts[pick % evidence.attempts.len()].clone()),
            Self::DoubleCredit => evidence.credits.push(evidence.credits[pick % evidence.credits.len()].clone()),
            Self::DoubleApplied => evidence.applied.push(evidence.applied[pick % evidence.applied.len()].clone()),
            Self::SwapChanges => {
                let (one, other) = pair(&evidence.changes, pick, |change| &change.exercise);
                evidence.changes.swap(one, other);
            }
            Self::SwapRecords => {
                let (one, other) = pair(records, pick, |record| &record.exercise);
                records.swap(one, other);
            }
            Self::SwapApplied => {
                let (one, other) = pair(&evidence.applied, pick, |event| &event.exercise);
                evidence.applied.swap(one, other);
            }
            Self::MovePartition => {
                let (_, other) = pair(records, pick, |record| &record.exercise);
                records[other].partition = 1;
            }
            Self::AnswerOtherwise => {
                let count = evidence.requests.len();
                evidence.requests[pick % count].acknowledged.as_mut().unwrap().version = Some(99);
            }
            Self::ForgetExercise => {
                let attempts: Vec<_> = evidence.requests.iter_mut().filter(|request| request.doing == Doing::Attempt).collect();
                let count = attempts.len();
                let request = attempts.into_iter().nth(pick % count).unwrap();
                request.not_found.push(request.sent);
            }
        }
    }
}

/// Two neighbours of one exercise.
fn pair<T>(rows: &[T], pick: usize, exercise: impl Fn(&T) -> &String) -> (usize, usize) {
    let mut pairs = Vec::new();
    for (one, row) in rows.iter().enumerate() {
        let next = rows.iter().enumerate().skip(one + 1).find(|(_, next)| exercise(next) == exercise(row));
        pairs.extend(next.map(|(other, _)| (one, other)));
    }
    pairs[pick % pairs.len()]
}

fn did() -> impl Strategy<Value = Vec<Did>> {
    let way = || (any::<u8>(), any::<bool>());
    let one = prop_oneof![
        any::<u8>().prop_map(Did::Change),
        way().prop_map(|(number, way)| Did::Attempt(number, way)),
        way().prop_map(|(number, way)| Did::Assign(number, way)),
    ];
    // Why: what each fault needs is always there: two changes of one exercise, two assignments to one attempt, and a last attempt that relies on the copy.
    prop::collection::vec(one, 0..40).prop_map(|mut did| {
        did.extend([Did::Change(0), Did::Assign(0, false), Did::Assign(0, true), Did::Attempt(0, true)]);
        did
    })
}

proptest! {
    #[test]
    fn whatever_went_well_is_clean(exercises in 1_u8..6, did in did()) {
        let report = judge(&world(exercises, &did));
        prop_assert_eq!(faults(&report), [0; 5], "{:?}", report.findings);
        prop_assert_eq!(report.late, 0);
    }

    #[test]
    fn every_fault_is_found_wherever_it_lies(exercises in 1_u8..6, did in did(), pick in any::<usize>(), which in 0..Injected::ALL.len()) {
        let mut evidence = world(exercises, &did);
        let injected = Injected::ALL[which];
        injected.put(&mut evidence, pick);
        let report = judge(&evidence);
        prop_assert!(injected.count(&report) > 0, "{:?} was not found: {:?}", injected, report);
        prop_assert!(!report.is_clean());
        prop_assert!(!report.findings.is_empty());
    }
}
