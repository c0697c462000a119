//! Guards: what they keep from beginning, how they trip, and how a hold ends.

use super::*;

fn guarded(guards: impl IntoIterator<Item = GuardDefinition>) -> Bench {
    let a = StepDefinition { guards: guards.into_iter().collect(), ..step("a") };
    let mut bench = Bench::new(steps([a, step("b")]));
    bench.load();
    assert_eq!(bench.say(change(3)), format!("step_begun:a WATCH{}", ":0:1".get(..2 * bench.definition.steps[0].guards.len()).unwrap()));
    bench
}

fn with(then: GuardOutcome, change: impl FnOnce(&mut GuardOptions)) -> GuardDefinition {
    let mut guard = guard(then);
    change(&mut guard.options);
    guard
}

fn why(bench: &Bench) -> String {
    bench.run.forward().next().and_then(|(_, record)| record.error.as_ref()).map(ToString::to_string).unwrap_or_default()
}

#[test]
fn the_first_act_waits_for_a_good_sample_and_every_further_one_for_a_younger_one() {
    let mut bench = guarded([guard(GuardOutcome::Hold)]);
    assert_eq!(bench.sample(&[good()]), "watched:a act_begun:a ACT");
    assert_eq!(bench.say(Say::Acted), "act_done:a WATCH:0", "the sample is older than the act");
    assert_eq!(bench.sample(&[good()]), "watched:a act_begun:a ACT");
    bench.say(Say::Acted);
    bench.sample(&[good()]);
    assert_eq!(bench.say(Say::Acted), "act_done:a WATCH:0");
    assert_eq!(bench.sample(&[good()]), "watched:a VERIFY");
    assert_eq!(bench.say(Say::Holds), "step_done:a PLAN");
    assert!(!bench.run.is_watching());
}

#[test]
fn a_sample_that_was_asked_for_before_the_act_was_done_does_not_speak_for_it() {
    let mut bench = guarded([guard(GuardOutcome::Hold)]);
    bench.sample(&[good()]);
    assert_eq!(bench.pass(5), "WATCH:0");
    assert_eq!(bench.say(Say::Acted), "act_done:a", "a round is out already");
    assert_eq!(bench.sample(&[good()]), "watched:a WATCH:0", "it says nothing of the act, and the next one is asked for at once");
    assert_eq!(bench.sample(&[good()]), "watched:a act_begun:a ACT");
}

#[test]
fn a_guard_is_looked_at_while_an_act_is_under_way() {
    let mut bench = guarded([guard(GuardOutcome::Hold)]);
    bench.sample(&[good()]);
    assert_eq!(bench.run.wake_at(), Some(bench.now + Duration::seconds(5)));
    assert_eq!(bench.pass(4), "");
    assert_eq!(bench.pass(1), "WATCH:0");
    assert_eq!(bench.run.wake_at(), None, "one round at a time");
    assert_eq!(bench.sample(&[good()]), "watched:a");
    bench.order(Command::Pause);
    assert_eq!(bench.pass(5), "WATCH:0", "a person's pause blinds nobody");
}

#[test]
fn a_step_does_not_begin_on_a_guard_that_is_bad_already() {
    let mut bench = guarded([guard(GuardOutcome::Hold)]);
    assert_eq!(bench.sample(&[bad()]), "watched:a held:a");
    assert_eq!(bench.state(), RunState::Held);
    let mut bench = guarded([guard(GuardOutcome::RevertStep)]);
    assert_eq!(bench.sample(&[bad()]), "watched:a step_failed:a", "nothing was done, so there is nothing to take back");
    assert_eq!(bench.state(), RunState::Failed);
    assert!(bench.run.to_take_back().is_empty());
}

#[test]
fn a_hold_lets_what_is_under_way_finish_and_ends_by_itself() {
    let mut bench = guarded([guard(GuardOutcome::Hold)]);
    bench.sample(&[good()]);
    bench.pass(5);
    assert_eq!(bench.sample(&[bad()]), "watched:a held:a");
    assert_eq!(bench.state(), RunState::Held);
    assert_eq!(bench.say(Say::Acted), "act_done:a WATCH:0");
    assert_eq!(bench.sample(&[good()]), "watched:a");
    for _ in 0..2 {
        assert_eq!(bench.state(), RunState::Held);
        assert_eq!(bench.pass(5), "WATCH:0");
        let said = bench.sample(&[good()]);
        assert!(said == "watched:a" || said == "watched:a released:a act_begun:a ACT", "{said}");
    }
    assert_eq!(bench.state(), RunState::Running);
    assert_eq!(bench.run.present().unwrap().1.rests_since, Some(bench.now), "it rests anew from the release");
}

#[test]
fn a_person_ends_a_hold_and_a_bad_sample_begins_it_again() {
    let mut bench = guarded([guard(GuardOutcome::Hold)]);
    bench.sample(&[bad()]);
    assert_eq!(bench.order_by("bob", Command::Resume, Some("known"), None), "released:a TAKEN WATCH:0", "they look again at once");
    let Entry::Released { by, reason, guard, .. } = &bench.journal.last().unwrap().entry else { panic!("no release") };
    assert_eq!((by.as_str(), reason.as_deref(), *guard), ("bob", Some("known"), None));
    assert_eq!(bench.sample(&[bad()]), "watched:a held:a");
    bench.order(Command::Resume);
    assert_eq!(bench.sample(&[good()]), "watched:a act_begun:a ACT");
}

