//! Whether every document that one JSON Schema allows is taken by another, place by place, by the documented rules of Confluent's
//! registry. Where these rules let something pass that a validator would refuse, that is found too, with another weight.

mod combined;
mod form;
mod list;
mod object;
mod plain;
mod root;

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Map, Value};

use self::form::{Form, Sub};
use self::root::At;
pub use self::root::Root;
use super::rule::{Finding, Policy, Weight};

/// How deep two schemas are compared, references followed.
const DEEPEST: usize = 160;

/// How many pairs of parts are compared at most.
const MOST: usize = 200_000;

/// How many references may lead to each other.
const LONGEST_CHAIN: usize = 64;

/// How many findings are told; more of them help nobody.
const TOLD: usize = 200;

/// Finds where `reader` may refuse what `writer` allows.
pub fn compare<'a>(writer: &'a Root<'a>, reader: &'a Root<'a>, policy: Policy) -> Vec<Finding> {
    let alike = writer.value == reader.value && writer.references == reader.references;
    let mut comparison = Comparison {
        policy,
        alike,
        path: Vec::new(),
        prefix: String::new(),
        known: HashMap::new(),
        met: HashSet::new(),
        met_in_order: Vec::new(),
        waiting: VecDeque::new(),
        trials: 0,
        depth: 0,
        open: Vec::new(),
        fine: Vec::new(),
        done: 0,
    };
    let mut findings = comparison.values(At { root: writer, value: writer.value }, At { root: reader, value: reader.value });
    while let Some((writer, reader, prefix)) = comparison.waiting.pop_front() {
        comparison.prefix = prefix;
        findings.extend(comparison.pair(writer, reader));
        if findings.len() > TOLD {
            break;
        }
    }
    findings.truncate(TOLD);
    findings
}

/// One comparison under way.
struct Comparison<'a> {
    policy: Policy,
    /// Whether both schemas are the same as a whole, so that the same reference means the same.
    alike: bool,
    path: Vec<String>,
    /// What is known of pairs of parts, by their addresses: nothing to be found, or the first and heaviest finding.
    known: HashMap<(usize, usize), Option<Finding>>,
    /// Pairs behind references that were met: compared and fine, or waiting.
    met: HashSet<(usize, usize)>,
    met_in_order: Vec<(usize, usize)>,
    depth: usize,
    /// Pairs under way, outermost first.
    open: Vec<(usize, usize)>,
    /// Pairs that are fine if those under way are, in the order in which that was found.
    fine: Vec<(usize, usize)>,
    /// Pairs behind references that are still to be compared, and where each was met first.
    waiting: VecDeque<(At<'a>, At<'a>, String)>,
    /// How many trials are under way: what is found in one may be dropped.
    trials: usize,
    /// Where the pair that is compared was met.
    prefix: String,
    done: usize,
}

fn has_refusal(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.weight == Weight::Refused)
}

impl<'a> Comparison<'a> {
    /// Compares two parts.
    fn values(&mut self, writer: At<'a>, reader: At<'a>) -> Vec<Finding> {
        let before = (writer.address(), reader.address());
        let (writer, reader) = match (self.followed(writer), self.followed(reader)) {
            (Ok(writer), Ok(reader)) => (writer, reader),
            (Err(finding), _) | (_, Err(finding)) => return vec![finding],
        };
        // Why: definitions may lead to each other for thousands of steps, and each pair of them is compared once, wherever it is met.
        let is_behind_reference = (writer.address(), reader.address()) != before;
        if is_behind_reference {
            let key = (writer.address(), reader.address());
            if let Some(known) = self.known.get(&key).and_then(Option::as_ref) {
                return vec![known.clone()];
            }
            if self.met.insert(key) {
                self.met_in_order.push(key);
                let place = self.place();
                self.waiting.push_back((writer, reader, place));
            }
            return Vec::new();
        }
        self.pair(writer, reader)
    }

    /// Compares two parts that are no mere references.
    fn pair(&mut self, writer: At<'a>, reader: At<'a>) -> Vec<Finding> {
        let key = (writer.address(), reader.address());
        if let Some(known) = self.known.get(&key) {
            return known.iter().cloned().collect();
        }
        // Why: a schema that contains itself allows and takes the same as long as nothing else is found.
        if self.open.contains(&key) {
            return Vec::new();
        }
        self.done += 1;
        if self.depth >= DEEPEST || self.done > MOST {
            let (rule, what) = if self.done > MOST {
                ("TOO_LARGE", "the schemas have too many parts that could stand for each other".to_owned())
            } else {
                ("TOO_DEEP", format!("the schemas are nested deeper than {DEEPEST} levels here"))
            };
            return self.refused(rule, format!("{what}, and are not compared any further; take it apart into definitions")).into();
        }
        let mark = self.fine.len();
        self.open.push(key);
        self.depth += 1;
        let findings = self.forms(writer, &Form::read(writer), reader, &Form::read(reader));
        self.depth -= 1;
        self.open.pop();
        if self.trials == 0 {
            return findings;
        }
        if findings.is_empty() {
            self.fine.push(key);
        } else {
            self.forget_fine(mark);
        }
        let heaviest = findings.iter().rev().max_by_key(|finding| finding.weight).cloned();
        self.known.insert(key, heaviest);
        findings
    }

