//! The same pairs, and what was mended, on the registry that the stack starts: where it judges otherwise, the page about schemas says why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use cutover::adapters::registry::ConfluentRegistry;
use cutover::adapters::secret::ProcessSecrets;
use cutover::ports::registry::{NewSchema, Registry, SchemaFormat};
use cutover::ports::settings::ApiSettings;
use cutover::schemas::Direction;
use cutover::schemas::fix::mend;

use super::avro::{PAIRS, record};
use super::broken::pasted;
use super::pairs::table;
use super::support;

const PAGE: &str = "web/docs/schemas.md";

pub async fn registry() -> Arc<ConfluentRegistry> {
    let url = support::servers().await.stack.registry.url.clone();
    let settings = ApiSettings { url, basic: None, tls: None };
    ConfluentRegistry::connect("main", &settings, "environments.test.main", &ProcessSecrets::default()).unwrap()
}

/// A schema with its draft, without which this registry cannot tell what it is.
fn named(text: &str) -> NewSchema {
    let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
    if let Some(map) = value.as_object_mut() {
        map.insert("$schema".to_owned(), "http://json-schema.org/draft-07/schema#".into());
    }
    NewSchema { format: SchemaFormat::Json, text: value.to_string(), ..NewSchema::default() }
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Backward => "backward",
        Direction::Forward => "forward",
    }
}

/// The table of the page: pair and direction, with the reason.
fn listed() -> BTreeMap<(String, String), String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).expect("the page");
    let (_, table) = page.split_once("| pair | direction |").expect("the table of differences");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows = rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    rows.map(|cells| match cells.as_slice() {
        [pair, direction, _, why] => ((pair.clone(), direction.clone()), why.clone()),
        other => panic!("a row of the table has four cells: {other:?}"),
    })
    .collect()
}

#[tokio::test]
async fn every_pair_is_judged_alike_but_for_those_that_the_page_lists() {
    let registry = registry().await;
    let mut differ = BTreeMap::new();
    let mut asked = 0;
    for (number, pair) in table().into_iter().enumerate() {
        for (direction, first, then) in [(Direction::Backward, &pair.old, &pair.new), (Direction::Forward, &pair.new, &pair.old)] {
            // Why not the level FORWARD: one schema may follow another backward where the other may follow it forward.
            let subject = format!("pair-{number}-{}-value", word(direction));
            registry.register(&subject, &named(first)).await.unwrap_or_else(|error| panic!("{}: {error}", pair.name));
            let answer = registry.check(&subject, &named(then)).await.unwrap_or_else(|error| panic!("{}: {error}", pair.name));
            asked += 1;
            if answer.compatible != pair.admits(direction) {
                let says = if answer.compatible { "admits it" } else { "refuses it" };
                differ.insert((pair.name.clone(), word(direction).to_owned()), format!("{says}: {}", answer.reasons.join("; ")));
            }
        }
    }
    println!("{} of {asked} answers differ", differ.len());
    let listed = listed();
    let seen: BTreeSet<_> = differ.keys().collect();
    let known: BTreeSet<_> = listed.keys().collect();
    let new: Vec<_> = differ.iter().filter(|(pair, _)| !listed.contains_key(*pair)).collect();
    assert_eq!(seen, known, "the page lists other differences than are seen; not listed are {new:#?}");
    assert!(listed.values().all(|why| why.len() > 20), "every difference has its reason");
}

#[tokio::test]
async fn every_pair_of_avro_schemas_is_judged_alike() {
    let registry = registry().await;
    let mut differ = Vec::new();
    for (number, (name, old, new, backward, forward)) in PAIRS.iter().enumerate() {
        for (direction, first, then, rules) in [("backward", old, new, backward), ("forward", new, old, forward)] {
            let schema = |fields: &str| NewSchema { format: SchemaFormat::Avro, text: record(fields), ..NewSchema::default() };
            let subject = format!("avro-{number}-{direction}-value");
            registry.register(&subject, &schema(first)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            let answer = registry.check(&subject, &schema(then)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            if answer.compatible != rules.is_empty() {
                differ.push(format!("{name}, {direction}: {answer:?}"));
            }
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
}

#[tokio::test]
async fn what_was_mended_can_be_registered() {
    let registry = registry().await;
    for (number, (name, text, ..)) in pasted().into_iter().enumerate() {
        let schema = NewSchema { format: SchemaFormat::Json, text: mend(text).unwrap().text, ..NewSchema::default() };
        let version = registry.register(&format!("mended-{number}-value"), &schema).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(version.version, Some(1), "{name}");
    }
}
