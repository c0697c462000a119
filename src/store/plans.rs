//! Plans that people saved, as their files hold them.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use super::error::StoreError;
use super::pool::Store;

/// A saved plan.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct KeptPlan {
    /// Its id.
    pub id: Uuid,
    /// Hash over all of it.
    pub hash: String,
    /// Name of the playbook.
    pub playbook: String,
    /// Name of the environment.
    pub environment: String,
    /// Who saved it.
    pub saved_by: String,
    /// When.
    pub saved_at: DateTime<Utc>,
    /// The whole file.
    pub body: Value,
}

impl Store {
    /// Keeps a plan. One that is there under this id stays as it is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_plan(&self, plan: &KeptPlan) -> Result<(), StoreError> {
        sqlx::query(
            "insert into plan (id, hash, playbook, environment, saved_by, saved_at, body) values ($1, $2, $3, $4, $5, $6, $7)
             on conflict do nothing",
        )
        .bind(plan.id)
        .bind(&plan.hash)
        .bind(&plan.playbook)
        .bind(&plan.environment)
        .bind(&plan.saved_by)
        .bind(plan.saved_at)
        .bind(&plan.body)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The plan of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn kept_plan(&self, id: Uuid) -> Result<Option<KeptPlan>, StoreError> {
        let sql = "select id, hash, playbook, environment, saved_by, saved_at, body from plan where id = $1";
        Ok(sqlx::query_as(sql).bind(id).fetch_optional(&self.pool).await?)
    }
}
