//! The playbooks that are delivered are proven, and every kind of step in them says its moves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover::check::{Book, Proof, book_of, prove, prove_rest};
use cutover::playbook::{self, Directory, Source};

use super::{books, names};

fn read(name: &str, text: &str, path: &Path) -> playbook::Playbook {
    let read = playbook::read(&Source::new(name, text), &BTreeMap::new(), &Directory::of(path));
    read.unwrap_or_else(|mistakes| panic!("{}", mistakes.plain())).0
}

/// A delivered playbook.
pub fn open(name: &str) -> playbook::Playbook {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks").join(name);
    read(name, &std::fs::read_to_string(&path).expect("a playbook"), &path)
}

/// Its book.
pub fn book_of_delivered(name: &str) -> Book {
    book_of(&open(name))
}

fn delivered(name: &str) -> (Book, Proof) {
    let playbook = open(name);
    let book = book_of(&playbook);
    let proof = prove(playbook.services.as_deref().expect("its services"), &book);
    (book, proof)
}

#[test]
fn every_delivered_playbook_is_proven() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks");
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let playbooks: Vec<String> =
        names.filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "yaml") && !name.starts_with("services")).collect();
    assert!(playbooks.len() >= 4, "{playbooks:?}");
    for name in playbooks {
        let (_, proof) = delivered(&name);
        assert!(proof.proven && proof.start_violations.is_empty(), "{name}: {proof:#?}");
    }
}

fn moves(book: &Book) -> Vec<String> {
    book.steps.iter().flat_map(|step| &step.moves).map(ToString::to_string).collect()
}

#[test]
fn the_way_to_events_is_proven_with_a_way_back_from_every_state() {
    let (book, proof) = delivered("comm-020.yaml");
    assert!(proof.proven && proof.start_violations.is_empty() && proof.line.is_none(), "{proof:#?}");
    assert_eq!(
        moves(&book),
        [
            "create_topic datarep.exercise",
            "register_schema ExerciseChanged@0",
            "release hiring 1.5",
            "send_events ExerciseChanged@0",
            "release exercises 1.5",
            "flag exercise-events on",
            "publish_snapshot exercises.exercise as ExerciseChanged@0",
            "catch_up hiring-exercises datarep.exercise",
            "flag exercise-read events",
            "release hiring 1.6",
            "release exercises 1.6",
        ]
    );
}

#[test]
fn the_way_back_to_calls_is_proven_with_a_way_back_from_every_state() {
    let (book, proof) = delivered("p2.yaml");
    assert!(proof.proven && proof.start_violations.is_empty() && proof.line.is_none(), "{proof:#?}");
    assert_eq!(
        moves(&book),
        [
            "release exercises 1.7",
            "release hiring 1.7",
            "flag exercise-read call",
            "flag exercise-events off",
            "retire_producers ExerciseChanged",
            "drain_topic ExerciseChanged@0 consumed",
            "release hiring 1.8",
            "release exercises 1.8",
            "remove_flag exercise-events",
            "remove_flag exercise-read",
        ]
    );
}

