//! The built-in flag store's document, revision by revision.

use serde_json::Value;
use sqlx::types::Json;

use super::error::StoreError;
use super::pool::Store;
use crate::flags::document;
use crate::ports::flags::{FlagChange, FlagState};

/// What became of a change.
#[derive(Clone, Debug, PartialEq)]
pub enum FlagWrite {
    /// It made this revision, or had made it before.
    Made(i64),
    /// The flag is not what the change was planned on.
    Differs(Box<Option<FlagState>>),
}

impl Store {
    /// The newest revision and its flagd document; revision 0 is the empty document.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn flag_document(&self, store: &str) -> Result<(i64, Value), StoreError> {
        let row: Option<(i64, Value)> =
            sqlx::query_as("select revision, document from flag_revision where store = $1 order by revision desc limit 1")
                .bind(store)
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.unwrap_or_else(|| (0, document::empty())))
    }

    /// The newest revision's number.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn flag_revision(&self, store: &str) -> Result<i64, StoreError> {
        let found: Option<i64> =
            sqlx::query_scalar("select max(revision) from flag_revision where store = $1").bind(store).fetch_one(&self.pool).await?;
        Ok(found.unwrap_or_default())
    }

    /// The revision that a change of this key made.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn flag_revision_of(&self, store: &str, key: &str) -> Result<Option<i64>, StoreError> {
        let found = sqlx::query_scalar("select revision from flag_revision where store = $1 and key = $2")
            .bind(store)
            .bind(key)
            .fetch_optional(&self.pool)
            .await?;
        Ok(found)
    }

    /// Writes the next revision, at most once per key. A writer that lost the race for a revision number looks again.
    ///
    /// # Errors
    /// When the database does not answer, or the document does not read back.
    pub async fn write_flag(&self, store: &str, change: &FlagChange) -> Result<FlagWrite, StoreError> {
        loop {
            if let Some(revision) = self.flag_revision_of(store, &change.key).await? {
                return Ok(FlagWrite::Made(revision));
            }
            let (revision, mut flags) = self.flag_document(store).await?;
            let now = document::read(&flags, &change.flag).map_err(StoreError::Damaged)?;
            if now != change.before {
                // Why: it may be this very change, made by somebody else since the key was looked for.
                return Ok(match self.flag_revision_of(store, &change.key).await? {
                    Some(revision) => FlagWrite::Made(revision),
                    None => FlagWrite::Differs(Box::new(now)),
                });
            }
            match &change.after {
                Some(after) => document::put(&mut flags, &change.flag, after),
                None => document::remove(&mut flags, &change.flag),
            }
            let made = sqlx::query(
                "insert into flag_revision (store, revision, key, flag, document) values ($1, $2, $3, $4, $5) on conflict do nothing",
            )
            .bind(store)
            .bind(revision + 1)
            .bind(&change.key)
            .bind(&change.flag)
            .bind(Json(&flags))
            .execute(&self.pool)
            .await?;
            if made.rows_affected() == 1 {
                return Ok(FlagWrite::Made(revision + 1));
            }
        }
    }
}
