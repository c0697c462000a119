//! The moves of step kinds that do not say them themselves yet, read from their bodies. Each function belongs into the file of its kind
//! as `moves()`; when the last one has moved, this file goes.

use serde_json::Value;

use crate::step::{DrainGoal, Move};

/// The moves of a step by its kind and body; none for a kind that is not here.
pub(super) fn moves(kind: &str, body: &Value) -> Vec<Move> {
    let one = match kind {
        "deploy" => deploy(body),
        "expect_release" => expect_release(body),
        "stop_workload" => stop_workload(body),
        "roll_out_flag" => roll_out_flag(body),
        "publish_snapshot" => publish_snapshot(body),
        "catch_up" => catch_up(body),
        "retire_producers" => retire_producers(body),
        "drain_topic" => drain_topic(body),
        _ => None,
    };
    one.into_iter().collect()
}

fn text(body: &Value, key: &str) -> Option<String> {
    body.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn deploy(body: &Value) -> Option<Move> {
    Some(Move::Release { service: text(body, "service")?, release: text(body, "release")? })
}

/// Somebody else brings the release; that it is this one and not a later one is the declarations' business.
fn expect_release(body: &Value) -> Option<Move> {
    Some(Move::Release { service: text(body, "service")?, release: text(body, "at_least")? })
}

fn stop_workload(body: &Value) -> Option<Move> {
    Some(Move::Stop { service: text(body, "service")? })
}

fn roll_out_flag(body: &Value) -> Option<Move> {
    Some(Move::Flag { flag: text(body, "flag")?, to: text(body, "to")? })
}

/// Without `event_name`, the event is the one of the `register_schema` step that `schema` names.
fn publish_snapshot(body: &Value) -> Option<Move> {
    let version = body.get("event_version").and_then(Value::as_u64);
    let event = text(body, "event_name").map(|name| format!("{name}@{}", version.unwrap_or_default()));
    Some(Move::Snapshot { table: text(body, "from")?, topic: text(body, "topic")?, event })
}

/// The topic is the one of the `publish_snapshot` step that `of` names.
fn catch_up(body: &Value) -> Option<Move> {
    Some(Move::CatchUp { group: text(body, "group")?, topic: String::new() })
}

fn retire_producers(body: &Value) -> Option<Move> {
    Some(Move::Retire { event: text(body, "event")? })
}

fn drain_topic(body: &Value) -> Option<Move> {
    let groups = body.get("groups").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let goal = if body.get("goal").and_then(Value::as_str) == Some("absent") { DrainGoal::Absent } else { DrainGoal::Consumed };
    Some(Move::Drain { topic: text(body, "topic")?, event: text(body, "event"), groups: groups.collect(), goal })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies_become_moves() {
        let said = |kind: &str, body: Value| moves(kind, &body).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        assert_eq!(said("deploy", json!({ "service": "hiring", "release": "1.5" })), "release hiring 1.5");
        assert_eq!(said("expect_release", json!({ "service": "hiring", "at_least": "1.5", "group": "g" })), "release hiring 1.5");
        assert_eq!(said("stop_workload", json!({ "service": "hiring" })), "stop hiring");
        assert_eq!(said("roll_out_flag", json!({ "flag": "f", "to": "on", "shares": ["1%"] })), "flag f on");
        let snapshot = json!({ "from": "exercises.exercise", "topic": "t", "schema": "schema", "event_name": "E", "event_version": 1 });
        assert_eq!(said("publish_snapshot", snapshot), "publish_snapshot exercises.exercise as E@1");
        assert_eq!(said("catch_up", json!({ "group": "hiring-exercises", "of": "snapshot" })), "catch_up hiring-exercises ");
        assert_eq!(said("retire_producers", json!({ "event": "E", "topic": "t", "services": "s.yaml" })), "retire_producers E");
        assert_eq!(said("drain_topic", json!({ "topic": "t", "groups": ["g"] })), "drain_topic t consumed");
        assert_eq!(said("drain_topic", json!({ "topic": "t", "event": "E@0", "goal": "absent" })), "drain_topic E@0 absent");
        assert_eq!(said("note", json!({ "text": "x" })), "");
    }
}
