//! Plans and declarations with something wrong in them, or only something different: each is judged by the proof and played by the
//! simulator, and nothing that is accepted may lose anything.

use std::collections::{BTreeMap, BTreeSet};

use cutover::check::{Book, Violation, prove, way_back};
use cutover::services::{Services, Written};
use cutover::step::pointer::{escape, unescape};
use cutover::step::{DrainGoal, Move};
use serde_json::Value;

use crate::books::{self, Migration};
use cutover::sim::town::{self, Random};

/// How many schedules each mutant is played with.
fn seeds() -> u64 {
    number("CUTOVER_CHECK_SEEDS", 6)
}

pub fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// How many mutants fell where.
#[derive(Default)]
struct Table {
    refused_loses: usize,
    refused_clean: Vec<String>,
    accepted_loses: Vec<String>,
    accepted_clean: usize,
}

impl Table {
    fn judge(&mut self, name: &str, services: &Services, ideal: &Services, book: &Book) {
        // Why: whether a line is named is no question of what is lost.
        let mut open = book.clone();
        for step in &mut open.steps {
            step.line = true;
        }
        let proof = prove(services, &open);
        let accepted = proof.proven && proof.start_violations.is_empty();
        let lost = (0..seeds()).map(|seed| town::run(services, ideal, book, seed)).find(|lost| !lost.is_empty());
        let why = || proof.violations.iter().chain(&proof.start_violations).map(Violation::name).collect::<Vec<_>>().join(" ");
        match (accepted, lost) {
            (true, None) => self.accepted_clean += 1,
            (true, Some(lost)) => self.accepted_loses.push(format!("{name}: {lost:?}")),
            (false, Some(_)) => self.refused_loses += 1,
            (false, None) => self.refused_clean.push(format!("{name}: {}", why())),
        }
    }

    fn report(&self, title: &str) {
        println!("{title}: {} seeds each", seeds());
        println!("            | loses | clean");
        println!("  refused   | {:5} | {:5}", self.refused_loses, self.refused_clean.len());
        println!("  accepted  | {:5} | {:5}", self.accepted_loses.len(), self.accepted_clean);
        for one in &self.refused_clean {
            println!("  refused and clean: {one}");
        }
        for one in &self.accepted_loses {
            println!("  ACCEPTED AND LOSES: {one}");
        }
    }
}

#[test]
fn what_is_proven_loses_nothing_and_what_was_written_loses() {
    for migration in books::all() {
        let services = migration.services();
        for seed in 0..seeds() * 2 {
            let lost = town::run(&services, &services, &migration.provable, seed);
            assert!(lost.is_empty(), "{} with seed {seed}: {lost:?}", migration.name);
        }
        if migration.refused.is_empty() {
            continue;
        }
        let losing = (0..seeds() * 2).filter(|seed| !town::run(&services, &services, &migration.written, *seed).is_empty()).count();
        println!("{}: as written, {losing} of {} runs lose", migration.name, seeds() * 2);
        assert!(losing > 0, "{}: the simulator does not see what the written order breaks", migration.name);
    }
}

#[test]
fn every_story_of_a_written_order_comes_true_and_none_does_where_the_order_is_proven() {
    let mut told = 0;
    for migration in books::all() {
        let services = migration.services();
        let proof = prove(&services, &migration.written);
        for violation in proof.violations.iter().filter(|violation| town::tells_a_state(violation)) {
            told += 1;
            let name = format!("{} {}", migration.name, violation.name());
            assert!(town::replay(&services, &migration.written, violation).is_some(), "{name} never comes true: {}", violation.story);
            // Why not of waits: the proven order has other steps, and what ends there is no word on this one.
            let there = migration.provable.steps.iter().any(|step| Some(&step.id) == violation.scene.step.as_ref());
            if there && violation.rule != "h" {
                let schedule = town::replay(&services, &migration.provable, violation);
                assert!(schedule.is_none(), "{name} comes true in the proven order too, under schedule {schedule:?}: {}", violation.story);
            }
        }
    }
    println!("{told} stories of written orders came true");
    assert!(told >= 8, "too few stories");
}

#[test]
fn no_mutant_of_a_plan_is_accepted_and_loses() {
    let mut table = Table::default();
    // Why: other random mutants than those by which proof and simulator were made are one variable away.
    let mut random = Random::new(number("CUTOVER_CHECK_MUTANTS", 7));
    for migration in books::all() {
        let services = migration.services();
        let mut known = BTreeSet::new();
        for (name, book) in mutants(&migration, &mut random) {
            if known.insert(words(&book)) {
                table.judge(&format!("{} {name}", migration.name), &services, &services, &book);
            }
        }
    }
    table.report("mutants of plans");
    assert!(table.accepted_loses.is_empty());
    assert!(table.refused_loses > 100, "the mutants are too kind");
}

