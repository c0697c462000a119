//! One step: its id, its common keys and the one key that names its kind.

use std::sync::{Arc, LazyLock};

use super::super::codes;
use super::super::diagnostic::Diagnostic;
use super::super::params;
use super::super::shape::{Located, Shape};
use super::super::suggest;
use super::super::tree::{Entry, Node, Place, Value};
use super::read::{Reading, bad_name, not_yet};
use super::{PlaybookGuard, PlaybookStep, StepOptions, body, guards, is_name};

/// Keys that every step may have besides its id and its kind.
const COMMON: [&str; 5] = ["retry", "timeout", "on_failure", "approval", GUARDS];

/// The common key that holds a list of its own.
const GUARDS: &str = "guards";

/// Keys of steps that a later version brings.
const LATER: [&str; 3] = ["window", "after", "when"];

static OPTIONS: LazyLock<Shape> = LazyLock::new(Shape::of::<StepOptions>);

/// Reads a step; `None` when it cannot be used, which was reported.
pub(super) fn read(node: &Node, reading: &mut Reading<'_>) -> Option<PlaybookStep> {
    let Some(entries) = node.as_map() else {
        let message = format!("a step must be a map of keys, not {}", node.value.words());
        reading
            .out
            .push(Diagnostic::new(codes::WRONG_TYPE, reading.file, node.place, message).help("write `- id: …` and the kind below it"));
        return None;
    };
    let start = entries.first().map_or(node.place, |entry| entry.key.place);
    let id = id(node, start, reading);
    let options = options(node, entries, start, reading);
    let watched = entries.iter().find(|entry| entry.key.text == GUARDS);
    let guards: Option<Vec<PlaybookGuard>> = watched.map_or_else(|| Some(Vec::new()), |entry| guards::read(entry, reading));
    let (kind, entry) = kind(entries, id.as_ref().map(|(id, _)| id.as_str()), start, reading)?;
    if let Some(watched) = watched {
        guards::check_kind(kind, watched, reading);
    }
    let body = params::substitute(reading.file, &entry.value, &mut reading.params, reading.out);
    let located = Located::new(&body, entry.key.place);
    let step = body::read(kind, &located, reading);
    if let Some((id, _)) = &id {
        // Why: also a step with a mistake can be named, so that one mistake is not reported twice.
        let body = step.as_ref().map_or(serde_json::Value::Null, |step| step.body());
        reading.above.push((id.clone(), kind.name, Arc::new(body)));
    }
    let mut step = step?;
    let refers = step.references().into_iter().map(|(named, _)| named.id.clone()).collect();
    let (id, place) = id?;
    let places = located.spots.iter().map(|(pointer, spot)| (pointer.clone(), spot.value)).collect();
    Some(PlaybookStep { id, kind, step: Arc::from(step), refers, options: options?, guards: guards?, beside: false, place, places })
}

fn id(node: &Node, start: Place, reading: &mut Reading<'_>) -> Option<(String, Place)> {
    let file = reading.file;
    let Some(entry) = node.get("id") else {
        reading.out.push(
            Diagnostic::new(codes::MISSING_KEY, file, start, "a step needs an `id`").help("add `id: …`, a name that no other step has"),
        );
        return None;
    };
    let place = entry.value.place;
    let text = match &entry.value.value {
        Value::Text(text) => text.clone(),
        other => {
            let message = format!("`id` must be text, not {}", other.words());
            reading.out.push(Diagnostic::new(codes::WRONG_TYPE, file, place, message).help("put it in quotes"));
            return None;
        }
    };
    if !is_name(&text) {
        if !params::is_blank(&text) {
            reading.out.push(bad_name(file, &text, "a step", place));
        }
        return None;
    }
    if let Some(line) = reading.ids.get(&text) {
        let diagnostic = Diagnostic::new(codes::DUPLICATE_ID, file, place, format!("another step is called `{text}`"));
        reading.out.push(diagnostic.help(format!("the first one is in line {line}; give this one a name of its own")));
        return None;
    }
    reading.ids.insert(text.clone(), place.line);
    Some((text, place))
}

