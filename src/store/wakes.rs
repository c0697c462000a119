//! Which runs want to be looked at.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::error::StoreError;
use super::pool::Store;

/// A run that wants to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Run.
    pub run: Uuid,
    /// Its shard.
    pub shard: i16,
}

impl Store {
    /// Runs in these shards whose time has come, those in `except` left out, the longest overdue first; and the database's time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due(&self, shards: &[i16], except: &[Uuid], limit: i64) -> Result<Vec<Due>, StoreError> {
        let rows: Vec<(Uuid, i16)> = sqlx::query_as(
            "select run, shard from wake where shard = any ($1) and at <= clock_timestamp() and run <> all ($2) order by at limit $3",
        )
        .bind(shards)
        .bind(except)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(run, shard)| Due { run, shard }).collect())
    }

    /// Counts a load of runs at these places in their journals; returns how often each was loaded there without getting any further.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_loads(&self, runs: &[(Uuid, i64)]) -> Result<Vec<(Uuid, i16)>, StoreError> {
        let (ids, places): (Vec<_>, Vec<_>) = runs.iter().copied().unzip();
        let rows = sqlx::query_as(
            "update wake w set loads = case when w.loaded = r.place then w.loads + 1 else 1 end, loaded = r.place
             from unnest($1::uuid[], $2::bigint[]) as r (run, place) where w.run = r.run returning w.run, w.loads",
        )
        .bind(ids)
        .bind(places)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// The database's time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        Ok(sqlx::query_scalar("select clock_timestamp()").fetch_one(&self.pool).await?)
    }
}
