//! Steps that are under way together: each goes its own way, the run goes on when all are over, and a way back waits for them all.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// `a`, then `b` and `c` together, then `d`.
fn bench() -> Bench {
    let beside = |id| StepDefinition { beside: true, ..step(id) };
    let mut bench = Bench::new(steps([step("a"), step("b"), beside("c"), step("d")]));
    bench.load();
    for say in [change(1), Say::Acted, Say::Holds] {
        bench.say(say);
    }
    bench
}

impl Bench {
    /// The ticket that is out for the step of this id.
    fn out_for(&self, id: &str) -> u64 {
        let at = self.run.forward().position(|(definition, _)| definition.id == id).unwrap();
        self.run.lanes.get(&at).and_then(|lane| lane.out).unwrap_or_else(|| panic!("nothing is out for {id}"))
    }

    fn say_for(&mut self, id: &str, say: Say) -> String {
        let ticket = self.out_for(id);
        self.tell(event(ticket, say))
    }

    fn order_for(&mut self, id: &str, command: Command) -> String {
        self.inbox += 1;
        let (by, reason) = ("ada".to_owned(), Some("because".to_owned()));
        self.tell(Event::Ordered(self.inbox, Order { command, by, reason, step: Some(id.to_owned()), evidence: None }))
    }

    fn open(&self) -> Vec<String> {
        self.run.open_steps().into_iter().filter_map(|at| self.run.step_at(at)).map(|(definition, _)| definition.id.clone()).collect()
    }
}

#[test]
fn they_begin_together_and_the_next_step_waits_for_both() {
    let mut bench = bench();
    assert_eq!(bench.open(), ["b", "c"]);
    assert_eq!(bench.say_for("c", change(1)), "step_begun:c ACT");
    assert_eq!(bench.say_for("b", change(2)), "step_begun:b ACT");
    assert_eq!(bench.say_for("c", Say::Acted), "act_done:c VERIFY");
    assert_eq!(bench.say_for("c", Say::Holds), "step_done:c");
    assert_eq!(bench.open(), ["b"]);
    assert_eq!(bench.say_for("b", Say::Acted), "act_done:b act_begun:b ACT");
    assert_eq!(bench.say_for("b", Say::Acted), "act_done:b VERIFY");
    assert_eq!(bench.say_for("b", Say::Holds), "step_done:b PLAN");
    assert_eq!(bench.open(), ["d"]);
}

#[test]
fn each_has_its_own_key_whichever_is_dealt_with() {
    let mut bench = bench();
    let (b, c) = (bench.out_for("b"), bench.out_for("c"));
    assert!(bench.run.face(c));
    assert_eq!(bench.run.key().as_deref(), Some("c"));
    assert!(bench.run.face(b));
    assert_eq!(bench.run.key().as_deref(), Some("b"));
    assert!(!bench.run.face(99), "nobody waits for that");
}

#[test]
fn a_crash_looks_at_what_was_begun_in_each() {
    let mut bench = bench();
    bench.say_for("b", change(1));
    bench.say_for("c", change(1));
    assert_eq!(bench.crash(), "STAND STAND");
    bench.say_for("b", Say::Stand(Standing::After(Receipt::said("it was there"))));
    assert_eq!(bench.say_for("c", Say::Stand(Standing::Before)), "ACT");
    bench.say_for("b", Say::Holds);
    bench.say_for("c", Say::Acted);
    assert_eq!(bench.say_for("c", Say::Holds), "step_done:c PLAN");
}

#[test]
fn one_that_fails_stops_the_run_and_not_the_other() {
    let mut bench = bench();
    bench.say_for("b", change(1));
    bench.say_for("c", Say::PlanFails(refused()));
    assert_eq!(bench.state(), RunState::Failed);
    assert_eq!(bench.run.foremost().map(|(definition, _)| definition.id.as_str()), Some("c"));
    bench.say_for("b", Say::Acted);
    assert_eq!(bench.say_for("b", Say::Holds), "step_done:b");
    assert_eq!(bench.open(), ["c"]);
    assert_eq!(bench.order(Command::Retry), "retried:c TAKEN PLAN");
}

