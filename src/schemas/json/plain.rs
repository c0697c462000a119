//! The rules for texts, numbers and fixed values.

use serde_json::{Map, Number, Value};

use super::Comparison;
use super::form::{Plain, listed, shown};
use super::root::At;
use crate::schemas::envelope::CONST_VERSION;
use crate::schemas::rule::{Finding, Weight};

/// A bound that may get wider and not narrower.
pub(super) struct Bound {
    /// The keyword.
    pub(super) keyword: &'static str,
    /// Whether a larger number lets more pass.
    pub(super) upper: bool,
    /// The rule for a bound that is new.
    pub(super) added: &'static str,
    /// The rule for a bound that got narrower.
    pub(super) tightened: &'static str,
}

const LENGTHS: [Bound; 2] = [
    Bound { keyword: "maxLength", upper: true, added: "MAX_LENGTH_ADDED", tightened: "MAX_LENGTH_DECREASED" },
    Bound { keyword: "minLength", upper: false, added: "MIN_LENGTH_ADDED", tightened: "MIN_LENGTH_INCREASED" },
];

const LIMITS: [Bound; 4] = [
    Bound { keyword: "maximum", upper: true, added: "MAXIMUM_ADDED", tightened: "MAXIMUM_DECREASED" },
    Bound { keyword: "minimum", upper: false, added: "MINIMUM_ADDED", tightened: "MINIMUM_INCREASED" },
    Bound { keyword: "exclusiveMaximum", upper: true, added: "EXCLUSIVE_MAXIMUM_ADDED", tightened: "EXCLUSIVE_MAXIMUM_DECREASED" },
    Bound { keyword: "exclusiveMinimum", upper: false, added: "EXCLUSIVE_MINIMUM_ADDED", tightened: "EXCLUSIVE_MINIMUM_INCREASED" },
];

impl<'a> Comparison<'a> {
    pub(super) fn texts(&mut self, writer: At<'a>, from: Plain<'a>, reader: At<'a>, to: Plain<'a>) -> Vec<Finding> {
        let mut findings = self.bounds(&LENGTHS, writer, from.map, reader, to.map);
        findings.extend(self.kind(from, to, reader, "a string"));
        let (before, after) = (from.map.get("pattern"), to.map.get("pattern"));
        match (before.and_then(Value::as_str), after.and_then(Value::as_str)) {
            (None, Some(pattern)) => {
                let message = format!("{} wants texts that match `{pattern}`, {} allows any", reader.root.name, writer.root.name);
                findings.push(self.at("pattern", |it| it.refused("PATTERN_ADDED", message)));
            }
            (Some(before), Some(after)) if before != after => {
                let message = format!(
                    "{} wants texts that match `{after}`, {} those that match `{before}`; whether the one holds the other is not known",
                    reader.root.name, writer.root.name
                );
                findings.push(self.at("pattern", |it| it.refused("PATTERN_CHANGED", message)));
            }
            _ => {}
        }
        findings.extend(self.left_out(from.map, to.map, &["format", "contentEncoding", "contentMediaType"]));
        findings
    }

