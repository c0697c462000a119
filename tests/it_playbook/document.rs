//! A playbook that can be read: what comes out of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use cutover::playbook::environment::Config;
use cutover::playbook::{Bundle, Carried, Catalogue, Directory, FileError, Files, Source, StepOptions, lint};
use cutover::step::{OnFailure, SystemKind};

use super::kinds::{CATALOGUE, read};

const TEXT: &str = r#"playbook: move
link: COMM-020
description: moves the exercise
params:
  topic: {type: string, default: orders}
steps:
  - id: schema
    register_schema: {registry: main, subject: "${topic}-value", file: schemas/a.json}
    on_failure: revert_run
    approval: "is ${topic} the right topic?"
  - id: sure
    approval: {text: "go on?"}
  - id: topic
    create_topic:
      cluster: main
      topic: ${topic}
      partitions: 3
    timeout: 1h30m
"#;

fn files() -> Carried {
    Carried(BTreeMap::from([("schemas/a.json".to_owned(), Arc::from("{\"type\": \"object\"}\n"))]))
}

#[test]
fn everything_is_there() {
    let (playbook, warnings) = read(TEXT, &[], &files()).expect("a playbook");
    assert!(warnings.is_empty(), "{}", warnings.plain());
    assert_eq!(
        (playbook.name.as_str(), playbook.link.as_deref(), playbook.description.as_deref()),
        ("move", Some("COMM-020"), Some("moves the exercise"))
    );
    let kinds: Vec<_> = playbook.steps.iter().map(|step| (step.id.as_str(), step.kind.name)).collect();
    assert_eq!(kinds, [("schema", "register_schema"), ("sure", "approval"), ("topic", "create_topic")]);
    let [schema, sure, topic] = playbook.steps.as_slice() else { panic!("three steps") };
    assert_eq!(schema.options.on_failure, OnFailure::RevertRun);
    assert_eq!(schema.options.approval.as_deref(), Some("is orders the right topic?"));
    assert_eq!(sure.options, StepOptions::default());
    assert_eq!(topic.options.timeout.expect("a timeout").to_string(), "1h30m");
    assert_eq!((topic.place.line, topic.place.column), (13, 9));
    let at = |pointer: &str| topic.places.get(pointer).map(|place| (place.line, place.column));
    assert_eq!((at(""), at("/topic"), at("/partitions"), at("/nowhere")), (Some((15, 7)), Some((16, 14)), Some((17, 19)), None));
    assert_eq!(playbook.files.keys().collect::<Vec<_>>(), ["schemas/a.json"]);
}

/// Has every file: the delivered one where there is one of that name.
struct Everything;

impl Files for Everything {
    fn text(&self, path: &str) -> Result<Arc<str>, FileError> {
        let delivered = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks").join(path);
        Ok(Arc::from(std::fs::read_to_string(delivered).unwrap_or_else(|_| "{}".to_owned())))
    }

