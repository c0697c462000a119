//! What cutover asks of a feature-flag store.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PortError;

/// A flag as the store holds it, in flagd's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlagState {
    /// `false` is flagd's `DISABLED`: services use the default in their code.
    pub enabled: bool,
    /// Variant name to value; all values are of one type.
    pub variants: BTreeMap<String, Value>,
    /// The variant that is served where targeting does not decide; `None` is the default in the code.
    pub default_variant: Option<String>,
    /// `JSONLogic` targeting, empty when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targeting: Option<Value>,
}

/// A change of the flag document, made at most once per `key`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlagChange {
    /// Names this change for ever: asked to make it a second time, the store answers with the first revision.
    pub key: String,
    /// Flag name.
    pub flag: String,
    /// What the flag was when the change was planned; `None` when it was not there. Anything else is a `Conflict`.
    pub before: Option<FlagState>,
    /// What it becomes; `None` when it goes.
    pub after: Option<FlagState>,
}

/// What one instance of a service last said about the flag document that it evaluates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The service.
    pub service: String,
    /// Names the process, as the workloads do.
    pub instance: String,
    /// The release that it says it is.
    pub release: String,
    /// The revision that new requests use.
    pub revision: i64,
    /// The oldest revision that a request which still runs may use.
    pub oldest: i64,
    /// The flags that it may evaluate, in any request for as long as it lives; `None` when it does not say.
    pub flags: Option<BTreeSet<String>>,
    /// How long ago it said so, by the store's clock.
    pub age: Duration,
}

/// A flag store whose document has revisions.
#[async_trait]
pub trait Flags: Send + Sync {
    /// The revision of the document; 0 when nothing was ever written.
    async fn revision(&self) -> Result<i64, PortError>;

    /// The flag, or `None` when the document has none of that name.
    async fn flag(&self, name: &str) -> Result<Option<FlagState>, PortError>;

    /// Makes the change and returns the revision it made, or made before under the same key.
    async fn change(&self, change: &FlagChange) -> Result<i64, PortError>;

    /// The revision that a change of this key made, if it was made.
    async fn revision_of(&self, key: &str) -> Result<Option<i64>, PortError>;

    /// Every instance that reads this document and has not said that it ends, by service and instance. `None` when the store cannot know.
    async fn listeners(&self) -> Result<Option<Vec<Listener>>, PortError> {
        Ok(None)
    }

    /// Writes down that everybody has left the revisions before this one, and says since when: since now, unless it was written down
    /// before. `None` when the store keeps no such record.
    async fn acknowledge(&self, _revision: i64) -> Result<Option<DateTime<Utc>>, PortError> {
        Ok(None)
    }

    /// Since when it is written down that everybody has left the revisions before this one, if it is.
    async fn acknowledged(&self, _revision: i64) -> Result<Option<DateTime<Utc>>, PortError> {
        Ok(None)
    }
}
