//! The guards: what a playbook may have watched while a step is under way. A new kind is one file here and one line in `catalogue!`.
//! A guard looks and judges a single value; counting, tripping and what follows are the engine's.

pub mod http;
pub mod lag;
mod limit;
pub mod metric;
pub mod sql;

use std::fmt;

use async_trait::async_trait;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use crate::step::DecodeError;
use crate::step::{self, Claim, GuardOptions, Reading, Right, StepError, World};

/// What everybody may know about a kind of guard.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GuardKind {
    /// YAML key and name in documents.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// A guard of this kind in a playbook, as a line of YAML.
    pub example: &'static str,
}

/// One guard.
#[async_trait]
pub trait Guard: fmt::Debug + Send + Sync {
    /// Its kind.
    fn kind(&self) -> &'static GuardKind;

    /// What it looks at, without the name of its kind.
    fn query(&self) -> String;

    /// What a value must not be: `above 10000`.
    fn limit(&self) -> String;

    /// What it reads: part of what the plan says it touches.
    fn resources(&self) -> Vec<Claim>;

    /// What cutover must be allowed to do to look.
    fn rights(&self) -> Vec<Right> {
        Vec::new()
    }

    /// Mistakes that one field's type cannot express: (JSON pointer into the guard's own body, what is wrong and how to mend it).
    fn complaints(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Asks the system whether it answers and would take the question. What is asked about need not be there yet.
    ///
    /// # Errors
    /// When the system cannot be had, does not answer, refuses, or does not understand the question.
    async fn ready(&self, world: &World) -> Result<(), StepError>;

    /// Looks once. Changes nothing.
    ///
    /// # Errors
    /// When the provider fails; the caller counts it as [`Reading::Failed`].
    async fn look(&self, world: &World) -> Result<Reading, StepError>;
}

macro_rules! catalogue {
    ($($module:ident :: $ty:ident),* $(,)?) => {
        /// Every kind, in the order in which people read about them.
        pub const KINDS: &[&GuardKind] = &[$(&$module::$ty::KIND),*];

        /// Reads the body under a kind's key: the common keys, and the kind's own.
        ///
        /// # Errors
        /// When there is no such kind or the body does not fit it.
        pub fn decode(kind: &str, body: &Value) -> Result<(GuardOptions, Box<dyn Guard>), DecodeError> {
            match kind {
                $(stringify!($module) => {
                    let (options, own) = read::<$module::$ty>(body)?;
                    Ok((options, Box::new(own)))
                })*
                _ => Err(DecodeError::whole(format!("there is no guard `{kind}`"))),
            }
        }

        /// The JSON Schema of a kind's body, the common keys included.
        pub fn schema(kind: &str, generator: &mut SchemaGenerator) -> Option<Schema> {
            match kind {
                $(stringify!($module) => Some(described::<$module::$ty>(generator)),)*
                _ => None,
            }
        }
    };
}

catalogue! {
    lag::Lag,
    metric::Metric,
    http::Http,
    sql::Sql,
}

/// The kind of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static GuardKind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}

/// Looks once; a provider that fails is a reading, too.
pub async fn sample(guard: &dyn Guard, world: &World) -> Reading {
    guard.look(world).await.unwrap_or_else(|error| Reading::Failed(error.to_string()))
}

/// Why by hand: `serde(flatten)` would lose where a mistake is, and every kind would have to repeat the common keys.
fn read<T: DeserializeOwned>(body: &Value) -> Result<(GuardOptions, T), DecodeError> {
    let fields = body.as_object().cloned().unwrap_or_default();
    let is_common = |key: &str| properties(&schemars::schema_for!(GuardOptions).to_value()).contains_key(key);
    let (common, own): (Map<_, _>, Map<_, _>) = fields.into_iter().partition(|(key, _)| is_common(key));
    Ok((step::decode(&Value::Object(common))?, step::decode(&Value::Object(own))?))
}

fn described<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = T::json_schema(generator).to_value();
    let common = GuardOptions::json_schema(generator).to_value();
    let required = [&schema, &common].into_iter().filter_map(|one| one.get("required")?.as_array()).flatten().cloned().collect();
    let mut all = properties(&schema);
    all.extend(properties(&common));
    if let Some(object) = schema.as_object_mut() {
        object.insert("required".to_owned(), Value::Array(required));
        object.insert("properties".to_owned(), Value::Object(all));
    }
    Schema::try_from(schema).unwrap_or_default()
}

fn properties(schema: &Value) -> Map<String, Value> {
    schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The system that is meant when a guard names none.
fn main_system() -> String {
    "main".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::step::GuardOutcome;

    #[test]
    fn a_kind_is_named_like_its_module_and_has_the_common_keys() {
        for kind in KINDS {
            let schema = schema(kind.name, &mut SchemaGenerator::default()).expect(kind.name).to_value();
            assert!(properties(&schema).contains_key("release_after"), "{}", kind.name);
            assert!(schema["required"].as_array().unwrap().contains(&json!("then")), "{}", kind.name);
            assert_eq!(schema["additionalProperties"], json!(false), "{}", kind.name);
            assert!(!kind.summary.ends_with('.'), "{}: a summary is a fragment", kind.name);
        }
    }

    #[test]
    fn a_body_is_read_into_common_and_own_keys() {
        let body = json!({ "group": "g", "topic": "t", "above": 10, "then": "freeze", "interval": "1s" });
        let (options, guard) = decode("lag", &body).unwrap();
        assert_eq!((options.then, options.failure_limit, options.release_after), (GuardOutcome::Freeze, 0, 3));
        assert_eq!((guard.query().as_str(), guard.limit().as_str()), ("g on t", "above 10"));
        assert!(decode("lag", &json!({ "group": "g", "topic": "t", "above": 10 })).is_err(), "`then` must be said");
        assert!(decode("lag", &json!({ "group": "g", "topic": "t", "above": 10, "then": "hold", "below": 1 })).is_err());
    }
}
