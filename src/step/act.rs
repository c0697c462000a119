//! What an act is given, and what it answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{StepError, World};

/// Journals the position of a long act, so that it resumes there.
#[async_trait]
pub trait Checkpoint: Send + Sync {
    /// Returns once the cursor is durable; an error means that this controller no longer owns the run and must stop.
    async fn save(&self, cursor: Value) -> Result<(), StepError>;
}

/// Everything an act, a look back or a verification may use besides the change itself.
#[derive(Clone)]
pub struct ActContext {
    /// The outside.
    pub world: World,
    /// Names this step of this run for ever, for instance `0198…/switch`; the same after every crash. Deterministic ids come from it.
    pub key: String,
    /// When the step began, by the journal.
    pub began: DateTime<Utc>,
    /// When the last act of this step was done, or the step was last released from a hold, whichever is later; [`Self::began`] before that.
    pub rests_since: DateTime<Utc>,
    /// The present instant.
    pub now: DateTime<Utc>,
    /// The last cursor that was saved for this act, if any.
    pub cursor: Option<Value>,
    /// What the acts of this step that are done answered, in order.
    pub receipts: Vec<Receipt>,
    /// What the acts of the steps before this one answered, by step id. Steps that changed nothing are left out.
    pub earlier: Arc<BTreeMap<String, Vec<Receipt>>>,
    /// Where to save a cursor.
    pub checkpoint: Arc<dyn Checkpoint>,
}

impl ActContext {
    /// Saves a cursor; see [`Checkpoint::save`].
    ///
    /// # Errors
    /// When this controller no longer owns the run.
    pub async fn save<T: Serialize + Sync>(&self, cursor: &T) -> Result<(), StepError> {
        self.checkpoint.save(serde_json::to_value(cursor).map_err(StepError::broken)?).await
    }

    /// The last saved cursor, in its own type.
    ///
    /// # Errors
    /// When what was saved is of another type.
    pub fn resume<T: DeserializeOwned>(&self) -> Result<Option<T>, StepError> {
        self.cursor.clone().map(serde_json::from_value).transpose().map_err(StepError::broken)
    }
}

/// Whether an act that was begun has happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The world is as it was: act.
    Before,
    /// The world is as it should be: done, with the receipt that the act would have given.
    After(Receipt),
    /// Neither: a person must look. Says what was found.
    Unclear(String),
}

/// What an act leaves in the journal: a line for people and values for the kind itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Past tense, one line: `created topic orders, 3 partitions`.
    pub line: String,
    /// What `verify` and a later look may use: offsets, ids, revisions.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
}

impl Receipt {
    /// A receipt without values.
    pub fn said(line: impl Into<String>) -> Self {
        Self { line: line.into(), data: Value::Null }
    }

    /// A receipt with values.
    pub fn with(line: impl Into<String>, data: &impl Serialize) -> Self {
        Self { line: line.into(), data: serde_json::to_value(data).unwrap_or(Value::Null) }
    }
}
