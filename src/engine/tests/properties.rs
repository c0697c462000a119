//! What holds for every definition and every sequence of answers, orders, delays and crashes.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::step::{Nature, OnUnknown, Risk};

/// What happens next.
#[derive(Clone, Debug)]
enum Happening {
    /// The effect that is out is answered.
    Answer(u8),
    /// The guards that are looked at answer.
    Sample(u8),
    /// An answer comes again, or too late.
    Stale(u64, u8),
    /// Time passes.
    Pass(i64),
    /// A person speaks.
    Order(usize, bool, bool),
    /// The controller dies; what it wrote last is durable or not.
    Crash(bool),
    /// The driver gives up on it.
    Quarantine,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        12 => any::<u8>().prop_map(Happening::Answer),
        6 => any::<u8>().prop_map(Happening::Sample),
        1 => (0_u64..40, any::<u8>()).prop_map(|(ticket, choice)| Happening::Stale(ticket, choice)),
        3 => (0_i64..40).prop_map(Happening::Pass),
        3 => (0..Command::ALL.len(), any::<bool>(), any::<bool>()).prop_map(|(at, other, reason)| Happening::Order(at, other, reason)),
        2 => any::<bool>().prop_map(Happening::Crash),
        1 => Just(Happening::Quarantine),
    ];
    vec(one, 0..60)
}

fn definitions() -> impl Strategy<Value = Definition> {
    let options = (any::<bool>(), any::<bool>(), any::<bool>(), 0_u8..4, any::<bool>(), any::<bool>(), any::<bool>(), 1_u32..4);
    let watched = (any::<bool>(), vec((0_usize..4, 0_u32..3), 0..3));
    let step = (options, watched).prop_map(|((once, again, line, failure, limit, approval, foreseen, attempts), (settles, guards))| {
        StepDefinition {
            settles,
            guards: guards.into_iter().map(|(outcome, limit)| guarding(outcome, limit)).collect(),
            nature: if once { Nature::Once } else { Nature::State },
            on_unknown: if again { OnUnknown::ActAgain } else { OnUnknown::Ask },
            risk: if line { Risk::PointOfNoReturn } else { Risk::Reversible },
            on_failure: [OnFailure::Hold, OnFailure::RevertStep, OnFailure::RevertRun, OnFailure::Freeze][usize::from(failure)],
            timeout: limit.then(|| std::time::Duration::from_secs(20)),
            approval: approval.then(|| "sure".to_owned()),
            foreseen: foreseen.then(|| json!({ "seen": 2 })),
            retry: Retry { attempts, delay: std::time::Duration::from_secs(1) },
            ..StepDefinition::plain("x", "some_kind")
        }
    });
    vec(step, 0..8).prop_map(|steps| Definition {
        steps: steps.into_iter().enumerate().map(|(at, step)| StepDefinition { id: format!("s{at}"), ..step }).collect(),
    })
}

fn guarding(outcome: usize, limit: u32) -> GuardDefinition {
    let then = [GuardOutcome::Hold, GuardOutcome::RevertStep, GuardOutcome::RevertRun, GuardOutcome::Freeze][outcome];
    let options =
        GuardOptions { failure_limit: limit, consecutive_error_limit: limit, release_after: limit + 1, ..GuardOptions::new(then) };
    GuardDefinition { options, ..guard(then) }
}

/// An answer of the sort that fits an effect.
fn fitting(effect: &Effect, choice: u8, bench: &Bench) -> Option<Event> {
    let error = if choice.is_multiple_of(2) { away() } else { refused() };
    let (ticket, say) = match effect {
        Effect::Plan(ticket) => (
            *ticket,
            match choice % 10 {
                0..=4 => change(usize::from(choice % 4)),
                5 => Say::Plan(ErasedPlan::AlreadySo("so".to_owned())),
                6 => wait(),
                7 => ask((choice > 128).then_some("text")),
                8 => Say::Plan(ErasedPlan::Impossible("no".to_owned())),
                _ => Say::PlanFails(error),
            },
        ),
        Effect::Stand(ticket) => (
            *ticket,
            match choice % 4 {
                0 => Say::Stand(Standing::Before),
                1 => Say::Stand(Standing::After(Receipt::said("there"))),
                2 => Say::Stand(Standing::Unclear("half".to_owned())),
                _ => Say::StandFails(error),
            },
        ),
        Effect::Act(ticket) => (
            *ticket,
            match choice % 5 {
                0..=2 => Say::Acted,
                3 => Say::Cursor(json!(choice)),
                _ => Say::ActFails(error),
            },
        ),
        Effect::Settle(ticket) => (
            *ticket,
            match choice % 6 {
                0..=2 => Say::Settled,
                3 => Say::Unsettled,
                4 => Say::SettleBroken,
                _ => Say::SettleFails(error),
            },
        ),
        Effect::Verify(ticket) => (
            *ticket,
            match choice % 6 {
                0..=2 => Say::Holds,
                3 => Say::NotYet,
                4 => Say::Broken,
                _ => Say::VerifyFails(error),
            },
        ),
        Effect::PlanBack(ticket) => {
            let lines =
                bench.run.to_take_back().into_iter().enumerate().map(|(at, (definition, _))| match (at + usize::from(choice)) % 4 {
                    0 => BackStep { action: BackAction::Kept("used".to_owned()), ..back(&definition.id) },
                    1 => BackStep { action: BackAction::Impossible("gone".to_owned()), ..back(&definition.id) },
                    _ => back(&definition.id),
                });
            (*ticket, Say::Back(lines.collect()))
        }
        _ => return None,
    };
    Some(event(ticket, say))
}

