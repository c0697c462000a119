//! Who drives which runs: one lease per controller, shards that name their owner, and an epoch that fences the one before.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::SHARDS;
use super::error::StoreError;
use super::journal::Hold;
use super::pool::Store;

/// What renewing a lease told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The database's time when it renewed.
    pub now: DateTime<Utc>,
    /// Controllers whose lease runs, this one included.
    pub controllers: i64,
}

impl Store {
    /// Enters a controller with a fresh lease.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn enter(&self, controller: Uuid, name: &str) -> Result<DateTime<Utc>, StoreError> {
        let now = sqlx::query_scalar(
            "insert into controller (id, name, lease_until) values ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
             on conflict (id) do update set lease_until = excluded.lease_until returning clock_timestamp()",
        )
        .bind(controller)
        .bind(name)
        .bind(self.lease_millis())
        .fetch_one(&self.pool)
        .await?;
        Ok(now)
    }

    /// Renews a lease that still runs; `None` when it has run out, and then every shard counts as lost.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn renew(&self, controller: Uuid) -> Result<Option<Renewed>, StoreError> {
        let row: Option<(DateTime<Utc>, i64)> = sqlx::query_as(
            "update controller set lease_until = clock_timestamp() + $2 * interval '1 millisecond'
             where id = $1 and lease_until > clock_timestamp()
             returning clock_timestamp(), (select count(*) from controller where lease_until > clock_timestamp())",
        )
        .bind(controller)
        .bind(self.lease_millis())
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(now, controllers)| Renewed { now, controllers: controllers.max(1) }))
    }

    /// Takes up to `most` shards and raises their epochs: those that nobody owns, whose owner's lease has run out, or that carry this
    /// controller's own name without being among those that it knows to hold, because the answer to an earlier claim was lost.
    ///
    /// # Errors
    /// When the database does not answer; the outcome is unknown then, and the next claim finds it.
    pub async fn claim(&self, controller: Uuid, held: &[i16], most: i16) -> Result<Vec<Hold>, StoreError> {
        if most <= 0 {
            return Ok(Vec::new());
        }
        // Why: a row that another claim has changed since this statement began is judged anew once it can be locked, and it must not be
        // judged by a join with the rows of back then: only the epoch tells that it is still the one that was free.
        let rows: Vec<(i16, i64)> = sqlx::query_as(
            "with free as materialized (
                 select s.id, s.epoch from shard s left join controller c on c.id = s.owner
                 where c.id is null or (c.id <> $1 and c.lease_until < clock_timestamp()) or (c.id = $1 and s.id <> all ($3))
             ), taken as materialized (
                 select s.id from shard s join free f on f.id = s.id and f.epoch = s.epoch
                 order by s.id limit $2 for update of s skip locked
             )
             update shard s set epoch = s.epoch + 1, owner = $1 from taken t where s.id = t.id returning s.id, s.epoch",
        )
        .bind(controller)
        .bind(i64::from(most))
        .bind(held)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(shard, epoch)| Hold { shard, epoch }).collect())
    }

    /// Gives shards back so that another controller can take them at once. One that was claimed again meanwhile stays.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn release(&self, controller: Uuid, holds: &[Hold]) -> Result<(), StoreError> {
        let (shards, epochs): (Vec<_>, Vec<_>) = holds.iter().map(|hold| (hold.shard, hold.epoch)).unzip();
        // Why: in the order of their numbers, as `leave` does, for the two may run at once, and each would wait for the other.
        sqlx::query(
            "with mine as materialized (
                 select s.id from shard s join unnest($2::smallint[], $3::bigint[]) as given (id, epoch) on s.id = given.id
                 where s.owner = $1 and s.epoch = given.epoch order by s.id for no key update of s
             )
             update shard s set owner = null from mine where s.id = mine.id",
        )
        .bind(controller)
        .bind(shards)
        .bind(epochs)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Takes a controller out, with everything that it still owns, and clears away the rows of controllers that are long gone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn leave(&self, controller: Uuid) -> Result<(), StoreError> {
        sqlx::query(
            "with mine as materialized (select id from shard where owner = $1 order by id for no key update),
             freed as (update shard s set owner = null from mine where s.id = mine.id)
             delete from controller where id = $1 or lease_until < clock_timestamp() - interval '1 day'",
        )
        .bind(controller)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Names of the controllers whose lease runs, with their ids.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn controllers(&self) -> Result<Vec<(Uuid, String)>, StoreError> {
        Ok(sqlx::query_as("select id, name from controller where lease_until > clock_timestamp()").fetch_all(&self.pool).await?)
    }

    /// Ends the lease of a controller whose process is known to be gone, so that nobody waits for it. Harmless when it is not: its
    /// next write finds its shards taken, and it lets go.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn expire(&self, controller: Uuid) -> Result<(), StoreError> {
        sqlx::query("update controller set lease_until = clock_timestamp() - interval '1 millisecond' where id = $1")
            .bind(controller)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    fn lease_millis(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }
}

/// How many shards each of so many controllers should hold.
#[must_use]
pub fn fair_share(controllers: i64) -> i16 {
    let share = (i64::from(SHARDS) + controllers - 1) / controllers.max(1);
    i16::try_from(share).unwrap_or(SHARDS)
}
