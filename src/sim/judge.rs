//! Compares worlds: whether accidents left a trace, and whether a way back led back.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::play::Outcome;
use crate::engine::RunState;

/// The header by which a second sending of an event is recognised.
const EVENT_HEADER: &str = "cutover-event";

/// What is wrong with a play, given the one in which nothing happened.
pub(super) fn judge(calm: &Outcome, wild: &Outcome) -> Vec<String> {
    let mut problems = Vec::new();
    if wild.state.is_some() {
        if wild.state != Some(RunState::Done) {
            problems.push(format!("the run ended as {:?}", wild.state));
        }
        let (expected, found) = (timeless(&calm.worlds[1]), timeless(&wild.worlds[1]));
        if expected != found {
            problems.push(format!("the world is another one: {}", difference(&expected, &found, "")));
        }
    }
    problems.extend(wild.worlds.iter().flat_map(doubled));
    let named = |name: &str| wild.kept.iter().any(|line| line.contains(name));
    for name in left_behind(&wild.worlds[0], &wild.worlds[2]) {
        if !named(&name) {
            problems.push(format!("{name} is not as it was, and the run does not say so; it says {:?}", wild.kept));
        }
    }
    problems
}

/// Times differ between plays, because accidents cost time.
fn timeless(world: &Value) -> Value {
    static TIMES: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)").expect("invariant: the pattern is one"));
    match world {
        Value::String(text) => Value::String(TIMES.replace_all(text, "<time>").into_owned()),
        Value::Array(items) => Value::Array(items.iter().map(timeless).collect()),
        Value::Object(fields) => Value::Object(fields.iter().map(|(key, value)| (key.clone(), timeless(value))).collect()),
        other => other.clone(),
    }
}

fn difference(expected: &Value, found: &Value, at: &str) -> String {
    if let (Value::Object(one), Value::Object(other)) = (expected, found) {
        for key in one.keys().chain(other.keys()) {
            let (one, other) = (one.get(key).unwrap_or(&Value::Null), other.get(key).unwrap_or(&Value::Null));
            if one != other {
                return difference(one, other, &format!("{at}/{key}"));
            }
        }
    }
    format!("{at} should be {expected} and is {found}")
}

/// Events that lie in a topic more than once.
fn doubled(world: &Value) -> Vec<String> {
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (topic, state) in object(world, "/kafka/topics") {
        let partitions = state.pointer("/partitions").and_then(Value::as_array).into_iter().flatten();
        let records = partitions.flat_map(|partition| partition.pointer("/records").and_then(Value::as_array).into_iter().flatten());
        let headers = records.flat_map(|record| record.pointer("/headers").and_then(Value::as_array).into_iter().flatten());
        for header in headers.filter(|header| header.get(0).and_then(Value::as_str) == Some(EVENT_HEADER)) {
            *seen.entry((topic.clone(), header.get(1).map(ToString::to_string).unwrap_or_default())).or_default() += 1;
        }
    }
    let doubled = seen.into_iter().filter(|(_, count)| *count > 1);
    doubled.map(|((topic, event), count)| format!("{topic} holds the event {event} {count} times")).collect()
}

/// Names of things that are not what they were.
fn left_behind(start: &Value, end: &Value) -> Vec<String> {
    let mut names = Vec::new();
    let sort = |pointer: &str, view: fn(&Value) -> Value| {
        let (before, after) = (object(start, pointer), object(end, pointer));
        let shown = |things: &Map<String, Value>, name: &str| things.get(name).map_or(Value::Null, view);
        let all: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
        all.into_iter().filter(|name| shown(&before, name) != shown(&after, name)).collect::<Vec<_>>()
    };
    names.extend(sort("/kafka/topics", Clone::clone));
    names.extend(sort("/registry/subjects", live_versions));
    names.extend(sort("/registry/levels", Clone::clone));
    names.extend(sort("/flags/flags", in_force));
    names.extend(sort("/workloads/services", running));
    names.sort();
    names.dedup();
    names
}

/// A subject whose versions are all deleted is as good as none.
fn live_versions(subject: &Value) -> Value {
    let live: Vec<Value> = subject
        .as_array()
        .into_iter()
        .flatten()
        .filter(|version| version.get("deleted") == Some(&Value::Bool(false)))
        .map(|version| version.get("text").cloned().unwrap_or_default())
        .collect();
    if live.is_empty() { Value::Null } else { Value::Array(live) }
}

/// A flag that is disabled makes services use the default in their code, as one that is not there does.
fn in_force(flag: &Value) -> Value {
    if flag.get("enabled") == Some(&Value::Bool(false)) { Value::Null } else { flag.clone() }
}

/// A service of which nothing should run is as one that was never asked for.
fn running(desired: &Value) -> Value {
    if desired.get("instances").and_then(Value::as_u64) == Some(0) { Value::Null } else { desired.clone() }
}

fn object(world: &Value, pointer: &str) -> Map<String, Value> {
    world.pointer(pointer).and_then(Value::as_object).cloned().unwrap_or_default()
}
