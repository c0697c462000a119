//! The way back: when it begins, what it takes back, and where it ends.

use super::*;
use crate::step::Risk;

fn changed(ids: &[&str]) -> Bench {
    let mut bench = Bench::new(steps(ids.iter().map(|id| step(id))));
    bench.load();
    for _ in ids {
        bench.say(change(1));
        bench.say(Say::Acted);
        bench.say(Say::Holds);
    }
    bench
}

fn taken_back(bench: &Bench) -> Vec<String> {
    bench.run.to_take_back().into_iter().map(|(definition, _)| definition.id.clone()).collect()
}

#[test]
fn a_done_run_is_taken_back_newest_first() {
    let mut bench = changed(&["a", "b"]);
    assert_eq!(bench.state(), RunState::Done);
    assert_eq!(bench.order(Command::Revert), "revert_ordered TAKEN BACK");
    assert_eq!(bench.state(), RunState::Reverting);
    assert_eq!(taken_back(&bench), ["b", "a"]);
    assert_eq!(bench.say(Say::Back(vec![back("b"), back("a")])), "revert_begun PLAN");
    assert_eq!(bench.say(change(1)), "step_begun:revert-b ACT");
    assert_eq!(bench.run.key().unwrap(), "back/revert-b");
    bench.say(Say::Acted);
    bench.say(Say::Holds);
    assert_eq!(bench.say(Say::Plan(ErasedPlan::AlreadySo("so".to_owned()))), "step_done:revert-a run_ended:reverted");
    assert_eq!(bench.state(), RunState::Reverted);
}

#[test]
fn what_stays_is_said_at_the_end() {
    let mut bench = changed(&["a"]);
    bench.order(Command::Revert);
    let kept = BackStep { action: BackAction::Kept("somebody uses it".to_owned()), ..back("a") };
    assert_eq!(bench.say(Say::Back(vec![kept])), "revert_begun step_done:revert-a run_ended:reverted");
    let Entry::RunEnded { why: Some(why), .. } = &bench.journal.last().unwrap().entry else { panic!("no reason") };
    assert_eq!(why, "left as it is: a: somebody uses it");
}

#[test]
fn a_failure_does_what_the_step_says() {
    let failing = |on_failure| {
        let mut bench = Bench::new(steps([step("a"), StepDefinition { on_failure, ..step("b") }]));
        bench.load();
        for say in [change(1), Say::Acted, Say::Holds, change(1), Say::Acted] {
            bench.say(say);
        }
        let said = bench.say(Say::Broken);
        (bench, said)
    };
    let (bench, said) = failing(OnFailure::Hold);
    assert_eq!((said.as_str(), bench.state()), ("step_failed:b", RunState::Failed));
    let (bench, said) = failing(OnFailure::Freeze);
    assert_eq!((said.as_str(), bench.state()), ("step_failed:b", RunState::Frozen));
    let (bench, said) = failing(OnFailure::RevertRun);
    assert_eq!((said.as_str(), bench.state()), ("step_failed:b revert_ordered BACK", RunState::Reverting));
    assert_eq!(taken_back(&bench), ["b", "a"]);
    let (mut bench, said) = failing(OnFailure::RevertStep);
    assert_eq!((said.as_str(), bench.state()), ("step_failed:b revert_ordered BACK", RunState::Reverting));
    assert_eq!(taken_back(&bench), ["b"]);
    bench.say(Say::Back(vec![back("b")]));
    bench.say(change(1));
    bench.say(Say::Acted);
    assert_eq!(bench.say(Say::Holds), "step_done:revert-b");
    assert_eq!(bench.state(), RunState::Failed, "the run stands at the step and waits for a person");
    assert_eq!(bench.order(Command::Retry), "retried:b TAKEN PLAN");
    assert_eq!(bench.say(change(1)), "step_begun:b ACT");
    assert_eq!(bench.run.key().unwrap(), "b/2", "done anew it is another change");
}

#[test]
fn nothing_changed_means_nothing_to_take_back() {
    let mut bench = Bench::new(steps([StepDefinition { on_failure: OnFailure::RevertStep, ..step("a") }]));
    bench.load();
    assert_eq!(bench.say(Say::PlanFails(refused())), "step_failed:a");
    assert_eq!(bench.state(), RunState::Failed);
}

#[test]
fn an_act_that_may_have_happened_is_looked_for_before_the_way_back() {
    // Its reply was lost, and a person does not want to wait for the next try.
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    bench.say(change(1));
    bench.say(Say::ActFails(away()));
    assert_eq!(bench.order(Command::Revert), "revert_ordered TAKEN");
    assert_eq!(bench.pass(1), "STAND");
    assert_eq!(bench.say(Say::Stand(Standing::After(Receipt::said("there")))), "act_done:a BACK");
    assert_eq!(bench.run.to_take_back()[0].1.receipts, [Receipt::said("there")]);

    // The controller died in the act, after the order.
    let mut bench = Bench::new(steps([step("a")]));
    bench.load();
    bench.say(change(1));
    assert_eq!(bench.order(Command::Revert), "revert_ordered TAKEN");
    assert_eq!(bench.crash(), "STAND");
    assert_eq!(bench.say(Say::StandFails(away())), "stumbled:a");
    assert_eq!(bench.pass(1), "STAND");
    assert_eq!(bench.say(Say::Stand(Standing::Before)), "BACK", "it is not acted on the way back");

    // The step failed for good although the act happened.
    let mut bench = Bench::new(steps([StepDefinition { on_failure: OnFailure::RevertRun, ..step("a") }]));
    bench.load();
    bench.say(change(1));
    assert_eq!(bench.say(Say::ActFails(refused())), "step_failed:a revert_ordered STAND");
    assert_eq!(bench.say(Say::Stand(Standing::After(Receipt::said("there")))), "act_done:a BACK");
    let (_, record) = bench.run.present().unwrap();
    assert_eq!((record.state, record.error.is_some()), (StepState::Failed, true), "that it failed stays true");
    assert_eq!(bench.run.to_take_back()[0].1.receipts.len(), 1);
}

