//! The file of services: the one that is delivered, and what people are told of slips in theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

use cutover::playbook::{Carried, Catalogue, Source, lint, read_with, services};

const DELIVERED: &str = include_str!("../../playbooks/services.yaml");

fn complain(text: &str) -> String {
    services::read(&Source::new("services.yaml", text)).map_or_else(|mistakes| mistakes.plain(), |_| String::new())
}

#[test]
fn the_delivered_file_is_right_and_says_who_produces_what() {
    assert_eq!(complain(DELIVERED), "");
    let services = services::read(&Source::new("services.yaml", DELIVERED)).unwrap();
    let producers = services.producers(&"ExerciseChanged".parse().unwrap());
    let said: Vec<_> = producers
        .iter()
        .map(|one| {
            format!("{} {}{}", one.service, one.release, one.when.as_ref().map_or_else(String::new, |when| format!(" while {when}")))
        })
        .collect();
    assert_eq!(said, ["exercises 1.5 while exercise-events=on", "exercises 1.6", "exercises 1.7 while exercise-events=on"]);
}

#[test]
fn every_mistake_is_told_at_its_place() {
    let text = "links:
  exercise: {state: exercize.exercise, http: GET /x, event: ExerciseChanged}
events:
  ExerciseChanged: {topic: datarep/exercise}
services:
  exercises:
    delivery_timout: 10s
    \"1.4\": {serves: [exercise], produces: [{event: ExerciseChanged@0, wehn: a=b}]}
    \"1.5\": {produces: [\"ExerciseChanged 0\"]}
    \"1.6\": {produces: [{event: ExerciseChanged@0, when: exercise-events}]}
";
    insta::assert_snapshot!(complain(text), @r#"
    services.yaml:4:28: error[C0107]: `events.ExerciseChanged.topic`: `datarep/exercise` cannot be a topic name: `/` is not allowed, only letters, digits, `.`, `_` and `-` are
    services.yaml:7:5: error[C0102]: `delivery_timout` is not a key of `services.exercises`
      help: did you mean `delivery_timeout`?
    services.yaml:8:71: error[C0102]: `wehn` is not a key of `services.exercises.1.4.produces[0]`
      help: did you mean `when`?
    services.yaml:9:24: error[C0107]: `services.exercises.1.5.produces[0]`: `ExerciseChanged 0` is not an event; write `Name` or `Name@version`, for instance ExerciseChanged@0
    services.yaml:10:57: error[C0107]: `services.exercises.1.6.produces[0].when`: `exercise-events` is not a condition; write `flag=variant`, for instance exercise-events=on
    "#);
}

#[test]
fn names_that_nobody_declared_are_told_all_at_once() {
    let text = "links:
  exercise: {state: exercize.exercise, copy: hiring, event: ExerciseChange}
events:
  ExerciseChanged: {topic: datarep.exercise}
services:
  exercises:
    \"1.4\": {serves: [exercises], like: \"1.3\"}
    \"1.5\": {produces: [ExerciseChanged, ExrciseChanged@1], handles: {Nothing@0: {calls: exercise}}}
    \"1.6\": {uses: {exercise: event}, reads: [title]}
";
    insta::assert_snapshot!(complain(text), @r#"
    services.yaml:2:21: error[C0119]: there is no service `exercize`
      help: did you mean `exercises`?
    services.yaml:2:46: error[C0119]: `hiring` is not written as `service.table`
    services.yaml:2:61: error[C0119]: there is no event `ExerciseChange`
      help: did you mean `ExerciseChanged`?
    services.yaml:7:22: error[C0119]: there is no link `exercises`
      help: did you mean `exercise`?
    services.yaml:7:40: error[C0119]: there is no earlier release `1.3`
      help: declared are: none
    services.yaml:8:24: error[C0119]: `ExerciseChanged` does not say which version; write for instance `ExerciseChanged@0`
    services.yaml:8:41: error[C0119]: there is no event `ExrciseChanged`
      help: did you mean `ExerciseChanged`?
    services.yaml:8:70: error[C0119]: there is no event `Nothing`
      help: declared are: `ExerciseChanged`
    services.yaml:9:30: error[C0119]: under `uses` a link goes by `call`, `copy` or `none`
    services.yaml:9:46: error[C0119]: `title` is not written as `table.column`
    "#);
}

#[test]
fn a_step_that_names_a_broken_file_shows_where_it_is_broken() {
    let text = "playbook: p\nsteps:\n  - id: silent\n    retire_producers: {event: ExerciseChanged, topic: datarep.exercise, services: services.yaml}\n";
    let with = |services: &str, text: &str| {
        let files = Carried(BTreeMap::from([("services.yaml".to_owned(), Arc::from(services))]));
        lint(&Source::new("playbooks/p.yaml", text), &BTreeMap::new(), &files).plain()
    };
    assert_eq!(with(DELIVERED, text), "");
    insta::assert_snapshot!(with(&DELIVERED.replace("event: ExerciseChanged@0, when", "event: ExerciseChangd@0, when"), text), @r#"
    playbooks/services.yaml:46:11: error[C0119]: there is no event `ExerciseChangd`
      help: did you mean `ExerciseChanged`?
    "#);
    insta::assert_snapshot!(with(DELIVERED, &text.replace("event: ExerciseChanged", "event: AttemptMade")), @r#"
    playbooks/p.yaml:4:31: error[C0113]: services.yaml declares no event `AttemptMade`
    "#);
    insta::assert_snapshot!(with(DELIVERED, &text.replace("topic: datarep.exercise", "topic: datarep.bonus")), @r#"
    playbooks/p.yaml:4:55: error[C0113]: services.yaml says that `ExerciseChanged` travels on datarep.exercise
    "#);
}

#[test]
fn what_a_snapshot_cannot_fill_is_told_before_anything_runs() {
    let text = "playbook: p
steps:
  - id: schema
    register_schema: {subject: s, file: schemas/s.json}
  - id: snapshot
    publish_snapshot: {from: exercises.exercise, topic: t, schema: schema}
  - id: other
    publish_snapshot: {from: exercise, topic: t, schema: snapshot}
";
    let with = |schema: &str| {
        let files = Carried(BTreeMap::from([("schemas/s.json".to_owned(), Arc::from(schema))]));
        match read_with(&Source::new("p.yaml", text), &BTreeMap::new(), &files, &Catalogue::BUILT_IN) {
            Ok((_, diagnostics)) | Err(diagnostics) => diagnostics.plain(),
        }
    };
    insta::assert_snapshot!(with(r#"{"properties": {"id": {}, "title": {}}}"#), @r#"
    p.yaml:6:23: error[C0113]: the schema has no field for column `version`, which grows with every change: without it nobody can tell which record of a key is newer
    p.yaml:8:30: error[C0107]: `from`: `exercise` is not a table; write `database.table`, or `database.schema.table`
    "#);
}

#[test]
fn what_may_break_is_accepted_by_name_and_with_a_reason() {
    let playbook = |accept: &str| format!("playbook: p\naccept:\n  - {accept}\nsteps:\n  - id: a\n    note: {{text: a}}\n");
    let read = |accept: &str| {
        let source = Source::new("p.yaml", playbook(accept));
        cutover::playbook::read(&source, &BTreeMap::new(), &Carried(BTreeMap::new()))
    };
    let (found, _) = read("{rule: f, subject: exercise, reason: it is read again tonight}").unwrap();
    assert_eq!(
        found.accept.iter().map(|gap| format!("{} {}", gap.name(), gap.reason)).collect::<Vec<_>>(),
        ["f:exercise it is read again tonight"]
    );
    let complain = |accept: &str| read(accept).expect_err("a mistake").plain();
    insta::assert_snapshot!(complain("{rule: f, subject: exercise}"), @r"
    p.yaml:3:5: error[C0103]: `accept[0]` needs `reason`
      help: add `reason: …`: why it may break
    ");
    insta::assert_snapshot!(complain("{rule: f, subject: exercise, reason: '', until: monday}"), @r"
    p.yaml:3:42: error[C0106]: `accept[0].reason` must not be empty
    p.yaml:3:46: error[C0102]: `until` is not a key of `accept[0]`
      help: its keys are: `rule`, `subject`, `reason`
    ");
    insta::assert_snapshot!(complain("f:exercise"), @r"p.yaml:3:5: error[C0104]: `accept[0]` must be a map of keys, not text");
}
