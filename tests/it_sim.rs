//! Every kind of step, played in a world in memory with every accident that can be thought of: controllers that die at every point,
//! lost replies, late answers, two controllers, impatient people. `CUTOVER_SIM_SEEDS` asks for more seeds, `CUTOVER_SIM_SEED` for one.

mod foreseen;
mod guarded;

use std::collections::BTreeMap;
use std::sync::Arc;

use cutover::flags::Heartbeat;
use cutover::playbook::{self, Carried, Catalogue, Playbook, Source};
use cutover::ports::kafka::{NewRecord, NewTopic, Position};
use cutover::ports::workloads::{Desired, DesiredChange, Instance};
use cutover::sim::{Accidents, Options, Outcome, Seed, SimWorld, check, play};
use cutover::step::{
    ActContext, Change, Claim, ErasedPlan, Evidence, Kind, Nature, OnUnknown, Plan, Receipt, Revert, Risk, Standing, Step, StepError,
    StepKind, Verdict, View, World,
};
use cutover::steps::{self, DecodeError};
use futures_util::FutureExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The file that examples name.
const SCHEMA: &str = r#"{"type": "object", "properties": {"event_name": {"type": "string"}, "payload": {"type": "object"}}}"#;

fn read(name: &str, text: &str, catalogue: &Catalogue) -> Playbook {
    read_on(name, text, catalogue, SCHEMA)
}