#[test]
fn bad_samples_within_the_limit_keep_the_next_act_but_hold_nothing() {
    let mut bench = guarded([with(GuardOutcome::Hold, |options| options.failure_limit = 2)]);
    assert_eq!(bench.sample(&[bad()]), "watched:a step_waits:a");
    assert_eq!(bench.state(), RunState::Waiting);
    assert_eq!(bench.run.present().unwrap().1.waits.as_ref().unwrap().0, "metric errors is 3, limit above 1");
    bench.pass(5);
    assert_eq!(bench.sample(&[good()]), "watched:a act_begun:a ACT");
    bench.pass(5);
    assert_eq!(bench.sample(&[bad()]), "watched:a");
    bench.pass(5);
    assert_eq!(bench.sample(&[bad()]), "watched:a held:a", "the third bad sample in all");
}

#[test]
fn a_provider_that_is_down_counts_apart() {
    let mut bench = guarded([with(GuardOutcome::RevertRun, |options| options.consecutive_error_limit = 1)]);
    assert_eq!(bench.sample(&[dead()]), "watched:a step_waits:a");
    bench.pass(5);
    assert_eq!(bench.sample(&[good()]), "watched:a act_begun:a ACT");
    bench.pass(5);
    assert_eq!(bench.sample(&[dead()]), "watched:a", "not in a row");
    bench.pass(5);
    assert_eq!(bench.sample(&[dead()]), "watched:a held:a", "on_error is hold unless it is said");
}

#[test]
fn what_no_data_counts_as_is_said() {
    use crate::step::OnNoData;
    for (on_no_data, said) in
        [(OnNoData::Good, "watched:a act_begun:a ACT"), (OnNoData::Bad, "watched:a held:a"), (OnNoData::Error, "watched:a step_waits:a")]
    {
        let mut bench = guarded([with(GuardOutcome::Hold, |options| options.on_no_data = on_no_data)]);
        assert_eq!(bench.sample(&[Reading::NoData("no series".to_owned())]), said);
        let Some((_, record)) = bench.run.present() else { panic!("no step") };
        let words = record.guards[0].newest().unwrap().sample.words();
        let none = if on_no_data == OnNoData::Error { "gave no value: no series" } else { "is without a value: no series" };
        assert_eq!(words, format!("metric errors {none}"));
    }
}

#[test]
fn revert_step_gives_the_act_up_looks_for_it_and_leaves_the_step_failed_in_the_guards_words() {
    let mut bench = guarded([guard(GuardOutcome::RevertStep)]);
    bench.sample(&[good()]);
    let act = bench.out().unwrap();
    bench.pass(5);
    assert_eq!(bench.sample(&[bad()]), "watched:a step_failed:a revert_ordered STAND");
    assert_eq!(bench.state(), RunState::Reverting);
    assert!(!bench.run.awaits(act), "an act that is only about to begin does not begin any more");
    assert_eq!(bench.tell(event(act, Say::Acted)), "", "nobody waits for the act");
    assert_eq!(bench.say(Say::Stand(Standing::After(Receipt::said("there")))), "act_done:a BACK");
    assert_eq!(bench.say(Say::Back(vec![back("a")])), "revert_begun PLAN");
    assert!(!bench.run.is_watching(), "a way back has no guards");
    for say in [change(1), Say::Acted, Say::Holds] {
        bench.say(say);
    }
    assert_eq!(bench.state(), RunState::Failed);
    assert_eq!(why(&bench), "metric errors is 3 at 2026-01-01 00:00:05 UTC and must not be above 1");
    let by =
        bench.journal.iter().find_map(|entry| if let Entry::RevertOrdered { by, .. } = &entry.entry { Some(by.clone()) } else { None });
    assert_eq!(by.as_deref(), Some("guard metric errors"));
    assert_eq!(bench.order(Command::Retry), "retried:a TAKEN PLAN");
    assert_eq!(bench.say(change(1)), "step_begun:a WATCH:0");
    assert_eq!(bench.sample(&[good()]), "watched:a act_begun:a ACT", "it counts anew");
}

#[test]
fn revert_run_and_freeze_do_what_they_say() {
    let mut bench = guarded([guard(GuardOutcome::RevertRun)]);
    bench.sample(&[good()]);
    bench.say(Say::Acted);
    assert_eq!(bench.sample(&[bad()]), "watched:a step_failed:a revert_ordered BACK");
    let mut bench = guarded([guard(GuardOutcome::Freeze)]);
    bench.sample(&[good()]);
    bench.pass(5);
    assert_eq!(bench.sample(&[bad()]), "watched:a step_failed:a");
    assert_eq!(bench.state(), RunState::Frozen);
    assert_eq!(bench.pass(60), "", "nothing is touched, and nobody looks");
    assert_eq!(bench.order(Command::Resume), "retried:a TAKEN WATCH:0");
    assert_eq!(bench.sample(&[good()]), "watched:a STAND", "the act was given up");
}

