//! Steps that are under way together, on a real journal: each goes its own way, also when its controller dies.

use cutover::engine::{Command, Entry, JournalEntry};

use super::bench::Bench;

const QUESTIONS: &str = "playbook: a
steps:
  - parallel:
      - id: left
        confirm: {task: look at the left}
      - id: right
        confirm: {task: look at the right}
      - id: said
        note: {text: said meanwhile}
  - id: last
    note: {text: behind them}
";

const WAITS: &str = "playbook: a
steps:
  - parallel:
      - id: short
        wait: {for: 1s}
      - id: long
        wait: {for: 3s}
  - id: last
    note: {text: behind them}
";

fn place(journal: &[JournalEntry], fits: impl Fn(&Entry) -> bool) -> usize {
    journal.iter().position(|entry| fits(&entry.entry)).expect("such an entry")
}

fn begun(journal: &[JournalEntry], id: &str) -> usize {
    place(journal, |entry| matches!(entry, Entry::StepBegun { step, .. } if step == id))
}

fn done(journal: &[JournalEntry], id: &str) -> usize {
    place(journal, |entry| matches!(entry, Entry::StepDone { step, .. } if step == id))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_asks_keeps_no_other_one_from_its_end() {
    let bench = Bench::new().await;
    let _node = bench.node("one").await;
    let run = bench.start(QUESTIONS).await;
    bench.reach(run, "asking").await;
    let refused = bench.say(run, "ada", Command::Approve).await;
    assert_eq!(refused.text, "left and right could be meant; say which, with --step");
    for step in ["right", "left"] {
        let answer = bench.say_about(run, "ada", Command::Approve, step).await;
        assert!(answer.taken, "{}", answer.text);
    }
    bench.reach(run, "done").await;
    let journal = bench.journal(run).await;
    assert!(done(&journal, "right") < done(&journal, "left"));
    assert!(done(&journal, "said") < done(&journal, "right"));
    assert!(done(&journal, "left") < begun(&journal, "last"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_dies_meanwhile_leaves_both_to_the_next_one() {
    let bench = Bench::new().await;
    let first = bench.node("one").await;
    let run = bench.start(WAITS).await;
    bench.until_longer(run, 2).await;
    first.kill();
    let _second = bench.node("two").await;
    bench.reach(run, "done").await;
    let journal = bench.journal(run).await;
    assert!(begun(&journal, "long") < done(&journal, "short"), "they are under way together");
    assert!(done(&journal, "short") < done(&journal, "long"));
    assert!(done(&journal, "long") < begun(&journal, "last"));
}