/// What must be the same live and in replay: everything but tickets, and looks that are only planned in memory.
fn essence(run: &Run) -> Run {
    let mut run = run.clone();
    run.last_ticket = 0;
    run.lanes.clear();
    run.loaded = 0;
    for record in run.forward.iter_mut().chain(run.back.iter_mut().map(|back| &mut back.record)) {
        record.again_at = None;
    }
    run
}

/// Follows a run and knows what must never happen.
struct Watcher {
    bench: Bench,
    /// The effect whose answer is being waited for.
    out: Option<Effect>,
    /// How much of the journal was there before the last call.
    durable: usize,
    /// What is done, by key and act.
    done: BTreeSet<(String, usize)>,
    /// What may have happened, so that it must be looked for first.
    unknown: Option<(String, usize)>,
    inbox: i64,
}

impl Watcher {
    fn feed(&mut self, event: Event) {
        self.durable = self.bench.journal.len();
        let (over, order) = (self.bench.run.state().is_end(), if let Event::Ordered(id, _) = &event { Some(*id) } else { None });
        match &event {
            // An act that answered without an error has happened; one that failed may have.
            Event::Acted(ticket, Ok(_)) if self.out == Some(Effect::Act(*ticket)) => self.unknown = None,
            Event::Stood(ticket, Ok(Standing::Before | Standing::Unclear(_))) if self.out == Some(Effect::Stand(*ticket)) => {
                self.unknown = None;
            }
            _ => {}
        }
        if !matches!(event, Event::Cursor(..) | Event::Woke | Event::Watched(..) | Event::Ordered(..) | Event::Quarantine(_))
            && self.answers_what_is_out(&event)
        {
            self.out = None;
        }
        let effects = self.bench.run.handle(self.bench.now, event);
        let mut answers = Vec::new();
        for effect in &effects {
            match effect {
                Effect::Record(entry) => {
                    assert_eq!(usize::try_from(entry.seq), Ok(self.bench.journal.len() + 1), "the journal has a hole");
                    let last = self.bench.journal.last().map(|last| last.entry.clone());
                    if let Some(Entry::RunEnded { .. }) = last {
                        assert!(matches!(entry.entry, Entry::RevertOrdered { .. }), "after an end came {:?}", entry.entry);
                    }
                    self.bench.journal.push(entry.clone());
                    self.note(&entry.entry);
                }
                Effect::Answer(inbox, _) => answers.push(*inbox),
                Effect::CursorSaved(_) | Effect::Watch(..) => {}
                Effect::Act(_) => {
                    self.judge_act();
                    self.out = Some(effect.clone());
                }
                _ => self.out = Some(effect.clone()),
            }
        }
        assert_eq!(answers, order.into_iter().collect::<Vec<_>>(), "every order has exactly one answer");
        // A step that is skipped, or that a guard ends, gives up what is under way.
        if self.bench.out().is_none() {
            self.out = None;
        }
        if over && self.bench.run.state().is_end() {
            assert_eq!(self.bench.journal.len(), self.durable, "something was written after the end");
        }
        self.replay();
    }

    fn answers_what_is_out(&self, event: &Event) -> bool {
        let ticket = match event {
            Event::Planned(ticket, _)
            | Event::Stood(ticket, _)
            | Event::Acted(ticket, _)
            | Event::Settled(ticket, _)
            | Event::Verified(ticket, _)
            | Event::BackPlanned(ticket, _) => *ticket,
            _ => return false,
        };
        self.out.as_ref().is_some_and(|out| ticket_of(out) == Some(ticket))
    }