#[test]
fn no_mutant_of_declarations_is_accepted_and_loses() {
    let mut table = Table::default();
    for migration in books::all() {
        let ideal = migration.services();
        let matters = releases_that_matter(&migration);
        let beside = |name: &str| {
            let parts: Vec<&str> = name.trim_start_matches("without /services/").split('/').collect();
            name.starts_with("without /services/") && !matters.contains(&(parts[0].to_owned(), parts[1].to_owned()))
        };
        for (name, written) in declarations(&migration.written_services).into_iter().filter(|(name, _)| !beside(name)) {
            if let Ok(services) = Services::new(&written) {
                table.judge(&format!("{} {name}", migration.name), &services, &ideal, &migration.provable);
            }
        }
    }
    table.report("mutants of declarations");
    assert!(table.accepted_loses.is_empty());
    assert!(table.refused_loses > 50, "the mutants are too kind");
}

#[test]
fn every_way_back_that_is_proven_loses_nothing() {
    let (mut ways, mut runs) = (0, 0);
    for migration in books::all() {
        let services = migration.services();
        let book = &migration.provable;
        let line = migration.line.as_ref().and_then(|line| book.steps.iter().position(|step| step.id == *line)).unwrap_or(book.steps.len());
        for (step, inside) in (0..book.steps.len()).flat_map(|step| [(step, true), (step, false)]) {
            let Some(back) = way_back(&services, book, step, inside) else {
                assert!(step >= line, "{}: no way back from {}", migration.name, book.steps[step].id);
                continue;
            };
            assert!(step < line, "{}: a way back from {}, behind the line", migration.name, book.steps[step].id);
            let mut moves: Vec<Move> = book.steps[..=step].iter().flat_map(|step| step.moves.clone()).collect();
            let half = inside.then(|| moves.len() - 1);
            if step + 1 == book.steps.len() {
                println!("{} back from its end: {}", migration.name, back.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
            }
            moves.extend(back);
            ways += 1;
            for seed in 0..seeds() / 2 {
                runs += 1;
                let lost = town::run_moves(&services, &services, book, &moves, half, seed);
                let words: Vec<_> = moves.iter().map(ToString::to_string).collect();
                assert!(lost.is_empty(), "{} back from {}, seed {seed}: {lost:?}\n{words:#?}", migration.name, book.steps[step].id);
            }
        }
    }
    println!("{ways} ways back, {runs} runs, nothing lost");
}

fn words(book: &Book) -> String {
    book.steps.iter().flat_map(|step| &step.moves).map(|one| format!("{one:?}")).collect::<Vec<_>>().join("\n")
}

/// Every deletion, every swap of neighbours, two and three of them at a time in a block, every change of a field, and random combinations of moves and deletions.
fn mutants(migration: &Migration, random: &mut Random) -> Vec<(String, Book)> {
    let base = &migration.provable;
    let mut found = vec![("unchanged".to_owned(), base.clone()), ("as written".to_owned(), migration.written.clone())];
    for at in 0..base.steps.len() {
        let mut book = base.clone();
        let step = book.steps.remove(at);
        found.push((format!("without {}", step.id), book));
        if at > 0 {
            let mut book = base.clone();
            book.steps.swap(at - 1, at);
            found.push((format!("{} earlier", base.steps[at].id), book));
            let mut book = base.clone();
            book.steps[at].beside = true;
            found.push((format!("{} with the step above", base.steps[at].id), book.clone()));
            if at > 1 {
                book.steps[at - 1].beside = true;
                found.push((format!("{} with the two steps above", base.steps[at].id), book));
            }
        }
        for other in changed(&base.steps[at].moves[0], migration) {
            let mut book = base.clone();
            let name = format!("{} as {other:?}", base.steps[at].id);
            book.steps[at].moves = vec![other];
            found.push((name, book));
        }
    }
    for _ in 0..number("CUTOVER_CHECK_RANDOM", 12) {
        let mut book = base.clone();
        let mut name = String::from("random:");
        for _ in 0..2 + random.below(3) {
            let from = random.below(book.steps.len());
            let step = book.steps.remove(from);
            if random.once_in(4) {
                name = format!("{name} -{}", step.id);
            } else {
                let to = random.below(book.steps.len() + 1);
                name = format!("{name} {}@{to}", step.id);
                book.steps.insert(to, step);
            }
        }
        found.push((name, book));
    }
    found
}

fn changed(one: &Move, migration: &Migration) -> Vec<Move> {
    let all = migration.provable.steps.iter().flat_map(|step| &step.moves);
    match one {
        Move::Release { service, release } => {
            let releases = migration.written_services.services[service].releases.iter().map(|(name, _)| name.clone());
            releases.filter(|other| other != release).map(|release| Move::Release { service: service.clone(), release }).collect()
        }
        Move::Flag { flag, to } => {
            let back = migration.provable.start.flags.get(flag).filter(|other| *other != to);
            back.map(|to| Move::Flag { flag: flag.clone(), to: to.clone() }).into_iter().collect()
        }
        Move::Drain { topic, event, groups, goal } => {
            let goal = if *goal == DrainGoal::Absent { DrainGoal::Consumed } else { DrainGoal::Absent };
            vec![Move::Drain { topic: topic.clone(), event: event.clone(), groups: groups.clone(), goal }]
        }
        Move::Snapshot { table, topic, event: Some(event) } => {
            let flipped = if event.ends_with("@0") { event.replace("@0", "@1") } else { event.replace("@1", "@0") };
            let known = migration.written_services.services.values().flat_map(|service| &service.releases);
            let mut known = known.flat_map(|(_, body)| body.produces.iter().flatten()).map(|produced| produced.event.to_string());
            let known = known.any(|label| label == flipped);
            known.then(|| Move::Snapshot { table: table.clone(), topic: topic.clone(), event: Some(flipped) }).into_iter().collect()
        }
        Move::AddColumn { column } => all
            .filter_map(|other| if let Move::AddColumn { column: other } = other { Some(other) } else { None })
            .filter(|other| *other != column)
            .map(|column| Move::AddColumn { column: column.clone() })
            .collect(),
        _ => Vec::new(),
    }
}

/// The releases that run at some time, and those that they are like: a delivered file holds those of other playbooks, too.
fn releases_that_matter(migration: &Migration) -> BTreeSet<(String, String)> {
    let brought = migration.provable.steps.iter().flat_map(|step| &step.moves).filter_map(|one| match one {
        Move::Release { service, release } => Some((service.clone(), release.clone())),
        _ => None,
    });
    let mut open: Vec<(String, String)> = migration.provable.start.releases.clone().into_iter().chain(brought).collect();
    let mut found = BTreeSet::new();
    while let Some((service, release)) = open.pop() {
        let releases = &migration.written_services.services[&service].releases;
        let at = releases.iter().position(|(name, _)| *name == release).expect("a declared release");
        let like = releases[at].1.like.clone().or_else(|| at.checked_sub(1).map(|before| releases[before].0.clone()));
        if found.insert((service.clone(), release)) {
            open.extend(like.map(|like| (service, like)));
        }
    }
    found
}

/// Every declaration with one thing taken out of a release or a link.
fn declarations(written: &Written) -> Vec<(String, Written)> {
    let whole = serde_json::to_value(written).expect("a document");
    let mut paths = Vec::new();
    for part in ["links", "services"] {
        if let Some(Value::Object(inner)) = whole.get(part) {
            for (name, value) in inner {
                collect(&format!("/{part}/{name}"), value, part == "links", &mut paths);
            }
        }
    }
    let mut found = BTreeMap::new();
    for path in paths {
        let mut document = whole.clone();
        let (parent, last) = path.rsplit_once('/').expect("a path");
        let Some(parent) = document.pointer_mut(parent) else { continue };
        match parent {
            Value::Object(object) => {
                object.remove(&unescape(last));
            }
            Value::Array(items) => {
                items.remove(last.parse().expect("an index"));
            }
            _ => continue,
        }
        if let Ok(written) = serde_json::from_value::<Written>(document) {
            found.insert(format!("without {path}"), written);
        }
    }
    found.into_iter().collect()
}

fn collect(path: &str, value: &Value, link: bool, paths: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, inner) in object {
                let path = format!("{path}/{}", escape(key));
                if link {
                    if matches!(key.as_str(), "key" | "seq") {
                        paths.push(path);
                    }
                    continue;
                }
                // Why: a release as a whole, or all of its keys, would be another book and not a slip in this one.
                if path.matches('/').count() > 3 && key != "by" && key != "event" && key != "column" {
                    paths.push(path.clone());
                }
                collect(&path, inner, link, paths);
            }
        }
        Value::Array(items) => {
            for (at, inner) in items.iter().enumerate() {
                let path = format!("{path}/{at}");
                paths.push(path.clone());
                collect(&path, inner, link, paths);
            }
        }
        _ => {}
    }
}
