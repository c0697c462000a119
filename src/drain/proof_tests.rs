//! The judgement by version, against a small model of a topic that knows what every group has been handed.

use proptest::prelude::*;

use super::*;
use crate::drain::{Class, GroupSight, Last, Topic};
use crate::ports::kafka::{PartitionEnds, Position};

fn topic(id: &str) -> Topic {
    Topic { id: Some(id.to_owned()), partitions: 1 }
}

fn barrier(end: i64) -> Barrier {
    Barrier { topic: topic("a"), marks: vec![Mark { partition: 0, end, last: Last::Unknown }] }
}

fn index(from: i64, to: i64, classes: &[(i64, Class)]) -> Index {
    let mut index = Index::from([Position { partition: 0, offset: from }]);
    for (offset, class) in classes {
        index.note(Position { partition: 0, offset: *offset }, None, class.clone());
    }
    index.reach(&[Position { partition: 0, offset: to }]);
    index
}

fn sight(start: i64, stable: i64, committed: Option<i64>) -> Sight {
    Sight {
        topic: Some(topic("a")),
        ends: vec![PartitionEnds { partition: 0, start, end: stable }],
        stable: vec![Position { partition: 0, offset: stable }],
        groups: vec![GroupSight {
            group: "g".to_owned(),
            committed: committed.map(|offset| Position { partition: 0, offset }).into_iter().collect(),
        }],
        last: BTreeMap::new(),
    }
}

fn consumed(barrier: &Barrier, index: &Index, sight: &Sight) -> Proof {
    prove(barrier, index, sight, Terms::default())
}

fn known(index: &Index, sight: &Sight) -> Known {
    consumed(&barrier(10), index, sight).verdict
}

#[test]
fn only_the_last_old_record_is_waited_for() {
    let found = index(0, 10, &[(2, Class::Old), (5, Class::Other), (9, Class::Neutral)]);
    assert_eq!(known(&found, &sight(0, 10, Some(3))), Known::Drained, "what lies behind is new or somebody else's");
    let waiting = consumed(&barrier(10), &found, &sight(0, 10, Some(2)));
    assert_eq!((waiting.verdict, waiting.partitions[0].groups[0].old_left), (Known::Waiting, 1));
    assert_eq!(waiting.words(), "g has up to 1 old left in partition 0");
}

#[test]
fn what_was_not_looked_at_is_unknown() {
    assert_eq!(known(&index(4, 10, &[]), &sight(0, 10, Some(2))), Known::Unknown, "the group was set back behind the scan");
    assert_eq!(known(&index(0, 8, &[]), &sight(0, 10, Some(2))), Known::Unknown);
    assert_eq!(known(&Index::default(), &sight(0, 10, Some(2))), Known::Unknown);
    assert_eq!(known(&Index::default(), &sight(0, 10, Some(10))), Known::Drained, "everything is read, old or not");
}

#[test]
fn a_record_that_nobody_can_tell_holds_until_it_is_passed() {
    let found = index(0, 10, &[(6, Class::Unknown("its value is no JSON".to_owned()))]);
    let proof = consumed(&barrier(10), &found, &sight(0, 10, Some(3)));
    assert_eq!(proof.verdict, Known::Unknown);
    assert!(proof.words().contains("offset 6") && proof.words().contains("no JSON"), "{}", proof.words());
    assert_eq!(known(&found, &sight(0, 10, Some(7))), Known::Drained);
}

#[test]
fn no_commit_is_unknown_only_where_something_old_lies() {
    assert_eq!(known(&index(0, 10, &[]), &sight(0, 10, None)), Known::Drained, "wherever it begins, it is handed nothing old");
    let old = index(0, 10, &[(4, Class::Old)]);
    assert_eq!(known(&old, &sight(0, 10, None)), Known::Unknown);
    let said = |reset| prove(&barrier(10), &old, &sight(0, 10, None), Terms { reset: Some(reset), ..Terms::default() }).verdict;
    assert_eq!((said(Reset::Earliest), said(Reset::Latest)), (Known::Waiting, Known::Drained));
    assert_eq!(known(&old, &sight(10, 10, None)), Known::Drained, "all of it has expired");
}

#[test]
fn what_went_away_unread_is_lost_unless_it_was_seen_to_be_nothing_old() {
    let proof = consumed(&barrier(10), &index(8, 10, &[]), &sight(8, 10, Some(4)));
    assert!(proof.stuck && proof.verdict == Known::Unknown && proof.words().contains("lost"), "{}", proof.words());
    assert_eq!(known(&index(0, 10, &[(2, Class::Old), (6, Class::Other)]), &sight(8, 10, Some(4))), Known::Drained);
    assert!(consumed(&barrier(10), &index(0, 10, &[(6, Class::Old)]), &sight(8, 10, Some(4))).stuck);
}

