//! A step that ramps up in several acts, settles after each and is guarded, played with controllers that die at every point.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use chrono::TimeDelta;
use cutover::engine::guard::SampleVerdict;
use cutover::engine::{Entry, JournalEntry, RunState};
use cutover::playbook::{Catalogue, Playbook};
use cutover::ports::kafka::NewTopic;
use cutover::sim::{Accidents, Faults, Moment, Options, Outcome, Seed, SimWorld, check, play};
use cutover::step::{
    ActContext, Change, Claim, Evidence, Kind, Nature, OnUnknown, Plan, Receipt, Resource, Revert, Risk, Standing, Step, StepError,
    StepKind, Verdict, View, World,
};
use cutover::steps::{self, DecodeError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{read, seeds};

/// Makes a topic per stage, one act each, and rests after each.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ramp {
    stages: u32,
    rest: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stages(u32);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stage(u32);

impl Stage {
    fn topic(&self) -> String {
        format!("stage-{}", self.0)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "make {}", self.topic())
    }
}

impl StepKind for Ramp {
    const KIND: Kind = Kind {
        name: "ramp",
        summary: "makes topics one after the other",
        nature: Nature::State,
        risk: Risk::Reversible,
        needs: &[],
        on_unknown: OnUnknown::Ask,
        example: "",
    };
    const SETTLES: bool = true;
    type Change = Stages;
    type Act = Stage;

    fn resources(&self) -> Vec<Claim> {
        (0..self.stages).map(|stage| Claim::write(Resource::topic("main", &Stage(stage).topic()))).collect()
    }
    async fn inspect(&self, _: &World) -> Result<View, StepError> {
        Ok(View::default())
    }
    fn plan(&self, _: &View) -> Plan<Stages> {
        Plan::Change(Change { change: Stages(self.stages), effects: Vec::new(), binding: Value::Null })
    }
    fn leave(&self, _: &Stages, _: &mut View) {}
    fn acts(&self, change: &Stages) -> Vec<Stage> {
        (0..change.0).map(Stage).collect()
    }
    async fn standing(&self, context: &ActContext, _: &Stages, act: &Stage) -> Result<Standing, StepError> {
        Ok(match context.world.kafka("main")?.topic(&act.topic()).await? {
            Some(_) => Standing::After(Receipt::said(act.topic())),
            None => Standing::Before,
        })
    }
    async fn act(&self, context: &ActContext, _: &Stages, act: &Stage) -> Result<Receipt, StepError> {
        let topic = NewTopic { name: act.topic(), partitions: 1, replication: None, configs: BTreeMap::new() };
        context.world.kafka("main")?.create_topic(&topic).await?;
        Ok(Receipt::said(act.topic()))
    }
    async fn settle(&self, context: &ActContext, _: &Stages, act: &Stage, receipt: &Receipt) -> Result<Verdict, StepError> {
        // It is asked about the act that was done, with that act's own receipt.
        if receipt.line != act.topic() {
            return Ok(Verdict::Broken(format!("asked about {} with the receipt of {}", act.topic(), receipt.line)));
        }
        let rested = (context.now - context.rests_since).to_std().unwrap_or_default();
        Ok(match Duration::from_secs(self.rest).checked_sub(rested) {
            None | Some(Duration::ZERO) => Verdict::Holds(Evidence::said("rested")),
            Some(left) => Verdict::NotYet { now: format!("{} s left", left.as_secs()), goal: "rested".to_owned(), again_in: left },
        })
    }
    async fn verify(&self, _: &ActContext, _: Option<&Stages>) -> Result<Verdict, StepError> {
        Ok(Verdict::Holds(Evidence::said("all stages are there")))
    }
    fn revert(&self, _: &Stages, receipts: &[Receipt]) -> Revert {
        let step =
            |receipt: &Receipt| cutover::step::OrdinaryStep { kind: "delete_topic".to_owned(), body: json!({ "topic": receipt.line }) };
        Revert::Steps(receipts.iter().rev().map(step).collect())
    }
}

fn decode(kind: &str, body: &Value) -> Result<Box<dyn Step>, DecodeError> {
    if kind == "ramp" {
        let step = Ramp::deserialize(body).map_err(|error| DecodeError { pointer: String::new(), message: error.to_string() })?;
        return Ok(Box::new(step));
    }
    steps::decode(kind, body)
}

const CATALOGUE: Catalogue = Catalogue {
    kinds: &[<Ramp as StepKind>::KIND],
    schema: |kind, generator| if kind == "ramp" { Some(Ramp::json_schema(generator)) } else { steps::schema(kind, generator) },
    decode,
};

fn ramp(then: &str, limit: u32) -> Playbook {
    let guard =
        format!("metric: {{query: errors, above: 1, then: {then}, interval: 3s, failure_limit: {limit}, consecutive_error_limit: 9}}");
    let text = format!("playbook: ramp\nsteps:\n  - id: ramp\n    ramp: {{stages: 3, rest: 10}}\n    guards:\n      - {guard}\n");
    read("ramp", &text, &CATALOGUE)
}

/// Errors rise in the middle of the ramp and fall again.
fn a_wave(world: &SimWorld) {
    let none: &[(&str, &str)] = &[];
    world.metrics.set("errors", 0.0);
    world.metrics.set_in(TimeDelta::seconds(12), "errors", &[(none, 7.0)]);
    world.metrics.set_in(TimeDelta::seconds(30), "errors", &[(none, 0.0)]);
}

