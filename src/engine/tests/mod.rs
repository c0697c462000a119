//! The engine without any world: a person or a system says something, and the test says what the run must do then.

mod beside;
mod counting;
mod guards;
mod paths;
mod people;
mod properties;
mod settling;
mod turning;

use chrono::{DateTime, Duration, TimeZone, Utc};
use serde_json::{Value, json};

use super::command::Answer;
use super::*;
use crate::step::{
    ErasedAct, ErasedChange, ErasedPlan, Evidence, GuardOptions, GuardOutcome, Question, Reading, Receipt, Standing, StepError, Verdict,
};

/// What somebody answers to the effect that is out.
#[derive(Clone, Debug)]
enum Say {
    Plan(ErasedPlan),
    PlanFails(StepError),
    Stand(Standing),
    StandFails(StepError),
    Acted,
    ActFails(StepError),
    Cursor(Value),
    Settled,
    Unsettled,
    SettleBroken,
    SettleFails(StepError),
    Holds,
    NotYet,
    Broken,
    VerifyFails(StepError),
    Back(Vec<BackStep>),
}

/// A run on a bench.
struct Bench {
    definition: Definition,
    run: Run,
    now: DateTime<Utc>,
    journal: Vec<JournalEntry>,
    answers: Vec<Answer>,
    inbox: i64,
}

impl Bench {
    fn new(definition: Definition) -> Self {
        Self::begun(definition, Approvals::Own, false)
    }

    fn begun(definition: Definition, approvals: Approvals, yes: bool) -> Self {
        let now = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
        let begun = JournalEntry { seq: 1, at: now, entry: Entry::RunBegun { by: "ada".to_owned(), approvals, yes, accepted: Vec::new() } };
        let run = Run::replay(definition.clone(), [begun.clone()]);
        Self { definition, run, now, journal: vec![begun], answers: Vec::new(), inbox: 0 }
    }

