//! The built-in flag store: flagd documents in the state database, and who reports that it reads them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Map;

use crate::flags::{document, targeting};
use crate::ports::flags::{FlagChange, FlagState, Flags, Listener};
use crate::ports::{PortError, SystemRef};
use crate::store::flags::FlagWrite;
use crate::store::{Store, StoreError};

/// The built-in flag store of one environment.
#[derive(Clone, Debug)]
pub struct BuiltInFlags {
    store: Store,
    environment: String,
    own: String,
    /// What the document is called in the state database.
    name: String,
    system: SystemRef,
}

impl BuiltInFlags {
    /// The store of that name in an environment; each has a document of its own.
    #[must_use]
    pub fn new(store: Store, environment: &str, name: &str, setting: &str) -> Self {
        let system = SystemRef { name: format!("flags {name}"), address: "the state database".to_owned(), setting: setting.to_owned() };
        Self { store, environment: environment.to_owned(), own: name.to_owned(), name: document_name(environment, name), system }
    }

    fn error(&self, error: &StoreError) -> PortError {
        let (system, detail) = (self.system.clone(), error.to_string());
        if error.is_passing() { PortError::Unreachable { system, detail } } else { PortError::Invalid { system, detail } }
    }
}

/// Under which name the state database keeps the document of a store.
#[must_use]
pub fn document_name(environment: &str, store: &str) -> String {
    format!("{environment}/{store}")
}

#[async_trait]
impl Flags for BuiltInFlags {
    async fn revision(&self) -> Result<i64, PortError> {
        self.store.flag_revision(&self.name).await.map_err(|error| self.error(&error))
    }

    async fn flag(&self, name: &str) -> Result<Option<FlagState>, PortError> {
        let (_, flags) = self.store.flag_document(&self.name).await.map_err(|error| self.error(&error))?;
        document::read(&flags, name).map_err(|detail| PortError::Invalid { system: self.system.clone(), detail })
    }

    async fn change(&self, change: &FlagChange) -> Result<i64, PortError> {
        // Why: the operators of a rule are looked up only when somebody is served by it, and then it is too late.
        if let Some(rule) = change.after.as_ref().and_then(|after| after.targeting.as_ref()) {
            let invalid =
                |why| PortError::Invalid { system: self.system.clone(), detail: format!("targeting of flag {}: {why}", change.flag) };
            targeting::check(rule, &Map::new()).map_err(invalid)?;
        }
        match self.store.write_flag(&self.name, change).await.map_err(|error| self.error(&error))? {
            FlagWrite::Made(revision) => Ok(revision),
            FlagWrite::Differs(now) => {
                let now =
                    now.map_or_else(|| "not there".to_owned(), |now| now.default_variant.unwrap_or_else(|| "without a default".to_owned()));
                let detail = format!("flag {} is {now} by now, not what the change was planned on", change.flag);
                Err(PortError::Conflict { system: self.system.clone(), detail })
            }
        }
    }

    async fn revision_of(&self, key: &str) -> Result<Option<i64>, PortError> {
        self.store.flag_revision_of(&self.name, key).await.map_err(|error| self.error(&error))
    }

    async fn listeners(&self) -> Result<Option<Vec<Listener>>, PortError> {
        self.store.listeners(&self.environment, &self.own).await.map(Some).map_err(|error| self.error(&error))
    }

    async fn acknowledge(&self, revision: i64) -> Result<Option<DateTime<Utc>>, PortError> {
        self.store.acknowledge_flag_revision(&self.name, revision).await.map_err(|error| self.error(&error))
    }

    async fn acknowledged(&self, revision: i64) -> Result<Option<DateTime<Utc>>, PortError> {
        self.store.flag_revision_acknowledged(&self.name, revision).await.map_err(|error| self.error(&error))
    }
}
