//! Runs as rows: started, listed, looked up.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::error::StoreError;
use super::locks::{Taken, take};
use super::pool::Store;
use super::shard_of;
use crate::engine::Entry;
use crate::step::Claim;

/// A run to be started.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Its id, version 7.
    pub id: Uuid,
    /// Name of the playbook.
    pub playbook: String,
    /// Name of the environment.
    pub environment: String,
    /// The playbook's link, if it has one.
    pub link: Option<String>,
    /// Content hash of the bundle.
    pub bundle_hash: String,
    /// The bundle.
    pub bundle: Value,
    /// The plan that was shown when the run was started.
    pub plan: Value,
    /// What it reads and writes.
    pub claims: Vec<Claim>,
    /// Who starts it.
    pub by: String,
    /// Its first entry.
    pub entry: Entry,
}

/// A run as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct RunRow {
    /// Its id.
    pub id: Uuid,
    /// Name of the playbook.
    pub playbook: String,
    /// Name of the environment.
    pub environment: String,
    /// The playbook's link, if it has one.
    pub link: Option<String>,
    /// Who started it.
    pub started_by: String,
    /// When.
    pub started_at: DateTime<Utc>,
    /// Its state.
    pub state: String,
    /// When it was over.
    pub ended_at: Option<DateTime<Utc>>,
    /// Content hash of the bundle.
    pub bundle: String,
}

/// What a run is loaded from, besides its journal.
#[derive(Clone, Debug, FromRow)]
pub struct RunSource {
    /// Its id.
    pub id: Uuid,
    /// Content hash of the bundle.
    pub bundle: String,
    /// The plan with which it was started.
    pub plan: Value,
    /// Its state, as it was written last.
    pub state: String,
    /// Whether it is over, and what it held is free.
    pub over: bool,
}

const COLUMNS: &str = "id, playbook, environment, link, started_by, started_at, state, ended_at, bundle";

impl Store {
    /// Starts a run and takes its claims, all or none. Returns who holds what stands against them; empty when the run was started.
    /// The same id again is fine.
    ///
    /// # Errors
    /// When the database does not answer; the outcome is unknown then.
    pub async fn start(&self, run: &NewRun) -> Result<Vec<Taken>, StoreError> {
        let (kind, body) = run.entry.write().map_err(|error| StoreError::Damaged(error.to_string()))?;
        let mut transaction = self.pool.begin().await?;
        sqlx::query("insert into blob (hash, body) values ($1, $2) on conflict do nothing")
            .bind(&run.bundle_hash)
            .bind(Json(&run.bundle))
            .execute(&mut *transaction)
            .await?;
        let new = sqlx::query(
            "insert into run (id, shard, playbook, environment, link, started_by, bundle, plan) values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict do nothing",
        )
        .bind(run.id)
        .bind(shard_of(run.id))
        .bind(&run.playbook)
        .bind(&run.environment)
        .bind(&run.link)
        .bind(&run.by)
        .bind(&run.bundle_hash)
        .bind(Json(&run.plan))
        .execute(&mut *transaction)
        .await?;
        if new.rows_affected() == 0 {
            return Ok(Vec::new());
        }
        let taken = take(&mut transaction, run.id, &run.environment, &run.claims).await?;
        if !taken.is_empty() {
            return Ok(taken);
        }
        // Why: epoch 0 is below every epoch that a controller can hold, so this entry is older than any of theirs.
        sqlx::query(
            "insert into entry (run, seq, shard, epoch, kind, version, body, at) values ($1, 1, $2, 0, $3, $4, $5, clock_timestamp())",
        )
        .bind(run.id)
        .bind(shard_of(run.id))
        .bind(kind)
        .bind(Entry::VERSION)
        .bind(Json(&body))
        .execute(&mut *transaction)
        .await?;
        sqlx::query("insert into wake (run, shard, at) values ($1, $2, clock_timestamp())")
            .bind(run.id)
            .bind(shard_of(run.id))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(taken)
    }

    /// Runs, the newest first, optionally of one state or playbook, older than `before`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn runs(
        &self,
        state: Option<&str>,
        playbook: Option<&str>,
        before: Option<DateTime<Utc>>,
        limit: i64,
    ) -> Result<Vec<RunRow>, StoreError> {
        let sql = format!(
            "select {COLUMNS} from run where ($1::text is null or state = $1) and ($2::text is null or playbook = $2)
             and ($3::timestamptz is null or started_at < $3) order by started_at desc limit $4"
        );
        let rows =
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(state).bind(playbook).bind(before).bind(limit).fetch_all(&self.pool).await?;
        Ok(rows)
    }

    /// How many runs there are in each state.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn run_counts(&self) -> Result<Vec<(String, i64)>, StoreError> {
        Ok(sqlx::query_as("select state, count(*) from run group by state order by state").fetch_all(&self.pool).await?)
    }

    /// One run.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn run(&self, id: Uuid) -> Result<Option<RunRow>, StoreError> {
        let sql = format!("select {COLUMNS} from run where id = $1");
        Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&self.pool).await?)
    }

    /// Ids of runs that begin with this text, as people abbreviate them; at most `limit`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn runs_like(&self, start: &str, limit: i64) -> Result<Vec<Uuid>, StoreError> {
        let sql =
            "select id from run where starts_with(id::text, $1) or starts_with(right(id::text, 8), $1) order by started_at desc limit $2";
        Ok(sqlx::query_scalar(sql).bind(start).bind(limit).fetch_all(&self.pool).await?)
    }

    /// The plan with which a run was started.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn run_plan(&self, id: Uuid) -> Result<Option<Value>, StoreError> {
        Ok(sqlx::query_scalar("select plan from run where id = $1").bind(id).fetch_optional(&self.pool).await?)
    }

    /// The bundle with this content hash.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bundle(&self, hash: &str) -> Result<Option<Value>, StoreError> {
        Ok(sqlx::query_scalar("select body from blob where hash = $1").bind(hash).fetch_optional(&self.pool).await?)
    }

    /// Bundle hash and plan of several runs, for loading them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn run_sources(&self, runs: &[Uuid]) -> Result<Vec<RunSource>, StoreError> {
        let sql = "select id, bundle, plan, state, ended_at is not null as over from run where id = any ($1)";
        Ok(sqlx::query_as(sql).bind(runs).fetch_all(&self.pool).await?)
    }
}