#[test]
fn an_order_is_meant_for_the_only_step_that_it_fits() {
    let mut bench = bench();
    bench.say_for("b", ask(None));
    assert_eq!(bench.state(), RunState::Asking);
    assert_eq!(bench.order_for("c", Command::Approve), "REFUSED");
    assert_eq!(bench.order(Command::Approve), "answered:b step_done:b TAKEN");
}

#[test]
fn an_order_that_fits_two_of_them_is_refused_until_one_is_named() {
    let mut bench = bench();
    bench.say_for("b", ask(None));
    bench.say_for("c", ask(None));
    assert_eq!(bench.order(Command::Approve), "REFUSED");
    assert_eq!(bench.last_answer().text, "b and c could be meant; say which, with --step");
    assert_eq!(bench.order_for("c", Command::Approve), "answered:c step_done:c TAKEN");
    assert_eq!(bench.order_for("c", Command::Approve), "REFUSED");
    assert_eq!(bench.last_answer().text, "the run is at b by now, not at c");
    assert_eq!(bench.order(Command::Approve), "answered:b step_done:b TAKEN PLAN");
}

#[test]
fn a_way_back_begins_when_both_have_finished_what_is_under_way() {
    let mut bench = bench();
    bench.say_for("b", change(1));
    bench.say_for("c", change(1));
    assert_eq!(bench.order(Command::Revert), "revert_ordered TAKEN");
    assert_eq!(bench.say_for("b", Say::Acted), "act_done:b");
    assert_eq!(bench.say_for("c", Say::Acted), "act_done:c BACK");
    let back: Vec<String> = bench.run.to_take_back().into_iter().map(|(definition, _)| definition.id.clone()).collect();
    assert_eq!(back, ["c", "b", "a"]);
}

#[test]
fn after_a_crash_both_are_looked_at_before_the_way_back() {
    let mut bench = bench();
    bench.say_for("b", change(1));
    bench.say_for("c", change(1));
    bench.order(Command::Revert);
    assert_eq!(bench.crash(), "STAND STAND");
    assert_eq!(bench.say_for("b", Say::Stand(Standing::Before)), "");
    assert_eq!(bench.say_for("c", Say::Stand(Standing::After(Receipt::said("it was there")))), "act_done:c BACK");
}

#[test]
fn only_the_one_that_failed_is_taken_back_when_it_says_so() {
    let failing = StepDefinition { on_failure: OnFailure::RevertStep, beside: true, ..step("c") };
    let mut bench = Bench::new(steps([step("b"), failing]));
    bench.load();
    bench.say_for("b", change(1));
    bench.say_for("c", change(1));
    bench.say_for("c", Say::Acted);
    assert_eq!(bench.say_for("c", Say::Broken), "step_failed:c revert_ordered");
    assert_eq!(bench.say_for("b", Say::Acted), "act_done:b BACK");
    let back: Vec<String> = bench.run.to_take_back().into_iter().map(|(definition, _)| definition.id.clone()).collect();
    assert_eq!(back, ["c"]);
    assert_eq!(bench.crash(), "BACK");
    bench.say(Say::Back(vec![super::back("c")]));
    for say in [change(1), Say::Acted] {
        bench.say(say);
    }
    bench.say(Say::Holds);
    assert_eq!(bench.state(), RunState::Failed);
    assert_eq!(bench.open(), ["b", "c"]);
    assert_eq!(bench.say_for("b", Say::Holds), "step_done:b");
    assert_eq!(bench.order(Command::Retry), "retried:c TAKEN PLAN");
}