#[test]
fn an_open_transaction_keeps_everybody_waiting() {
    assert_eq!(known(&index(0, 10, &[]), &sight(0, 9, Some(10))), Known::Waiting);
    assert_eq!(known(&index(0, 9, &[]), &sight(0, 9, Some(9))), Known::Waiting);
}

#[test]
fn another_topic_needs_a_person_and_an_added_partition_another_look() {
    let found = index(0, 10, &[]);
    let mut other = sight(0, 10, Some(10));
    other.topic = Some(topic("b"));
    assert!(consumed(&barrier(10), &found, &other).stuck);
    other.topic = None;
    assert!(consumed(&barrier(10), &found, &other).stuck);
    let mut grown = sight(0, 10, Some(10));
    grown.ends.push(PartitionEnds { partition: 1, start: 0, end: 0 });
    assert_eq!(known(&found, &grown), Known::Waiting);
    let extended = crate::drain::extended(&barrier(10), &grown);
    assert_eq!(extended.marks.len(), 2);
}

#[test]
fn nothing_old_may_lie_in_the_topic_where_that_is_the_goal() {
    let absent = |index: &Index, sight: &Sight| prove(&barrier(10), index, sight, Terms { goal: Goal::Absent, reset: None }).verdict;
    let old = index(0, 10, &[(4, Class::Old)]);
    assert_eq!(absent(&old, &sight(0, 10, Some(10))), Known::Waiting, "everybody has read it, and a rebuilt copy would meet it");
    assert_eq!(absent(&old, &sight(5, 10, Some(10))), Known::Drained);
    assert_eq!(absent(&index(2, 10, &[]), &sight(0, 10, Some(10))), Known::Waiting, "not looked at from the beginning");
    assert_eq!(absent(&index(0, 10, &[(3, Class::Unknown("x".to_owned()))]), &sight(0, 10, Some(10))), Known::Unknown);
}

#[test]
fn nobody_who_reads_is_unknown() {
    let mut nobody = sight(0, 10, None);
    nobody.groups.clear();
    assert_eq!(known(&index(0, 10, &[]), &nobody), Known::Unknown);
}

/// What lies at an offset of the model.
fn class() -> impl Strategy<Value = Option<Class>> {
    prop_oneof![
        3 => Just(Some(Class::Other)),
        2 => Just(Some(Class::Old)),
        1 => Just(Some(Class::Neutral)),
        1 => Just(Some(Class::Unknown("x".to_owned()))),
        // A marker, an aborted record, or one that compaction took.
        2 => Just(None),
    ]
}

proptest! {
    /// Whatever lies in the log, wherever it begins and the group stands and however little was looked at: `drained` is said only when
    /// the group, going on from where it stands, can be handed nothing that is or may be old.
    #[test]
    fn drained_is_never_said_while_an_old_record_may_be_handed_out(
        log in prop::collection::vec(class(), 0..24),
        start in 0_i64..24,
        looked in 0_i64..24,
        reached in 0_i64..24,
        stable in 0_i64..25,
        committed in prop::option::of(0_i64..25),
        reset in prop::option::of(prop_oneof![Just(Reset::Earliest), Just(Reset::Latest)]),
    ) {
        let end = i64::try_from(log.len()).unwrap();
        let (start, stable) = (start.min(end), stable.min(end));
        let looked = looked.min(end);
        let to = reached.clamp(looked, end).min(stable.max(looked));
        let seen: Vec<(i64, Class)> = (0..).zip(&log).filter(|(offset, _)| (looked..to).contains(offset)).filter_map(|(offset, class)| Some((offset, class.clone()?))).collect();
        let found = index(looked, to, &seen);
        let proof = prove(&barrier(end), &found, &sight(start, stable, committed), Terms { goal: Goal::Consumed, reset });
        let matters = |from: i64, to: i64| (from..to).any(|at| {
            usize::try_from(at).ok().and_then(|at| log.get(at)).is_some_and(|class| matches!(class, Some(Class::Old | Class::Unknown(_))))
        });
        let from = match (committed, reset) {
            (Some(committed), _) => committed,
            (None, Some(Reset::Latest)) => end,
            (None, _) => start,
        };
        if proof.verdict == Known::Drained {
            prop_assert!(stable >= end);
            prop_assert!(!matters(from.max(start), end), "{proof:?}");
            prop_assert!(!(from < start && matters(from, start) && (from..start).all(|at| (looked..to).contains(&at)) && seen.iter().any(|(at, class)| (from..start).contains(at) && *class == Class::Old)), "lost is not consumed");
            prop_assert!(from >= start || (looked <= from && to >= start.min(end)), "nobody has seen what went away");
        }
        // And it is said when all was looked at and nothing is left.
        if looked == 0 && to == end && stable == end && from >= start && !matters(from, end) {
            prop_assert_eq!(proof.verdict, Known::Drained);
        }
    }
}
