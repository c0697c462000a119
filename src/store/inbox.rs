//! What people tell runs, and what runs answer.

use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::error::StoreError;
use super::pool::Store;
use super::shard_of;
use crate::engine::Order;
use crate::engine::command::Answer;

impl Store {
    /// Puts an order into the inbox and wakes the run. Returns the row's number.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn say(&self, run: Uuid, order: &Order) -> Result<i64, StoreError> {
        let id = sqlx::query_scalar(
            "with said as (insert into inbox (run, shard, body) values ($1, $2, $3) returning id),
                  woken as (update wake set at = clock_timestamp() where run = $1)
             select id from said",
        )
        .bind(run)
        .bind(shard_of(run))
        .bind(Json(order))
        .fetch_one(&self.pool)
        .await?;
        Ok(id)
    }

    /// The answer to an order, once there is one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn answer(&self, id: i64) -> Result<Option<Answer>, StoreError> {
        let answer: Option<Json<Answer>> =
            sqlx::query_scalar("select answer from inbox where id = $1").bind(id).fetch_one(&self.pool).await?;
        Ok(answer.map(|Json(answer)| answer))
    }

    /// Orders that are not answered, for runs in these shards, in the order in which they were said.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn orders(&self, shards: &[i16]) -> Result<Vec<(i64, Uuid, Order)>, StoreError> {
        let rows: Vec<(i64, Uuid, Value)> =
            sqlx::query_as("select id, run, body from inbox where shard = any ($1) and answer is null order by id limit 1000")
                .bind(shards)
                .fetch_all(&self.pool)
                .await?;
        rows.into_iter()
            .map(|(id, run, body)| {
                let order = serde_json::from_value(body).map_err(|error| StoreError::Damaged(format!("inbox row {id}: {error}")))?;
                Ok((id, run, order))
            })
            .collect()
    }
}
