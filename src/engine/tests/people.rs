//! What people may say, and what a run answers in every state.

use super::*;
use crate::step::Risk;

fn asking() -> Bench {
    let mut bench = Bench::new(steps([step("a"), step("b")]));
    bench.load();
    assert_eq!(bench.say(ask(None)), "asked:a");
    bench
}

fn failed() -> Bench {
    let mut bench = Bench::new(steps([step("a"), step("b")]));
    bench.load();
    bench.say(change(1));
    bench.say(Say::ActFails(refused()));
    bench
}

fn waiting() -> Bench {
    let mut bench = Bench::new(steps([step("a"), step("b")]));
    bench.load();
    bench.say(wait());
    bench.say(Say::NotYet);
    bench
}

fn frozen() -> Bench {
    let mut bench = Bench::new(steps([StepDefinition { on_failure: OnFailure::Freeze, ..step("a") }, step("b")]));
    bench.load();
    bench.say(change(1));
    bench.say(Say::ActFails(refused()));
    bench
}

/// Held between two acts.
fn held() -> Bench {
    let mut bench = Bench::new(steps([StepDefinition { guards: vec![guard(GuardOutcome::Hold)], ..step("a") }, step("b")]));
    bench.load();
    bench.say(change(2));
    bench.sample(&[good()]);
    bench.say(Say::Acted);
    bench.sample(&[bad()]);
    bench
}

fn reverting() -> Bench {
    let mut bench = failed();
    bench.order(Command::Revert);
    bench.say(Say::Stand(Standing::Before));
    bench.say(Say::Back(vec![back("a")]));
    bench
}

fn stuck() -> Bench {
    let mut bench = reverting();
    bench.say(change(1));
    bench.say(Say::ActFails(refused()));
    bench
}

fn done() -> Bench {
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    bench.say(change(1));
    bench.say(Say::Acted);
    bench.say(Say::Holds);
    bench
}

fn in_state(state: RunState) -> Bench {
    let after = |mut bench: Bench, command| {
        bench.order(command);
        bench
    };
    match state {
        RunState::Pending => Bench::new(steps([step("a"), step("b")])),
        RunState::Running => {
            let mut bench = Bench::new(steps([step("a"), step("b")]));
            bench.load();
            bench
        }
        RunState::Waiting => waiting(),
        RunState::Asking => asking(),
        RunState::Paused => after(asking(), Command::Pause),
        RunState::Held => held(),
        RunState::Frozen => frozen(),
        RunState::Failed => failed(),
        RunState::Reverting => reverting(),
        RunState::Reverted => {
            let mut bench = failed();
            bench.order(Command::Revert);
            bench.say(Say::Stand(Standing::Before));
            bench.say(Say::Back(Vec::new()));
            bench
        }
        RunState::Aborted => after(failed(), Command::Abort),
        RunState::Stuck => stuck(),
        RunState::Abandoned => after(failed(), Command::Abandon),
        RunState::Quarantined => {
            let mut bench = waiting();
            bench.tell(Event::Quarantine("again and again".to_owned()));
            bench
        }
        RunState::Done => done(),
    }
}

#[test]
fn in_every_state_every_verb_is_answered_as_the_table_says() {
    for state in RunState::ALL.iter().copied() {
        for command in Command::ALL.iter().copied() {
            let mut bench = in_state(state);
            assert_eq!(bench.state(), state, "the road to {state}");
            let (answered, written) = (bench.answers.len(), bench.journal.len());
            bench.order(command);
            assert_eq!(bench.answers.len(), answered + 1, "{state} {command:?}");
            let answer = bench.last_answer();
            assert_eq!(answer.state, state);
            // Why: a question is answered, and a step of the way back can be left only while it waits, which this one does not.
            let question = matches!(state, RunState::Asking | RunState::Reverting) && command == Command::Skip;
            match table::rule(state, command) {
                table::Rule::Taken(text) if !question => {
                    assert!(answer.taken, "{state} {command:?}: {}", answer.text);
                    assert_eq!(answer.text, text);
                    assert!(bench.journal.len() > written, "{state} {command:?} was taken and left nothing");
                }
                _ => {
                    assert!(!answer.taken, "{state} {command:?}");
                    assert_eq!(bench.journal.len(), written, "{state} {command:?} was refused and left something");
                }
            }
        }
    }
}

#[test]
fn a_step_of_the_way_back_that_waits_can_be_left() {
    let mut bench = reverting();
    bench.say(change(1));
    assert_eq!(bench.order(Command::Skip), "REFUSED");
    bench.say(Say::Acted);
    bench.say(Say::NotYet);
    assert_eq!(bench.state(), RunState::Reverting);
    bench.order(Command::Skip);
    assert!(bench.last_answer().taken, "{}", bench.last_answer().text);
    assert_eq!(bench.state(), RunState::Reverted);
}

