//! The way forward: what a run does when systems answer well, late, badly or not at all.

use super::*;
use crate::step::OnUnknown;

#[test]
fn a_step_that_is_so_already_is_over_at_once() {
    let mut bench = Bench::new(steps([step("a")]));
    assert_eq!(bench.state(), RunState::Pending);
    assert_eq!(bench.load(), "PLAN");
    assert_eq!(bench.say(Say::Plan(ErasedPlan::AlreadySo("so".to_owned()))), "step_done:a run_ended:done");
    assert_eq!(bench.state(), RunState::Done);
}

#[test]
fn a_change_with_two_acts_records_each_intent_before_it_acts() {
    let mut bench = Bench::new(steps([step("a"), step("b")]));
    bench.load();
    assert_eq!(bench.say(change(2)), "step_begun:a ACT");
    assert_eq!(bench.say(Say::Acted), "act_done:a act_begun:a ACT");
    assert_eq!(bench.say(Say::Acted), "act_done:a VERIFY");
    assert_eq!(bench.say(Say::Holds), "step_done:a PLAN");
    assert_eq!(bench.state(), RunState::Running);
}

#[test]
fn a_change_without_acts_is_only_verified() {
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    assert_eq!(bench.say(change(0)), "step_begun:a VERIFY");
}

#[test]
fn a_wait_looks_again_and_writes_down_only_what_changes() {
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    assert_eq!(bench.say(wait()), "step_begun:a VERIFY");
    assert_eq!(bench.say(Say::NotYet), "step_waits:a");
    assert_eq!((bench.state(), bench.run.wake_at()), (RunState::Waiting, Some(bench.now + Duration::seconds(2))));
    assert_eq!(bench.pass(1), "");
    assert_eq!(bench.pass(1), "VERIFY");
    assert_eq!(bench.say(Say::NotYet), "");
    assert_eq!(bench.pass(2), "VERIFY");
    assert_eq!(bench.say(Say::Holds), "step_done:a run_ended:done");
}

#[test]
fn a_passing_error_is_tried_again_with_growing_delays_and_then_fails() {
    let retry = Retry { attempts: 4, delay: std::time::Duration::from_secs(1) };
    let mut bench = Bench::new(steps([StepDefinition { retry, ..step("a") }]));
    bench.load();
    for delay in [1, 2, 4] {
        assert_eq!(bench.say(Say::PlanFails(away())), "stumbled:a");
        assert_eq!(bench.run.wake_at(), Some(bench.now + Duration::seconds(delay)));
        assert_eq!(bench.state(), RunState::Waiting);
        assert_eq!(bench.pass(delay - 1), "");
        assert_eq!(bench.pass(1), "PLAN");
    }
    assert_eq!(bench.say(Say::PlanFails(away())), "step_failed:a");
    assert_eq!(bench.state(), RunState::Failed);
    assert_eq!(bench.order(Command::Retry), "retried:a TAKEN PLAN");
}

#[test]
fn no_delay_is_longer_than_half_a_minute_and_the_default_outlasts_a_restart() {
    let retry = Retry::default();
    let delays: Vec<_> = (1..=10).map_while(|attempts| retry.after(attempts)).map(|delay| delay.as_secs()).collect();
    assert_eq!(delays, [1, 2, 4, 8, 16, 30, 30, 30, 30]);
}

#[test]
fn an_error_that_does_not_pass_fails_at_once() {
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    bench.say(change(1));
    assert_eq!(bench.say(Say::ActFails(refused())), "step_failed:a");
    assert_eq!(bench.state(), RunState::Failed);
}

#[test]
fn an_act_that_stumbled_is_looked_for_before_it_is_done_again() {
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    bench.say(change(1));
    assert_eq!(bench.say(Say::ActFails(away())), "stumbled:a");
    assert_eq!(bench.pass(1), "STAND");
    assert_eq!(bench.say(Say::Stand(Standing::Before)), "ACT");
    assert_eq!(bench.say(Say::ActFails(away())), "stumbled:a");
    assert_eq!(bench.pass(2), "STAND");
    assert_eq!(bench.say(Say::Stand(Standing::After(Receipt::said("there")))), "act_done:a VERIFY");
    assert!(matches!(bench.journal.last().unwrap().entry, Entry::ActDone { found: true, .. }));
}

#[test]
fn after_a_crash_a_begun_act_is_looked_for_and_an_unclear_one_is_asked_about() {
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    bench.say(change(1));
    assert_eq!(bench.crash(), "STAND");
    assert_eq!(bench.say(Say::Stand(Standing::Unclear("half".to_owned()))), "asked:a");
    assert_eq!(bench.state(), RunState::Asking);
    assert_eq!(bench.crash(), "");
    assert_eq!(bench.order(Command::Retry), "retried:a TAKEN STAND");
    bench.say(Say::Stand(Standing::Unclear("half".to_owned())));
    assert_eq!(bench.order(Command::Approve), "answered:a act_done:a TAKEN VERIFY");
}