/// Reads the journal for itself: nothing begins while a guard holds, on a bad sample, or on one that is older than the last act; every
/// sample that is one too many is followed by what the guard says.
fn judge(journal: &[JournalEntry], limit: u32) -> (usize, usize) {
    let (mut held, mut bad, mut last_act, mut newest) = (BTreeSet::new(), 0, 0, None);
    let (mut holds, mut samples) = (0, 0);
    for (at, journaled) in journal.iter().enumerate() {
        match &journaled.entry {
            Entry::RevertBegun { .. } => break,
            Entry::StepBegun { .. } | Entry::ActDone { .. } => last_act = journaled.seq,
            Entry::ActBegun { act, .. } => {
                assert!(held.is_empty(), "act {act} begins while a guard holds");
                let (after, verdict) = newest.expect("a sample");
                assert!(after >= last_act, "act {act} begins on an old sample");
                assert_eq!(verdict, SampleVerdict::Good, "act {act} begins on a bad sample");
                if *act > 0 {
                    let settled =
                        journal[..at].iter().any(|entry| matches!(&entry.entry, Entry::ActSettled { act: done, .. } if done + 1 == *act));
                    assert!(settled, "act {act} begins before the one before it has settled");
                }
            }
            Entry::Watched { after, samples: found, .. } => {
                samples += 1;
                newest = Some((*after, found[0].verdict));
                bad += u32::from(found[0].verdict == SampleVerdict::Bad);
                if bad > limit && held.is_empty() {
                    let next = journal.get(at + 1).map(|next| &next.entry);
                    assert!(
                        matches!(next, Some(Entry::Held { .. } | Entry::StepFailed { .. })),
                        "{bad} bad samples, and then came {next:?} instead of a consequence"
                    );
                }
            }
            Entry::Held { guard, .. } => {
                assert!(bad > limit, "held after {bad} bad samples");
                (bad, holds) = (0, holds + 1);
                held.insert(*guard);
            }
            Entry::Released { .. } => {
                bad = 0;
                held.clear();
            }
            Entry::StepDone { .. } => assert!(held.is_empty(), "the step is done while a guard holds"),
            _ => {}
        }
    }
    (holds, samples)
}

fn played(playbook: &Playbook, seed: Seed, accidents: Accidents) -> Outcome {
    match check(playbook, seed, &Options { accidents, start: Some(a_wave), ..Options::default() }) {
        Ok(outcome) => outcome,
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn what_guards_ask_must_answer_before_anything_is_planned() {
    let dead: fn(&SimWorld) = |world| world.metrics.set_faults(Faults::new(|_, moment| moment == Moment::Before));
    let outcome = play(&ramp("hold", 0), Seed(0), &Options { start: Some(dead), ..Options::default() });
    assert!(outcome.problems[0].starts_with("it cannot be planned: metrics main at memory"), "{:?}", outcome.problems);
    let text =
        "playbook: wrong\nsteps:\n  - id: a\n    note: {text: a}\n    guards:\n      - metric: {query: 'sum(up', above: 1, then: hold}\n";
    let outcome = play(&read("wrong", text, &Catalogue::BUILT_IN), Seed(0), &Options::default());
    assert!(
        outcome.problems[0].starts_with("it cannot be planned: step a: ") && outcome.problems[0].contains("parse error"),
        "{:?}",
        outcome.problems
    );
}

#[test]
fn a_wave_of_errors_holds_the_ramp_and_lets_it_go_wherever_controllers_die() {
    for limit in [0, 2] {
        let playbook = ramp("hold", limit);
        let calm = play(&playbook, Seed(0), &Options { start: Some(a_wave), ..Options::default() });
        assert_eq!((&calm.problems, calm.state), (&Vec::new(), Some(RunState::Done)), "{:#?}", calm.trace);
        let (holds, samples) = judge(&calm.journal, limit);
        assert!(holds == 1 && samples > 10, "{holds} holds, {samples} rounds of samples");
        for point in 0..calm.points {
            judge(&played(&playbook, Seed(0), Accidents { die_at: Some(point), ..Accidents::default() }).journal, limit);
        }
        for seed in seeds(100) {
            judge(&played(&playbook, seed, Accidents::wild()).journal, limit);
        }
    }
}

#[test]
fn a_wave_of_errors_takes_the_run_back_wherever_controllers_die() {
    let playbook = ramp("revert_run", 1);
    let options = |accidents| Options { accidents, start: Some(a_wave), ..Options::default() };
    let calm = play(&playbook, Seed(0), &options(Accidents::default()));
    let mut plays = vec![(Seed(0), Accidents::default())];
    plays.extend((0..calm.points).map(|point| (Seed(0), Accidents { die_at: Some(point), ..Accidents::default() })));
    plays.extend(seeds(100).into_iter().map(|seed| (seed, Accidents::wild())));
    for (seed, accidents) in plays {
        let outcome = play(&playbook, seed, &options(accidents.clone()));
        assert_eq!(outcome.problems, Vec::<String>::new(), "seed {} {accidents:?}: {:#?}", seed.0, outcome.trace);
        assert_eq!(outcome.state, None, "it was taken back by the guard: {:#?}", outcome.trace);
        assert_eq!(outcome.worlds[0], outcome.worlds[2], "seed {} {accidents:?}: {:#?}", seed.0, outcome.trace);
        judge(&outcome.journal, 1);
        let by = outcome.journal.iter().find_map(|entry| match &entry.entry {
            Entry::RevertOrdered { by, reason, .. } => Some((by.clone(), reason.clone().unwrap_or_default())),
            _ => None,
        });
        let (by, reason) = by.expect("an order");
        assert!(
            by == "guard metric errors" && reason.contains("metric errors is 7 at 1970-01-01") && reason.contains("above 1"),
            "{by}: {reason}"
        );
    }
}