    fn present(&self) -> (String, usize) {
        let act = self.bench.run.present().map_or(0, |(_, record)| record.act);
        (self.bench.run.key().unwrap_or_default(), act)
    }

    fn note(&mut self, entry: &Entry) {
        if let Entry::ActDone { step, act, .. } = entry {
            // The run has moved on to the next act by now, and its key is the same.
            let key = self.bench.run.key().unwrap_or_default();
            assert!(key.contains(step.as_str()) || self.bench.run.present().is_none(), "{step} is not {key}");
            self.done.insert((key, *act));
            self.unknown = None;
        }
    }

    /// A guarded act begins only when every guard's newest sample is good and younger than the last act, and nothing holds the run.
    fn judge_guards(&self) {
        let Some((definition, _)) = self.bench.run.present() else { return };
        let mut last_act = 0;
        let mut newest = vec![None; definition.guards.len()];
        let mut held = std::collections::BTreeSet::new();
        for entry in self.bench.journal.iter().filter(|entry| entry.entry.step() == Some(definition.id.as_str())) {
            match &entry.entry {
                Entry::StepBegun { .. } | Entry::ActDone { .. } => last_act = entry.seq,
                Entry::Watched { after, samples, .. } => {
                    for sample in samples {
                        newest[sample.guard] = Some((*after, sample.verdict));
                    }
                }
                Entry::Held { guard, .. } => drop(held.insert(*guard)),
                Entry::Released { guard: Some(guard), .. } => drop(held.remove(guard)),
                Entry::Released { .. } => {
                    held.clear();
                    last_act = entry.seq;
                }
                Entry::StepFailed { .. } | Entry::Retried { .. } => held.clear(),
                _ => {}
            }
        }
        assert!(held.is_empty() && !self.bench.run.is_held(), "an act begins although {held:?} hold");
        for sample in newest {
            let (after, verdict) = sample.expect("an act begins without a sample");
            assert!(after >= last_act, "an act begins on a sample that is older than the last act");
            assert_eq!(verdict, super::guard::SampleVerdict::Good, "an act begins on a sample that is not good");
        }
    }

    fn judge_act(&mut self) {
        self.judge_guards();
        let (key, act) = self.present();
        let intent = self.bench.journal.iter().rev().find_map(|entry| match &entry.entry {
            Entry::StepBegun { step, change: Some(_), guarded: false } => Some((step.clone(), 0)),
            Entry::ActBegun { step, act } => Some((step.clone(), *act)),
            _ => None,
        });
        let (step, begun) = intent.expect("an act without any intent");
        assert!(key.contains(&step) && begun == act, "act {act} of {key} was issued, the journal intends act {begun} of {step}");
        assert!(!self.done.contains(&(key.clone(), act)), "act {act} of {key} was done already");
        let now = Some((key, act));
        assert_ne!(self.unknown, now, "it was not looked whether the act had happened");
        self.unknown = now;
    }

    /// Every trip ends in its outcome: no guard's counts are beyond its limits while the run goes on as if nothing were.
    fn judge_trip(&self) {
        let Some((definition, record)) = self.bench.run.present().filter(|_| self.bench.run.is_watching()) else { return };
        for (guard, counted) in definition.guards.iter().zip(&record.guards) {
            let tripped = counted.bad > guard.options.failure_limit || counted.errors > guard.options.consecutive_error_limit;
            assert!(!tripped || counted.held.is_some(), "{} tripped and nothing followed", guard.name());
        }
    }

    /// Replaying the journal gives the run, and every beginning of it gives a run that can go on.
    fn replay(&self) {
        let replayed = Run::replay(self.bench.definition.clone(), self.bench.journal.clone());
        assert_eq!(essence(&replayed), essence(&self.bench.run));
        for length in self.durable..self.bench.journal.len() {
            let part = self.bench.journal.iter().take(length).cloned();
            let mut run = Run::replay(self.bench.definition.clone(), part);
            let effects = run.handle(self.bench.now, Event::Loaded);
            let acts = effects.iter().any(|effect| matches!(effect, Effect::Act(_)));
            let begun =
                effects.iter().any(|effect| matches!(effect, Effect::Record(entry) if matches!(entry.entry, Entry::ActBegun { .. })));
            assert!(!acts || begun, "a loaded run acted without looking first");
        }
    }

