//! The rules for lists: what all items must be, what the first ones must be (a tuple), and what may follow.

use serde_json::{Map, Value};

use super::form::Plain;
use super::plain::Bound;
use super::root::At;
use super::{Comparison, has_refusal};
use crate::schemas::rule::{Finding, Weight};

const COUNTS: [Bound; 2] = [
    Bound { keyword: "maxItems", upper: true, added: "MAX_ITEMS_ADDED", tightened: "MAX_ITEMS_DECREASED" },
    Bound { keyword: "minItems", upper: false, added: "MIN_ITEMS_ADDED", tightened: "MIN_ITEMS_INCREASED" },
];

/// A list's schema, taken apart in the same way for all drafts.
struct Shape<'a> {
    at: At<'a>,
    /// What every item must be, when there is no tuple.
    all: Option<&'a Value>,
    tuple: &'a [Value],
    /// What may follow behind the tuple; `None` when anything may.
    rest: Option<&'a Value>,
}

impl<'a> Shape<'a> {
    fn of(at: At<'a>, map: &'a Map<String, Value>) -> Self {
        let items = map.get("items");
        if at.root.has_prefix_items() {
            let tuple = map.get("prefixItems").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let items = items.filter(|items| !items.is_array());
            return if tuple.is_empty() {
                Self { at, all: items, tuple, rest: None }
            } else {
                Self { at, all: None, tuple, rest: open(items) }
            };
        }
        match items {
            Some(Value::Array(tuple)) => Self { at, all: None, tuple, rest: open(map.get("additionalItems")) },
            items => Self { at, all: items, tuple: &[], rest: None },
        }
    }
}

fn open(rest: Option<&Value>) -> Option<&Value> {
    rest.filter(|rest| **rest != Value::Bool(true))
}

impl<'a> Comparison<'a> {
    pub(super) fn lists(&mut self, writer: At<'a>, from: Plain<'a>, reader: At<'a>, to: Plain<'a>) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.kind(from, to, reader, "an array").into_iter().collect();
        findings.extend(self.bounds(&COUNTS, writer, from.map, reader, to.map));
        let unique = |map: &Map<String, Value>| map.get("uniqueItems") == Some(&Value::Bool(true));
        if unique(to.map) && !unique(from.map) {
            let message = format!("{} wants every item only once, {} does not", reader.root.name, writer.root.name);
            findings.push(self.at("uniqueItems", |it| it.refused("UNIQUE_ITEMS_ADDED", message)));
        }
        findings.extend(self.left_out(from.map, to.map, &["contains", "minContains", "maxContains"]));
        if to.map.get("unevaluatedItems").is_some_and(|value| *value != Value::Bool(true)) && !(self.alike && writer.value == reader.value)
        {
            let message = "`unevaluatedItems` is not compared; a validator may refuse what was written before".to_owned();
            findings.push(self.weighed(Weight::Unsafe, "KEYWORD_NOT_COMPARED", message));
        }
        let (from, to) = (Shape::of(writer, from.map), Shape::of(reader, to.map));
        findings.extend(self.at("items", |it| it.items(&from, &to)));
        findings.extend(self.at("additionalItems", |it| it.behind(&from, &to)));
        findings
    }

    fn items(&mut self, from: &Shape<'a>, to: &Shape<'a>) -> Vec<Finding> {
        let (writer, reader) = (&from.at.root.name, &to.at.root.name);
        let mut findings = match (from.all, to.all) {
            (Some(old), Some(new)) => self.values(from.at.to(old), to.at.to(new)),
            (None, Some(new)) if !self.takes_all(to.at.to(new)) => {
                let message = format!("{reader} says what every item must be, {writer} does not");
                self.refused("SCHEMA_ADDED", message).into()
            }
            _ => Vec::new(),
        };
        for (index, old) in from.tuple.iter().enumerate() {
            let place = index.to_string();
            let found = match to.tuple.get(index) {
                Some(new) => self.at(&place, |it| it.values(from.at.to(old), to.at.to(new))),
                None => self.at(&place, |it| it.item_removed(index, from, old, to)),
            };
            findings.extend(found);
        }
        for (index, new) in to.tuple.iter().enumerate().skip(from.tuple.len()) {
            findings.extend(self.at(&index.to_string(), |it| it.item_added(index, from, to, new)));
        }
        findings
    }

    fn item_removed(&mut self, index: usize, from: &Shape<'a>, old: &'a Value, to: &Shape<'a>) -> Vec<Finding> {
        let (writer, reader) = (&from.at.root.name, &to.at.root.name);
        match to.rest {
            None => Vec::new(),
            Some(Value::Bool(false)) => {
                if *old == Value::Bool(false) {
                    return Vec::new();
                }
                let message = format!("{writer} allows item {index}, {reader} ends before it");
                self.refused("ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL", message).into()
            }
            Some(rest) => {
                let mut findings = self.trial(|it| it.values(from.at.to(old), to.at.to(rest)));
                if has_refusal(&findings) {
                    let message = format!("{writer} allows item {index}, and what {reader} allows behind its tuple does not cover it");
                    findings.push(self.refused("ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", message));
                }
                findings
            }
        }
    }

    fn item_added(&mut self, index: usize, from: &Shape<'a>, to: &Shape<'a>, new: &'a Value) -> Vec<Finding> {
        let (writer, reader) = (&from.at.root.name, &to.at.root.name);
        match from.all.or(from.rest) {
            None => {
                if self.takes_all(to.at.to(new)) {
                    return Vec::new();
                }
                let message = format!("{reader} says what item {index} must be; {writer} allows anything there");
                self.refused("ITEM_ADDED_TO_OPEN_CONTENT_MODEL", message).into()
            }
            Some(Value::Bool(false)) => Vec::new(),
            Some(rest) => {
                let mut findings = self.trial(|it| it.values(from.at.to(rest), to.at.to(new)));
                if has_refusal(&findings) {
                    let message = format!("{reader} says what item {index} must be; what {writer} allows there goes beyond that");
                    findings.push(self.refused("ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", message));
                }
                findings
            }
        }
    }

    fn behind(&mut self, from: &Shape<'a>, to: &Shape<'a>) -> Vec<Finding> {
        let (writer, reader) = (&from.at.root.name, &to.at.root.name);
        match (from.rest, to.rest) {
            (_, None) | (Some(Value::Bool(false)), _) => Vec::new(),
            (_, Some(Value::Bool(false))) => {
                let message = format!("{writer} allows items that it does not describe, {reader} does not");
                self.refused("ADDITIONAL_ITEMS_REMOVED", message).into()
            }
            (None, Some(_)) => {
                let message = format!("{writer} allows anything behind what it describes, {reader} only what fits a schema");
                self.refused("ADDITIONAL_ITEMS_NARROWED", message).into()
            }
            (Some(old), Some(new)) => self.values(from.at.to(old), to.at.to(new)),
        }
    }
}
