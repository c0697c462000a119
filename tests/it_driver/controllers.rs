//! Controllers: how they share the runs, hand over, die and lose their leases.

use std::time::Duration;

use cutover::engine::Entry;

use crate::bench::{Bench, FLAG, LONG, SHORT_LEASE, found, notes};

#[tokio::test]
async fn a_run_of_notes_ends_done() {
    let bench = Bench::new().await;
    let node = bench.node("one").await;
    let run = bench.start(&notes(5)).await;
    bench.reach(run, "done").await;
    let journal = bench.journal(run).await;
    let kinds: Vec<_> = journal.iter().map(|entry| entry.entry.write().unwrap().0).collect();
    assert_eq!(kinds.len(), 1 + 5 * 3 + 1, "{kinds:?}");
    assert!(journal.iter().zip(1..).all(|(entry, seq)| entry.seq == seq));
    node.hand_over().await;
    // What counts is that another controller may take every shard at once: a name in it of one that has left holds nothing.
    assert_eq!(bench.count("select count(*) from shard s join controller c on c.id = s.owner").await, 0);
    assert_eq!(bench.count("select count(*) from controller").await, 0);
}

#[tokio::test]
async fn controllers_share_the_shards_and_one_that_dies_is_replaced() {
    let bench = Bench { lease: SHORT_LEASE, ..Bench::new().await };
    let first = bench.node("first").await;
    bench.until("select count(*) from shard where owner is not null", 256).await;
    let second = bench.node("second").await;
    bench.until("select count(*) from (select owner from shard group by owner having count(*) = 128) as halves", 2).await;
    let mut runs = Vec::new();
    for _ in 0..20 {
        runs.push(bench.start(&notes(100)).await);
    }
    bench.until("select count(distinct run) from entry where seq > 5", 20).await;
    first.kill();
    for run in &runs {
        bench.reach(*run, "done").await;
    }
    bench.until("select count(distinct owner) from shard where owner is not null", 1).await;
    for run in runs {
        assert_eq!(bench.journal(run).await.len(), 302);
    }
    second.hand_over().await;
}

#[tokio::test]
async fn a_controller_that_hands_over_leaves_no_act_to_be_looked_for() {
    let bench = Bench::new().await;
    let mut node = bench.node("0").await;
    let mut runs = Vec::new();
    for _ in 0..10 {
        runs.push(bench.start(&notes(60)).await);
    }
    for turn in 1..4 {
        bench.until_at_least("select max(seq) from entry", turn * 20).await;
        let next = bench.node(&turn.to_string()).await;
        std::mem::replace(&mut node, next).hand_over().await;
    }
    for run in runs {
        bench.reach(run, "done").await;
        assert_eq!(found(&bench.journal(run).await), 0);
    }
    node.hand_over().await;
}

#[tokio::test]
async fn an_act_that_takes_longer_than_the_lease_is_finished_before_the_hand_over() {
    let bench = Bench { lease: SHORT_LEASE, ..Bench::new().await };
    let node = bench.node("first").await;
    let run = bench.start(FLAG).await;
    bench.until("select count(*) from entry where kind = 'step_begun'", 1).await;
    let handed = tokio::spawn(node.hand_over());
    tokio::time::sleep(SHORT_LEASE * 3).await;
    bench.gate.permits.add_permits(1);
    handed.await.unwrap();
    let acted = bench.journal(run).await.iter().any(|entry| matches!(entry.entry, Entry::ActDone { .. }));
    assert!(acted, "it was handed over before the act was finished");
    let next = bench.node("second").await;
    bench.reach(run, "done").await;
    assert_eq!(found(&bench.journal(run).await), 0);
    next.hand_over().await;
}

#[tokio::test]
async fn a_controller_that_loses_its_lease_again_and_again_blames_no_run() {
    let bench = Bench::new().await;
    let node = bench.node("one").await;
    let run = bench.start(FLAG).await;
    bench.until("select count(*) from entry where kind = 'step_begun'", 1).await;
    for _ in 0..6 {
        let epoch = bench.epoch(run).await;
        bench.execute("update controller set lease_until = clock_timestamp()".to_owned()).await;
        let again = async {
            while bench.epoch(run).await == epoch || bench.loaded(run).await < 1 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(LONG, again).await.expect("the run is not taken up again");
    }
    bench.gate.permits.add_permits(100);
    bench.reach(run, "done").await;
    node.hand_over().await;
}
