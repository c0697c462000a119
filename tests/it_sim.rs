//! Every kind of step, played in a world in memory with every accident that can be thought of: controllers that die at every point,
//! lost replies, late answers, two controllers, impatient people. `CUTOVER_SIM_SEEDS` asks for more seeds, `CUTOVER_SIM_SEED` for one.

mod guarded;

use std::collections::BTreeMap;
use std::sync::Arc;

use cutover::playbook::{self, Carried, Catalogue, Playbook, Source};
use cutover::ports::kafka::NewRecord;
use cutover::sim::{Accidents, Options, Outcome, Seed, SimWorld, check, play};
use cutover::step::{
    ActContext, Change, Claim, Evidence, Kind, Nature, OnUnknown, Plan, Receipt, Revert, Risk, Standing, Step, StepError, StepKind,
    Verdict, View, World,
};
use cutover::steps::{self, DecodeError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The file that examples name.
const SCHEMA: &str = r#"{"type": "object", "properties": {"event_name": {"type": "string"}, "payload": {"type": "object"}}}"#;

fn read(name: &str, text: &str, catalogue: &Catalogue) -> Playbook {
    let greeting = include_str!("../playbooks/schemas/greeting.v0.json");
    let (state, services) = (include_str!("../playbooks/schemas/exercise_state.v0.json"), include_str!("../playbooks/services.yaml"));
    let files = [
        ("schemas/exercise_changed.v0.json", SCHEMA),
        ("schemas/greeting.v0.json", greeting),
        ("schemas/exercise_state.v0.json", state),
        ("services.yaml", services),
    ];
    let files = Carried(files.map(|(path, text)| (path.to_owned(), Arc::from(text))).into());
    match playbook::read_with(&Source::new(name, text), &BTreeMap::new(), &files, catalogue) {
        Ok((playbook, _)) => playbook,
        Err(diagnostics) => panic!("{}", diagnostics.plain()),
    }
}

/// Every example of the catalogue, and playbooks that use several kinds at once.
fn playbooks() -> Vec<Playbook> {
    let mut playbooks: Vec<_> = steps::KINDS.iter().map(|kind| read(kind.name, kind.example, &Catalogue::BUILT_IN)).collect();
    playbooks.push(read("together", TOGETHER, &Catalogue::BUILT_IN));
    playbooks.push(read("hello", include_str!("../playbooks/hello.yaml"), &Catalogue::BUILT_IN));
    playbooks
}

const TOGETHER: &str = "playbook: together
steps:
  - id: topic
    create_topic: {topic: datarep.exercise, partitions: 2}
  - id: more
    create_topic: {topic: datarep.exercise, partitions: 4, allow: grow, configs: {retention.ms: 60000}}
  - id: schema
    register_schema: {subject: datarep.exercise-value, file: schemas/exercise_changed.v0.json, compatibility: FULL}
  - id: go
    approval: {text: everything is there}
  - id: produce
    set_flag: {flag: exercise-events, to: on}
  - id: probe
    send_events:
      topic: datarep.exercise
      events:
        - {key: a, value: {event_name: One, payload: {id: 1}}}
        - {key: b, value: {event_name: Two, payload: {id: 2}}}
        - {key: a, value: {event_name: Three, payload: {id: 3}}}
      schema: {subject: datarep.exercise-value}
      stamp: {event_id: /event_id, produced_at: /produced_at}
      seen_by: {group: probe, join: true}
  - id: bake
    wait: {for: 30s}
  - id: read
    set_flag: {flag: exercise-read, to: events, variants: {events: events, http: http}}
";

/// Seeds of the tests that go through every point.
const FEW: [Seed; 3] = [Seed(1), Seed(2), Seed(3)];

fn seeds(usual: u64) -> Vec<Seed> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("CUTOVER_SIM_SEED") {
        Some(seed) => vec![Seed(seed)],
        None => (1..=number("CUTOVER_SIM_SEEDS").unwrap_or(usual)).map(Seed).collect(),
    }
}

/// A service's table with a few rows, for steps that publish them.
fn ground(world: &SimWorld) {
    world.database.create("exercise", &[("id", "bigint", false), ("title", "text", false), ("version", "integer", false)], &["id"]);
    for id in 1..=5 {
        let row = json!({ "id": id, "title": format!("Exercise {id}"), "version": id });
        world.database.put("exercise", row.as_object().unwrap().clone());
    }
}

fn options(accidents: Accidents) -> Options {
    Options { accidents, start: Some(ground) }
}

fn must_hold(playbook: &Playbook, seed: Seed, accidents: Accidents) -> Outcome {
    match check(playbook, seed, &options(accidents)) {
        Ok(outcome) => outcome,
        Err(failure) => panic!("{}: {failure}", playbook.name),
    }
}

#[test]
fn every_playbook_goes_forward_and_back_undisturbed() {
    for playbook in playbooks() {
        must_hold(&playbook, Seed(0), Accidents::default());
    }
}

#[test]
fn a_controller_may_die_at_every_point() {
    for playbook in playbooks() {
        let points = play(&playbook, Seed(0), &options(Accidents::default())).points;
        assert!(points > 3, "{} has only {points} points", playbook.name);
        for point in 0..points {
            must_hold(&playbook, Seed(0), Accidents { die_at: Some(point), ..Accidents::default() });
            for seed in FEW {
                must_hold(&playbook, seed, Accidents { die_at: Some(point), ..Accidents::wild() });
            }
        }
    }
}