#[test]
fn a_flag_that_goes_before_its_last_reader_is_refused_and_serves_its_default() {
    let playbook = open("p2.yaml");
    let services = playbook.services.as_deref().expect("its services");
    let moved = |step: &str, before: &str| {
        let mut book = book_of(&playbook);
        let from = book.steps.iter().position(|one| one.id == step).expect("the step");
        let step = book.steps.remove(from);
        let to = book.steps.iter().position(|one| one.id == before).expect("the place");
        book.steps.insert(to, step);
        prove(services, &book)
    };
    let proof = moved("forget-read", "no-consumer");
    let found: Vec<_> = proof.violations.iter().map(|one| (one.name(), one.story.clone())).collect();
    assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["d:exercise-read"], "{found:#?}");
    let told = "hiring 1.7 still evaluates exercise-read: the step is refused as long as it runs, and without the flag it would get call";
    assert!(found[0].1.contains(told), "{}", found[0].1);
    // Why: while the flag serves events, its default is a call that nobody answers yet.
    let early: Vec<_> = moved("forget-read", "endpoint").violations.iter().map(cutover::check::Violation::name).collect();
    assert!(!early.iter().any(|name| name.starts_with("d:exercise-read")), "hiring 1.6 has no such flag: {early:?}");
    let early: Vec<_> = moved("forget-events", "silence").violations.iter().map(cutover::check::Violation::name).collect();
    assert!(early.contains(&"d:exercise-events".to_owned()), "{early:?}");

    let mut bare = services.clone();
    bare.defaults.clear();
    let mut book = book_of(&playbook);
    let from = book.steps.iter().position(|one| one.id == "forget-read").expect("the step");
    let step = book.steps.remove(from);
    let to = book.steps.iter().position(|one| one.id == "silence").expect("the place");
    book.steps.insert(to, step);
    let broken = names(&bare, &book);
    assert!(broken.contains(&"f:exercise".to_owned()), "without a declared default it may serve the copy for ever: {broken:?}");
}

#[test]
fn a_delivered_playbook_without_a_step_that_matters_is_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/comm-020.yaml");
    let playbook = read("comm-020.yaml", &std::fs::read_to_string(&path).expect("a playbook"), &path);
    for (gone, broken) in [("caught-up", "f:exercise"), ("snapshot", "f:exercise"), ("handler", "h:")] {
        let mut book = book_of(&playbook);
        book.steps.retain(|step| step.id != gone);
        let names = names(playbook.services.as_deref().expect("its services"), &book);
        assert!(names.iter().any(|name| name.starts_with(broken)), "without {gone}: {names:?}");
    }
}

#[test]
fn what_only_waits_for_a_release_or_stops_one_says_so_too() {
    let text = "playbook: p
steps:
  - id: awaited
    expect_release: {service: hiring, at_least: \"1.5\"}
  - id: part
    roll_out_flag: {flag: exercise-events, to: on, shares: [10%], partial: true, bake: 1s}
  - id: stopped
    stop_workload: {service: hiring}
";
    let book = book_of(&read("p.yaml", text, Path::new("p.yaml")));
    assert_eq!(moves(&book), ["release hiring 1.5", "flag_share exercise-events on", "stop hiring"]);
}

#[test]
fn a_share_that_stays_leaves_the_other_variant_in_use() {
    let mut migration = books::load("p2");
    let switch = migration.provable.steps.iter().position(|step| step.id == "switch").expect("the switch");
    migration.provable.steps[switch] = books::step("switch: flag_share exercise-read call");
    let names = names(&migration.services(), &migration.provable);
    assert!(names.contains(&"f:exercise".to_owned()), "{names:?}");
}

#[test]
fn a_way_back_is_proven_as_it_is_gone() {
    let migration = books::load("p1");
    let gone = migration.provable.steps.iter().position(|step| step.id == "switch").expect("the switch") + 1;
    let rest = |lines: &[&str], broken_off: bool| {
        let mut book = migration.provable.clone();
        book.steps.truncate(gone);
        book.steps.extend(lines.iter().map(|line| books::step(line)));
        book.steps[gone].beside = broken_off;
        let proof = prove_rest(&migration.services(), &book, gone);
        (proof.proven, proof.violations.iter().map(cutover::check::Violation::name).collect::<Vec<_>>())
    };
    let (reads, feeds) = ("reads: flag exercise-read call", "feeds: flag exercise-events off");
    assert_eq!(rest(&[reads, feeds], false), (true, Vec::new()));
    assert_eq!(rest(&[reads, feeds], true), (true, Vec::new()), "the switch was broken off");
    let (proven, broken) = rest(&[feeds, reads], false);
    assert!(!proven && broken.contains(&"f:exercise".to_owned()), "the copy is read after it is no longer fed: {broken:?}");
}