#[test]
fn of_several_guards_the_strictest_outcome_counts() {
    let mut bench = guarded([guard(GuardOutcome::Hold), guard(GuardOutcome::Freeze)]);
    assert_eq!(bench.sample(&[bad(), bad()]), "watched:a step_failed:a");
    assert_eq!(bench.state(), RunState::Frozen);
    let mut bench = guarded([guard(GuardOutcome::Hold), guard(GuardOutcome::Hold)]);
    assert_eq!(bench.sample(&[bad(), bad()]), "watched:a held:a held:a");
    for round in 0..3 {
        bench.pass(5);
        let said = bench.sample(&[good(), if round == 1 { bad() } else { good() }]);
        assert_eq!(said, if round == 2 { "watched:a released:a" } else { "watched:a" });
    }
    assert_eq!(bench.state(), RunState::Held, "the other one holds on");
}

#[test]
fn a_crash_forgets_no_bad_sample_and_trusts_no_old_good_one() {
    let mut bench = guarded([with(GuardOutcome::Hold, |options| options.failure_limit = 1)]);
    bench.sample(&[bad()]);
    assert_eq!(bench.crash(), "WATCH:0");
    assert_eq!(bench.sample(&[bad()]), "watched:a held:a");
    // The consequence was not written any more.
    let held = bench.journal.pop().unwrap();
    assert!(matches!(held.entry, Entry::Held { .. }));
    assert_eq!(bench.crash(), "held:a WATCH:0");
    let mut bench = guarded([guard(GuardOutcome::Hold)]);
    bench.sample(&[good()]);
    assert_eq!(bench.crash(), "WATCH:0", "what was good in an earlier life says nothing now");
    assert_eq!(bench.sample(&[good()]), "watched:a STAND");
}

#[test]
fn an_act_that_was_looked_for_does_not_begin_when_a_guard_tripped_meanwhile() {
    let mut bench = guarded([guard(GuardOutcome::Hold)]);
    bench.sample(&[good()]);
    bench.crash();
    bench.sample(&[good()]);
    bench.pass(5);
    assert_eq!(bench.sample(&[bad()]), "watched:a held:a");
    assert_eq!(bench.say(Say::Stand(Standing::Before)), "");
    for _ in 0..2 {
        bench.pass(5);
        bench.sample(&[good()]);
    }
    bench.pass(5);
    assert_eq!(bench.sample(&[good()]), "watched:a released:a STAND");
    assert_eq!(bench.say(Say::Stand(Standing::Before)), "ACT");
}

#[test]
fn a_goal_that_is_reached_while_a_guard_is_bad_is_looked_at_again() {
    let mut bench = guarded([with(GuardOutcome::Hold, |options| options.failure_limit = 5)]);
    for _ in 0..2 {
        bench.sample(&[good()]);
        bench.say(Say::Acted);
    }
    bench.sample(&[good()]);
    bench.say(Say::Acted);
    assert_eq!(bench.sample(&[good()]), "watched:a VERIFY");
    bench.pass(5);
    bench.sample(&[bad()]);
    assert_eq!(bench.say(Say::Holds), "step_waits:a");
    assert_eq!(bench.pass(5), "VERIFY WATCH:0");
    assert_eq!(bench.sample(&[good()]), "watched:a");
    assert_eq!(bench.say(Say::Holds), "step_done:a PLAN");
}

#[test]
fn what_a_person_ordered_is_not_overruled_by_a_guard() {
    let mut bench = guarded([guard(GuardOutcome::RevertRun)]);
    bench.sample(&[good()]);
    bench.pass(5);
    bench.order(Command::Abort);
    assert!(bench.watch().is_none(), "nobody looks any more");
    assert_eq!(bench.say(Say::Acted), "act_done:a run_ended:aborted");
}

#[test]
fn an_open_question_is_answered_before_a_hold_shows() {
    let mut bench = guarded([guard(GuardOutcome::Hold)]);
    bench.sample(&[good()]);
    bench.crash();
    bench.sample(&[good()]);
    assert_eq!(bench.say(Say::Stand(Standing::Unclear("half".to_owned()))), "asked:a");
    bench.pass(5);
    assert_eq!(bench.sample(&[bad()]), "watched:a held:a");
    assert_eq!(bench.state(), RunState::Asking);
    assert_eq!(bench.order(Command::Approve), "answered:a act_done:a TAKEN WATCH:0");
    assert_eq!(bench.state(), RunState::Held);
}

#[test]
fn only_the_last_samples_are_at_hand_and_the_journal_has_all() {
    let mut bench = guarded([guard(GuardOutcome::Hold)]);
    bench.sample(&[good()]);
    for _ in 0..30 {
        bench.pass(5);
        bench.sample(&[good()]);
    }
    assert_eq!(bench.run.present().unwrap().1.guards[0].samples.len(), super::guard::SAMPLES);
    assert_eq!(bench.journal.iter().filter(|entry| matches!(entry.entry, Entry::Watched { .. })).count(), 31);
}