#[test]
fn accidents_leave_no_trace() {
    for playbook in playbooks() {
        for seed in seeds(300) {
            must_hold(&playbook, seed, Accidents::wild());
        }
    }
}

#[test]
fn the_way_back_may_be_ordered_at_any_point() {
    for playbook in playbooks() {
        let points = play(&playbook, Seed(0), &options(Accidents::default())).points;
        for point in 0..points {
            must_hold(&playbook, Seed(0), Accidents { turn_at: Some(point), ..Accidents::default() });
            must_hold(&playbook, Seed(0), Accidents { turn_at: Some(point), die_at: Some(point + 1), ..Accidents::default() });
            for seed in FEW {
                must_hold(&playbook, seed, Accidents { turn_at: Some(point), ..Accidents::wild() });
            }
        }
    }
}

#[test]
fn the_same_seed_is_the_same_play() {
    let playbook = read("together", TOGETHER, &Catalogue::BUILT_IN);
    let options = Options { accidents: Accidents::wild(), ..Options::default() };
    let mut traces = Vec::new();
    for seed in seeds(20) {
        let (one, other) = (play(&playbook, seed, &options), play(&playbook, seed, &options));
        assert_eq!((&one.trace, &one.worlds), (&other.trace, &other.worlds), "seed {}", seed.0);
        traces.push(one.trace);
    }
    traces.dedup();
    assert!(traces.len() > 10, "chance decides nothing");
    assert!(traces.iter().flatten().any(|line| line.contains("died")), "nobody ever dies");
    assert!(traces.iter().flatten().any(|line| line.contains("took over")), "nobody ever takes over");
    assert!(traces.iter().flatten().any(|line| line.contains("stumbled")), "nothing ever fails");
}

/// Appends a record and does not look whether it did so before.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Append {
    topic: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record(String);

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "append to {}", self.0)
    }
}

impl StepKind for Append {
    const KIND: Kind = Kind {
        name: "append",
        summary: "appends a record, again and again",
        nature: Nature::Once,
        risk: Risk::Reversible,
        needs: &[],
        on_unknown: OnUnknown::ActAgain,
        example: "",
    };
    type Change = Record;
    type Act = Record;

    fn resources(&self) -> Vec<Claim> {
        Vec::new()
    }
    async fn inspect(&self, _: &World) -> Result<View, StepError> {
        Ok(View::default())
    }
    fn plan(&self, _: &View) -> Plan<Record> {
        Plan::Change(Change { change: Record(self.topic.clone()), effects: Vec::new(), binding: Value::Null })
    }
    fn leave(&self, _: &Record, _: &mut View) {}
    fn acts(&self, change: &Record) -> Vec<Record> {
        vec![change.clone()]
    }
    async fn standing(&self, _: &ActContext, _: &Record, _: &Record) -> Result<Standing, StepError> {
        Ok(Standing::Before)
    }
    async fn act(&self, context: &ActContext, _: &Record, _: &Record) -> Result<Receipt, StepError> {
        let record = NewRecord { key: None, value: Some(b"x".to_vec()), headers: Vec::new() };
        context.world.kafka("main")?.produce(&self.topic, &[record]).await?;
        Ok(Receipt::said("appended"))
    }
    async fn verify(&self, _: &ActContext, _: Option<&Record>) -> Result<Verdict, StepError> {
        Ok(Verdict::Holds(Evidence::said("appended")))
    }
    fn revert(&self, _: &Record, _: &[Receipt]) -> Revert {
        Revert::Kept(format!("the record stays in {}", self.topic))
    }
}

fn decode(kind: &str, body: &Value) -> Result<Box<dyn Step>, DecodeError> {
    if kind == "append" {
        let step = Append::deserialize(body).map_err(|error| DecodeError { pointer: String::new(), message: error.to_string() })?;
        return Ok(Box::new(step));
    }
    steps::decode(kind, body)
}

const BROKEN: Catalogue = Catalogue {
    kinds: &[<Append as StepKind>::KIND, <steps::create_topic::CreateTopic as StepKind>::KIND],
    schema: |kind, generator| if kind == "append" { Some(Append::json_schema(generator)) } else { steps::schema(kind, generator) },
    decode,
};

#[test]
fn a_kind_that_acts_twice_is_caught() {
    let text =
        "playbook: broken\nsteps:\n  - id: topic\n    create_topic: {topic: t, partitions: 1}\n  - id: append\n    append: {topic: t}\n";
    let playbook = read("broken", text, &BROKEN);
    let options = |accidents| Options { accidents, ..Options::default() };
    check(&playbook, Seed(0), &options(Accidents::default())).expect("undisturbed it does what it should");
    let points = play(&playbook, Seed(0), &Options::default()).points;
    let caught = (0..points)
        .filter_map(|point| check(&playbook, Seed(0), &options(Accidents { die_at: Some(point), ..Accidents::default() })).err())
        .collect::<Vec<_>>();
    assert!(!caught.is_empty(), "no death brought it to light");
    let shown = caught[0].to_string();
    assert!(shown.contains("the world is another one: /kafka/topics/t") && shown.contains("CUTOVER_SIM_SEED=0"), "{shown}");
    let wild = (1..=50).filter(|seed| check(&playbook, Seed(*seed), &options(Accidents::wild())).is_err()).count();
    assert!(wild > 5, "only {wild} of 50 wild plays brought it to light");
}
