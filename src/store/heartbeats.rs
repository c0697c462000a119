//! Who reads the flag documents, and since when a revision is in use everywhere.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::error::StoreError;
use super::pool::Store;
use crate::flags::Heartbeat;
use crate::ports::flags::Listener;

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// It is kept.
    Kept,
    /// It names a revision that the store never had; this one is the newest.
    FromTheFuture(i64),
}

#[derive(sqlx::FromRow)]
struct Row {
    service: String,
    instance: String,
    release: String,
    revision: i64,
    oldest: i64,
    flags: Option<Json<BTreeSet<String>>>,
    millis: i64,
}

impl Store {
    /// Keeps a report in place of the instance's last one. `document` is the name of the document that it is about.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_heartbeat(&self, document: &str, heartbeat: &Heartbeat) -> Result<Report, StoreError> {
        // Why `greatest` and `or`: reports of one process may overtake each other, and a process never goes back.
        let kept: Option<bool> = sqlx::query_scalar(
            "with known as (
                 select from heartbeat where environment = $1 and store = $2 and service = $3 and instance = $4)
             insert into heartbeat as h (environment, store, service, instance, release, revision, oldest, ending, flags)
             select $1, $2, $3, $4, $5, $6, $7, $8, $10
             where $6 <= (select coalesce(max(revision), 0) from flag_revision where store = $9)
             on conflict (environment, store, service, instance) do update set
                 release = excluded.release, revision = greatest(h.revision, excluded.revision),
                 oldest = greatest(h.oldest, excluded.oldest), flags = excluded.flags, at = clock_timestamp(), ending = h.ending or excluded.ending
             returning not exists (select from known)",
        )
        .bind(&heartbeat.environment)
        .bind(&heartbeat.store)
        .bind(&heartbeat.service)
        .bind(&heartbeat.instance)
        .bind(&heartbeat.release)
        .bind(heartbeat.revision)
        .bind(heartbeat.oldest)
        .bind(heartbeat.ending)
        .bind(document)
        .bind(heartbeat.flags.as_ref().map(Json))
        .fetch_optional(&self.pool)
        .await?;
        match kept {
            None => Ok(Report::FromTheFuture(self.flag_revision(document).await?)),
            // Why only now and then: a new instance is rare, and old ones harm nobody but the disk.
            Some(true) => {
                self.forget_heartbeats().await?;
                Ok(Report::Kept)
            }
            Some(false) => Ok(Report::Kept),
        }
    }

    /// The last report of every instance that has not said that it ends, by service and instance, with its age by the database's clock.
    /// Reports older than a day are left out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn listeners(&self, environment: &str, store: &str) -> Result<Vec<Listener>, StoreError> {
        let rows: Vec<Row> = sqlx::query_as(
            "select service, instance, release, revision, oldest, flags,
                 greatest(0, extract(epoch from clock_timestamp() - at) * 1000)::bigint as millis
             from heartbeat where environment = $1 and store = $2 and not ending and at > clock_timestamp() - interval '1 day'
             order by service, instance",
        )
        .bind(environment)
        .bind(store)
        .fetch_all(&self.pool)
        .await?;
        let listener = |row: Row| Listener {
            service: row.service,
            instance: row.instance,
            release: row.release,
            revision: row.revision,
            oldest: row.oldest,
            flags: row.flags.map(|Json(flags)| flags),
            age: Duration::from_millis(u64::try_from(row.millis).unwrap_or_default()),
        };
        Ok(rows.into_iter().map(listener).collect())
    }

    /// Writes down that everybody has left the revisions before this one, unless that is written down, and says since when.
    /// `None` when there is no such revision.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn acknowledge_flag_revision(&self, document: &str, revision: i64) -> Result<Option<DateTime<Utc>>, StoreError> {
        let since = sqlx::query_scalar(
            "update flag_revision set acknowledged_at = coalesce(acknowledged_at, clock_timestamp())
             where store = $1 and revision = $2 returning acknowledged_at",
        )
        .bind(document)
        .bind(revision)
        .fetch_optional(&self.pool)
        .await?;
        Ok(since)
    }

    /// Since when it is written down that everybody has left the revisions before this one, if it is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn flag_revision_acknowledged(&self, document: &str, revision: i64) -> Result<Option<DateTime<Utc>>, StoreError> {
        let since: Option<Option<DateTime<Utc>>> =
            sqlx::query_scalar("select acknowledged_at from flag_revision where store = $1 and revision = $2")
                .bind(document)
                .bind(revision)
                .fetch_optional(&self.pool)
                .await?;
        Ok(since.flatten())
    }

    async fn forget_heartbeats(&self) -> Result<(), StoreError> {
        sqlx::query("delete from heartbeat where at < clock_timestamp() - interval '1 day'").execute(&self.pool).await?;
        Ok(())
    }
}
