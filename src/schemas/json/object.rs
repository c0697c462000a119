//! The rules for objects: which properties there may be, which must be there, and what else may.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Map, Value};

use super::form::Plain;
use super::plain::Bound;
use super::root::At;
use super::{Comparison, has_refusal};
use crate::schemas::rule::{Finding, Weight};

const COUNTS: [Bound; 2] = [
    Bound { keyword: "maxProperties", upper: true, added: "MAX_PROPERTIES_ADDED", tightened: "MAX_PROPERTIES_DECREASED" },
    Bound { keyword: "minProperties", upper: false, added: "MIN_PROPERTIES_ADDED", tightened: "MIN_PROPERTIES_INCREASED" },
];

/// What else an object may hold beside its properties.
#[derive(Clone, Copy)]
enum Rest<'a> {
    /// Anything.
    Open,
    /// Nothing.
    Closed,
    /// What fits this schema.
    Fitting(&'a Value),
}

/// An object's schema, taken apart.
struct Shape<'a> {
    at: At<'a>,
    map: &'a Map<String, Value>,
    rest: Rest<'a>,
}

impl<'a> Shape<'a> {
    fn of(at: At<'a>, map: &'a Map<String, Value>) -> Self {
        let rest = match map.get("additionalProperties") {
            None | Some(Value::Bool(true)) => Rest::Open,
            Some(Value::Bool(false)) => Rest::Closed,
            Some(schema) => Rest::Fitting(schema),
        };
        Self { at, map, rest }
    }

    fn part(&self, keyword: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        self.map.get(keyword).and_then(Value::as_object).into_iter().flatten()
    }

    fn property(&self, name: &str) -> Option<&'a Value> {
        self.map.get("properties").and_then(Value::as_object)?.get(name)
    }

    fn required(&self) -> BTreeSet<&'a str> {
        self.map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Whether anything may stand under a name that is not mentioned.
    fn is_open(&self) -> bool {
        matches!(self.rest, Rest::Open) && self.part("patternProperties").next().is_none()
    }

    /// The schemas of `patternProperties` that hold for a name; `Err` when a pattern cannot be understood.
    fn patterns(&self, name: &str) -> Result<Vec<&'a Value>, ()> {
        let mut found = Vec::new();
        for (pattern, schema) in self.part("patternProperties") {
            if Regex::new(pattern).map_err(|_| ())?.is_match(name) {
                found.push(schema);
            }
        }
        Ok(found)
    }

    /// What a partly open object says of a name that it does not mention.
    fn covering(&self, name: &str) -> Option<&'a Value> {
        let first = self.patterns(name).unwrap_or_default().first().copied();
        first.or(if let Rest::Fitting(schema) = self.rest { Some(schema) } else { None })
    }
}

