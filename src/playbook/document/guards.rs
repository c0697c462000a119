//! The guards of a step: each is one key that names what it watches, with its body.

use std::sync::Arc;

use schemars::SchemaGenerator;

use super::super::codes;
use super::super::diagnostic::Diagnostic;
use super::super::params;
use super::super::shape::{Located, Shape};
use super::super::suggest;
use super::super::tree::{Entry, Node, Value};
use super::PlaybookGuard;
use super::read::Reading;
use crate::guards::{self, GuardKind};
use crate::step::scalar::Span;
use crate::step::{GuardOptions, Kind};

/// Kinds that only ask a person: nothing of theirs is ever under way.
const ONLY_ASK: [&str; 2] = ["approval", "confirm"];

/// Reads the guards of a step; `None` when one of them cannot be used, which was reported.
pub(super) fn read(entry: &Entry, reading: &mut Reading<'_>) -> Option<Vec<PlaybookGuard>> {
    let node = params::substitute(reading.file, &entry.value, &mut reading.params, reading.out);
    let help = "write a list: `- lag: {…}`";
    match &node.value {
        Value::Seq(nodes) if !nodes.is_empty() => {
            let read: Vec<_> = nodes.iter().map(|node| guard(node, reading)).collect();
            read.into_iter().collect()
        }
        Value::Seq(_) | Value::Null => {
            let diagnostic = Diagnostic::new(codes::OUT_OF_RANGE, reading.file, entry.key.place, "`guards` must not be empty");
            reading.out.push(diagnostic.help("name what is to be watched, or take the key away"));
            None
        }
        other => {
            let message = format!("`guards` must be a list, not {}", other.words());
            reading.out.push(Diagnostic::new(codes::WRONG_TYPE, reading.file, node.place, message).help(help));
            None
        }
    }
}

/// Reports guards on a kind that has nothing to guard.
pub(super) fn check_kind(kind: &Kind, entry: &Entry, reading: &mut Reading<'_>) {
    if ONLY_ASK.contains(&kind.name) {
        let message = format!("`guards` would do nothing here: a `{}` only asks, and nothing of it is ever under way", kind.name);
        let diagnostic = Diagnostic::new(codes::COMPLAINT, reading.file, entry.key.place, message);
        reading.out.push(diagnostic.help("give the guards to the step that changes something"));
    }
}

fn guard(node: &Node, reading: &mut Reading<'_>) -> Option<PlaybookGuard> {
    let file = reading.file;
    let Some(entries) = node.as_map() else {
        let message = format!("a guard must be a map of keys, not {}", node.value.words());
        reading.out.push(Diagnostic::new(codes::WRONG_TYPE, file, node.place, message).help("write for instance `- lag: {…}`"));
        return None;
    };
    let (kind, entry) = kind(node, entries, reading)?;
    let located = Located::new(&entry.value, entry.key.place);
    let mut generator = SchemaGenerator::default();
    let shape = guards::schema(kind.name, &mut generator).map(|schema| Shape::new(schema, &mut generator))?;
    if !shape.check(file, kind.name, &located, reading.out) {
        return None;
    }
    match guards::decode(kind.name, &located.json) {
        Ok((options, guard)) => {
            let mut complaints = guard.complaints();
            if options.interval.0 < GuardOptions::SHORTEST {
                let message = format!("`interval` must be at least {}, not {}", Span(GuardOptions::SHORTEST), options.interval);
                complaints.push(("/interval".to_owned(), message));
            }
            for (pointer, message) in &complaints {
                let place = if pointer.is_empty() { entry.key.place } else { located.value(pointer) };
                reading.out.push(Diagnostic::new(codes::COMPLAINT, file, place, message.clone()));
            }
            complaints.is_empty().then(|| PlaybookGuard { guard: Arc::from(guard), options, place: entry.key.place })
        }
        Err(error) => {
            let message = format!("`{}` does not fit: {}", kind.name, error.message);
            reading.out.push(Diagnostic::new(codes::DOES_NOT_FIT, file, located.value(&error.pointer), message));
            None
        }
    }
}

/// The one key that names the guard's kind. Reports every other key.
fn kind<'n>(node: &Node, entries: &'n [Entry], reading: &mut Reading<'_>) -> Option<(&'static GuardKind, &'n Entry)> {
    let (file, names) = (reading.file, || guards::KINDS.iter().map(|kind| kind.name));
    let mut found = None;
    let mut clean = true;
    for entry in entries {
        let key = entry.key.text.as_str();
        let diagnostic = match (guards::find(key), &found) {
            (Some(kind), None) => {
                found = Some((kind, entry));
                continue;
            }
            (Some(_), Some((first, _))) => {
                Diagnostic::new(codes::UNKNOWN_KEY, file, entry.key.place, format!("this guard watches `{}` already", first.name))
                    .help(format!("make `{key}` a guard of its own: begin a line with `- {key}: …`"))
            }
            (None, _) => Diagnostic::new(codes::UNKNOWN_KEY, file, entry.key.place, format!("there is no guard `{key}`"))
                .help(suggest::did_you_mean(key, names(), "there are")),
        };
        reading.out.push(diagnostic);
        clean = false;
    }
    if entries.is_empty() {
        let diagnostic = Diagnostic::new(codes::MISSING_KEY, file, node.place, "the guard does not say what it watches");
        reading.out.push(diagnostic.help(format!("add one of {}", suggest::list(names()))));
    }
    found.filter(|_| clean)
}
