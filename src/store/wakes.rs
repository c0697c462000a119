//! Which runs want to be looked at.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::error::StoreError;
use super::pool::Store;
use crate::engine::Order;

/// What a look at the database told.
#[derive(Clone, Debug, Default)]
pub struct Polled {
    /// Runs whose time has come, with their shards.
    pub due: Vec<(Uuid, i16)>,
    /// Orders that are not answered, in the order in which they were said; for one that does not read back, why.
    pub orders: Vec<(i64, Uuid, i16, Result<Order, String>)>,
    /// Whether there are shards to be had: that nobody owns, whose owner's lease has run out, or that are ours without our knowing.
    pub claimable: bool,
}

/// One row of [`POLL`]: what it is, run, shard, inbox id, inbox body.
type PollRow = (String, Option<Uuid>, Option<i16>, Option<i64>, Option<Value>);

/// Why one statement: an idle controller asks it twice a second and nothing else.
const POLL: &str = "
(select 'due' as what, run, shard, null::bigint as id, null::jsonb as body from wake
 where shard = any ($1) and at <= clock_timestamp() and run <> all ($2) order by at limit $3)
union all
(select 'order', run, shard, id, body from inbox where shard = any ($1) and answer is null order by id limit 1000)
union all
(select 'claimable', null, null, null, null where exists (
    select 1 from shard s left join controller c on c.id = s.owner
    where c.id is null or c.lease_until < clock_timestamp() or (c.id = $4 and s.id <> all ($1))))";

impl Store {
    /// Looks for runs in these shards whose time has come, those in `except` left out, and for orders and free shards.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn poll(&self, controller: Uuid, shards: &[i16], except: &[Uuid], limit: i64) -> Result<Polled, StoreError> {
        let rows: Vec<PollRow> = sqlx::query_as(POLL).bind(shards).bind(except).bind(limit).bind(controller).fetch_all(&self.pool).await?;
        let mut polled = Polled::default();
        for row in rows {
            match row {
                (_, Some(run), Some(shard), Some(id), Some(body)) => {
                    // Why: what one person said in words that we do not know must not keep us from hearing all others.
                    polled.orders.push((id, run, shard, serde_json::from_value(body).map_err(|error| error.to_string())));
                }
                (_, Some(run), Some(shard), _, _) => polled.due.push((run, shard)),
                _ => polled.claimable = true,
            }
        }
        Ok(polled)
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

    /// Forgets how often these runs were loaded: the controller that had them let go of them and is well, so they are not what brings
    /// controllers down.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forgive_loads(&self, runs: &[Uuid]) -> Result<(), StoreError> {
        sqlx::query("update wake set loads = 0 where run = any ($1) and loads > 0").bind(runs).execute(&self.pool).await?;
        Ok(())
    }

    /// The database's time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        Ok(sqlx::query_scalar("select clock_timestamp()").fetch_one(&self.pool).await?)
    }
}
