//! The facts of one broker. Each test prints the plain answer beside ours; where the plain one is wrong, ours is right.

use cutover::drain::{Known, Terms};
use cutover::ports::kafka::{Kafka, WriteFence};
use rdkafka::producer::Producer;

use crate::ground::*;

const DRAINED: Known = Known::Drained;
const WAITING: Known = Known::Waiting;
const UNKNOWN: Known = Known::Unknown;

#[tokio::test(flavor = "multi_thread")]
async fn fact_01_markers_and_aborted_records_are_offsets_that_nobody_reads() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    let writer = Writer::new(bootstrap());
    writer.write(&name, &[&event(0), &event(0), &event(0)]).commit();
    writer.write(&name, &[event(0).as_str(); 5]).abort();
    ends_at(kafka.as_ref(), &name, 10).await;
    assert_eq!(read_on(bootstrap(), &group, &name, "earliest", 3, PATIENCE).len(), 3);
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("1. markers and aborted records", lag(bootstrap(), &group, &name, 1), &proof, DRAINED);
    assert_eq!(proof.partitions[0].groups[0].committed, Some(3), "and it stays there for ever");
}

/// What a group has committed is its own claim. Both answers believe it; that is a limit which only an acknowledgement of the handler lifts.
#[tokio::test(flavor = "multi_thread")]
async fn fact_02_a_commit_is_a_claim() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0, 0]).await;
    let before = ours(kafka.as_ref(), &name, &[&group]).await;
    assert_ne!(before.verdict, DRAINED);
    commit(bootstrap(), &group, &name, &[at(0, 2)]);
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("2. a group that commits before it handles", lag(bootstrap(), &group, &name, 1), &proof, DRAINED);
}

#[tokio::test(flavor = "multi_thread")]
async fn fact_03_the_last_stable_offset_is_not_the_end() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0]).await;
    commit(bootstrap(), &group, &name, &[at(0, 1)]);
    let writer = Writer::new(bootstrap());
    writer.write(&name, &[&event(0)]);
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("3. an open transaction", lag(bootstrap(), &group, &name, 1), &proof, WAITING);
    assert_eq!((proof.partitions[0].barrier, proof.partitions[0].lso), (2, Some(1)));
    writer.commit();
    ends_at(kafka.as_ref(), &name, 3).await;
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("3. and now it is committed", lag(bootstrap(), &group, &name, 1), &proof, WAITING);
    commit(bootstrap(), &group, &name, &[at(0, 2)]);
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("3. and read", lag(bootstrap(), &group, &name, 1), &proof, DRAINED);
}

#[tokio::test(flavor = "multi_thread")]
async fn fact_04_what_was_open_before_a_fence_commits_behind_it() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0]).await;
    commit(bootstrap(), &group, &name, &[at(0, 1)]);
    let writer = Writer::user("old");
    writer.write(&name, &[&event(0)]);
    let fence = WriteFence { topic: name.clone(), principal: "User:old".to_owned() };
    let theirs = WriteFence { topic: name.clone(), principal: "User:somebody".to_owned() };
    kafka.add_fence(&theirs).await.unwrap();
    assert_eq!(kafka.has_fence(&fence).await.unwrap(), Some(false));
    kafka.add_fence(&fence).await.unwrap();
    kafka.add_fence(&fence).await.unwrap();
    assert_eq!(kafka.has_fence(&fence).await.unwrap(), Some(true));

    let seen = survey(kafka.as_ref(), &name, &[&group], &old(), Terms::default()).await;
    let proof = judge(kafka.as_ref(), &name, &[&group], &seen, Terms::default()).await;
    beside("4. fenced, with a transaction open", lag(bootstrap(), &group, &name, 1), &proof, WAITING);
    // The marker is the coordinator's and no write of the principal's.
    writer.commit();
    until("it is committed", async || kafka.stable_ends(&name).await.unwrap()[0].offset == 3).await;
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("4. committed behind the fence", lag(bootstrap(), &group, &name, 1), &proof, WAITING);

    // The fence holds against this principal, and only its own rule goes.
    writer.0.begin_transaction().unwrap();
    let sent = writer.0.send(rdkafka::producer::BaseRecord::to(&name).key("k").payload("late"));
    assert!(sent.is_ok());
    let _ = writer.0.flush(PATIENCE);
    assert!(writer.0.commit_transaction(PATIENCE).is_err(), "a fenced principal cannot write");
    assert_eq!(kafka.ends(&name).await.unwrap()[0].end, 3);
    kafka.remove_fence(&fence).await.unwrap();
    kafka.remove_fence(&fence).await.unwrap();
    assert_eq!(kafka.has_fence(&fence).await.unwrap(), Some(false));
    assert_eq!(kafka.has_fence(&theirs).await.unwrap(), Some(true), "somebody else's rule stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn fact_05_what_was_deleted_unread_is_lost() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0; 10]).await;
    commit(bootstrap(), &group, &name, &[at(0, 4)]);
    kafka.delete_before(&name, &[at(0, 10)]).await.unwrap();
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("5. deleted before it was read: the plain answer waits for ever", lag(bootstrap(), &group, &name, 1), &proof, UNKNOWN);
    assert!(proof.stuck && proof.words().contains("lost, not consumed"), "{}", proof.words());
}

