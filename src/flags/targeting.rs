//! `JSONLogic` targeting, checked and compiled: what may stand in it, and what it answers. A mistake is found when a flag is saved and
//! not when somebody is served by it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use bumpalo::Bump;
use datalogic_rs::operator::EvalContext;
use datalogic_rs::{ArenaExt, CustomOperator, DataValue, Engine, Logic};
use serde_json::{Map, Value};

use super::bucket;

/// The operator as people write it.
const FRACTIONAL: &str = "fractional";

/// The operator as the engine knows ours. Why not the engine's own: it draws nothing for variants that are no text, takes a fraction of
/// a weight for 1, and overflows on large weights, all unlike flagd. A built-in name cannot be given to another operator.
const OURS: &str = "cutover:fractional";

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::builder().add_operator(OURS, Fractional).build());

static OPERATORS: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| ENGINE.builtin_operator_names().collect());

/// Targeting that is ready to be asked.
#[derive(Debug)]
pub(super) struct Targeting {
    logic: Logic,
    /// Whether it depends on the time.
    pub(super) timed: bool,
}

/// Whether a targeting can be evaluated: every operator is known and everything that it refers to is among `evaluators`.
///
/// # Errors
/// What is wrong, as a sentence without an end.
pub fn check(targeting: &Value, evaluators: &Map<String, Value>) -> Result<(), String> {
    Targeting::compile(targeting, evaluators).map(drop)
}

impl Targeting {
    pub(super) fn compile(targeting: &Value, evaluators: &Map<String, Value>) -> Result<Self, String> {
        let mut timed = false;
        let rule = prepare(targeting, Some(evaluators), &mut timed)?;
        let logic = ENGINE.compile(&rule).map_err(|error| format!("the targeting does not compile: {error}"))?;
        Ok(Self { logic, timed })
    }

    /// What it answers to an asker.
    pub(super) fn answer<'a>(&'a self, asker: DataValue<'a>, arena: &'a Bump) -> Result<&'a DataValue<'a>, String> {
        ENGINE.evaluate(&self.logic, asker, arena).map_err(|error| error.to_string())
    }
}

/// The rule with references replaced and our own operator in place.
fn prepare(rule: &Value, evaluators: Option<&Map<String, Value>>, timed: &mut bool) -> Result<Value, String> {
    match rule {
        Value::Array(items) => items.iter().map(|item| prepare(item, evaluators, timed)).collect(),
        Value::Object(fields) => {
            let mut entries = fields.iter();
            let (Some((operator, arguments)), None) = (entries.next(), entries.next()) else {
                return match fields.len() {
                    0 => Ok(rule.clone()),
                    _ => Err(format!("an operator is an object with one key, and this one has `{}`", keys(fields))),
                };
            };
            if operator == "$ref" {
                return refer(arguments, evaluators, timed);
            }
            if operator != FRACTIONAL && !OPERATORS.contains(operator.as_str()) {
                return Err(format!("there is no operator `{operator}`"));
            }
            let operator = if operator == FRACTIONAL { OURS } else { operator };
            Ok(Value::Object(Map::from_iter([(operator.to_owned(), prepare(arguments, evaluators, timed)?)])))
        }
        Value::String(text) => {
            *timed |= text == "$flagd" || text.starts_with("$flagd.timestamp");
            Ok(rule.clone())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(rule.clone()),
    }
}

fn refer(name: &Value, evaluators: Option<&Map<String, Value>>, timed: &mut bool) -> Result<Value, String> {
    let name = name.as_str().ok_or_else(|| "a `$ref` names an evaluator".to_owned())?;
    let evaluators = evaluators.ok_or_else(|| format!("an evaluator refers to `{name}`, and evaluators refer to nothing"))?;
    let found = evaluators.get(name).ok_or_else(|| format!("there is no evaluator `{name}`"))?;
    prepare(found, None, timed)
}

fn keys(fields: &Map<String, Value>) -> String {
    fields.keys().map(String::as_str).collect::<Vec<_>>().join("`, `")
}

/// flagd's `fractional`.
struct Fractional;

impl CustomOperator for Fractional {
    fn evaluate<'a>(
        &self,
        args: &[&'a DataValue<'a>],
        context: &mut EvalContext<'_, 'a>,
        arena: &'a Bump,
    ) -> datalogic_rs::Result<&'a DataValue<'a>> {
        Ok(fractional(args, context.root_input()).unwrap_or_else(|| arena.null()))
    }
}

fn fractional<'a>(args: &[&'a DataValue<'a>], root: &'a DataValue<'a>) -> Option<&'a DataValue<'a>> {
    let (first, rest) = args.split_first()?;
    let (hash, entries) = match first {
        DataValue::String(key) => (bucket::hash(key.as_bytes()), rest),
        DataValue::Null => (own_hash(root)?, rest),
        _ => (own_hash(root)?, args),
    };
    if !entries.iter().all(|entry| read(entry).is_some()) {
        return None;
    }
    let weights = entries.iter().filter_map(|entry| read(entry).map(|(_, weight)| weight));
    let (variant, _) = read(entries.get(bucket::draw(hash, weights)?)?)?;
    Some(variant)
}

/// The hash of the flag's name and the targeting key, when there is one.
fn own_hash(root: &DataValue<'_>) -> Option<u32> {
    let key = text(root, "targetingKey").filter(|key| !key.is_empty())?;
    let flag = field(root, "$flagd").and_then(|own| text(own, "flagKey")).unwrap_or_default();
    Some(bucket::hash(&[flag.as_bytes(), key.as_bytes()].concat()))
}

fn field<'a>(value: &DataValue<'a>, name: &str) -> Option<&'a DataValue<'a>> {
    let DataValue::Object(fields) = value else { return None };
    fields.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn text<'a>(value: &DataValue<'a>, name: &str) -> Option<&'a str> {
    match field(value, name)? {
        DataValue::String(text) => Some(text),
        _ => None,
    }
}

/// The variant and the weight of `[variant]` or `[variant, weight]`.
fn read<'a>(entry: &DataValue<'a>) -> Option<(&'a DataValue<'a>, i64)> {
    let DataValue::Array(parts) = entry else { return None };
    let variant = parts.first().filter(|variant| !matches!(variant, DataValue::Array(_) | DataValue::Object(_)))?;
    let weight = match parts.get(1) {
        None => 1,
        Some(DataValue::Number(weight)) => weight.as_i64().filter(|weight| *weight <= bucket::MOST_WEIGHT)?,
        Some(_) => return None,
    };
    Some((variant, weight))
}