    /// Finds something out of which perhaps nothing follows: all that waits because of it is compared at once.
    fn trial(&mut self, go: impl FnOnce(&mut Self) -> Vec<Finding>) -> Vec<Finding> {
        let outside = std::mem::take(&mut self.waiting);
        let (met, fine) = (self.met_in_order.len(), self.fine.len());
        self.trials += 1;
        let mut findings = go(self);
        while let Some((writer, reader, prefix)) = self.waiting.pop_front() {
            if has_refusal(&findings) {
                break;
            }
            let prefix = std::mem::replace(&mut self.prefix, prefix);
            let path = std::mem::take(&mut self.path);
            findings.extend(self.pair(writer, reader));
            self.path = path;
            self.prefix = prefix;
        }
        self.trials -= 1;
        self.waiting = outside;
        // Why: what was met in a trial that found something is not known to be fine, and may be met again elsewhere.
        if !findings.is_empty() {
            for pair in self.met_in_order.split_off(met) {
                self.met.remove(&pair);
            }
            self.forget_fine(fine);
        }
        findings
    }

    /// What was found fine while something was taken to be that is not.
    fn forget_fine(&mut self, mark: usize) {
        for pair in self.fine.split_off(mark.min(self.fine.len())) {
            self.known.remove(&pair);
        }
    }

