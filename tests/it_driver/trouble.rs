//! Runs that trouble a controller: none of them brings down another run.

use cutover::engine::{Command, Entry};
use cutover::store::shard_of;

use crate::bench::{Bench, FLAG, WAITS, notes};

#[tokio::test]
async fn a_run_that_cannot_be_read_is_set_aside_and_the_others_go_on() {
    let bench = Bench::new().await;
    let (bad, holed) = (bench.start(WAITS).await, bench.start(&WAITS.replace("waits", "holed")).await);
    let node = bench.node("one").await;
    bench.reach(bad, "waiting").await;
    bench.reach(holed, "waiting").await;
    bench.execute(format!("update entry set body = '{{}}' where run = '{bad}' and seq = 2")).await;
    bench.execute(format!("update entry set seq = 99 where run = '{holed}' and seq = 3")).await;
    for run in [bad, holed] {
        let answer = bench.say(run, "ada", Command::Skip).await;
        assert!(!answer.taken && answer.text.contains("cannot be read"), "{answer:?}");
        bench.reach(run, "quarantined").await;
    }
    let good = bench.start(&notes(3)).await;
    bench.reach(good, "done").await;

    // Mended, it does not go on by itself.
    bench.execute(format!("update entry set seq = 3 where run = '{holed}' and seq = 99")).await;
    let answer = bench.say(holed, "ada", Command::Resume).await;
    assert!(!answer.taken, "{answer:?}");
    assert!(bench.say(holed, "ada", Command::Retry).await.taken);
    bench.reach(holed, "waiting").await;
    node.hand_over().await;
}

#[tokio::test]
async fn an_order_in_unknown_words_is_refused_and_stops_nobody() {
    let bench = Bench::new().await;
    let run = bench.start(WAITS).await;
    let node = bench.node("one").await;
    bench.reach(run, "waiting").await;
    bench.execute(format!("insert into inbox (run, shard, body) values ('{run}', {}, '{{\"command\": \"dance\"}}')", shard_of(run))).await;
    let id = bench.count("select max(id) from inbox").await;
    let answer = bench.answer(id).await;
    assert!(!answer.taken && answer.text.contains("dance"), "{answer:?}");
    assert!(bench.say(run, "ada", Command::Skip).await.taken);
    bench.reach(run, "done").await;
    node.hand_over().await;
}

#[tokio::test]
async fn a_run_that_brings_controllers_down_is_taken_out_of_service() {
    let bench = Bench::new().await;
    let run = bench.start(&notes(2)).await;
    bench.execute(format!("update wake set loads = 3, loaded = 1 where run = '{run}'")).await;
    let node = bench.node("one").await;
    bench.reach(run, "quarantined").await;
    assert!(!bench.say(run, "ada", Command::Resume).await.taken);
    assert!(bench.say(run, "ada", Command::Retry).await.taken);
    bench.reach(run, "done").await;
    node.hand_over().await;
}

#[tokio::test]
async fn an_act_that_panics_fails_its_step_and_nothing_else() {
    let bench = Bench::new().await;
    let node = bench.node("one").await;
    let run = bench.start(&FLAG.replace("flag: f,", "flag: panic,")).await;
    bench.reach(run, "failed").await;
    let journal = bench.journal(run).await;
    let said = journal
        .iter()
        .any(|entry| matches!(&entry.entry, Entry::StepFailed { error, .. } if error.to_string().contains("the port panics")));
    assert!(said, "{journal:?}");
    let other = bench.start(&notes(2)).await;
    bench.reach(other, "done").await;
    node.hand_over().await;
}
