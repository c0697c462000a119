//! Schemas: whether one may follow another and why not, place by place, before any registry is asked; what a broken one should have been;
//! and whether documents fit. Pure: no step, no adapter, no file.

mod avro;
mod document;
pub mod envelope;
pub mod fix;
mod json;
mod kind;
mod levels;
mod rule;
pub mod samples;

use serde::Serialize;

pub use self::document::{DEEPEST, Document, Unreadable};
pub use self::kind::RegistryKind;
pub use self::levels::{Direction, asks, order};
pub use self::rule::{Finding, Policy, Weight};
use crate::ports::registry::{Compatibility, SchemaFormat};

/// Why a change is refused, or what is unsafe about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Where, as a pointer into the schema.
    pub path: String,
    /// The rule, by the name that Confluent's registry gives to the change where it has one.
    pub rule: &'static str,
    /// The sentence for a person.
    pub message: String,
    /// Which way of reading breaks.
    pub direction: Direction,
    /// Which earlier version it breaks with, counted from 1.
    pub against: usize,
}

/// The judgement on a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether the level in question admits it.
    pub compatible: bool,
    /// Why it does not.
    pub reasons: Vec<Reason>,
    /// What the registry lets pass, although a validator may refuse documents; empty when it is proven that it refuses none.
    pub warnings: Vec<Reason>,
    /// The levels that would admit it, the strongest first.
    pub admitted_by: Vec<Compatibility>,
    /// In which order readers and writers may be deployed.
    pub order: &'static str,
}

/// Where a writer's documents may be refused by a reader.
#[must_use]
pub fn compare(writer: (&Document, &str), reader: (&Document, &str), policy: Policy) -> Vec<Finding> {
    let ((written, writer), (read, reader)) = (writer, reader);
    if written.format != read.format {
        let message = format!("{writer} is {}, {reader} is {}", written.format, read.format);
        return vec![Finding { path: "#".to_owned(), rule: "FORMAT_CHANGED", weight: Weight::Refused, message }];
    }
    match written.format {
        SchemaFormat::Json => {
            let (from, to) =
                (json::Root::new(&written.value, writer, &written.references), json::Root::new(&read.value, reader, &read.references));
            json::compare(&from, &to, policy)
        }
        SchemaFormat::Avro => avro::compare((&written.value, writer), (&read.value, reader)),
        SchemaFormat::Protobuf => {
            let message = "Protobuf schemas are compared by the registry alone".to_owned();
            vec![Finding { path: "#".to_owned(), rule: "NOT_COMPARED", weight: Weight::Unsafe, message }]
        }
    }
}

/// Judges whether `new` may follow `old` (oldest first) at a level, with a registry of that kind.
#[must_use]
pub fn judge(old: &[Document], new: &Document, level: Compatibility, policy: Policy, kind: RegistryKind) -> Verdict {
    let mut found: Vec<Reason> = Vec::new();
    let mut weights = Vec::new();
    for (index, earlier) in old.iter().enumerate() {
        for direction in [Direction::Backward, Direction::Forward] {
            let name = if index + 1 == old.len() { "the old schema".to_owned() } else { format!("version {}", index + 1) };
            let (earlier, new) = ((earlier, name.as_str()), (new, "the new schema"));
            let findings = match direction {
                Direction::Backward => compare(earlier, new, policy),
                Direction::Forward => compare(new, earlier, policy),
            };
            for finding in findings {
                weights.push(kind.weight(&finding));
                let Finding { path, rule, message, .. } = finding;
                found.push(Reason { path, rule, message, direction, against: index + 1 });
            }
        }
    }
    let counts = |level: Compatibility, reason: &Reason| {
        let (directions, all) = asks(level);
        directions.contains(&reason.direction) && (all || reason.against == old.len())
    };
    let refuses =
        |level: Compatibility| found.iter().zip(&weights).any(|(reason, weight)| *weight == Weight::Refused && counts(level, reason));
    let admitted_by: Vec<Compatibility> = levels::ALL.into_iter().filter(|level| !refuses(*level)).collect();
    let order = order(admitted_by.contains(&Compatibility::Backward), admitted_by.contains(&Compatibility::Forward));
    let compatible = !refuses(level);
    let (mut reasons, mut warnings) = (Vec::new(), Vec::new());
    for (reason, weight) in found.into_iter().zip(weights).filter(|(reason, _)| counts(level, reason)) {
        if weight == Weight::Refused { reasons.push(reason) } else { warnings.push(reason) }
    }
    Verdict { compatible, reasons, warnings, admitted_by, order }
}
