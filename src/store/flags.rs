//! The built-in flag store's document, revision by revision.

use serde_json::{Value, json};
use sqlx::types::Json;

use super::error::StoreError;
use super::pool::Store;
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
        Ok(row.unwrap_or_else(|| (0, empty_document())))
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
            let (revision, mut document) = self.flag_document(store).await?;
            let now = read_flag(&document, &change.flag)?;
            if now != change.before {
                return Ok(FlagWrite::Differs(Box::new(now)));
            }
            put_flag(&mut document, &change.flag, &change.after);
            let made = sqlx::query(
                "insert into flag_revision (store, revision, key, flag, document) values ($1, $2, $3, $4, $5) on conflict do nothing",
            )
            .bind(store)
            .bind(revision + 1)
            .bind(&change.key)
            .bind(&change.flag)
            .bind(Json(&document))
            .execute(&self.pool)
            .await?;
            if made.rows_affected() == 1 {
                return Ok(FlagWrite::Made(revision + 1));
            }
        }
    }
}

/// The document before the first change.
#[must_use]
pub fn empty_document() -> Value {
    json!({ "$schema": "https://flagd.dev/schema/v0/flags.json", "flags": {} })
}

/// A flag of a flagd document.
///
/// # Errors
/// When the flag is not in flagd's form.
pub fn read_flag(document: &Value, flag: &str) -> Result<Option<FlagState>, StoreError> {
    let Some(found) = document.get("flags").and_then(|flags| flags.get(flag)) else { return Ok(None) };
    let damaged = |what: &str| StoreError::Damaged(format!("flag {flag} has no {what}"));
    let variants = found.get("variants").and_then(Value::as_object).ok_or_else(|| damaged("variants"))?;
    let targeting = found.get("targeting").filter(|targeting| targeting.as_object().is_some_and(|fields| !fields.is_empty()));
    Ok(Some(FlagState {
        enabled: found.get("state").and_then(Value::as_str).ok_or_else(|| damaged("state"))? == "ENABLED",
        variants: variants.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        default_variant: found.get("defaultVariant").and_then(Value::as_str).map(str::to_owned),
        targeting: targeting.cloned(),
    }))
}

/// Puts a flag into a flagd document.
pub fn put_flag(document: &mut Value, flag: &str, state: &FlagState) {
    let mut body = json!({
        "state": if state.enabled { "ENABLED" } else { "DISABLED" },
        "variants": state.variants,
        "defaultVariant": state.default_variant,
    });
    if let (Some(fields), Some(targeting)) = (body.as_object_mut(), &state.targeting) {
        fields.insert("targeting".to_owned(), targeting.clone());
    }
    if let Some(flags) = document.get_mut("flags").and_then(Value::as_object_mut) {
        flags.insert(flag.to_owned(), body);
    }
}