fn options(node: &Node, entries: &[Entry], start: Place, reading: &mut Reading<'_>) -> Option<StepOptions> {
    let common: Vec<Entry> =
        entries.iter().filter(|entry| entry.key.text != GUARDS && is_option(entry, entries, reading)).cloned().collect();
    if common.is_empty() {
        return Some(StepOptions::default());
    }
    let common = Node { value: Value::Map(common), place: node.place };
    let common = params::substitute(reading.file, &common, &mut reading.params, reading.out);
    OPTIONS.decode(reading.file, "step", &Located::new(&common, start), reading.out)
}

/// Whether the entry is a common key. `approval` is one and also names a kind: it is the kind when it holds a map and nothing else
/// in the step names one.
fn is_option(entry: &Entry, entries: &[Entry], reading: &Reading<'_>) -> bool {
    let is_common = |entry: &Entry| COMMON.contains(&entry.key.text.as_str());
    let is_kind = |entry: &Entry| reading.catalogue.find(&entry.key.text).is_some();
    let alone = || !entries.iter().any(|other| is_kind(other) && !is_common(other));
    is_common(entry) && !(is_kind(entry) && entry.value.as_map().is_some() && alone())
}

/// The kind and the entry with its body. Reports every other key that does not belong into a step.
fn kind<'n>(
    entries: &'n [Entry],
    id: Option<&str>,
    start: Place,
    reading: &mut Reading<'_>,
) -> Option<(&'static crate::step::Kind, &'n Entry)> {
    let file = reading.file;
    let mut kinds = Vec::new();
    let mut strangers = Vec::new();
    let mut later = false;
    for entry in entries {
        let key = entry.key.text.as_str();
        if key == "id" || is_option(entry, entries, reading) {
            continue;
        }
        if let Some(kind) = reading.catalogue.find(key) {
            kinds.push((kind, entry));
        } else if LATER.contains(&key) {
            later = true;
            reading.out.push(not_yet(file, key, entry.key.place));
        } else {
            strangers.push(entry);
        }
    }
    let whose = id.map_or_else(|| "the step".to_owned(), |id| format!("step `{id}`"));
    for entry in &strangers {
        let key = entry.key.text.as_str();
        let names = reading.catalogue.kinds.iter().map(|kind| kind.name);
        // Why: beside a kind, a stranger is a slip in a common key; alone, it is most likely the kind.
        if kinds.is_empty() && suggest::nearest(key, COMMON).is_none() {
            let help = suggest::nearest(key, names)
                .map_or_else(|| "`cutover steps list` shows the kinds".to_owned(), |near| format!("did you mean `{near}`?"));
            reading
                .out
                .push(Diagnostic::new(codes::UNKNOWN_KIND, file, entry.key.place, format!("there is no step kind `{key}`")).help(help));
            later = true;
        } else {
            let known = COMMON.into_iter().chain(["id"]);
            let help = suggest::did_you_mean(key, known, "besides `id` and its kind a step can have");
            reading
                .out
                .push(Diagnostic::new(codes::UNKNOWN_KEY, file, entry.key.place, format!("`{key}` is not a key of a step")).help(help));
        }
    }
    match kinds.as_slice() {
        [] => {
            if !later {
                let diagnostic = Diagnostic::new(codes::NOT_ONE_KIND, file, start, format!("{whose} does not say what it does"));
                reading.out.push(
                    diagnostic.help("add one key that names a kind, for instance `note: {text: …}`; `cutover steps list` shows them"),
                );
            }
            None
        }
        [only] => Some(*only),
        [(first, _), (_, second), ..] => {
            let message = format!("{whose} has a second kind, `{}`", second.key.text);
            let diagnostic = Diagnostic::new(codes::NOT_ONE_KIND, file, second.key.place, message);
            reading.out.push(diagnostic.help(format!("keep `{}` here and make this a step of its own", first.name)));
            None
        }
    }
}