    /// Follows references that stand alone.
    fn followed<'b>(&self, mut at: At<'b>) -> Result<At<'b>, Finding> {
        for _ in 0..LONGEST_CHAIN {
            let Some(map) = at.value.as_object() else { return Ok(at) };
            let Some(reference) = map.get("$ref").and_then(Value::as_str) else { return Ok(at) };
            let Some(target) = at.root.find(reference) else {
                let message = format!("{} refers to `{reference}`, which is not in it", at.root.name);
                return Err(self.weighed(Weight::Refused, "REFERENCE_NOT_FOUND", message));
            };
            if at.root.is_modern() && map.keys().any(|key| asserts(key)) {
                return Ok(at);
            }
            at = at.to(target);
        }
        let message = format!("a reference of {} leads back to itself", at.root.name);
        Err(self.weighed(Weight::Refused, "REFERENCE_IN_A_CIRCLE", message))
    }

    /// Whether a part takes everything.
    fn takes_all(&self, at: At<'a>) -> bool {
        self.followed(at).is_ok_and(|at| matches!(Form::read(at), Form::Any))
    }

    /// Compares two forms: one of them may be combined of several, else they must be of one kind.
    fn forms(&mut self, writer: At<'a>, from: &Form<'a>, reader: At<'a>, to: &Form<'a>) -> Vec<Finding> {
        match (from, to) {
            (Form::Combined(..), Form::Combined(..)) => {}
            (_, Form::Combined(how, parts)) => {
                if let Some(findings) = self.taken_by_a_part(writer, from, reader, *how, parts) {
                    return findings;
                }
            }
            (Form::Combined(_, parts), _) => {
                if let [only] = parts.as_slice() {
                    let findings = self.trial(|it| it.part_to_form(writer, only, reader, to));
                    if !has_refusal(&findings) {
                        return findings;
                    }
                }
            }
            _ => {}
        }
        match (from, to) {
            (Form::Never, _) | (_, Form::Any) => Vec::new(),
            (from, to) if !from.is_like(to) => {
                let message =
                    format!("{} allows {} here, {} takes {}", writer.root.name, from.described(), reader.root.name, to.described());
                self.refused("TYPE_CHANGED", message).into()
            }
            (Form::Text(from), Form::Text(to)) => self.texts(writer, *from, reader, *to),
            (Form::Number(from, whole), Form::Number(to, must)) => self.numbers(writer, (*from, *whole), reader, (*to, *must)),
            (Form::Object(from), Form::Object(to)) => self.objects(writer, *from, reader, *to),
            (Form::List(from), Form::List(to)) => self.lists(writer, *from, reader, *to),
            (Form::Enum(from), Form::Enum(to)) => self.enums(writer, from, reader, to),
            (Form::Const(from), Form::Const(to)) => self.consts(writer, from, reader, to),
            (Form::Not(from), Form::Not(to)) => self.nots(writer.to(from), reader.to(to)),
            (Form::Branching(from), Form::Branching(to)) => self.left_out(from, to, &["if", "then", "else"]),
            (Form::Combined(first, from), Form::Combined(then, to)) => self.combined(writer, (*first, from), reader, (*then, to)),
            _ => Vec::new(),
        }
    }

    /// Compares a form with a part of a combined schema.
    fn form_to_part(&mut self, writer: At<'a>, from: &Form<'a>, reader: At<'a>, part: &Sub<'a>) -> Vec<Finding> {
        match part {
            Sub::Implied(to) => self.forms(writer, from, reader, to),
            Sub::Written(value) => match self.followed(reader.to(value)) {
                Ok(reader) => self.deeper(|it| it.forms(writer, from, reader, &Form::read(reader))),
                Err(finding) => vec![finding],
            },
        }
    }

    fn part_to_form(&mut self, writer: At<'a>, part: &Sub<'a>, reader: At<'a>, to: &Form<'a>) -> Vec<Finding> {
        match part {
            Sub::Implied(from) => self.forms(writer, from, reader, to),
            Sub::Written(value) => match self.followed(writer.to(value)) {
                Ok(writer) => self.deeper(|it| it.forms(writer, &Form::read(writer), reader, to)),
                Err(finding) => vec![finding],
            },
        }
    }

    /// Compares parts of two combined schemas.
    fn parts(&mut self, writer: At<'a>, from: &Sub<'a>, reader: At<'a>, to: &Sub<'a>) -> Vec<Finding> {
        match (from, to) {
            (Sub::Written(from), Sub::Written(to)) => self.values(writer.to(from), reader.to(to)),
            (from, Sub::Implied(to)) => self.part_to_form(writer, from, reader, to),
            (Sub::Implied(from), to) => self.form_to_part(writer, from, reader, to),
        }
    }

    /// Goes one level down where no pair of written parts is compared, so that a schema inside itself comes to an end.
    fn deeper(&mut self, go: impl FnOnce(&mut Self) -> Vec<Finding>) -> Vec<Finding> {
        self.done += 1;
        if self.depth >= DEEPEST || self.done > MOST {
            let message = "the schemas are nested too deep here, and are not compared any further; take it apart into definitions";
            return self.refused("TOO_DEEP", message.to_owned()).into();
        }
        self.depth += 1;
        let findings = go(self);
        self.depth -= 1;
        findings
    }

    /// `not`: the reader may leave out only what the writer leaves out.
    fn nots(&mut self, writer: At<'a>, reader: At<'a>) -> Vec<Finding> {
        let inside = self.at("not", |it| it.trial(|it| it.values(reader, writer)));
        let weight = if has_refusal(&inside) {
            Weight::Refused
        } else if inside.is_empty() {
            return Vec::new();
        } else {
            Weight::Unsafe
        };
        let message = format!("{} leaves out more than {}", reader.root.name, writer.root.name);
        self.at("not", |it| vec![it.weighed(weight, "NOT_TYPE_EXTENDED", message)])
    }

    /// Keywords that no registry compares: where the reader has them, they must be the writer's.
    fn left_out(&self, writer: &Map<String, Value>, reader: &Map<String, Value>, keywords: &[&str]) -> Vec<Finding> {
        let differ = keywords.iter().filter(|keyword| {
            let wanted = reader.get(**keyword);
            wanted.is_some() && !self.is_same(writer.get(**keyword), wanted)
        });
        let told = differ.map(|keyword| {
            let message =
                format!("`{keyword}` is new or differs; registries do not compare it, but a validator may refuse what was written before");
            self.weighed(Weight::Unsafe, "KEYWORD_NOT_COMPARED", message)
        });
        told.collect()
    }

    /// Whether two parts mean the same because they are written the same.
    fn is_same(&self, one: Option<&Value>, other: Option<&Value>) -> bool {
        one == other && (self.alike || !one.is_some_and(mentions_reference))
    }

    fn at<T>(&mut self, name: &str, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.to_owned());
        let found = inside(self);
        self.path.pop();
        found
    }

    fn refused(&self, rule: &'static str, message: String) -> Finding {
        self.weighed(self.policy.weight(rule), rule, message)
    }

    fn weighed(&self, weight: Weight, rule: &'static str, message: String) -> Finding {
        Finding { path: format!("#{}", self.place()), rule, weight, message }
    }

    /// Where the comparison is, as a pointer.
    fn place(&self) -> String {
        let parts = self.path.iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")));
        format!("{}{}", self.prefix, parts.collect::<String>())
    }
}

impl From<Finding> for Vec<Finding> {
    fn from(finding: Finding) -> Self {
        vec![finding]
    }
}

/// Whether a keyword beside `$ref` says something about values.
fn asserts(keyword: &str) -> bool {
    !matches!(
        keyword,
        "$ref"
            | "$schema"
            | "$id"
            | "id"
            | "$anchor"
            | "$comment"
            | "$defs"
            | "definitions"
            | "title"
            | "description"
            | "default"
            | "examples"
            | "deprecated"
            | "readOnly"
            | "writeOnly"
    )
}

fn mentions_reference(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.contains_key("$ref") || map.values().any(mentions_reference),
        Value::Array(values) => values.iter().any(mentions_reference),
        _ => false,
    }
}
