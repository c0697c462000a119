//! The rules for `allOf`, `anyOf`, `oneOf`, for lists of types, and for keywords of several kinds beside each other.

use std::collections::HashMap;

use serde_json::Value;

use super::form::{Form, How, Sub};
use super::root::At;
use super::{Comparison, has_refusal};
use crate::schemas::rule::{Finding, Weight};

impl<'a> Comparison<'a> {
    /// A schema of one kind that becomes one of several parts: enough when one part takes it. `None` when none does.
    pub(super) fn taken_by_a_part(
        &mut self,
        writer: At<'a>,
        from: &Form<'a>,
        reader: At<'a>,
        how: How,
        parts: &[Sub<'a>],
    ) -> Option<Vec<Finding>> {
        if let [only] = parts {
            let findings = self.trial(|it| it.form_to_part(writer, from, reader, only));
            return (!has_refusal(&findings)).then_some(findings);
        }
        if how == How::All {
            return None;
        }
        let mut lightest: Option<Vec<Finding>> = None;
        for part in parts {
            let findings = self.trial(|it| it.form_to_part(writer, from, reader, part));
            if !has_refusal(&findings) && lightest.as_ref().is_none_or(|known| findings.len() < known.len()) {
                lightest = Some(findings);
            }
        }
        let mut findings = lightest?;
        findings.extend(self.exclusive(how, reader, &parts.iter().collect::<Vec<_>>()));
        Some(findings)
    }

    pub(super) fn combined(
        &mut self,
        writer: At<'a>,
        (first, from): (How, &[Sub<'a>]),
        reader: At<'a>,
        (then, to): (How, &[Sub<'a>]),
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        let allowed = first == then || then == How::Any || (from.len() == 1 && (then == How::One || to.len() == 1));
        if !allowed {
            let message =
                format!("{} combines with `{}`, {} with `{}`", writer.root.name, first.keyword(), reader.root.name, then.keyword());
            return self.refused("COMBINED_TYPE_CHANGED", message).into();
        }
        // Why: with `oneOf` a repetition is not idle, it refuses.
        let (all_from, all_to): (Vec<_>, Vec<_>) = (from.iter().collect(), to.iter().collect());
        let (from, to) = (distinct(from), distinct(to));
        if from.len().max(to.len()) > MOST_PARTS {
            let message = format!("`{}` has more than {MOST_PARTS} parts here, which are not compared", then.keyword());
            return self.refused("TOO_LARGE", message).into();
        }
        if then == How::All && from.len() < to.len() {
            let message =
                format!("{} wants {} parts to hold at once, {} only {}", reader.root.name, to.len(), writer.root.name, from.len());
            findings.push(self.refused("PRODUCT_TYPE_EXTENDED", message));
        }
        if then != How::All && from.len() > to.len() {
            let message = format!("{} has {} alternatives, {} only {}", writer.root.name, from.len(), reader.root.name, to.len());
            findings.push(self.refused("SUM_TYPE_NARROWED", message));
        }
        let matched = self.matched(writer, &from, reader, &to);
        let pairs = matched.partner.iter().flatten().count();
        for (index, partner) in matched.partner.iter().enumerate() {
            if partner.is_some() {
                findings.extend(matched.best.get(index).into_iter().flatten().cloned());
            }
        }
        if pairs < from.len().min(to.len()) {
            let alone = matched.partner.iter().position(Option::is_none).unwrap_or_default();
            let why = matched.nearest.get(alone).and_then(Option::as_ref);
            let why = why.map_or(String::new(), |near: &Finding| format!("; the nearest differs at {}: {}", near.path, near.message));
            let message =
                format!("`{}/{alone}` of {} is taken by no alternative of {}{why}", first.keyword(), writer.root.name, reader.root.name);
            findings.push(self.refused("COMBINED_TYPE_SUBSCHEMAS_CHANGED", message));
        }
        if !(first == How::One && self.are_same(&all_from, &all_to)) {
            findings.extend(self.exclusive(then, reader, &all_to));
        }
        findings
    }

    /// `oneOf` refuses what two alternatives take: safe when they cannot.
    fn exclusive(&self, how: How, reader: At<'a>, parts: &[&Sub<'a>]) -> Option<Finding> {
        if how != How::One || parts.len() < 2 || apart(self, reader, parts) {
            return None;
        }
        let message = format!(
            "two alternatives of `oneOf` in {} may take the same document, which is then refused; `anyOf` would take it",
            reader.root.name
        );
        Some(self.weighed(Weight::Unsafe, "ALTERNATIVES_OVERLAP", message))
    }

    /// Whether two lists of parts are written the same and mean the same.
    fn are_same(&self, from: &[&Sub<'a>], to: &[&Sub<'a>]) -> bool {
        let same = |(one, other): (&&Sub<'a>, &&Sub<'a>)| match (one, other) {
            (Sub::Written(one), Sub::Written(other)) => self.is_same(Some(one), Some(other)),
            _ => false,
        };
        from.len() == to.len() && from.iter().zip(to).all(same)
    }

    /// Two references that can only be meant for each other, for all other parts are of other kinds: nothing needs to be tried.
    fn only_pair(
        &self,
        writer: At<'a>,
        reader: At<'a>,
        (index, from): (usize, &[&Sub<'a>]),
        (other, to): (usize, &[&Sub<'a>]),
    ) -> Option<(At<'a>, At<'a>)> {
        if from.len() > FEW || to.len() > FEW {
            return None;
        }
        let (Sub::Written(old), Sub::Written(new)) = (from.get(index)?, to.get(other)?) else { return None };
        if old.get("$ref").is_none() || new.get("$ref").is_none() {
            return None;
        }
        let form = |at: At<'a>, part: &Sub<'a>| match part {
            Sub::Implied(form) => Some(form.clone()),
            Sub::Written(value) => self.followed(at.to(value)).ok().map(Form::read),
        };
        let (one, two) = (form(writer, from.get(index)?)?, form(reader, to.get(other)?)?);
        let apart = |two: Option<Form<'a>>| {
            two.is_some_and(|two| !one.is_like(&two) && !matches!(two, Form::Any | Form::Never | Form::Combined(..)))
        };
        let plain = matches!(one, Form::Object(_) | Form::List(_)) && one.is_like(&two);
        let alone = |at: At<'a>, parts: &[&Sub<'a>], own: usize| {
            parts.iter().enumerate().all(|(place, part)| place == own || apart(form(at, part)))
        };
        (plain && alone(writer, from, index) && alone(reader, to, other)).then(|| (writer.to(old), reader.to(new)))
    }

    /// Finds as many pairs of parts as there can be, so that no part is in two of them.
    fn matched(&mut self, writer: At<'a>, from: &[&Sub<'a>], reader: At<'a>, to: &[&Sub<'a>]) -> Matched {
        let mut edges: Vec<Vec<(usize, Vec<Finding>)>> = Vec::with_capacity(from.len());
        let mut nearest = Vec::with_capacity(from.len());
        for (index, old) in from.iter().enumerate() {
            let mut found = Vec::new();
            let mut near: Option<Vec<Finding>> = None;
            // Why the same place first: alternatives are seldom put in another order, and then nothing else needs to be compared.
            let order = std::iter::once(index).chain((0..to.len()).filter(|other| *other != index));
            for other in order {
                let Some(new) = to.get(other) else { continue };
                let findings = match self.only_pair(writer, reader, (index, from), (other, to)) {
                    Some((old, new)) => self.values(old, new),
                    None => self.trial(|it| it.parts(writer, old, reader, new)),
                };
                if has_refusal(&findings) {
                    if near.as_ref().is_none_or(|known| findings.len() < known.len()) {
                        near = Some(findings);
                    }
                    continue;
                }
                let is_clean = findings.is_empty();
                found.push((other, findings));
                if is_clean && (other == index || from.len() > FEW) {
                    break;
                }
            }
            found.sort_by_key(|(_, findings)| findings.len());
            edges.push(found);
            nearest.push(near.and_then(|near| near.into_iter().find(|finding| finding.weight == Weight::Refused)));
        }
        let mut owner: Vec<Option<usize>> = vec![None; to.len()];
        for index in 0..from.len() {
            give(index, &edges, &mut owner, &mut vec![false; to.len()]);
        }
        let mut partner = vec![None; from.len()];
        let mut best = vec![Vec::new(); from.len()];
        for (other, index) in owner.iter().enumerate().filter_map(|(other, index)| Some((other, (*index)?))) {
            let findings =
                edges.get(index).and_then(|edges| edges.iter().find(|(to, _)| *to == other)).map(|(_, findings)| findings.clone());
            if let (Some(partner), Some(best)) = (partner.get_mut(index), best.get_mut(index)) {
                *partner = Some(other);
                *best = findings.unwrap_or_default();
            }
        }
        Matched { partner, best, nearest }
    }
}

/// More parts are not compared.
const MOST_PARTS: usize = 2_000;

/// Up to so many parts each is compared with each.
const FEW: usize = 24;

struct Matched {
    /// For each part of the writer, the part of the reader that takes it.
    partner: Vec<Option<usize>>,
    /// What is found in each pair.
    best: Vec<Vec<Finding>>,
    /// For each part of the writer, why the part that is most like it does not take it.
    nearest: Vec<Option<Finding>>,
}

/// Gives a part of the writer a partner, moving others where that helps.
fn give(index: usize, edges: &[Vec<(usize, Vec<Finding>)>], owner: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    let Some(own) = edges.get(index) else { return false };
    for (other, _) in own {
        let (Some(was_tried), Some(holder)) = (tried.get_mut(*other), owner.get(*other).copied()) else { continue };
        if std::mem::replace(was_tried, true) {
            continue;
        }
        if holder.is_none_or(|holder| give(holder, edges, owner, tried)) {
            owner.get_mut(*other).into_iter().for_each(|owner| *owner = Some(index));
            return true;
        }
    }
    false
}

/// Parts without repetitions.
fn distinct<'s, 'a>(parts: &'s [Sub<'a>]) -> Vec<&'s Sub<'a>> {
    let mut found: Vec<&Sub<'_>> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for part in parts {
        let is_new = if let Sub::Written(value) = part { seen.insert(value.to_string()) } else { true };
        if is_new {
            found.push(part);
        }
    }
    found
}

/// The kinds of value that a part takes, and the properties that hold one of a few values.
type Marks = (Vec<String>, HashMap<String, Vec<String>>);

/// Whether no value can be taken by two of these parts.
fn apart(comparison: &Comparison<'_>, at: At<'_>, parts: &[&Sub<'_>]) -> bool {
    let marks: Vec<Marks> = parts
        .iter()
        .map(|part| match part {
            Sub::Implied(form) => (marks(form), HashMap::new()),
            Sub::Written(value) => comparison
                .followed(at.to(value))
                .map_or_else(|_| (Vec::new(), HashMap::new()), |at| (marks(&Form::read(at)), names(comparison, at))),
        })
        .collect();
    let disjoint = |one: &[String], other: &[String]| !one.is_empty() && !other.is_empty() && !one.iter().any(|mark| other.contains(mark));
    marks.iter().enumerate().all(|(index, (kinds, fixed))| {
        marks.iter().skip(index + 1).all(|(others, other)| {
            // Why: an event that must bear its name is no other event.
            let by_name = || fixed.iter().any(|(name, values)| other.get(name).is_some_and(|others| disjoint(values, others)));
            disjoint(kinds, others) || by_name()
        })
    })
}

/// The properties that an object must have and that hold one of a few values.
fn names(comparison: &Comparison<'_>, at: At<'_>) -> HashMap<String, Vec<String>> {
    let is_object = at.value.get("type").and_then(Value::as_str) == Some("object");
    let required = at.value.get("required").and_then(Value::as_array).filter(|_| is_object).into_iter().flatten().filter_map(Value::as_str);
    let fixed = required.filter_map(|name| {
        let property = comparison.followed(at.to(at.value.get("properties")?.get(name)?)).ok()?;
        let values = match (property.value.get("const"), property.value.get("enum")) {
            (Some(value), _) => vec![value.to_string()],
            (None, Some(Value::Array(values))) => values.iter().map(Value::to_string).collect(),
            _ => return None,
        };
        Some((name.to_owned(), values))
    });
    fixed.collect()
}

/// The kinds of value that a form takes, or its fixed values; empty when that is not known.
fn marks(form: &Form<'_>) -> Vec<String> {
    let kind = |name: &str| vec![name.to_owned()];
    match form {
        Form::Text(plain) if plain.typed => kind("string"),
        Form::Number(plain, _) if plain.typed => kind("number"),
        Form::Object(plain) if plain.typed => kind("object"),
        Form::List(plain) if plain.typed => kind("array"),
        Form::Truth => kind("boolean"),
        Form::Null => kind("null"),
        Form::Const(value) => kind(of_value(value)),
        Form::Enum(values) => values.iter().map(|value| of_value(value).to_owned()).collect(),
        Form::Combined(How::All, parts) => {
            let known = parts.iter().map(|part| match part {
                Sub::Implied(form) => marks(form),
                Sub::Written(_) => Vec::new(),
            });
            known.into_iter().find(|marks| !marks.is_empty()).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn of_value(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
