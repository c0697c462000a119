//! Acts that settle: nothing further begins before an act has arrived and rested.

use super::*;

fn settling(acts: usize) -> Bench {
    let mut bench = Bench::new(steps([StepDefinition { settles: true, ..step("a") }]));
    bench.load();
    assert_eq!(bench.say(change(acts)), "step_begun:a ACT");
    bench
}

#[test]
fn every_act_settles_before_the_next_one_and_the_last_before_the_goal_is_looked_at() {
    let mut bench = settling(2);
    assert_eq!(bench.say(Say::Acted), "act_done:a SETTLE");
    assert_eq!(bench.say(Say::Settled), "act_settled:a act_begun:a ACT");
    assert_eq!(bench.say(Say::Acted), "act_done:a SETTLE");
    assert_eq!(bench.say(Say::Settled), "act_settled:a VERIFY");
    assert_eq!(bench.say(Say::Holds), "step_done:a run_ended:done");
}

#[test]
fn settling_waits_like_a_goal_does_and_needs_nothing_but_a_wake_up() {
    let mut bench = settling(2);
    bench.say(Say::Acted);
    assert_eq!(bench.say(Say::Unsettled), "step_waits:a");
    assert_eq!((bench.state(), bench.run.is_busy()), (RunState::Waiting, false));
    assert_eq!(bench.run.wake_at(), Some(bench.now + Duration::seconds(2)));
    assert_eq!(bench.pass(1), "");
    assert_eq!(bench.pass(1), "SETTLE");
    assert_eq!(bench.say(Say::Unsettled), "", "what did not change is not written down again");
    assert_eq!(bench.crash(), "SETTLE", "after a crash the act is not looked for: that it is done is known");
    assert_eq!(bench.say(Say::Settled), "act_settled:a act_begun:a ACT");
    assert_eq!(bench.crash(), "STAND");
}

#[test]
fn an_act_that_does_not_settle_fails_the_step_and_a_retry_asks_again() {
    let mut bench = settling(2);
    bench.say(Say::Acted);
    assert_eq!(bench.say(Say::SettleBroken), "step_failed:a");
    assert_eq!(bench.order(Command::Retry), "retried:a TAKEN SETTLE");
    assert_eq!(bench.say(Say::SettleFails(away())), "stumbled:a");
    assert_eq!(bench.pass(1), "SETTLE");
    assert_eq!(bench.say(Say::SettleFails(refused())), "step_failed:a");
}

#[test]
fn settling_takes_no_longer_than_the_step_may() {
    let timeout = Some(std::time::Duration::from_secs(3));
    let mut bench = Bench::new(steps([StepDefinition { settles: true, timeout, ..step("a") }]));
    bench.load();
    bench.say(change(1));
    bench.say(Say::Acted);
    bench.say(Say::Unsettled);
    bench.pass(2);
    bench.say(Say::Unsettled);
    assert_eq!(bench.pass(1), "SETTLE");
    assert_eq!(bench.say(Say::Unsettled), "step_failed:a");
}

#[test]
fn an_act_that_was_found_done_settles_too() {
    let mut bench = settling(1);
    bench.crash();
    assert_eq!(bench.say(Say::Stand(Standing::After(Receipt::said("there")))), "act_done:a SETTLE");
}

#[test]
fn whether_an_act_settles_is_the_journals_and_not_the_codes() {
    let mut bench = settling(1);
    bench.say(Say::Acted);
    bench.definition.steps[0].settles = false;
    assert_eq!(bench.crash(), "SETTLE");
    let mut older = Bench::new(steps([step("a")]));
    older.load();
    older.say(change(1));
    older.say(Say::Acted);
    let (kind, body) = older.journal.last().unwrap().entry.write().unwrap();
    assert!(body.get("settles").is_none(), "an older journal looks the same: {body}");
    older.definition.steps[0].settles = true;
    assert_eq!((kind.as_str(), older.crash().as_str()), ("act_done", "VERIFY"));
}

#[test]
fn an_act_rests_since_it_was_done() {
    let mut bench = settling(2);
    let began = bench.now;
    bench.now += Duration::seconds(7);
    assert_eq!(bench.run.present().unwrap().1.rests_since, Some(began));
    bench.say(Say::Acted);
    assert_eq!(bench.run.present().unwrap().1.rests_since, Some(began + Duration::seconds(7)));
}

#[test]
fn the_acts_of_a_way_back_settle_if_their_kind_does() {
    let mut bench = settling(1);
    for say in [Say::Acted, Say::Settled, Say::Holds] {
        bench.say(say);
    }
    bench.order(Command::Revert);
    bench.say(Say::Back(vec![BackStep { settles: true, ..back("a") }]));
    bench.say(change(1));
    assert_eq!(bench.say(Say::Acted), "act_done:revert-a SETTLE");
}
