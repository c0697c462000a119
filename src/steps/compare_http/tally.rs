//! What was counted. It is the cursor of the act, its receipt and the evidence.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::differ::Difference;

/// Most fields that are counted one by one.
const MOST_FIELDS: usize = 100;

/// Stands for the fields beyond those.
const OTHERS: &str = "others";

/// Most examples of one field.
const MOST_EXAMPLES: usize = 3;

/// Most fields that a sentence names.
const NAMED: usize = 5;

/// The counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Requests that there were to send, after drawing.
    pub(super) planned: u64,
    /// Requests whose answers could be compared.
    pub(super) compared: u64,
    /// Those that differ.
    pub(super) different: u64,
    /// Those that differed at first, or were not answered, and are the same by now.
    pub(super) settled: u64,
    /// Requests of which nothing is known.
    pub(super) unknown: u64,
    /// Why, and how often.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) reasons: BTreeMap<String, u64>,
    /// The fields that differ.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) fields: BTreeMap<String, Field>,
    /// Why it ended before the last request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<String>,
}

/// A field that differs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Field {
    /// In how many requests.
    pub(super) count: u64,
    /// Some of them.
    pub(super) examples: Vec<Example>,
}

/// One request in which a field differs, without the values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Example {
    /// The values of the placeholders that may be shown, else a hash.
    pub(super) request: Value,
    /// What the one way answers.
    pub(super) left: String,
    /// What the other way answers.
    pub(super) right: String,
}

impl Tally {
    /// Requests that are over.
    pub(super) fn over(&self) -> u64 {
        self.compared + self.unknown
    }

    pub(super) fn same(&mut self, tries: u32) {
        self.compared += 1;
        self.settled += u64::from(tries > 1);
    }

    pub(super) fn differ(&mut self, request: &Value, differences: Vec<Difference>) {
        self.compared += 1;
        self.different += 1;
        let mut counted = Vec::new();
        for Difference { field, left, right } in differences {
            let known = self.fields.contains_key(&field) || self.fields.len() < MOST_FIELDS;
            let name = if known { field } else { OTHERS.to_owned() };
            // Why: a field of a list differs in several places of one answer.
            if counted.contains(&name) {
                continue;
            }
            let entry = self.fields.entry(name.clone()).or_default();
            entry.count += 1;
            if entry.examples.len() < MOST_EXAMPLES {
                entry.examples.push(Example { request: request.clone(), left, right });
            }
            counted.push(name);
        }
    }

    pub(super) fn miss(&mut self, why: String) {
        self.unknown += 1;
        let known = self.reasons.contains_key(&why) || self.reasons.len() < MOST_FIELDS;
        *self.reasons.entry(if known { why } else { OTHERS.to_owned() }).or_default() += 1;
    }

    /// Why nothing is known of some, the most frequent reason first.
    pub(super) fn reasons(&self) -> String {
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        reasons.iter().take(NAMED).map(|(why, count)| format!("{why} ({count})")).collect::<Vec<_>>().join(", ")
    }

    /// The fields that differ most, at the end of a sentence; empty when there are none.
    pub(super) fn fields_line(&self) -> String {
        let mut fields: Vec<_> = self.fields.iter().collect();
        fields.sort_by_key(|(_, field)| std::cmp::Reverse(field.count));
        let mut line = String::new();
        for (name, field) in fields.iter().take(NAMED) {
            let example = field.examples.first().map(|one| format!(", for instance {} / {}", one.left, one.right)).unwrap_or_default();
            let _ = write!(line, "; {name} in {}{example}", field.count);
        }
        let more = fields.len().saturating_sub(NAMED);
        if more > 0 {
            let _ = write!(line, "; and {more} more fields");
        }
        line
    }
}