    fn happen(&mut self, happening: &Happening) {
        match happening {
            Happening::Answer(choice) => {
                if let Some(event) = self.out.clone().and_then(|effect| fitting(&effect, *choice, &self.bench)) {
                    self.feed(event);
                }
            }
            Happening::Sample(choice) => {
                if let Some(ticket) = self.bench.watch() {
                    let readings = [good(), good(), good(), bad(), dead(), Reading::NoData("nothing".to_owned())];
                    let reading = |at: usize| (at, readings[(usize::from(*choice) + at * (usize::from(*choice) / 6)) % 6].clone());
                    self.feed(Event::Watched(ticket, (0..3).map(reading).collect()));
                    self.judge_trip();
                }
            }
            Happening::Stale(ticket, choice) => {
                let live = self.out.as_ref().and_then(ticket_of);
                if live != Some(*ticket) {
                    let stale = [
                        Effect::Plan(*ticket),
                        Effect::Stand(*ticket),
                        Effect::Act(*ticket),
                        Effect::Settle(*ticket),
                        Effect::Verify(*ticket),
                    ];
                    let event = fitting(&stale[usize::from(*choice) % 5], *choice / 5, &self.bench);
                    let before = self.bench.journal.len();
                    self.feed(event.expect("an event"));
                    let woke = self.bench.journal.len() != before;
                    assert!(!woke || live.is_none(), "an old answer was taken");
                }
            }
            Happening::Pass(seconds) => {
                self.bench.now += Duration::seconds(*seconds);
                self.feed(Event::Woke);
            }
            Happening::Order(at, other, reason) => {
                self.inbox += 1;
                let order = Order {
                    command: Command::ALL[*at],
                    by: if *other { "bob" } else { "ada" }.to_owned(),
                    reason: reason.then(|| "because".to_owned()),
                    step: None,
                    evidence: other.then(|| "https://example.org".to_owned()),
                };
                self.feed(Event::Ordered(self.inbox, order));
            }
            Happening::Crash(durable) => {
                // An act is only carried out once everything before it is durable.
                let acted = matches!(self.out, Some(Effect::Act(_)));
                if !durable && !acted {
                    self.bench.journal.truncate(self.durable);
                }
                self.done.clear();
                self.bench.run = Run::replay(self.bench.definition.clone(), self.bench.journal.clone());
                self.out = None;
                self.unknown = self.bench.run.present().filter(|(_, record)| record.act_begun).map(|_| self.present());
                self.feed(Event::Loaded);
            }
            Happening::Quarantine => self.feed(Event::Quarantine("again and again".to_owned())),
        }
    }
}

fn ticket_of(effect: &Effect) -> Option<u64> {
    match effect {
        Effect::Plan(ticket)
        | Effect::Stand(ticket)
        | Effect::Act(ticket)
        | Effect::Settle(ticket)
        | Effect::Verify(ticket)
        | Effect::PlanBack(ticket) => Some(*ticket),
        _ => None,
    }
}

/// `PROPTEST_CASES` asks for more.
pub(super) fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_keeps_its_promises(definition in definitions(), yes in any::<bool>(), approvals in 0_usize..3, story in happenings()) {
        let approvals = [Approvals::None, Approvals::Own, Approvals::Other][approvals];
        let bench = Bench::begun(definition, approvals, yes);
        let mut watcher = Watcher { bench, out: None, durable: 1, done: BTreeSet::new(), unknown: None, inbox: 0 };
        watcher.feed(Event::Loaded);
        for happening in &story {
            watcher.happen(happening);
        }
    }

    /// Whatever a driver may say, in whatever order and with whatever ticket: the run does not panic.
    #[test]
    fn nothing_makes_a_run_panic(definition in definitions(), story in vec((0_u64..12, any::<u8>(), 0_u8..11), 0..50)) {
        let mut bench = Bench::begun(definition, Approvals::Own, true);
        bench.load();
        for (ticket, choice, sort) in story {
            let effects = [Effect::Plan(ticket), Effect::Stand(ticket), Effect::Act(ticket), Effect::Verify(ticket), Effect::PlanBack(ticket)];
            let event = match sort {
                0..=4 => fitting(&effects[usize::from(sort)], choice, &bench).expect("an event"),
                5 => Event::Loaded,
                6 => Event::Quarantine(String::new()),
                7 => {
                    bench.now += Duration::seconds(i64::from(choice));
                    Event::Woke
                }
                9 => Event::Watched(ticket, vec![(usize::from(choice % 4), bad()), (99, good())]),
                10 => fitting(&Effect::Settle(ticket), choice, &bench).expect("an event"),
                _ => {
                    let command = Command::ALL[usize::from(choice) % Command::ALL.len()];
                    Event::Ordered(1, Order { command, by: "ada".to_owned(), reason: Some("x".to_owned()), step: None, evidence: None })
                }
            };
            bench.tell(event);
            let _ = (bench.run.state(), bench.run.wake_at(), bench.run.to_take_back().len());
        }
    }
}