#[test]
fn a_pause_lets_both_finish_what_is_under_way() {
    let mut bench = bench();
    bench.say_for("b", change(2));
    bench.say_for("c", change(1));
    bench.order(Command::Pause);
    assert_eq!(bench.say_for("b", Say::Acted), "act_done:b");
    assert_eq!(bench.say_for("c", Say::Acted), "act_done:c");
    assert_eq!(bench.state(), RunState::Paused);
    assert_eq!(bench.order(Command::Resume), "resumed TAKEN act_begun:b ACT VERIFY");
}

/// What may come next: an answer to one of the effects that are out, or a crash.
#[derive(Clone, Debug)]
enum Next {
    Answer(usize, bool),
    Crash,
}

fn next() -> impl Strategy<Value = Next> {
    prop_oneof![6 => (any::<usize>(), any::<bool>()).prop_map(|(which, fine)| Next::Answer(which, fine)), 1 => Just(Next::Crash)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 400 } else { 4_000 }))]

    /// Whatever the order of answers and crashes: every act of every step is done once, no step begins before the block above it is over,
    /// and the journal gives the run.
    #[test]
    fn blocks_keep_their_promises(besides in vec(any::<bool>(), 1..6), acts in vec(0_usize..3, 6), nexts in vec(next(), 0..120)) {
        let definition = |at: usize, beside: &bool| StepDefinition { beside: *beside, ..step(&format!("s{at}")) };
        let mut bench = Bench::new(steps(besides.iter().enumerate().map(|(at, beside)| definition(at, beside))));
        let mut out: BTreeMap<u64, Effect> = BTreeMap::new();
        let mut done: BTreeMap<String, usize> = BTreeMap::new();
        let mut event = Event::Loaded;
        let mut nexts = nexts.into_iter();
        loop {
            let effects = bench.run.handle(bench.now, event);
            for effect in effects {
                if let Effect::Record(entry) = &effect {
                    if let Entry::ActDone { step, .. } = &entry.entry {
                        *done.entry(step.clone()).or_default() += 1;
                    }
                    bench.journal.push(entry.clone());
                }
                if let Some(ticket) = effect.ticket() {
                    prop_assert!(bench.run.clone().face(ticket));
                    out.insert(ticket, effect);
                }
            }
            let open = bench.run.open_steps();
            prop_assert!(open.iter().all(|at| bench.run.definition.stage(*at).contains(&open[0])));
            prop_assert!(bench.run.forward().take(open.first().map_or(0, |first| bench.run.definition.stage(*first).start)).all(|(_, record)| record.state.is_over()));
            let replayed = Run::replay(bench.definition.clone(), bench.journal.clone());
            prop_assert_eq!(replayed.open_steps(), open);
            prop_assert_eq!(replayed.at(), bench.run.at());
            if bench.state().is_end() {
                break;
            }
            let Some(next) = nexts.next().or_else(|| (!out.is_empty()).then_some(Next::Answer(0, true))) else { break };
            event = match next {
                Next::Crash => {
                    out.clear();
                    bench.run = replayed;
                    Event::Loaded
                }
                Next::Answer(which, fine) => {
                    let Some(ticket) = out.keys().nth(which % out.len().max(1)).copied() else { break };
                    let Some(effect) = out.remove(&ticket) else { break };
                    bench.run.face(ticket);
                    let say = match effect {
                        Effect::Plan(_) => change(acts[bench.run.at()]),
                        Effect::Act(_) => Say::Acted,
                        // Why: an act that was cut off happened or did not.
                        Effect::Stand(_) if fine => Say::Stand(Standing::After(Receipt::said("it was there"))),
                        Effect::Stand(_) => Say::Stand(Standing::Before),
                        Effect::Verify(_) if fine => Say::Holds,
                        _ => Say::NotYet,
                    };
                    bench.now += Duration::seconds(3);
                    super::event(ticket, say)
                }
            };
            if out.is_empty() && matches!(event, Event::Woke) {
                break;
            }
        }
        if bench.state() == RunState::Done {
            for (at, _) in besides.iter().enumerate() {
                prop_assert_eq!(done.get(&format!("s{at}")).copied().unwrap_or_default(), acts[at]);
            }
        }
    }
}
