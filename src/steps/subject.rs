//! What the kinds that change a registry's subjects share: which version follows in a plan, and the registry's own address by hand.

use serde_json::Value;

use crate::step::{Resource, SystemKind, View, quote, variable};

/// Aspect of a subject in a view: the version that was the newest one before an earlier step of the plan registered another.
const BEFORE: &str = "before";

/// Aspect of a subject in a view: the texts of versions that an earlier step of the plan deletes.
const DELETED: &str = "deleted";

/// Writes down that a step will register this version after that one.
pub(super) fn leave_registered(view: &mut View, subject: &Resource, before: Option<&Value>, version: &Value) {
    let mut stack = view.aspect::<Vec<Value>>(subject, BEFORE).flatten().unwrap_or_default();
    stack.push(before.cloned().unwrap_or_default());
    view.put_aspect(subject, BEFORE, &stack);
    let mut deleted = view.aspect::<Vec<Value>>(subject, DELETED).flatten().unwrap_or_default();
    deleted.retain(|text| Some(text) != version.get("text"));
    view.put_aspect(subject, DELETED, &deleted);
    view.put(subject, version);
}

/// Writes down that a step will delete the newest version: what it followed is the newest one again, as far as that is known.
pub(super) fn leave_deleted(view: &mut View, subject: &Resource, version: &Value, is_first: bool) {
    let mut stack = view.aspect::<Vec<Value>>(subject, BEFORE).flatten().unwrap_or_default();
    match stack.pop() {
        Some(before) => view.put(subject, &before),
        None if is_first => view.put(subject, &Value::Null),
        None => view.forget(subject, ""),
    }
    view.put_aspect(subject, BEFORE, &stack);
    let mut deleted = view.aspect::<Vec<Value>>(subject, DELETED).flatten().unwrap_or_default();
    deleted.push(version.get("text").cloned().unwrap_or_default());
    view.put_aspect(subject, DELETED, &deleted);
}

/// Whether an earlier step of the plan deletes the version with this text.
pub(super) fn is_deleted(view: &View, subject: &Resource, text: &str) -> bool {
    view.aspect::<Vec<Value>>(subject, DELETED).flatten().unwrap_or_default().iter().any(|deleted| deleted.as_str() == Some(text))
}

/// The topic whose records use a subject, by the registry's usual way to name subjects.
pub(super) fn topic_of(subject: &str) -> &str {
    subject.strip_suffix("-value").or_else(|| subject.strip_suffix("-key")).unwrap_or(subject)
}

/// A subject in an address of a registry.
pub(super) fn subject_path(subject: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    subject.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A request to a registry as a command.
pub(super) fn curl(registry: &str, method: &str, path: &str, body: Option<&Value>) -> String {
    let address = format!("\"${}{path}\"", variable(SystemKind::Registry, registry));
    match body {
        Some(body) => format!(
            "curl -fsS -X {method} -H 'content-type: application/vnd.schemaregistry.v1+json' --data {} {address}",
            quote(&body.to_string())
        ),
        None => format!("curl -fsS -X {method} {address}"),
    }
}