/// As [`read`], with another schema in the file that examples name.
fn read_on(name: &str, text: &str, catalogue: &Catalogue, changed: &str) -> Playbook {
    let greeting = include_str!("../playbooks/schemas/greeting.v0.json");
    let (state, services) = (include_str!("../playbooks/schemas/exercise_state.v0.json"), include_str!("../playbooks/services.yaml"));
    let files = [
        ("schemas/exercise_changed.v0.json", changed),
        ("schemas/greeting.v0.json", greeting),
        ("schemas/exercise_state.v0.json", state),
        ("services.yaml", services),
        ("services-hello.yaml", include_str!("../playbooks/services-hello.yaml")),
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
    playbooks.push(read("beside", BESIDE, &Catalogue::BUILT_IN));
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

const BESIDE: &str = "playbook: beside
steps:
  - parallel:
      - id: topic
        create_topic: {topic: datarep.exercise, partitions: 2}
      - id: schema
        register_schema: {subject: datarep.exercise-value, file: schemas/exercise_changed.v0.json, compatibility: FULL}
      - id: go
        approval: {text: everything is there}
      - id: bake
        wait: {for: 30s}
  - parallel:
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
  - id: done
    note: {text: all of it}
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

/// As [`ground`], with texts for ids, as the sample services have them.
fn named_ground(world: &SimWorld) {
    world.database.create("exercise", &[("id", "text", false), ("title", "text", false), ("version", "bigint", false)], &["id"]);
    for id in 1..=5 {
        let row = json!({ "id": id.to_string(), "title": format!("Exercise {id}"), "version": id });
        world.database.put("exercise", row.as_object().unwrap().clone());
    }
}

fn options(accidents: Accidents) -> Options {
    Options { accidents, start: Some(ground), ..Options::default() }
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

/// A topic with what an earlier move left in it, and services that run at the release that it ended with.
fn after_the_move(world: &SimWorld) {
    ground(world);
    let start = async {
        let systems = world.world();
        let kafka = systems.kafka("main").unwrap();
        let topic = NewTopic { name: TOPIC.to_owned(), partitions: 3, replication: None, configs: BTreeMap::new() };
        kafka.create_topic(&topic).await.unwrap();
        let record = |key: &str| NewRecord { key: Some(key.into()), value: Some(b"{}".to_vec()), headers: Vec::new() };
        kafka.produce(TOPIC, &[record("1"), record("2")]).await.unwrap();
        for service in ["exercises", "hiring"] {
            let after = Desired { release: "1.6".to_owned(), instances: 1 };
            let change = DesiredChange { key: service.to_owned(), service: service.to_owned(), before: None, after };
            systems.workloads("main").unwrap().change(&change).await.unwrap();
        }
    };
    start.now_or_never().expect("a world in memory answers at once");
    live(world);
}

const TOPIC: &str = "datarep.exercise";

/// What services do all the time: hiring reads the events, and every instance says that it uses the newest flags.
fn live(world: &SimWorld) {
    let lives = async {
        let systems = world.world();
        let ends = systems.kafka("main").unwrap().ends(TOPIC).await.unwrap_or_default();
        let instances = systems.workloads("main").unwrap().instances(None).await.unwrap();
        if instances.iter().any(|instance| instance.service == "hiring") {
            world.kafka.set_members("hiring-exercises", 1);
            for end in ends {
                world.kafka.commit("hiring-exercises", TOPIC, Position { partition: end.partition, offset: end.end });
            }
        }
        let services = cutover::services::Services::parse(include_str!("../playbooks/services.yaml")).unwrap();
        let revision = systems.flags("main").unwrap().revision().await.unwrap();
        for Instance { service, instance, release, .. } in instances {
            let (environment, store) = ("sim".to_owned(), "main".to_owned());
            let flags = Some(services.flags_of(&service, &release).into_iter().map(str::to_owned).collect());
            let oldest = revision;
            world.flags.report(Heartbeat { environment, store, service, instance, release, revision, oldest, flags, ending: false });
        }
        for line in [include_str!("../playbooks/comm-020.yaml"), include_str!("../playbooks/p2.yaml")].concat().lines() {
            if let Some(query) = line.trim().strip_prefix("query: ") {
                world.metrics.set(query, 0.0);
            }
        }
    };
    lives.now_or_never().expect("a world in memory answers at once");
}

/// Makes a world what it is at the start.
type Start = fn(&SimWorld);

/// Playbooks that need services which live, and where they begin.
fn rows() -> Vec<(Playbook, Start)> {
    let read = |name, text| read_on(name, text, &Catalogue::BUILT_IN, include_str!("../playbooks/schemas/exercise_changed.v0.json"));
    vec![
        (read("start", include_str!("../playbooks/start.yaml")), ground),
        (read("comm-020", include_str!("../playbooks/comm-020.yaml")), named_ground),
        (read("p2", include_str!("../playbooks/p2.yaml")), after_the_move),
        (read("again", AGAIN), ground),
    ]
}

#[test]
fn what_a_plan_foresees_is_what_the_run_does() {
    let by_themselves = playbooks().into_iter().map(|playbook| (playbook, ground as Start, None));
    let among_services = rows().into_iter().map(|(playbook, start)| (playbook, start, Some(live as Start)));
    for (playbook, start, live) in by_themselves.chain(among_services) {
        let outcome = play(&playbook, Seed(0), &Options { start: Some(start), live, ..Options::default() });
        assert!(outcome.problems.is_empty(), "{}: {:?}\n{:#?}", playbook.name, outcome.problems, outcome.trace);
        let plan = outcome.plan.expect("a plan");
        let blind: Vec<_> = plan.steps.iter().filter(|step| matches!(step.plan, ErasedPlan::CannotPreview(_))).collect();
        assert!(blind.is_empty(), "{}: {blind:#?}", playbook.name);
        assert_eq!(foreseen::unforeseen(&plan.steps, &outcome.journal), Vec::<String>::new(), "{}", playbook.name);
        assert_eq!(foreseen::unforeseen_back(&outcome.back, &outcome.journal), Vec::<String>::new(), "{}: the way back", playbook.name);
    }
}

/// Steps of one kind after another on the same thing.
const AGAIN: &str = "playbook: again
steps:
  - id: first
    deploy: {service: hiring, release: \"1.4\"}
  - id: second
    deploy: {service: hiring, release: \"1.5\", instances: 2}
  - id: stop
    stop_workload: {service: hiring}
  - id: third
    deploy: {service: hiring, release: \"1.6\"}
  - id: expected
    expect_release: {service: hiring, at_least: \"1.6\", heartbeats: false}
  - id: on
    set_flag: {flag: exercise-read, to: call, variants: {call: call, events: events}}
  - id: some
    roll_out_flag: {flag: exercise-read, to: events, shares: [10%], partial: true, bake: 1s}
  - id: other
    set_flag: {flag: exercise-events, to: on}
  - id: all
    roll_out_flag: {flag: exercise-read, to: events, shares: [20%, 100%], bake: 1s}
  - id: off
    set_flag: {flag: exercise-read, to: call}
  - id: topic
    create_topic: {topic: mistaken.name, partitions: 1}
  - id: gone
    delete_topic: {topic: mistaken.name}
  - id: anew
    create_topic: {topic: mistaken.name, partitions: 2}
  - id: schema
    register_schema: {subject: mistaken.name-value, file: schemas/exercise_changed.v0.json, compatibility: NONE}
  - id: next
    register_schema: {subject: mistaken.name-value, file: schemas/greeting.v0.json}
  - id: same
    register_schema: {subject: mistaken.name-value, file: schemas/exercise_changed.v0.json}
  - id: not-next
    delete_schema: {subject: mistaken.name-value, version: 2}
  - id: level
    set_compatibility: {subject: mistaken.name-value, level: NONE}
  - id: inherit
    set_compatibility: {subject: mistaken.name-value, level: inherit}
";

#[test]
fn what_came_and_went_in_one_run_leaves_nothing_behind() {
    let playbook = steps::find("delete_topic").unwrap();
    let outcome = play(&read("delete_topic", playbook.example, &Catalogue::BUILT_IN), Seed(0), &options(Accidents::default()));
    assert_eq!((outcome.problems, outcome.kept, outcome.back.len()), (Vec::new(), Vec::new(), 0));
    assert_eq!(outcome.worlds[0]["kafka"]["topics"], outcome.worlds[2]["kafka"]["topics"]);
}

#[test]
fn a_table_that_a_service_makes_cannot_be_previewed() {
    let (playbook, _) = rows().remove(1);
    let outcome = play(&playbook, Seed(0), &Options { live: Some(live), start: Some(live), ..Options::default() });
    let plan = outcome.plan.expect("a plan");
    let snapshot = plan.steps.iter().find(|step| step.id == "snapshot").unwrap();
    let ErasedPlan::CannotPreview(why) = &snapshot.plan else { panic!("{:?}", snapshot.plan) };
    assert!(why.contains("release 1.5 of exercises may make it"), "{why}");
    assert!(outcome.problems.iter().any(|problem| problem.contains("there is no table")), "{:?}", outcome.problems);
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