    /// Tells the run something; what it does, as words.
    fn tell(&mut self, event: Event) -> String {
        let effects = self.run.handle(self.now, event);
        for effect in &effects {
            match effect {
                Effect::Record(entry) => self.journal.push(entry.clone()),
                Effect::Answer(_, answer) => self.answers.push(answer.clone()),
                _ => {}
            }
        }
        effects.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn say(&mut self, say: Say) -> String {
        let ticket = self.out().unwrap_or_default();
        self.tell(event(ticket, say))
    }

    /// Answers the round of samples that is out.
    fn sample(&mut self, readings: &[Reading]) -> String {
        let ticket = self.watch().expect("a round of samples");
        self.tell(Event::Watched(ticket, readings.iter().cloned().enumerate().collect()))
    }

    /// The ticket of the effect that is out; of several that of the first step.
    fn out(&self) -> Option<u64> {
        self.run.lanes.values().find_map(|lane| lane.out)
    }

    /// The ticket of the round of samples that is out for it.
    fn watch(&self) -> Option<u64> {
        self.run.lane().and_then(|lane| lane.watch.as_ref()).map(|watch| watch.ticket)
    }

    fn load(&mut self) -> String {
        self.tell(Event::Loaded)
    }

    /// The controller dies; another one goes on from the journal.
    fn crash(&mut self) -> String {
        self.run = Run::replay(self.definition.clone(), self.journal.clone());
        self.load()
    }

    fn pass(&mut self, seconds: i64) -> String {
        self.now += Duration::seconds(seconds);
        self.tell(Event::Woke)
    }

    fn order(&mut self, command: Command) -> String {
        self.order_by("ada", command, Some("because"), None)
    }

    fn order_by(&mut self, by: &str, command: Command, reason: Option<&str>, evidence: Option<&str>) -> String {
        self.inbox += 1;
        let (by, reason, evidence) = (by.to_owned(), reason.map(str::to_owned), evidence.map(str::to_owned));
        self.tell(Event::Ordered(self.inbox, Order { command, by, reason, step: None, evidence }))
    }

    fn state(&self) -> RunState {
        self.run.state()
    }

    fn last_answer(&self) -> &Answer {
        self.answers.last().expect("an answer")
    }
}

fn event(ticket: u64, say: Say) -> Event {
    match say {
        Say::Plan(plan) => Event::Planned(ticket, Ok(plan)),
        Say::PlanFails(error) => Event::Planned(ticket, Err(error)),
        Say::Stand(standing) => Event::Stood(ticket, Ok(standing)),
        Say::StandFails(error) => Event::Stood(ticket, Err(error)),
        Say::Acted => Event::Acted(ticket, Ok(Receipt::said("did it"))),
        Say::ActFails(error) => Event::Acted(ticket, Err(error)),
        Say::Cursor(cursor) => Event::Cursor(ticket, cursor),
        Say::Settled => Event::Settled(ticket, Ok(Verdict::Holds(Evidence::said("it rests")))),
        Say::Unsettled => Event::Settled(ticket, Ok(not_yet())),
        Say::SettleBroken => Event::Settled(ticket, Ok(Verdict::Broken("it is gone".to_owned()))),
        Say::SettleFails(error) => Event::Settled(ticket, Err(error)),
        Say::Holds => Event::Verified(ticket, Ok(Verdict::Holds(Evidence::said("so it is")))),
        Say::NotYet => Event::Verified(ticket, Ok(not_yet())),
        Say::Broken => Event::Verified(ticket, Ok(Verdict::Broken("it is not so".to_owned()))),
        Say::VerifyFails(error) => Event::Verified(ticket, Err(error)),
        Say::Back(steps) => Event::BackPlanned(ticket, steps),
    }
}

fn not_yet() -> Verdict {
    Verdict::NotYet { now: "1 of 2".to_owned(), goal: "2 of 2".to_owned(), again_in: std::time::Duration::from_secs(2) }
}

fn word(effect: &Effect) -> String {
    match effect {
        Effect::Record(entry) => {
            let (kind, _) = entry.entry.write().expect("an entry that can be written");
            match &entry.entry {
                Entry::RunEnded { state, .. } => format!("{kind}:{state}"),
                other => other.step().map_or_else(|| kind.clone(), |step| format!("{kind}:{step}")),
            }
        }
        Effect::Plan(_) => "PLAN".to_owned(),
        Effect::Stand(_) => "STAND".to_owned(),
        Effect::Act(_) => "ACT".to_owned(),
        Effect::CursorSaved(_) => "SAVED".to_owned(),
        Effect::Settle(_) => "SETTLE".to_owned(),
        Effect::Watch(_, which) => which.iter().fold("WATCH".to_owned(), |word, at| format!("{word}:{at}")),
        Effect::Verify(_) => "VERIFY".to_owned(),
        Effect::PlanBack(_) => "BACK".to_owned(),
        Effect::Answer(_, answer) => if answer.taken { "TAKEN" } else { "REFUSED" }.to_owned(),
    }
}

fn step(id: &str) -> StepDefinition {
    StepDefinition::plain(id, "some_kind")
}

/// A guard that looks every five seconds.
fn guard(then: GuardOutcome) -> GuardDefinition {
    let (kind, query, limit) = ("metric".to_owned(), "errors".to_owned(), "above 1".to_owned());
    GuardDefinition { kind, query, limit, options: GuardOptions::new(then) }
}

fn good() -> Reading {
    Reading::Value { value: 0.5, good: true, line: "0.5".to_owned() }
}

fn bad() -> Reading {
    Reading::Value { value: 3.0, good: false, line: "3".to_owned() }
}

fn dead() -> Reading {
    Reading::Failed("no answer".to_owned())
}

fn steps(steps: impl IntoIterator<Item = StepDefinition>) -> Definition {
    Definition { steps: steps.into_iter().collect() }
}

fn change(acts: usize) -> Say {
    Say::Plan(planned(acts))
}

fn planned(acts: usize) -> ErasedPlan {
    let act = |at| ErasedAct { line: format!("act {at}"), act: json!(at) };
    ErasedPlan::Change(ErasedChange {
        change: json!({}),
        effects: Vec::new(),
        binding: json!({ "seen": 1 }),
        acts: (0..acts).map(act).collect(),
    })
}

fn ask(evidence: Option<&str>) -> Say {
    Say::Plan(ErasedPlan::Ask(Question { text: "well".to_owned(), evidence: evidence.map(str::to_owned) }))
}

fn wait() -> Say {
    Say::Plan(ErasedPlan::Wait { now: "not yet".to_owned(), goal: "so".to_owned() })
}

/// A system that does not answer. Written as the journal has it, for the engine knows no ports.
fn away() -> StepError {
    port("unreachable")
}

/// A system that says no.
fn refused() -> StepError {
    port("refused")
}

fn port(how: &str) -> StepError {
    let system = json!({ "name": "kafka main", "address": "nowhere", "setting": "here" });
    serde_json::from_value(json!({ "port": { how: { "system": system, "detail": "no" } } })).expect("an error")
}

fn back(of: &str) -> BackStep {
    let action = BackAction::Step { kind: "some_kind".to_owned(), body: json!({}) };
    BackStep { id: format!("revert-{of}"), of: of.to_owned(), action, settles: false }
}