#[test]
fn a_look_before_the_way_back_ends_some_time() {
    let retry = Retry { attempts: 2, delay: std::time::Duration::from_secs(1) };
    let mut bench = Bench::new(steps([StepDefinition { retry, ..step("a") }]));
    bench.load();
    bench.say(change(1));
    bench.order(Command::Revert);
    assert_eq!(bench.say(Say::ActFails(away())), "stumbled:a");
    assert_eq!(bench.pass(1), "STAND");
    assert_eq!(bench.say(Say::StandFails(away())), "BACK");
}

#[test]
fn a_question_is_not_answered_any_more_once_the_way_back_is_ordered() {
    let mut bench = Bench::new(steps([step("a"), step("b")]));
    bench.load();
    for say in [change(1), Say::Acted, Say::Holds, ask(None)] {
        bench.say(say);
    }
    assert_eq!(bench.order(Command::Revert), "revert_ordered TAKEN BACK");
    assert_eq!(bench.state(), RunState::Reverting);
    assert_eq!(bench.order(Command::Approve), "REFUSED");
    assert_eq!(bench.order(Command::Skip), "REFUSED");
    assert_eq!(bench.say(Say::Back(vec![back("a")])), "revert_begun PLAN");
}

#[test]
fn a_second_way_back_is_another_change() {
    let mut bench = changed(&["a"]);
    bench.order(Command::Revert);
    bench.say(Say::Back(vec![back("a")]));
    bench.say(change(2));
    bench.order(Command::Pause);
    bench.say(Say::Acted);
    bench.order(Command::Abort);
    assert_eq!(bench.state(), RunState::Aborted);
    assert_eq!(bench.order(Command::Revert), "revert_ordered TAKEN BACK");
    assert_eq!(taken_back(&bench), ["a"]);
    bench.say(Say::Back(vec![back("a")]));
    assert_eq!(bench.run.key().unwrap(), "back-2/revert-a");
}

#[test]
fn a_step_of_the_way_back_that_fails_leaves_the_run_stuck() {
    let mut bench = changed(&["a"]);
    bench.order(Command::Revert);
    bench.say(Say::Back(vec![back("a")]));
    bench.say(change(1));
    assert_eq!(bench.say(Say::ActFails(refused())), "step_failed:revert-a");
    assert_eq!(bench.state(), RunState::Stuck);
    assert_eq!(bench.order(Command::Skip), "step_skipped:revert-a TAKEN run_ended:reverted");
}

#[test]
fn behind_a_point_of_no_return_a_failure_freezes_the_run() {
    for on_failure in [OnFailure::Hold, OnFailure::RevertStep, OnFailure::RevertRun] {
        let gone = StepDefinition { risk: Risk::PointOfNoReturn, ..step("gone") };
        let mut bench = Bench::new(steps([StepDefinition { on_failure, ..step("a") }, gone, StepDefinition { on_failure, ..step("b") }]));
        bench.load();
        for say in [change(1), Say::Acted, Say::Holds, change(1), Say::Acted, Say::Holds] {
            assert!(bench.run.past_no_return().is_none() || bench.run.at() > 0);
            bench.say(say);
        }
        assert_eq!(bench.run.past_no_return().map(|step| step.id.as_str()), Some("gone"));
        bench.say(change(1));
        bench.say(Say::Acted);
        assert_eq!((bench.say(Say::Broken).as_str(), bench.state()), ("step_failed:b", RunState::Frozen), "{on_failure:?}");
        assert_eq!(bench.order(Command::Revert), "revert_ordered TAKEN BACK", "a person may take back what can be taken back");
    }
}

#[test]
fn what_stayed_when_a_step_was_taken_back_is_looked_at_again_with_the_run() {
    let mut bench = Bench::new(steps([step("a"), StepDefinition { on_failure: OnFailure::RevertStep, ..step("b") }]));
    bench.load();
    for say in [change(1), Say::Acted, Say::Holds, change(1), Say::Acted, Say::Broken] {
        bench.say(say);
    }
    let kept = BackStep { action: BackAction::Kept("somebody uses it".to_owned()), ..back("b") };
    bench.say(Say::Back(vec![kept]));
    assert_eq!(bench.state(), RunState::Failed);
    bench.crash();
    bench.order(Command::Revert);
    assert_eq!(taken_back(&bench), ["b", "a"], "what stayed is not forgotten");
    assert_eq!(bench.run.to_take_back()[0].1.changes().count(), 1);
}
