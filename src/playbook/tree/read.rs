//! From text to tree, through `serde-saphyr`, which keeps the place of every node.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{AliasLimits, DuplicateKeyPolicy, MergeKeyPolicy};
use serde_saphyr::{Location, Options, Spanned};

use super::super::codes;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::{Entry, Key, Node, Place, Value, mistake};

/// The largest file that is read, in bytes.
pub const LARGEST: usize = 1 << 20;

/// The most values that the aliases of a file may stand for.
pub(super) const MOST_REPLAYED: usize = 10_000;

// Why: a value in a file that a person keeps is nested a dozen times at most; the bound keeps recursion far from the stack's end.
const DEEPEST: usize = 64;

/// Reads the one document of a file. Mistakes go into `out`; `None` when there is nothing to go on with.
pub fn read(file: &str, text: &str, out: &mut Diagnostics) -> Option<Node> {
    if text.len() > LARGEST {
        let message = format!("the file has {} bytes, and at most {LARGEST} (1 MiB) are read", text.len());
        let help = "split the playbook, and keep large texts in files of their own that steps name";
        out.push(Diagnostic::new(codes::TOO_LARGE, file, Place::START, message).help(help));
        return None;
    }
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options()) {
        Ok(raw) => Some(settle(raw, &mut Settling { file, text, out })),
        Err(error) => {
            out.push(mistake::describe(file, text, &error));
            None
        }
    }
}

fn options() -> Options {
    let mut limits = AliasLimits::default();
    limits.max_total_replayed_events = MOST_REPLAYED;
    limits.max_replay_stack_depth = 8;
    limits.max_alias_expansions_per_anchor = 1_000;
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEEPEST, flow_nesting_limit: DEEPEST, max_aliases: 1_000, enforce_alias_anchor_ratio: false },
        alias_limits: limits,
        // Why: both values reach us, so that a second key is reported beside the other mistakes instead of ending the reading.
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        emit_comments: false,
        with_snippet: false,
    }
}

/// A node before its keys were looked at.
enum Raw {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Seq(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Int(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Raw, E> {
        if value.is_finite() { Ok(Raw::Float(value)) } else { Err(E::custom("a number must be finite")) }
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_bytes<E: serde::de::Error>(self, _: &[u8]) -> Result<Raw, E> {
        Err(E::custom("binary values are not used"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = access.next_element()? {
            nodes.push(node);
        }
        Ok(Raw::Seq(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
            if entries.len() > LARGEST {
                return Err(A::Error::custom("a map has too many keys"));
            }
        }
        Ok(Raw::Map(entries))
    }
}

struct Settling<'a> {
    file: &'a str,
    text: &'a str,
    out: &'a mut Diagnostics,
}

fn settle(raw: Spanned<Raw>, settling: &mut Settling<'_>) -> Node {
    let place = place(&raw.defined, settling.text);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Bool(value) => Value::Bool(value),
        Raw::Int(value) => Value::Int(value),
        Raw::Float(value) => Value::Float(value),
        Raw::Text(text) => Value::Text(text),
        Raw::Seq(nodes) => Value::Seq(nodes.into_iter().map(|node| settle(node, settling)).collect()),
        Raw::Map(entries) => Value::Map(settle_map(entries, settling)),
    };
    Node { value, place }
}

fn settle_map(entries: Vec<(Spanned<Raw>, Spanned<Raw>)>, settling: &mut Settling<'_>) -> Vec<Entry> {
    let mut settled: Vec<Entry> = Vec::with_capacity(entries.len());
    let mut lines: HashMap<String, u32> = HashMap::with_capacity(entries.len());
    for (key, value) in entries {
        let place = place(&key.defined, settling.text);
        let value = settle(value, settling);
        let Raw::Text(text) = key.value else {
            let message = "a key must be text";
            let diagnostic = Diagnostic::new(codes::KEY_IS_NO_TEXT, settling.file, place, message);
            settling
                .out
                .push(diagnostic.help("put the key in quotes if it is a name; a value that stands on its own needs a `-` in front"));
            continue;
        };
        if let Some(line) = lines.get(&text) {
            let diagnostic = Diagnostic::new(codes::DUPLICATE_KEY, settling.file, place, format!("`{text}` is given twice"));
            settling.out.push(diagnostic.help(format!("the first one is in line {line}; keep one of the two")));
            continue;
        }
        lines.insert(text.clone(), place.line);
        settled.push(Entry { key: Key { text, place }, value });
    }
    settled
}

/// Our own place, with a length that ends with the line.
fn place(location: &Location, text: &str) -> Place {
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let span = location.span();
    let from = span.byte_offset().and_then(|offset| usize::try_from(offset).ok()).and_then(|offset| text.get(offset..));
    let limit = usize::try_from(span.len()).unwrap_or(0);
    let length = from.map_or(0, |rest| rest.chars().take(limit).take_while(|found| !matches!(found, '\n' | '\r')).count());
    Place { line: narrow(location.line()).max(1), column: narrow(location.column()).max(1), length: narrow(length as u64) }
}