#[tokio::test(flavor = "multi_thread")]
async fn fact_06_compaction_leaves_offsets_without_records() {
    let kafka = kafka();
    let settings =
        [("cleanup.policy", "compact"), ("segment.ms", "200"), ("min.cleanable.dirty.ratio", "0.01"), ("max.compaction.lag.ms", "200")];
    let (name, group) = (topic(kafka.as_ref(), 1, &settings).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0; 12]).await;
    until("it is compacted", async || {
        // The active segment is never compacted: each record makes a new one.
        write(kafka.as_ref(), &name, &[1]).await;
        let end = kafka.ends(&name).await.unwrap()[0].end;
        kafka.read(&name, &[(at(0, 0), end)], PATIENCE).await.unwrap().iter().all(|record| record.at.offset >= 12)
    })
    .await;
    commit(bootstrap(), &group, &name, &[at(0, 1)]);
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("6. compacted away", lag(bootstrap(), &group, &name, 1), &proof, DRAINED);
}

#[tokio::test(flavor = "multi_thread")]
async fn fact_07_no_commit_is_nothing_read_or_nothing_there() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("7. no commit, and the partition is empty", lag(bootstrap(), &group, &name, 1), &proof, DRAINED);
    write(kafka.as_ref(), &name, &[1]).await;
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("7. no commit, and nothing old", lag(bootstrap(), &group, &name, 1), &proof, DRAINED);
    write(kafka.as_ref(), &name, &[0]).await;
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("7. no commit, and something old", lag(bootstrap(), &group, &name, 1), &proof, UNKNOWN);
}

#[tokio::test(flavor = "multi_thread")]
async fn fact_08_an_added_partition_is_skipped_in_silence() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0]).await;
    commit(bootstrap(), &group, &name, &[at(0, 1)]);
    let seen = survey(kafka.as_ref(), &name, &[&group], &old(), Terms::default()).await;
    kafka.grow_topic(&name, 2).await.unwrap();
    let added = rdkafka::ClientConfig::new().set("bootstrap.servers", bootstrap()).create::<rdkafka::producer::BaseProducer>().unwrap();
    for _ in 0..5 {
        let value = event(0);
        added.send(rdkafka::producer::BaseRecord::to(&name).partition(1).key("k").payload(&value)).map_err(|(error, _)| error).unwrap();
    }
    added.flush(PATIENCE).unwrap();
    let proof = judge(kafka.as_ref(), &name, &[&group], &seen, Terms::default()).await;
    beside("8. a partition was added under the drain", lag(bootstrap(), &group, &name, 2), &proof, UNKNOWN);
    assert_eq!(proof.partitions.len(), 2);
    commit(bootstrap(), &group, &name, &[at(1, 5)]);
    let proof = judge(kafka.as_ref(), &name, &[&group], &seen, Terms::default()).await;
    beside("8. and read", lag(bootstrap(), &group, &name, 2), &proof, DRAINED);
}

#[tokio::test(flavor = "multi_thread")]
async fn fact_09_commits_expire() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0, 0]).await;
    commit(bootstrap(), &group, &name, &[at(0, 1)]);
    let seen = survey(kafka.as_ref(), &name, &[&group], &old(), Terms::default()).await;
    let admin: rdkafka::admin::AdminClient<_> = rdkafka::ClientConfig::new().set("bootstrap.servers", bootstrap()).create().unwrap();
    admin.delete_groups(&[&group], &rdkafka::admin::AdminOptions::new()).await.unwrap();
    let proof = judge(kafka.as_ref(), &name, &[&group], &seen, Terms::default()).await;
    beside("9. the group's commits are gone", lag(bootstrap(), &group, &name, 1), &proof, UNKNOWN);
}

