//! Bad luck: each has its answer, none hangs, none is a false "drained".

use cutover::drain::{Goal, Known, Terms};
use cutover::ports::kafka::{Kafka, NewRecord};

use crate::ground::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_set_back_is_waited_for_again() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0, 0, 1, 1]).await;
    commit(bootstrap(), &group, &name, &[at(0, 3)]);
    let seen = survey(kafka.as_ref(), &name, &[&group], &old(), Terms::default()).await;
    assert_eq!(judge(kafka.as_ref(), &name, &[&group], &seen, Terms::default()).await.verdict, Known::Drained);
    commit(bootstrap(), &group, &name, &[at(0, 0)]);
    let proof = judge(kafka.as_ref(), &name, &[&group], &seen, Terms::default()).await;
    assert_eq!(proof.verdict, Known::Unknown, "it stands before what was looked at: {}", proof.words());
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    assert_eq!((proof.verdict, proof.partitions[0].groups[0].old_left), (Known::Waiting, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_tell_is_unknown_until_it_is_passed() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    let bytes = |value: &[u8]| NewRecord { key: Some(b"k".to_vec()), value: Some(value.to_vec()), headers: Vec::new() };
    let records = [
        bytes(event(1).as_bytes()),
        bytes(b"\xff\xfe no JSON"),
        bytes(br#"{"event_name": "ExerciseChanged"}"#),
        bytes(&b"[".repeat(200_000)),
        bytes(b""),
    ];
    kafka.produce(&name, &records).await.unwrap();
    commit(bootstrap(), &group, &name, &[at(0, 0)]);
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    assert_eq!(proof.verdict, Known::Unknown);
    assert!(proof.words().contains("4 records") && proof.words().contains("offset 1") && !proof.stuck, "{}", proof.words());
    commit(bootstrap(), &group, &name, &[at(0, 5)]);
    assert_eq!(ours(kafka.as_ref(), &name, &[&group]).await.verdict, Known::Drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_ten_megabytes_is_read_like_any_other() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[("max.message.bytes", "20000000")]).await, fresh("group"));
    let padding = "x".repeat(10_000_000);
    let large = format!(r#"{{"payload": "{padding}", "event_name": "ExerciseChanged", "event_version": 0}}"#);
    with_header(&name, ("event_version", "0"), Some(large.as_bytes()));
    write(kafka.as_ref(), &name, &[1]).await;
    commit(bootstrap(), &group, &name, &[at(0, 0)]);
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    assert_eq!((proof.verdict, proof.partitions[0].last_old), (Known::Waiting, Some(0)));
    let by_header = "topic=ExerciseChanged,header:event_version=0".parse().unwrap();
    let (_, index) = survey(kafka.as_ref(), &name, &[&group], &by_header, Terms::default()).await;
    assert_eq!(index.partitions[&0].last, Some(0));
    assert_eq!(index.partitions[&0].unknown, 1, "the other one has no such header");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_compacted_topic_read_is_not_gone() {
    let kafka = kafka();
    let settings =
        [("cleanup.policy", "compact"), ("segment.ms", "200"), ("min.cleanable.dirty.ratio", "0.01"), ("max.compaction.lag.ms", "200")];
    let (name, group) = (topic(kafka.as_ref(), 1, &settings).await, fresh("group"));
    kafka.produce(&name, &[record("a", &event(0)), record("b", &event(0))]).await.unwrap();
    commit(bootstrap(), &group, &name, &[at(0, 2)]);
    let absent = Terms { goal: Goal::Absent, reset: None };
    let seen = survey(kafka.as_ref(), &name, &[&group], &old(), absent).await;
    let consumed = judge(kafka.as_ref(), &name, &[&group], &seen, Terms::default()).await;
    beside("everybody has read it", lag(bootstrap(), &group, &name, 1), &consumed, Known::Drained);
    let proof = judge(kafka.as_ref(), &name, &[&group], &seen, absent).await;
    beside("and a copy that is rebuilt would meet it", lag(bootstrap(), &group, &name, 1), &proof, Known::Waiting);

    // Every key is published anew in the new version; a key that is not stays for ever.
    kafka.produce(&name, &[record("a", &event(1))]).await.unwrap();
    until("a is compacted", async || {
        kafka.produce(&name, &[record("a", &event(1))]).await.unwrap();
        let left = survey(kafka.as_ref(), &name, &[&group], &old(), absent).await.1.old();
        assert!(left >= 1, "b was never published anew");
        left == 1
    })
    .await;
    assert_eq!(judge(kafka.as_ref(), &name, &[&group], &seen, absent).await.verdict, Known::Waiting);
    // A tombstone takes the last one.
    let tombstone = NewRecord { key: Some(b"b".to_vec()), value: None, headers: Vec::new() };
    kafka.produce(&name, &[tombstone]).await.unwrap();
    until("b is compacted, too", async || {
        kafka.produce(&name, &[record("a", &event(1))]).await.unwrap();
        judge(kafka.as_ref(), &name, &[&group], &seen, absent).await.verdict == Known::Drained
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_deleted_under_a_scan_are_not_passed_in_silence() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0; 20]).await;
    commit(bootstrap(), &group, &name, &[at(0, 2)]);
    let barrier = cutover::drain::take_barrier(kafka.as_ref(), &name, None).await.unwrap();
    let sight = cutover::drain::glance(kafka.as_ref(), &name, std::slice::from_ref(&group)).await.unwrap();
    let mut index = cutover::drain::begin(&barrier, &sight, Goal::Consumed, None);
    kafka.delete_before(&name, &[at(0, 15)]).await.unwrap();
    let (version, mut schemas) = (old(), cutover::drain::Schemas::default());
    let search = search(kafka.as_ref(), &name, &version);
    while !search.further(&mut index, &barrier.marks, &mut schemas).await.unwrap() {}
    assert_eq!((index.partitions[&0].from, index.partitions[&0].old), (15, 5));
    let proof = judge(kafka.as_ref(), &name, &[&group], &(barrier, index), Terms::default()).await;
    assert!(proof.stuck && proof.words().contains("13 offsets"), "{}", proof.words());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_goes_under_a_scan_is_an_error_and_no_proof() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0]).await;
    let seen = survey(kafka.as_ref(), &name, &[&group], &old(), Terms::default()).await;
    kafka.delete_topic(&name, None).await.unwrap();
    let proof = judge(kafka.as_ref(), &name, &[&group], &seen, Terms::default()).await;
    assert!(proof.stuck && proof.words().contains("gone"), "{}", proof.words());
    let version = old();
    let search = search(kafka.as_ref(), &name, &version);
    assert!(search.survey(&seen.0, &[], Terms::default(), |_| {}).await.is_err());
}