#[test]
fn a_way_back_takes_no_longer_than_its_steps_were_given() {
    let limited = StepDefinition { timeout: Some(std::time::Duration::from_mins(1)), ..step("a") };
    let mut bench = Bench::new(steps([limited]));
    bench.load();
    bench.say(change(1));
    bench.say(Say::ActFails(refused()));
    bench.order(Command::Revert);
    bench.say(Say::Stand(Standing::Before));
    bench.say(Say::Back(vec![back("a")]));
    bench.say(change(1));
    bench.say(Say::Acted);
    bench.say(Say::NotYet);
    bench.pass(61);
    bench.say(Say::NotYet);
    assert_eq!(bench.state(), RunState::Stuck);
}

#[test]
fn what_is_taken_leaves_the_state() {
    for (state, command, after) in [
        (RunState::Asking, Command::Approve, RunState::Running),
        (RunState::Asking, Command::Retry, RunState::Running),
        (RunState::Asking, Command::Abort, RunState::Aborted),
        (RunState::Failed, Command::Retry, RunState::Running),
        (RunState::Failed, Command::Skip, RunState::Running),
        (RunState::Failed, Command::Abandon, RunState::Abandoned),
        (RunState::Held, Command::Resume, RunState::Running),
        (RunState::Held, Command::Pause, RunState::Paused),
        (RunState::Held, Command::Skip, RunState::Running),
        (RunState::Held, Command::Revert, RunState::Reverting),
        (RunState::Held, Command::Abort, RunState::Aborted),
        (RunState::Held, Command::Abandon, RunState::Abandoned),
        (RunState::Frozen, Command::Resume, RunState::Running),
        (RunState::Frozen, Command::Skip, RunState::Running),
        (RunState::Stuck, Command::Retry, RunState::Reverting),
        (RunState::Stuck, Command::Skip, RunState::Reverted),
        (RunState::Quarantined, Command::Retry, RunState::Running),
        (RunState::Quarantined, Command::Skip, RunState::Running),
        (RunState::Waiting, Command::Skip, RunState::Running),
        (RunState::Paused, Command::Resume, RunState::Asking),
        (RunState::Reverting, Command::Pause, RunState::Paused),
        (RunState::Done, Command::Revert, RunState::Reverting),
        (RunState::Aborted, Command::Revert, RunState::Reverting),
    ] {
        let mut bench = in_state(state);
        bench.order(command);
        assert_eq!(bench.state(), after, "{state} {command:?}");
    }
}

#[test]
fn evidence_that_is_asked_for_must_come() {
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    bench.say(ask(Some("url")));
    assert_eq!(bench.order_by("ada", Command::Approve, None, None), "REFUSED");
    assert_eq!(bench.order_by("ada", Command::Approve, None, Some("it is merged")), "REFUSED");
    assert_eq!(
        bench.order_by("ada", Command::Approve, None, Some("https://example.org/17")),
        "answered:a step_done:a TAKEN run_ended:done"
    );
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    bench.say(ask(Some("text")));
    assert_eq!(bench.order_by("ada", Command::Approve, None, Some("  ")), "REFUSED");
    assert_eq!(bench.order_by("ada", Command::Approve, None, Some("seen")), "answered:a step_done:a TAKEN run_ended:done");
}

#[test]
fn who_started_the_run_may_not_approve_where_somebody_else_must() {
    let mut bench = Bench::begun(steps([step("a")]), Approvals::Other, true);
    bench.load();
    assert_eq!(bench.say(ask(None)), "asked:a", "--yes is no somebody else");
    assert_eq!(bench.order_by("ada", Command::Approve, None, None), "REFUSED");
    assert!(bench.last_answer().text.contains("approvals: other"), "{}", bench.last_answer().text);
    assert_eq!(bench.order_by("bob", Command::Approve, None, None), "answered:a step_done:a TAKEN run_ended:done");
}

#[test]
fn yes_answers_in_the_starters_name_but_not_across_the_line() {
    let begun = |approvals, risk| {
        let mut bench = Bench::begun(steps([step("a"), StepDefinition { risk, ..step("b") }]), approvals, true);
        bench.load();
        bench.say(ask(None))
    };
    assert_eq!(begun(Approvals::Own, Risk::Reversible), "asked:a answered:a step_done:a PLAN");
    assert_eq!(begun(Approvals::Own, Risk::PointOfNoReturn), "asked:a");
    assert_eq!(begun(Approvals::None, Risk::PointOfNoReturn), "asked:a answered:a step_done:a PLAN");
    // A further question before the line covers it.
    let mut bench = Bench::begun(
        steps([step("a"), StepDefinition { risk: Risk::PointOfNoReturn, approval: Some("sure".to_owned()), ..step("b") }]),
        Approvals::Own,
        true,
    );
    bench.load();
    assert_eq!(bench.say(ask(None)), "asked:a answered:a step_done:a asked:b");
    let mut evidence = Bench::begun(steps([step("a")]), Approvals::None, true);
    evidence.load();
    assert_eq!(evidence.say(ask(Some("url"))), "asked:a", "--yes brings no evidence");
}

