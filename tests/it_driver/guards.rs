//! Guards: looked at while a step is under way, and over the death of a controller.

use cutover::engine::{Command, Entry};
use cutover::ports::flags::Flags;

use crate::bench::{Bench, FLAG, SHORT_LEASE};

/// How often guards were looked at.
const SAMPLES: &str = "select count(*) from entry where kind = 'watched'";

/// A flag whose change is guarded.
fn guarded(then: &str) -> String {
    format!("{FLAG}    guards:\n      - metric: {{query: errors, above: 1, then: {then}, interval: 500ms}}\n")
}

#[tokio::test]
async fn a_guard_is_looked_at_while_an_act_hangs_and_takes_the_step_back() {
    let bench = Bench::new().await;
    bench.gate.metrics.set("errors", 0.0);
    let node = bench.node("one").await;
    let run = bench.start(&guarded("revert_step")).await;
    bench.until("select count(*) from entry where kind = 'act_begun'", 1).await;
    // The act waits for its permit, and rounds of samples come in meanwhile.
    bench.until_at_least(SAMPLES, 3).await;
    bench.gate.metrics.set("errors", 9.0);
    bench.until("select count(*) from entry where kind = 'revert_begun'", 1).await;
    bench.gate.permits.add_permits(100);
    bench.reach(run, "failed").await;
    let journal = bench.journal(run).await;
    let kinds: Vec<_> = journal.iter().map(|entry| entry.entry.write().unwrap().0).filter(|kind| kind != "watched").collect();
    let expected = ["run_begun", "step_begun", "act_begun", "step_failed", "revert_ordered", "revert_begun"];
    assert_eq!(kinds[..expected.len()], expected, "{kinds:?}");
    let told =
        journal.iter().find_map(|entry| if let Entry::StepFailed { error, .. } = &entry.entry { Some(error.to_string()) } else { None });
    let told = told.unwrap();
    assert!(told.starts_with("metric errors is 9 at ") && told.ends_with(" UTC and must not be above 1"), "{told}");
    let flag = bench.gate.flags.flag("f").await.unwrap().unwrap();
    assert!(!flag.enabled);
    assert_eq!(bench.gate.flags.revision().await.unwrap(), 1, "the act that was given up happened all the same");
    node.hand_over().await;
}

#[tokio::test]
async fn a_hold_outlives_its_controller_and_ends_when_the_guard_is_good_again() {
    let bench = Bench { lease: SHORT_LEASE, ..Bench::new().await };
    bench.gate.metrics.set("errors", 9.0);
    bench.gate.permits.add_permits(1);
    let first = bench.node("first").await;
    let run = bench.start(&guarded("hold")).await;
    bench.reach(run, "held").await;
    let answer = bench.say(run, "bob", Command::Retry).await;
    assert!(!answer.taken && answer.text.contains("resume"), "{}", answer.text);
    first.kill();
    let samples = bench.count(SAMPLES).await;
    let second = bench.node("second").await;
    bench.until_at_least(SAMPLES, samples + 2).await;
    bench.reach(run, "held").await;
    assert_eq!(bench.count("select count(*) from entry where kind in ('act_begun', 'act_done')").await, 0);
    bench.gate.metrics.set("errors", 0.0);
    bench.reach(run, "done").await;
    let kinds: Vec<_> =
        bench.journal(run).await.iter().map(|entry| entry.entry.write().unwrap().0).filter(|kind| kind != "watched").collect();
    assert_eq!(kinds, ["run_begun", "step_begun", "held", "released", "act_begun", "act_done", "step_done", "run_ended"]);
    second.hand_over().await;
}