    fn near(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

#[test]
fn the_example_of_every_kind_is_a_playbook_without_a_warning() {
    for kind in Catalogue::BUILT_IN.kinds {
        let said = lint(&Source::new("example.yaml", kind.example), &BTreeMap::new(), &Everything).plain();
        assert_eq!(said, "", "{}", kind.name);
    }
}

/// A kind that touches something on a system with rights must say which of them it needs.
#[test]
fn every_kind_says_its_rights_on_what_it_touches() {
    for kind in Catalogue::BUILT_IN.kinds {
        let source = Source::new("example.yaml", kind.example);
        let (playbook, _) = cutover::playbook::read(&source, &BTreeMap::new(), &Everything).expect("an example");
        for step in &playbook.steps {
            let rights = step.rights();
            let told = [SystemKind::Kafka, SystemKind::Database, SystemKind::Registry];
            for claim in step.resources().iter().filter(|claim| told.contains(&claim.resource.system)) {
                let said = rights.iter().any(|right| right.resource == claim.resource);
                assert!(said, "{}: {} says nothing about {}", kind.name, step.id, claim.resource);
            }
        }
    }
}

#[test]
fn files_come_from_the_directory_and_from_nowhere_else() {
    let directory = tempfile::tempdir().expect("a directory");
    let inside = directory.path().join("inside");
    std::fs::create_dir_all(inside.join("schemas")).expect("a directory");
    std::fs::write(directory.path().join("secret.json"), "{}").expect("a file");
    std::os::unix::fs::symlink("../../secret.json", inside.join("schemas/a.json")).expect("a link");
    let said = || read(TEXT, &[], &Directory::new(&inside)).map_or_else(|diagnostics| diagnostics.plain(), |_| String::new());
    insta::assert_snapshot!(said(), @r"
    p.yaml:8:72: error[C0114]: `schemas/a.json` cannot be read: it lies outside the playbook's directory
      help: paths begin at the directory in which the playbook lies
    ");
    std::fs::remove_file(inside.join("schemas/a.json")).expect("removed");
    std::fs::write(inside.join("schemas/aa.json"), "{}").expect("a file");
    insta::assert_snapshot!(said(), @r"
    p.yaml:8:72: error[C0114]: there is no file `schemas/a.json`
      help: did you mean `schemas/aa.json`?
    ");
    std::fs::write(inside.join("schemas/a.json"), [0xff]).expect("a file");
    insta::assert_snapshot!(said(), @r"
    p.yaml:8:72: error[C0114]: `schemas/a.json` cannot be read: it is not UTF-8 text
      help: paths begin at the directory in which the playbook lies
    ");
    std::fs::remove_file(inside.join("schemas/a.json")).expect("removed");
    std::fs::create_dir(inside.join("schemas/a.json")).expect("a directory");
    insta::assert_snapshot!(said(), @r"
    p.yaml:8:72: error[C0114]: `schemas/a.json` cannot be read: it is not a file
      help: paths begin at the directory in which the playbook lies
    ");
    std::fs::remove_dir(inside.join("schemas/a.json")).expect("removed");
    std::fs::write(inside.join("schemas/a.json"), "{}").expect("a file");
    assert_eq!(said(), "");
}

#[test]
fn a_bundle_reads_as_the_playbook_did() {
    let source = Source::new("dir/p.yaml", TEXT);
    let vars = BTreeMap::from([("topic".to_owned(), "payments".to_owned())]);
    let (playbook, _) = cutover::playbook::read_with(&source, &vars, &files(), &CATALOGUE).expect("a playbook");
    let config = Config::read("cutover.yaml", "environments: {prod: {kafka: {main: {bootstrap: \"kafka:9092\"}}}}\n").expect("a file");
    let bundle = Bundle::pack(&source, &vars, &playbook, config.environment(None).expect("one").clone());
    let json = serde_json::to_string(&bundle).expect("JSON");
    assert!(json.starts_with("{\"schema\":\"cutover.bundle/1\","), "{json}");
    let back: Bundle = serde_json::from_str(&json).expect("a bundle");
    assert_eq!(back, bundle);
    let (again, _) = back.open_with(&CATALOGUE).expect("a playbook");
    let bodies = |playbook: &cutover::playbook::Playbook| playbook.steps.iter().map(|step| step.step.body()).collect::<Vec<_>>();
    assert_eq!(bodies(&again), bodies(&playbook));
    assert_eq!(again.params, playbook.params);
    assert_eq!(back.hash(), bundle.hash());
    assert_eq!(bundle.hash().len(), 64);
    let other = Bundle { vars: BTreeMap::new(), ..bundle };
    assert_ne!(other.hash(), back.hash());
    assert!(serde_json::from_str::<Bundle>(&json.replace("bundle/1", "bundle/2")).is_err());
}

#[test]
fn a_bundle_that_lacks_a_file_is_refused() {
    let source = Source::new("p.yaml", TEXT);
    let (playbook, _) = read(TEXT, &[], &files()).expect("a playbook");
    let config = Config::read("cutover.yaml", "environments: {prod: {}}\n").expect("a file");
    let mut bundle = Bundle::pack(&source, &BTreeMap::new(), &playbook, config.environment(None).expect("one").clone());
    bundle.files.clear();
    insta::assert_snapshot!(bundle.open_with(&CATALOGUE).expect_err("a mistake").plain(), @r"
    p.yaml:8:72: error[C0114]: there is no file `schemas/a.json`
      help: paths begin at the directory in which the playbook lies
    ");
}
