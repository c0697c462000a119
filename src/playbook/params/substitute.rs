//! `${name}` in the scalars of a step.

use super::super::codes;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::suggest;
use super::super::tree::{Entry, Node, Place, Value};
use super::{Params, blanks, is_name, value};

/// A copy of the node in which every `${name}` is replaced. A scalar that is nothing but `${name}` becomes a value of the
/// parameter's type; in any other the value becomes a part of the text. `$${` is the text `${`. Places stay as they are.
pub fn substitute(file: &str, node: &Node, params: &mut Params, out: &mut Diagnostics) -> Node {
    let value = match &node.value {
        Value::Text(text) => replace(file, text, node.place, params, out),
        Value::Seq(nodes) => Value::Seq(nodes.iter().map(|node| substitute(file, node, params, out)).collect()),
        Value::Map(entries) => {
            let entry = |entry: &Entry| Entry { key: entry.key.clone(), value: substitute(file, &entry.value, params, out) };
            Value::Map(entries.iter().map(entry).collect())
        }
        other => other.clone(),
    };
    Node { value, place: node.place }
}

fn replace(file: &str, text: &str, place: Place, params: &mut Params, out: &mut Diagnostics) -> Value {
    if !text.contains("${") {
        return whole(text.to_owned());
    }
    let mut rest = text;
    let mut written = String::with_capacity(text.len());
    let mut known = true;
    while let Some(at) = rest.find("${") {
        let (before, behind) = rest.split_at(at);
        let inner = behind.get(2..).unwrap_or_default();
        if let Some(kept) = before.strip_suffix('$') {
            written.push_str(kept);
            written.push_str("${");
            rest = inner;
            continue;
        }
        written.push_str(before);
        let Some((name, after)) = inner.split_once('}') else {
            let diagnostic = Diagnostic::new(codes::BAD_PLACEHOLDER, file, place, "`${` is never closed");
            out.push(diagnostic.help("add the `}`, or write `$${` where the text `${` is meant"));
            return Value::Unknown;
        };
        match look_up(file, name, place, params, out) {
            Some(value) if before.is_empty() && after.is_empty() && written.is_empty() => return typed(value),
            Some(Value::Unknown) | None => known = false,
            Some(value) => written.push_str(&value::written(&value)),
        }
        rest = after;
    }
    written.push_str(rest);
    if known { whole(written) } else { Value::Unknown }
}

fn typed(value: Value) -> Value {
    match value {
        Value::Text(text) => whole(text),
        other => other,
    }
}

/// Why: a blank was reported where it stands, and what it makes wrong besides would be a second report of the same mistake.
fn whole(text: String) -> Value {
    if blanks::find(&text).is_some() { Value::Unknown } else { Value::Text(text) }
}

fn look_up(file: &str, name: &str, place: Place, params: &mut Params, out: &mut Diagnostics) -> Option<Value> {
    if !is_name(name) {
        let diagnostic = Diagnostic::new(codes::BAD_PLACEHOLDER, file, place, format!("`${{{name}}}` does not name a parameter"));
        out.push(diagnostic.help("between the braces stands a parameter's name and nothing else; `$${` is the text `${`"));
        return None;
    }
    if params.broken.contains(name) {
        return None;
    }
    if let Some(param) = params.by_name.get(name) {
        params.used.insert(name.to_owned());
        return Some(param.value.clone());
    }
    let known = params.by_name.keys().map(String::as_str);
    let help = match suggest::nearest(name, known) {
        Some(near) => format!("did you mean `${{{near}}}`?"),
        None => format!("declare it: `params: {{{name}: {{type: string}}}}`"),
    };
    out.push(Diagnostic::new(codes::UNKNOWN_PARAMETER, file, place, format!("there is no parameter `{name}`")).help(help));
    None
}