impl<'a> Comparison<'a> {
    pub(super) fn objects(&mut self, writer: At<'a>, from: Plain<'a>, reader: At<'a>, to: Plain<'a>) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.kind(from, to, reader, "an object").into_iter().collect();
        let (from, to) = (Shape::of(writer, from.map), Shape::of(reader, to.map));
        findings.extend(self.required(&from, &to));
        findings.extend(self.at("properties", |it| it.properties(&from, &to)));
        findings.extend(self.at("dependencies", |it| it.dependencies(&from, &to)));
        findings.extend(self.at("patternProperties", |it| it.patterns(&from, &to)));
        findings.extend(self.at("additionalProperties", |it| it.rest(&from, &to)));
        findings.extend(self.bounds(&COUNTS, writer, from.map, reader, to.map));
        findings.extend(self.left_out(from.map, to.map, &["propertyNames", "dependentRequired", "dependentSchemas"]));
        // Why: it counts what the keywords around it have looked at, so only a schema that is the same as a whole means the same.
        if to.map.get("unevaluatedProperties").is_some_and(|value| *value != Value::Bool(true))
            && !(self.alike && writer.value == reader.value)
        {
            let message = "`unevaluatedProperties` is not compared; a validator may refuse what was written before".to_owned();
            findings.push(self.weighed(Weight::Unsafe, "KEYWORD_NOT_COMPARED", message));
        }
        findings
    }

    fn required(&mut self, from: &Shape<'a>, to: &Shape<'a>) -> Vec<Finding> {
        let sure = from.required();
        let mut findings = Vec::new();
        for name in to.required().difference(&sure) {
            let (old, new) = (from.property(name), to.property(name));
            let (writer, reader) = (&from.at.root.name, &to.at.root.name);
            let finding = self.at("required", |it| {
                it.at(name, |it| match (old, new) {
                    (Some(_), Some(new)) if default(to.at, new).is_some() => it.weighed(
                        Weight::Unsafe,
                        "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED",
                        format!(
                            "{reader} requires `{name}`, {writer} does not. Its default lets the registry accept that, but a validator puts no \
                             defaults in and refuses a document without it"
                        ),
                    )
                    .into(),
                    (Some(_), Some(_)) => Some(it.refused(
                        "REQUIRED_ATTRIBUTE_ADDED",
                        format!("{reader} requires `{name}`, {writer} does not, so documents may lack it"),
                    )),
                    // Why: a property that only the reader mentions is judged with the properties.
                    (None, Some(new)) if !from.is_open() || !it.takes_all(to.at.to(new)) => None,
                    _ => Some(it.weighed(
                        Weight::Unsafe,
                        "REQUIRED_NOT_COMPARED",
                        format!("{reader} requires `{name}`; registries do not compare that here, but documents of {writer} may lack it"),
                    )),
                })
            });
            findings.extend(finding);
        }
        findings
    }

    fn properties(&mut self, from: &Shape<'a>, to: &Shape<'a>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, old) in from.part("properties") {
            let found = match to.property(name) {
                Some(new) => self.at(name, |it| it.values(from.at.to(old), to.at.to(new))),
                None => self.at(name, |it| it.removed(name, from, old, to)),
            };
            findings.extend(found);
        }
        for (name, new) in to.part("properties").filter(|(name, _)| from.property(name).is_none()) {
            findings.extend(self.at(name, |it| it.added(name, from, to, new)));
        }
        findings
    }

    fn removed(&mut self, name: &str, from: &Shape<'a>, old: &'a Value, to: &Shape<'a>) -> Vec<Finding> {
        if to.is_open() {
            return Vec::new();
        }
        let (writer, reader) = (&from.at.root.name, &to.at.root.name);
        let Some(covering) = to.covering(name) else {
            if *old == Value::Bool(false) {
                return Vec::new();
            }
            let message =
                format!("{writer} allows `{name}`, which {reader} does not know, and it takes nothing else: a document with it is refused");
            return self.refused("PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL", message).into();
        };
        let mut findings = self.trial(|it| it.values(from.at.to(old), to.at.to(covering)));
        if has_refusal(&findings) {
            let message = format!("{writer} allows `{name}`, and what {reader} allows of names that it does not mention does not cover it");
            findings.push(self.refused("PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", message));
        }
        findings
    }

    fn added(&mut self, name: &str, from: &Shape<'a>, to: &Shape<'a>, new: &'a Value) -> Vec<Finding> {
        let (writer, reader) = (&from.at.root.name, &to.at.root.name);
        let required = to.required().contains(name) && !from.required().contains(name);
        let has_default = default(to.at, new).is_some();
        if from.is_open() {
            if self.takes_all(to.at.to(new)) {
                return Vec::new();
            }
            let (rule, more) = match (required, has_default) {
                (false, _) => ("OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", ""),
                (true, true) => ("REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL", ", or nothing"),
                (true, false) => ("REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", ", or nothing"),
            };
            let message = format!(
                "{reader} says what `{name}` must be; {writer} does not mention it and allows further properties, so documents may hold \
                 anything under that name{more}"
            );
            return self.refused(rule, message).into();
        }
        let mut findings = Vec::new();
        if let Some(covering) = from.covering(name) {
            findings = self.trial(|it| it.values(from.at.to(covering), to.at.to(new)));
            if has_refusal(&findings) {
                let message =
                    format!("{reader} says what `{name}` must be; what {writer} allows of names that it does not mention goes beyond that");
                findings.push(self.refused("PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL", message));
            }
        } else if matches!(from.rest, Rest::Open) {
            let message = format!(
                "documents of {writer} may hold anything under `{name}`: it is no name of a pattern, and further properties are allowed"
            );
            findings.push(self.weighed(Weight::Unsafe, "KEYWORD_NOT_COMPARED", message));
        }
        if required {
            let mut message = format!("{reader} requires `{name}`, and documents of {writer} do not have it");
            findings.push(if has_default {
                message.push_str("; its default lets the registry accept that, but a validator puts no defaults in");
                self.weighed(Weight::Unsafe, "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL", message)
            } else {
                self.refused("REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", message)
            });
        }
        findings
    }

    fn rest(&mut self, from: &Shape<'a>, to: &Shape<'a>) -> Vec<Finding> {
        let (writer, reader) = (&from.at.root.name, &to.at.root.name);
        match (from.rest, to.rest) {
            (Rest::Closed, _) | (_, Rest::Open) => Vec::new(),
            (_, Rest::Closed) => {
                let message = format!("{writer} allows properties that it does not mention, {reader} does not");
                self.refused("ADDITIONAL_PROPERTIES_REMOVED", message).into()
            }
            (Rest::Open, Rest::Fitting(_)) => {
                let message = format!("{writer} allows anything under names that it does not mention, {reader} only what fits a schema");
                self.refused("ADDITIONAL_PROPERTIES_NARROWED", message).into()
            }
            (Rest::Fitting(old), Rest::Fitting(new)) => self.values(from.at.to(old), to.at.to(new)),
        }
    }

    /// Registries do not compare what stands under patterns: the same pattern must still take what it took, a new one may hit anything.
    fn patterns(&mut self, from: &Shape<'a>, to: &Shape<'a>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let old = |pattern: &str| from.part("patternProperties").find(|(known, _)| *known == pattern).map(|(_, schema)| schema);
        let message = |pattern: &str| {
            format!(
                "what `{pattern}` says is new or differs; registries do not compare it, but a validator may refuse what was written before"
            )
        };
        for (pattern, new) in to.part("patternProperties") {
            let same = match old(pattern) {
                Some(old) => self.at(pattern, |it| it.trial(|it| it.values(from.at.to(old), to.at.to(new))).is_empty()),
                None => matches!(new, Value::Bool(true)),
            };
            // Why: a property that the writer mentions falls under the pattern as well.
            let hits =
                same && {
                    let matching: Vec<_> =
                        from.part("properties").filter(|(name, _)| Regex::new(pattern).map_or(true, |it| it.is_match(name))).collect();
                    let fits = |it: &mut Self, value: &'a Value| it.trial(|it| it.values(from.at.to(value), to.at.to(new))).is_empty();
                    matching.into_iter().any(|(_, value)| !fits(self, value))
                } && old(pattern).is_none_or(|old| !self.is_same(Some(old), Some(new)));
            if !same || hits {
                findings.push(self.at(pattern, |it| it.weighed(Weight::Unsafe, "KEYWORD_NOT_COMPARED", message(pattern))));
            }
        }
        for (pattern, _) in from.part("patternProperties") {
            let kept = to.part("patternProperties").any(|(known, _)| known == pattern);
            if !kept && !matches!(to.rest, Rest::Open) {
                findings.push(self.at(pattern, |it| it.weighed(Weight::Unsafe, "KEYWORD_NOT_COMPARED", message(pattern))));
            }
            // Why: names that fall under a pattern and that the reader mentions are judged by the first pattern that hits them only.
            let mentioned = to
                .part("properties")
                .any(|(name, _)| from.property(name).is_none() && from.patterns(name).map_or(true, |found| found.len() > 1));
            if mentioned {
                findings.push(self.at(pattern, |it| it.weighed(Weight::Unsafe, "KEYWORD_NOT_COMPARED", message(pattern))));
            }
        }
        let several =
            from.part("properties").any(|(name, _)| to.property(name).is_none() && to.patterns(name).map_or(true, |found| found.len() > 1));
        if several {
            let message =
                "several patterns hold for a property that is not mentioned any more; registries look at the first only".to_owned();
            findings.push(self.weighed(Weight::Unsafe, "KEYWORD_NOT_COMPARED", message));
        }
        findings
    }

    fn dependencies(&mut self, from: &Shape<'a>, to: &Shape<'a>) -> Vec<Finding> {
        let before = from.map.get("dependencies").and_then(Value::as_object);
        let mut findings = Vec::new();
        let (writer, reader) = (&from.at.root.name, &to.at.root.name);
        for (name, new) in to.part("dependencies") {
            let old = before.and_then(|before| before.get(name));
            let found = self.at(name, |it| match (old, new) {
                (Some(Value::Array(old)), Value::Array(new)) => {
                    let more = new.iter().any(|value| !old.contains(value));
                    let fewer = old.iter().any(|value| !new.contains(value));
                    let rule = match (more, fewer) {
                        (false, _) => return Vec::new(),
                        (true, false) => "DEPENDENCY_ARRAY_EXTENDED",
                        (true, true) => "DEPENDENCY_ARRAY_CHANGED",
                    };
                    it.refused(rule, format!("where `{name}` is, {reader} wants properties that {writer} does not")).into()
                }
                (Some(old), new) if !old.is_array() && !new.is_array() => it.values(from.at.to(old), to.at.to(new)),
                (_, new) => {
                    let rule = if new.is_array() { "DEPENDENCY_ARRAY_ADDED" } else { "DEPENDENCY_SCHEMA_ADDED" };
                    it.refused(rule, format!("where `{name}` is, {reader} wants something that {writer} does not")).into()
                }
            });
            findings.extend(found);
        }
        findings
    }
}

/// The default of a property, its own or that of what it refers to.
fn default<'a>(at: At<'a>, property: &'a Value) -> Option<&'a Value> {
    let target = property.get("$ref").and_then(Value::as_str).and_then(|reference| at.root.find(reference));
    property.get("default").or_else(|| target?.get("default"))
}