#[tokio::test(flavor = "multi_thread")]
async fn fact_10_a_topic_that_is_made_anew_is_another_one() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0, 0]).await;
    commit(bootstrap(), &group, &name, &[at(0, 1)]);
    let seen = survey(kafka.as_ref(), &name, &[&group], &old(), Terms::default()).await;
    kafka.delete_topic(&name, None).await.unwrap();
    let new = cutover::ports::kafka::NewTopic {
        name: name.clone(),
        partitions: 1,
        replication: None,
        configs: std::collections::BTreeMap::new(),
    };
    kafka.create_topic(&new).await.unwrap();
    let proof = judge(kafka.as_ref(), &name, &[&group], &seen, Terms::default()).await;
    beside("10. deleted and made anew", lag(bootstrap(), &group, &name, 1), &proof, UNKNOWN);
    assert!(proof.stuck && proof.words().contains("created again"), "{}", proof.words());
}

#[tokio::test(flavor = "multi_thread")]
async fn fact_11_a_retry_topic_holds_what_the_topic_holds_no_more() {
    let kafka = kafka();
    let (name, retry, group) = (topic(kafka.as_ref(), 1, &[]).await, topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0]).await;
    // The service could not handle it, put it aside, and went on.
    write(kafka.as_ref(), &retry, &[0]).await;
    commit(bootstrap(), &group, &name, &[at(0, 1)]);
    commit(bootstrap(), &group, &retry, &[at(0, 0)]);
    let main = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("11. the topic itself", lag(bootstrap(), &group, &name, 1), &main, DRAINED);
    let side = ours(kafka.as_ref(), &retry, &[&group]).await;
    beside("11. the lag of the topic beside our answer with its retry topic", lag(bootstrap(), &group, &name, 1), &side, WAITING);
}

#[tokio::test(flavor = "multi_thread")]
async fn fact_12_a_transaction_that_hangs_is_named_and_ended() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0]).await;
    commit(bootstrap(), &group, &name, &[at(0, 1)]);
    let writer = Writer::new(bootstrap());
    writer.write(&name, &[&event(0)]);
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("12. a transaction that nobody ends", lag(bootstrap(), &group, &name, 1), &proof, WAITING);
    let told = cutover::drain::blockers(kafka.as_ref(), &name).await.unwrap();
    println!("  {}", told.join("\n  "));
    assert_eq!(told.len(), 1);
    assert!(told[0].contains(&writer.1) && told[0].contains("since offset 1 of partition 0") && told[0].contains("--end-transaction"));
    kafka.fence_transaction(&writer.1).await.unwrap();
    ends_at(kafka.as_ref(), &name, 3).await;
    assert_eq!(cutover::drain::blockers(kafka.as_ref(), &name).await.unwrap(), [""; 0]);
    let proof = ours(kafka.as_ref(), &name, &[&group]).await;
    beside("12. ended: what it wrote was never committed", lag(bootstrap(), &group, &name, 1), &proof, DRAINED);
    assert!(writer.0.commit_transaction(PATIENCE).is_err(), "its producer writes no more");
}

/// Rung 1 of the evidence: what the leaders remember of producers proves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_remembers_producers_that_have_ended_and_not_all_that_write() {
    let kafka = kafka();
    let name = topic(kafka.as_ref(), 1, &[]).await;
    let plain: rdkafka::producer::BaseProducer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", bootstrap())
        .set("acks", "1")
        .set("enable.idempotence", "false")
        .create()
        .unwrap();
    plain.send(rdkafka::producer::BaseRecord::to(&name).key("k").payload("x")).map_err(|(error, _)| error).unwrap();
    plain.flush(PATIENCE).unwrap();
    assert_eq!(kafka.producers(&name).await.unwrap(), [], "it writes, and nobody remembers it");
    write(kafka.as_ref(), &name, &[0]).await;
    let remembered = kafka.producers(&name).await.unwrap();
    assert_eq!((remembered.len(), remembered[0].open_since), (1, None));
}