#[test]
fn a_kind_that_may_act_again_does_so_when_it_is_unclear() {
    let mut bench = Bench::new(steps([StepDefinition { on_unknown: OnUnknown::ActAgain, ..step("a") }]));
    bench.load();
    bench.say(change(1));
    bench.crash();
    assert_eq!(bench.say(Say::Stand(Standing::Unclear("half".to_owned()))), "ACT");
}

#[test]
fn a_crash_between_acts_goes_on_with_the_next_one() {
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    bench.say(change(2));
    bench.say(Say::Acted);
    // The second act's intent is durable: it is looked for. Without it, it is begun.
    assert_eq!(bench.crash(), "STAND");
    let (last, _) = bench.journal.split_last().map(|(last, rest)| (last.clone(), rest.to_vec())).unwrap();
    assert!(matches!(last.entry, Entry::ActBegun { act: 1, .. }));
    bench.journal.pop();
    assert_eq!(bench.crash(), "act_begun:a ACT");
}

#[test]
fn a_cursor_is_saved_for_the_act_under_way_and_for_no_other() {
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    bench.say(change(1));
    assert_eq!(bench.say(Say::Cursor(json!(7))), "cursor_saved:a SAVED");
    assert_eq!(bench.tell(Event::Cursor(99, json!(8))), "");
    bench.crash();
    assert_eq!(bench.run.present().unwrap().1.cursor, Some(json!(7)));
    bench.say(Say::Stand(Standing::Before));
    bench.order(Command::Pause);
    bench.order(Command::Abandon);
    assert_eq!(bench.say(Say::Cursor(json!(9))), "", "a run that is over writes nothing");
}

#[test]
fn a_binding_that_is_not_what_was_foreseen_is_asked_about() {
    let foreseen = Some(json!({ "seen": 2 }));
    let mut bench = Bench::new(steps([StepDefinition { foreseen, ..step("a") }]));
    bench.load();
    assert_eq!(bench.say(change(1)), "asked:a");
    assert_eq!(bench.order(Command::Approve), "answered:a TAKEN PLAN");
    assert_eq!(bench.say(change(1)), "step_begun:a ACT");
    for fitting in [json!({ "seen": 1 }), json!({ "seen": crate::step::KNOWN_LATER })] {
        let mut bench = Bench::new(steps([StepDefinition { foreseen: Some(fitting), ..step("a") }]));
        bench.load();
        assert_eq!(bench.say(change(1)), "step_begun:a ACT");
    }
}

#[test]
fn a_step_that_takes_longer_than_its_timeout_fails() {
    let timeout = Some(std::time::Duration::from_secs(3));
    let mut bench = Bench::new(steps([StepDefinition { timeout, ..step("a") }]));
    bench.load();
    bench.say(wait());
    bench.say(Say::NotYet);
    bench.pass(2);
    bench.say(Say::NotYet);
    assert_eq!(bench.run.wake_at(), Some(bench.now + Duration::seconds(1)), "it wakes for the limit, not for the next look");
    assert_eq!(bench.pass(1), "VERIFY");
    assert_eq!(bench.say(Say::NotYet), "step_failed:a");
    assert_eq!(bench.run.present().unwrap().1.error, Some(StepError::TimedOut("3s".to_owned())));
    let mut late = Bench::new(steps([StepDefinition { timeout, ..step("a") }]));
    late.load();
    late.say(wait());
    late.now += Duration::seconds(9);
    assert_eq!(late.say(Say::Holds), "step_done:a run_ended:done", "late is better than never");
}

#[test]
fn a_wait_forgets_earlier_stumbles_in_the_journal_too() {
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    bench.say(wait());
    bench.say(Say::NotYet);
    bench.pass(2);
    bench.say(Say::VerifyFails(away()));
    bench.pass(1);
    assert_eq!(bench.say(Say::NotYet), "step_waits:a");
    let replayed = Run::replay(bench.definition.clone(), bench.journal.clone());
    assert_eq!(replayed.present().unwrap().1.attempts, 0);
}

#[test]
fn what_is_impossible_or_cannot_be_told_fails() {
    for plan in [ErasedPlan::Impossible("no".to_owned()), ErasedPlan::CannotPreview("dark".to_owned())] {
        let mut bench = Bench::new(steps([step("a")]));
        bench.load();
        assert_eq!(bench.say(Say::Plan(plan)), "step_failed:a");
    }
}

#[test]
fn an_answer_to_an_old_ticket_is_ignored() {
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    let old = bench.out().unwrap();
    bench.say(change(1));
    assert_eq!(bench.tell(event(old, change(3))), "");
    assert_eq!(bench.tell(event(old, Say::Acted)), "");
    assert_eq!(bench.say(Say::Acted), "act_done:a VERIFY");
}

#[test]
fn a_controller_that_lost_the_run_writes_nothing() {
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    bench.say(change(1));
    let written = bench.journal.len();
    bench.say(Say::ActFails(StepError::Fenced));
    assert_eq!(bench.journal.len(), written);
}
