//! What a flag serves to whom, by flagd's rules, evaluated in process from a document that was parsed once. It owns the rules of
//! evaluation; where the document comes from and how old it may be is its caller's business.

use std::collections::{BTreeMap, HashMap};

use bumpalo::Bump;
use chrono::{DateTime, Utc};
use datalogic_rs::DataValue;
use datalogic_rs::datavalue::NumberValue;
use serde_json::{Map, Value};

use super::targeting::Targeting;

/// The name of the field that `$flagd` properties lie in.
const OWN: &str = "$flagd";

/// The field of a context that says whom the flag is asked for.
const KEY: &str = "targetingKey";

/// Why a flag serves what it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The flag has no targeting.
    Static,
    /// The targeting decided.
    TargetingMatch,
    /// The targeting decided nothing, or there is no default variant.
    Default,
    /// The flag is disabled.
    Disabled,
}

impl Reason {
    /// The word in flagd's answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Static => "STATIC",
            Self::TargetingMatch => "TARGETING_MATCH",
            Self::Default => "DEFAULT",
            Self::Disabled => "DISABLED",
        }
    }
}

/// What a flag serves to one asker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation<'a> {
    /// The variant's name; `None` means the default in the code.
    pub variant: Option<&'a str>,
    /// The variant's value; `None` means the default in the code.
    pub value: Option<&'a Value>,
    /// Why.
    pub reason: Reason,
}

/// A flag cannot be evaluated: the default in the code is to be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// The document has no flag of that name.
    #[error("there is no flag {0}")]
    NotFound(String),
    /// The flag is not in flagd's form, or its targeting cannot be evaluated.
    #[error("flag {flag} is broken: {why}")]
    Broken {
        /// The flag.
        flag: String,
        /// What is wrong with it.
        why: String,
    },
    /// The targeting answered with something that is no variant.
    #[error("the targeting of flag {flag} answers `{variant}`, which is no variant of it")]
    UnknownVariant {
        /// The flag.
        flag: String,
        /// The answer.
        variant: String,
    },
}

/// A flagd document, parsed and with its targeting compiled.
#[derive(Debug, Default)]
pub struct Document {
    flags: HashMap<String, Result<Flag, String>>,
}

#[derive(Debug)]
struct Flag {
    enabled: bool,
    variants: BTreeMap<String, Value>,
    default: Option<String>,
    targeting: Option<Targeting>,
}

impl Document {
    /// Parses a document. A flag that is broken is broken alone: it is an error to evaluate it, and the others are served.
    ///
    /// # Errors
    /// When it is no flagd document at all.
    pub fn parse(document: &Value) -> Result<Self, String> {
        let flags = document.get("flags").and_then(Value::as_object).ok_or_else(|| "the document has no object `flags`".to_owned())?;
        let none = Map::new();
        let evaluators = document.get("$evaluators").and_then(Value::as_object).unwrap_or(&none);
        Ok(Self { flags: flags.iter().map(|(name, flag)| (name.clone(), Flag::parse(flag, evaluators))).collect() })
    }

    /// The names of the flags that it has, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.flags.keys().map(String::as_str)
    }

    /// What a flag serves to `key`, with whatever else is known of the asker in `context`. An empty key is none.
    ///
    /// # Errors
    /// When the flag is not there or broken, its targeting answers with no variant, or depends on the time: see [`Self::evaluate_at`].
    pub fn evaluate(&self, flag: &str, key: &str, context: &Map<String, Value>) -> Result<Evaluation<'_>, EvaluationError> {
        self.ask(flag, key, context, None)
    }

    /// As [`Self::evaluate`], for flags whose targeting looks at `$flagd.timestamp` too.
    ///
    /// # Errors
    /// When the flag is not there or broken, or its targeting answers with no variant.
    pub fn evaluate_at(
        &self,
        flag: &str,
        key: &str,
        context: &Map<String, Value>,
        now: DateTime<Utc>,
    ) -> Result<Evaluation<'_>, EvaluationError> {
        self.ask(flag, key, context, Some(now.timestamp()))
    }

    fn ask(&self, name: &str, key: &str, context: &Map<String, Value>, at: Option<i64>) -> Result<Evaluation<'_>, EvaluationError> {
        let broken = |why: String| EvaluationError::Broken { flag: name.to_owned(), why };
        let flag = self.flags.get(name).ok_or_else(|| EvaluationError::NotFound(name.to_owned()))?;
        let flag = flag.as_ref().map_err(|why| broken(why.clone()))?;
        if !flag.enabled {
            return Ok(Evaluation { variant: None, value: None, reason: Reason::Disabled });
        }
        let Some(targeting) = &flag.targeting else { return Ok(flag.default(Reason::Static)) };
        if targeting.timed && at.is_none() {
            return Err(broken("its targeting depends on the time, which nobody told".to_owned()));
        }
        let arena = Bump::new();
        let answer = targeting.answer(asker(&arena, name, key, context, at), &arena).map_err(broken)?;
        flag.served(answer).map_err(|variant| EvaluationError::UnknownVariant { flag: name.to_owned(), variant })
    }
}

