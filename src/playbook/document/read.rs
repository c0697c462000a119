//! The top of a playbook: its keys, and the steps one after the other.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::super::catalogue::Catalogue;
use super::super::codes;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::files::Files;
use super::super::params::{self, Params};
use super::super::shape::{Located, Shape};
use super::super::suggest;
use super::super::tree::{self, Node, Place, Value};
use super::{Playbook, PlaybookStep, declared, is_name, parallel};

const KEYS: [&str; 8] = ["playbook", "link", "description", "services", "start", "accept", "params", "steps"];

/// Keys that a later version brings.
const LATER_KEYS: [&str; 4] = ["guards", "windows", "freeze", "after"];

/// What is known of a playbook after reading, whole or not; the rules of the linter look at it.
pub(in super::super) struct Draft {
    /// The file as it was named.
    pub(in super::super) file: String,
    /// What could be read.
    pub(in super::super) playbook: Playbook,
    /// The parameters, with what was used of them.
    pub(in super::super) params: Params,
}

/// Everything that reading a step needs at hand.
pub(super) struct Reading<'a> {
    pub(super) file: &'a str,
    pub(super) files: &'a dyn Files,
    pub(super) catalogue: &'a Catalogue,
    pub(super) params: Params,
    pub(super) shapes: HashMap<&'static str, Option<Arc<Shape>>>,
    pub(super) texts: BTreeMap<String, Arc<str>>,
    pub(super) ids: HashMap<String, u32>,
    /// The steps that were read so far: id, kind and body.
    pub(super) above: Vec<(String, &'static str, Arc<serde_json::Value>)>,
    /// Ids of the steps of the same block that were read so far, which this one cannot name.
    pub(super) beside: Vec<String>,
    pub(super) out: &'a mut Diagnostics,
}

/// Reads as much as can be read. The draft may be trusted as a playbook only when `out` holds no error.
pub(in super::super) fn read(
    file: &str,
    text: &str,
    vars: &BTreeMap<String, String>,
    files: &dyn Files,
    catalogue: &Catalogue,
    out: &mut Diagnostics,
) -> Option<Draft> {
    let root = tree::read(file, text, out)?;
    let Some(start) = root.get("playbook").map(|entry| entry.key.place) else {
        let help = "a playbook begins with `playbook: NAME` and has `steps:`";
        out.push(Diagnostic::new(codes::NOT_A_PLAYBOOK, file, root.place, "this file is not a playbook").help(help));
        return None;
    };
    keys(file, &root, out);
    params::report_blanks(file, &root, out);
    let name = name(file, &root, out);
    let params = params::read(file, root.get("params"), start, vars, out);
    let link = text_of(file, &root, "link", out);
    let description = text_of(file, &root, "description", out);
    let mut reading = Reading {
        file,
        files,
        catalogue,
        params,
        shapes: HashMap::new(),
        texts: BTreeMap::new(),
        ids: HashMap::new(),
        above: Vec::new(),
        beside: Vec::new(),
        out,
    };
    let steps = steps(&root, start, &mut reading);
    let services = declared::services(&root, &mut reading);
    let begins = declared::start(&root, services.as_deref(), &mut reading);
    let accept = declared::accept(&root, &mut reading);
    let Reading { params, texts, .. } = reading;
    let values = params
        .by_name
        .iter()
        .map(|(name, param)| (name.clone(), Located::new(&Node { value: param.value.clone(), place: start }, start).json));
    let playbook = Playbook { name, link, description, services, start: begins, accept, params: values.collect(), steps, files: texts };
    Some(Draft { file: file.to_owned(), playbook, params })
}

fn keys(file: &str, root: &Node, out: &mut Diagnostics) {
    for entry in root.as_map().unwrap_or_default() {
        let key = entry.key.text.as_str();
        if LATER_KEYS.contains(&key) {
            out.push(not_yet(file, key, entry.key.place));
        } else if !KEYS.contains(&key) {
            let diagnostic = Diagnostic::new(codes::UNKNOWN_KEY, file, entry.key.place, format!("`{key}` is not a key of a playbook"));
            out.push(diagnostic.help(suggest::did_you_mean(key, KEYS, "its keys are")));
        }
    }
}

/// A key that is known and not yet supported: never accepted and ignored.
pub(super) fn not_yet(file: &str, key: &str, place: Place) -> Diagnostic {
    let message = format!("`{key}` is not supported yet");
    Diagnostic::new(codes::NOT_YET, file, place, message).help("take it out; a later version brings it, and until then it would do nothing")
}

fn name(file: &str, root: &Node, out: &mut Diagnostics) -> String {
    let Some(entry) = root.get("playbook") else {
        return String::new();
    };
    match entry.value.as_text() {
        Some(text) if is_name(text) => return text.to_owned(),
        Some(text) if params::is_blank(text) => {}
        Some(text) => out.push(bad_name(file, text, "a playbook", entry.value.place)),
        None => {
            let message = format!("`playbook` must be text, not {}", entry.value.value.words());
            out.push(
                Diagnostic::new(codes::WRONG_TYPE, file, entry.value.place, message)
                    .help("give the playbook a name, for instance `move-exercise`"),
            );
        }
    }
    String::new()
}

/// The diagnostic for a name in the wrong characters.
pub(in super::super) fn bad_name(file: &str, text: &str, whose: &str, place: Place) -> Diagnostic {
    let diagnostic = Diagnostic::new(codes::BAD_NAME, file, place, format!("`{text}` cannot name {whose}"));
    // Why: a letter that has no equal in ASCII would be lost, and the name with it.
    let dashed = |found: char| if found.is_ascii_alphanumeric() { found.to_ascii_lowercase() } else { '-' };
    let proposal: String = if text.is_ascii() { text.chars().map(dashed).take(60).collect() } else { String::new() };
    let proposal = proposal.trim_matches('-');
    let rule = "use at most 60 of the characters `a`-`z`, `0`-`9` and `-`";
    if is_name(proposal) { diagnostic.help(format!("{rule}, for instance `{proposal}`")) } else { diagnostic.help(rule) }
}

fn text_of(file: &str, root: &Node, key: &str, out: &mut Diagnostics) -> Option<String> {
    let entry = root.get(key)?;
    match &entry.value.value {
        Value::Text(text) => Some(text.clone()),
        other => {
            out.push(Diagnostic::new(codes::WRONG_TYPE, file, entry.value.place, format!("`{key}` must be text, not {}", other.words())));
            None
        }
    }
}

fn steps(root: &Node, start: Place, reading: &mut Reading<'_>) -> Vec<PlaybookStep> {
    let example = "add `steps:` with at least one `- id: …`";
    let Some(entry) = root.get("steps") else {
        reading.out.push(Diagnostic::new(codes::NO_STEPS, reading.file, start, "the playbook has no `steps`").help(example));
        return Vec::new();
    };
    match &entry.value.value {
        Value::Seq(nodes) if !nodes.is_empty() => nodes.iter().flat_map(|node| parallel::read(node, reading)).collect(),
        Value::Seq(_) | Value::Null => {
            reading.out.push(Diagnostic::new(codes::NO_STEPS, reading.file, entry.key.place, "`steps` is empty").help(example));
            Vec::new()
        }
        other => {
            let message = format!("`steps` must be a list, not {}", other.words());
            reading
                .out
                .push(Diagnostic::new(codes::WRONG_TYPE, reading.file, entry.value.place, message).help("begin every step with `- id: …`"));
            Vec::new()
        }
    }
}