    pub(super) fn numbers(
        &mut self,
        writer: At<'a>,
        (from, whole): (Plain<'a>, bool),
        reader: At<'a>,
        (to, must_be_whole): (Plain<'a>, bool),
    ) -> Vec<Finding> {
        let mut findings = self.bounds(&LIMITS, writer, from.map, reader, to.map);
        findings.extend(self.kind(from, to, reader, "a number"));
        // Why: in draft 4 the exclusive bounds are truth values that say how `minimum` and `maximum` are meant.
        for keyword in ["exclusiveMinimum", "exclusiveMaximum"] {
            let now = to.map.get(keyword);
            if now == Some(&Value::Bool(true)) && from.map.get(keyword) != now {
                let message = format!("{} leaves out the bound itself, {} does not", reader.root.name, writer.root.name);
                let rule = if keyword == "exclusiveMinimum" { "EXCLUSIVE_MINIMUM_ADDED" } else { "EXCLUSIVE_MAXIMUM_ADDED" };
                findings.push(self.at(keyword, |it| it.refused(rule, message)));
            }
        }
        if let Some(Value::Number(after)) = to.map.get("multipleOf") {
            let before = if let Some(Value::Number(before)) = from.map.get("multipleOf") { Some(before) } else { None };
            let rule = match before {
                None => Some("MULTIPLE_OF_ADDED"),
                Some(before) if is_multiple(before, after) => None,
                Some(before) if is_multiple(after, before) => Some("MULTIPLE_OF_EXPANDED"),
                Some(_) => Some("MULTIPLE_OF_CHANGED"),
            };
            if let Some(rule) = rule {
                let before = before.map_or_else(|| "any number".to_owned(), |before| format!("multiples of {before}"));
                let message = format!("{} wants multiples of {after}, {} allows {before}", reader.root.name, writer.root.name);
                findings.push(self.at("multipleOf", |it| it.refused(rule, message)));
            }
        }
        if must_be_whole && !whole {
            let message = format!("{} takes integers only, {} allows any number", reader.root.name, writer.root.name);
            findings.push(self.refused("TYPE_NARROWED", message));
        }
        findings
    }

    /// A kind that the reader names and the writer leaves open.
    pub(super) fn kind(&self, from: Plain<'a>, to: Plain<'a>, reader: At<'a>, what: &str) -> Option<Finding> {
        let message = || format!("{} now says that it must be {what}; without `type` anything else passed too", reader.root.name);
        (to.typed && !from.typed).then(|| self.weighed(Weight::Unsafe, "TYPE_ADDED", message()))
    }

    pub(super) fn bounds(
        &mut self,
        bounds: &[Bound],
        writer: At<'a>,
        from: &Map<String, Value>,
        reader: At<'a>,
        to: &Map<String, Value>,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for bound in bounds {
            let Some(Value::Number(after)) = to.get(bound.keyword) else { continue };
            let (rule, before) = match from.get(bound.keyword) {
                Some(Value::Number(before)) => {
                    let tighter = if bound.upper { is_less(after, before) } else { is_less(before, after) };
                    if !tighter {
                        continue;
                    }
                    (bound.tightened, before.to_string())
                }
                _ => (bound.added, "no such bound".to_owned()),
            };
            let keyword = bound.keyword;
            let message =
                format!("{} has `{keyword}` {after}, {} has {before}; what lies between is refused", reader.root.name, writer.root.name);
            findings.push(self.at(keyword, |it| it.refused(rule, message)));
        }
        findings
    }

    pub(super) fn enums(&mut self, writer: At<'a>, from: &[Value], reader: At<'a>, to: &[Value]) -> Vec<Finding> {
        // Why: a list of thousands of values is compared in this order once, and not each with each.
        let taken: std::collections::HashSet<String> = to.iter().map(Value::to_string).collect();
        let lost: Vec<Value> = from.iter().filter(|value| !taken.contains(&value.to_string())).cloned().collect();
        if lost.is_empty() {
            return Vec::new();
        }
        let written: std::collections::HashSet<String> = from.iter().map(Value::to_string).collect();
        let narrowed = taken.iter().all(|value| written.contains(value));
        let rule = if narrowed { "ENUM_ARRAY_NARROWED" } else { "ENUM_ARRAY_CHANGED" };
        let message = format!("{} allows {}, which {} does not take", writer.root.name, listed(&lost), reader.root.name);
        self.at("enum", |it| it.refused(rule, message)).into()
    }

    pub(super) fn consts(&mut self, writer: At<'a>, from: &Value, reader: At<'a>, to: &Value) -> Vec<Finding> {
        if from == to {
            return Vec::new();
        }
        let mut message = format!("{} allows only {}, {} only {}", writer.root.name, shown(from), reader.root.name, shown(to));
        if self.path.last().is_some_and(|name| name == "event_version") {
            message.push_str("; ");
            message.push_str(CONST_VERSION);
        }
        self.at("const", |it| it.refused("ENUM_ARRAY_CHANGED", message)).into()
    }
}

/// Whether a number is less than another. Whole numbers are compared exactly.
fn is_less(one: &Number, other: &Number) -> bool {
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => one < other,
        _ => one.as_f64().unwrap_or(f64::NAN) < other.as_f64().unwrap_or(f64::NAN),
    }
}

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// Whether `number` is a multiple of `of`, in decimals.
fn is_multiple(number: &Number, of: &Number) -> bool {
    let (Some((number, number_scale)), Some((of, of_scale))) = (decimal(number), decimal(of)) else { return number == of };
    let scale = number_scale.max(of_scale);
    let grown = |value: i128, by: u32| 10_i128.checked_pow(by).and_then(|factor| value.checked_mul(factor));
    match (grown(number, scale - number_scale), grown(of, scale - of_scale)) {
        (Some(number), Some(of)) if of != 0 => number % of == 0,
        _ => false,
    }
}

/// A number as digits and how many of them stand behind the point.
fn decimal(number: &Number) -> Option<(i128, u32)> {
    let text = number.to_string();
    if text.contains(['e', 'E']) {
        return None;
    }
    let (before, behind) = text.split_once('.').unwrap_or((&text, ""));
    Some((format!("{before}{behind}").parse().ok()?, u32::try_from(behind.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiples_are_counted_in_decimals() {
        let number = |text: &str| serde_json::from_str::<Number>(text).unwrap();
        for (a, b, yes) in [("4", "2", true), ("0.3", "0.1", true), ("0.25", "0.1", false), ("1", "0.25", true), ("3", "2", false)] {
            assert_eq!(is_multiple(&number(a), &number(b)), yes, "{a} of {b}");
        }
    }

    #[test]
    fn large_numbers_are_compared_exactly() {
        let number = |text: &str| serde_json::from_str::<Number>(text).unwrap();
        assert!(is_less(&number("9007199254740992"), &number("9007199254740993")));
    }
}
