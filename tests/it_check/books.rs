//! The migrations that must work, each with its declarations, the order that can be proven and the order in which it was once written.

use std::collections::BTreeMap;
use std::path::Path;

use cutover::check::{Book, BookStep, book_of};
use cutover::playbook::{self, Directory, Source};
use cutover::services::{Services, Start, Written};
use cutover::step::{DrainGoal, Move};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    links: serde_json::Value,
    #[serde(default)]
    events: serde_json::Value,
    services: serde_json::Value,
    book: Orders,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Orders {
    start: Start,
    provable: Vec<String>,
    written: Vec<String>,
    refused: Vec<String>,
    line: Option<String>,
}

/// A migration.
#[derive(Clone, Debug)]
pub struct Migration {
    pub name: &'static str,
    pub written_services: Written,
    pub provable: Book,
    pub written: Book,
    /// The names of what the written order breaks.
    pub refused: Vec<String>,
    pub line: Option<String>,
}

impl Migration {
    pub fn services(&self) -> Services {
        Services::new(&self.written_services).expect("declarations")
    }
}

pub const NAMES: [&str; 10] = ["p1", "p1-notify", "p2", "comm-060a", "p3", "p4", "us-160", "us-160-meaning", "us-170", "tracker-v2"];

pub fn all() -> Vec<Migration> {
    NAMES.iter().map(|name| load(name)).chain(delivered()).collect()
}

/// The playbooks that are delivered and move an effect, or a state by notices, each with an order of the same steps that is no good.
fn delivered() -> [Migration; 3] {
    let straight = |book: &mut Book| book.steps.retain(|step| step.id != "hold");
    let too_early = |book: &mut Book| {
        let switch = book.steps.iter().position(|step| step.id == "switch").expect("the switch");
        let switch = book.steps.remove(switch);
        let hold = book.steps.iter().position(|step| step.id == "hold").expect("the hold");
        book.steps[hold] = switch;
    };
    let mute = |book: &mut Book| book.steps.push(step("no-endpoint: release exercises 3.3"));
    [
        of_playbook("p3", "services.yaml", straight, "e:assign_manager/order"),
        of_playbook("p4", "services.yaml", too_early, "e:assign_manager/order"),
        of_playbook("p1-notify", "services-notify.yaml", mute, "a:exercise"),
    ]
}

fn of_playbook(name: &'static str, services: &str, change: impl Fn(&mut Book), refused: &str) -> Migration {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks");
    let path = directory.join(name).with_extension("yaml");
    let text = std::fs::read_to_string(&path).expect("a playbook");
    let read = playbook::read(&Source::new(name, text), &BTreeMap::new(), &Directory::of(&path));
    let mut provable = book_of(&read.unwrap_or_else(|mistakes| panic!("{}", mistakes.plain())).0);
    provable.steps.retain(|step| !step.moves.is_empty());
    let mut written = provable.clone();
    change(&mut written);
    let declared = std::fs::read_to_string(directory.join(services)).expect("the services");
    let written_services = serde_saphyr::from_str(&declared).unwrap_or_else(|error| panic!("{services}: {error}"));
    Migration { name, written_services, provable, written, refused: vec![refused.to_owned()], line: None }
}

pub fn load(name: &'static str) -> Migration {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it_check/books").join(format!("{name}.yaml"));
    let text = std::fs::read_to_string(path).expect("a book");
    let file: File = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let document = serde_json::json!({ "links": object(file.links), "events": object(file.events), "services": file.services });
    let written_services: Written = serde_json::from_value(document).unwrap_or_else(|error| panic!("{name}: {error}"));
    let book =
        |lines: &[String]| Book { start: file.book.start.clone(), steps: lines.iter().map(|line| step(line)).collect(), ..Book::default() };
    Migration {
        name,
        written_services,
        provable: book(&file.book.provable),
        written: book(&file.book.written),
        refused: file.book.refused.clone(),
        line: file.book.line.clone(),
    }
}

fn object(value: serde_json::Value) -> serde_json::Value {
    if value.is_null() { serde_json::json!({}) } else { value }
}

/// `id: verb words`, with ` !line` behind a step that names itself the line.
pub fn step(line: &str) -> BookStep {
    let (line, named) = line.strip_suffix(" !line").map_or((line, false), |line| (line, true));
    let (id, words) = line.split_once(": ").expect("an id");
    BookStep { line: named, ..BookStep::new(id, vec![read(words)]) }
}

pub fn read(text: &str) -> Move {
    let words: Vec<&str> = text.split_whitespace().collect();
    let own = |text: &&str| (*text).to_owned();
    match words.as_slice() {
        ["release", service, release] => Move::Release { service: own(service), release: own(release) },
        ["stop", service] => Move::Stop { service: own(service) },
        ["flag_share", flag, to] => Move::FlagShare { flag: own(flag), to: own(to) },
        ["flag", flag, to] => Move::Flag { flag: own(flag), to: own(to) },
        ["create_topic", topic, rest @ ..] => Move::CreateTopic { topic: own(topic), compacted: Some(rest == ["compacted"]) },
        ["delete_topic", topic] => Move::DeleteTopic { topic: own(topic) },
        ["register_schema", event] => Move::RegisterSchema { event: own(event), topic: None, required: None },
        ["delete_schema", event] => Move::DeleteSchema { event: own(event), topic: None },
        ["retire", event] => Move::Retire { event: own(event) },
        ["drain", event, rest @ ..] => {
            let goal = if rest == ["absent"] { DrainGoal::Absent } else { DrainGoal::Consumed };
            Move::Drain { topic: String::new(), event: Some(own(event)), groups: Vec::new(), goal }
        }
        ["publish_snapshot", table, topic, event] => Move::Snapshot { table: own(table), topic: own(topic), event: Some(own(event)) },
        ["catch_up", group, topic] => Move::CatchUp { group: own(group), topic: own(topic) },
        ["add_column", column] => Move::AddColumn { column: own(column) },
        ["relax_column", column] => Move::RelaxColumn { column: own(column) },
        ["require_column", column] => Move::RequireColumn { column: own(column) },
        ["drop_column", column] => Move::DropColumn { column: own(column) },
        ["drop_table", table] => Move::DropTable { table: own(table) },
        ["backfill", rest @ ..] => {
            let at = rest.iter().position(|word| *word == "|").unwrap_or(rest.len());
            Move::Backfill { columns: rest[..at].iter().map(own).collect(), back: rest[at..].iter().skip(1).map(own).collect() }
        }
        _ => panic!("{text} is no move"),
    }
}
