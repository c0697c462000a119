//! What people tell runs, and what runs answer.

use sqlx::types::Json;
use uuid::Uuid;

use super::error::StoreError;
use super::pool::Store;
use super::shard_of;
use crate::engine::Order;
use crate::engine::command::Answer;

impl Store {
    /// Puts an order into the inbox, where the next look of the run's controller finds it. Returns the row's number.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn say(&self, run: Uuid, order: &Order) -> Result<i64, StoreError> {
        let id = sqlx::query_scalar("insert into inbox (run, shard, body) values ($1, $2, $3) returning id")
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
}