#[test]
fn the_approval_of_a_step_is_asked_for_once_and_before_anything_is_looked_at() {
    let mut bench = Bench::new(steps([StepDefinition { approval: Some("sure".to_owned()), ..step("a") }]));
    assert_eq!(bench.load(), "asked:a");
    assert_eq!(bench.order(Command::Approve), "answered:a TAKEN PLAN");
    assert_eq!(bench.crash(), "PLAN");
}

#[test]
fn an_order_meant_for_another_step_is_refused() {
    let mut bench = asking();
    let order =
        |step: &str| Order { command: Command::Approve, by: "ada".to_owned(), reason: None, step: Some(step.to_owned()), evidence: None };
    assert_eq!(bench.tell(Event::Ordered(1, order("b"))), "REFUSED");
    assert_eq!(bench.tell(Event::Ordered(2, order("a"))), "answered:a step_done:a TAKEN PLAN");
}

#[test]
fn skip_and_abandon_need_a_reason_and_a_question_is_not_skipped() {
    let mut bench = failed();
    assert_eq!(bench.order_by("ada", Command::Skip, None, None), "REFUSED");
    assert_eq!(bench.order_by("ada", Command::Abandon, Some(" "), None), "REFUSED");
    let mut bench = asking();
    assert_eq!(bench.order(Command::Skip), "REFUSED");
}

#[test]
fn pause_finishes_what_is_under_way_and_begins_nothing() {
    let mut bench = Bench::new(steps([step("a"), step("b")]));
    bench.load();
    bench.say(change(2));
    assert_eq!(bench.order(Command::Pause), "paused TAKEN");
    assert_eq!(bench.state(), RunState::Paused);
    assert_eq!(bench.say(Say::Acted), "act_done:a");
    assert_eq!(bench.crash(), "");
    assert_eq!(bench.order(Command::Resume), "resumed TAKEN act_begun:a ACT");
}

#[test]
fn a_step_that_is_skipped_while_it_is_looked_at_keeps_its_answer_to_itself() {
    let mut bench = waiting();
    bench.pass(2);
    let look = bench.out().unwrap();
    assert_eq!(bench.order(Command::Skip), "step_skipped:a TAKEN PLAN");
    assert_eq!(bench.tell(event(look, Say::Holds)), "");
    assert_eq!(bench.say(change(1)), "step_begun:b ACT");
}

#[test]
fn whoever_says_that_it_goes_on_ends_a_pause_too() {
    let mut bench = Bench::new(steps([step("a"), step("b")]));
    bench.load();
    bench.say(change(1));
    bench.order(Command::Pause);
    bench.say(Say::ActFails(refused()));
    assert_eq!(bench.state(), RunState::Failed);
    assert_eq!(bench.order(Command::Retry), "retried:a TAKEN STAND");
}

#[test]
fn a_retried_state_step_looks_at_the_world_again_and_a_once_step_never_acts_twice() {
    for (nature, then) in [(crate::step::Nature::State, "PLAN"), (crate::step::Nature::Once, "VERIFY")] {
        let mut bench = Bench::new(steps([StepDefinition { nature, ..step("a") }]));
        bench.load();
        bench.say(change(1));
        bench.say(Say::Acted);
        assert_eq!(bench.say(Say::Broken), "step_failed:a");
        assert_eq!(bench.order(Command::Retry), format!("retried:a TAKEN {then}"));
    }
}

#[test]
fn abort_finishes_what_is_under_way() {
    let mut bench = Bench::new(steps([step("a"), step("b")]));
    bench.load();
    bench.say(change(2));
    assert_eq!(bench.order(Command::Abort), "abort_ordered TAKEN");
    assert_eq!(bench.say(Say::Acted), "act_done:a run_ended:aborted");
}

#[test]
fn an_ordered_end_is_not_overruled_by_what_the_playbook_says_of_failures() {
    for on_failure in [OnFailure::RevertRun, OnFailure::RevertStep] {
        let mut bench = Bench::new(steps([StepDefinition { on_failure, ..step("a") }]));
        bench.load();
        bench.say(change(1));
        bench.order(Command::Abort);
        assert_eq!(bench.say(Say::ActFails(refused())), "step_failed:a run_ended:aborted");
    }
    let mut bench = Bench::new(steps([step("z"), StepDefinition { on_failure: OnFailure::RevertStep, ..step("a") }]));
    bench.load();
    for say in [change(1), Say::Acted, Say::Holds, change(1)] {
        bench.say(say);
    }
    bench.order(Command::Revert);
    bench.say(Say::ActFails(refused()));
    bench.say(Say::Stand(Standing::Before));
    bench.say(Say::Back(Vec::new()));
    assert_eq!(bench.run.phase(), Phase::Back(Scope::Run), "the person said the whole run");
}