impl Flag {
    fn parse(flag: &Value, evaluators: &Map<String, Value>) -> Result<Self, String> {
        let enabled = match flag.get("state").and_then(Value::as_str) {
            Some("ENABLED") => true,
            Some("DISABLED") => false,
            _ => return Err("its `state` is neither ENABLED nor DISABLED".to_owned()),
        };
        let variants = flag.get("variants").and_then(Value::as_object).filter(|variants| !variants.is_empty());
        let variants = variants.ok_or_else(|| "it has no `variants`".to_owned())?;
        let default = match flag.get("defaultVariant") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) if variants.contains_key(name) => Some(name.clone()),
            Some(other) => return Err(format!("its `defaultVariant` {other} is no variant of it")),
        };
        let targeting = match flag.get("targeting") {
            None | Some(Value::Null) => None,
            Some(Value::Object(fields)) if fields.is_empty() => None,
            Some(rule) => Some(Targeting::compile(rule, evaluators)?),
        };
        Ok(Self { enabled, variants: variants.iter().map(|(name, value)| (name.clone(), value.clone())).collect(), default, targeting })
    }

    fn default(&self, reason: Reason) -> Evaluation<'_> {
        match self.default.as_ref().and_then(|name| self.variants.get_key_value(name)) {
            Some((name, value)) => Evaluation { variant: Some(name), value: Some(value), reason },
            None => Evaluation { variant: None, value: None, reason: Reason::Default },
        }
    }

    /// What is served when the targeting gives this answer; what it answered when that is no variant.
    fn served(&self, answer: &DataValue<'_>) -> Result<Evaluation<'_>, String> {
        let named = |name: &str| match self.variants.get_key_value(name) {
            Some((name, value)) => Ok(Evaluation { variant: Some(name), value: Some(value), reason: Reason::TargetingMatch }),
            None => Err(name.to_owned()),
        };
        match answer {
            DataValue::Null => Ok(self.default(Reason::Default)),
            DataValue::String(name) => named(name),
            DataValue::Bool(true) => named("true"),
            DataValue::Bool(false) => named("false"),
            other => named(&other.to_string()),
        }
    }
}

/// What the targeting sees of an asker.
fn asker<'a>(arena: &'a Bump, flag: &'a str, key: &'a str, context: &'a Map<String, Value>, at: Option<i64>) -> DataValue<'a> {
    let time = at.map_or(DataValue::Null, |at| DataValue::Number(NumberValue::from_i64(at)));
    let own = arena.alloc([("flagKey", DataValue::String(flag)), ("timestamp", time)]);
    let named = usize::from(!key.is_empty());
    let given = || context.iter().filter(|(name, _)| *name != OWN && (named == 0 || *name != KEY));
    let mut rest = given();
    let fields = arena.alloc_slice_fill_with(1 + named + given().count(), |at| {
        if at == 0 {
            (OWN, DataValue::Object(own))
        } else if at == named {
            (KEY, DataValue::String(key))
        } else {
            rest.next().map_or(("", DataValue::Null), |(name, value)| (name.as_str(), DataValue::from_serde_value_in(value, arena)))
        }
    });
    DataValue::Object(fields)
}
