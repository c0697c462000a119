//! The journal: one fenced autocommit statement for everything that belongs together.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::error::StoreError;
use super::pool::Store;
use crate::engine::command::Answer;
use crate::engine::{Entry, JournalEntry, RunState};

/// A shard with the epoch under which a controller holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hold {
    /// Shard number.
    pub shard: i16,
    /// The epoch that the holder was given.
    pub epoch: i64,
}

/// An entry on its way into the journal.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Run.
    pub run: Uuid,
    /// The run's shard and the epoch under which it is written.
    pub hold: Hold,
    /// Number within the run.
    pub seq: i64,
    /// See [`Entry::write`].
    pub kind: String,
    /// See [`Entry::write`].
    pub body: Value,
    /// When.
    pub at: DateTime<Utc>,
}

/// A run whose state changed, and when it wants to be woken.
#[derive(Clone, Copy, Debug)]
pub struct Moved {
    /// Run.
    pub run: Uuid,
    /// The run's shard and the epoch under which it is written.
    pub hold: Hold,
    /// Its state now.
    pub state: RunState,
    /// When it is to be looked at again: at once, after so many milliseconds, or not before somebody says something.
    pub wake: Wake,
}

/// When a run is to be looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// At once: it is being worked on, and whoever takes the shard over must go on with it.
    Now,
    /// After so many milliseconds.
    After(i64),
    /// Not before somebody says something.
    Never,
    /// Never again: it is over.
    Over,
}

/// Everything that is written at once.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Journal entries.
    pub entries: Vec<NewEntry>,
    /// Changes of state.
    pub moved: Vec<Moved>,
    /// Answers to inbox rows.
    pub answers: Vec<(i64, Hold, Answer)>,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Shards of the batch that the writer no longer holds: nothing of theirs was written.
    pub lost: Vec<i16>,
}

/// Why one statement: a transaction that stays open would hold the fence against a takeover, and a fence that only reads the epoch lets
/// a write through that commits after the takeover. `FOR KEY SHARE` on the row whose key holds the epoch does neither: a takeover waits
/// for this one statement, and this statement finds no row after a takeover.
const WRITE: &str = "
with fence as materialized (
    select s.id, s.epoch from shard s
    join unnest($1::smallint[], $2::bigint[]) as mine (id, epoch) on s.id = mine.id and s.epoch = mine.epoch
    for key share of s
), wrote as (
    insert into entry (run, seq, shard, epoch, kind, version, body, at)
    select e.run, e.seq, e.shard, f.epoch, e.kind, $3, e.body, e.at
    from unnest($4::uuid[], $5::bigint[], $6::smallint[], $7::text[], $8::jsonb[], $9::timestamptz[]) as e (run, seq, shard, kind, body, at)
    join fence f on f.id = e.shard
    on conflict (run, seq) do nothing
), moved as (
    update run r set state = m.state, ended_at = case when m.wake = -2 then clock_timestamp() end
    from unnest($10::uuid[], $11::smallint[], $12::text[], $13::bigint[]) as m (run, shard, state, wake)
    join fence f on f.id = m.shard
    where r.id = m.run
), woken as (
    update wake w set loads = 0, at = case
        when m.wake >= 0 then clock_timestamp() + m.wake * interval '1 millisecond' else 'infinity' end
    from unnest($10::uuid[], $11::smallint[], $12::text[], $13::bigint[]) as m (run, shard, state, wake)
    join fence f on f.id = m.shard
    where w.run = m.run
), freed as (
    delete from resource_lock l
    using unnest($10::uuid[], $11::smallint[], $12::text[], $13::bigint[]) as m (run, shard, state, wake)
    join fence f on f.id = m.shard
    where l.run = m.run and m.wake = -2
), answered as (
    update inbox i set answer = a.answer, answered_at = clock_timestamp()
    from unnest($14::bigint[], $15::smallint[], $16::jsonb[]) as a (id, shard, answer)
    join fence f on f.id = a.shard
    where i.id = a.id and i.answer is null
)
select id from fence";

impl Store {
    /// Writes a batch. Safe to call again with the same batch after an unknown outcome.
    ///
    /// # Errors
    /// When the database does not answer; the outcome is unknown then.
    pub async fn write(&self, batch: &Batch) -> Result<Written, StoreError> {
        let mut holds: Vec<Hold> = Vec::new();
        let all = batch.entries.iter().map(|entry| entry.hold).chain(batch.moved.iter().map(|moved| moved.hold));
        for hold in all.chain(batch.answers.iter().map(|(_, hold, _)| *hold)) {
            if !holds.contains(&hold) {
                holds.push(hold);
            }
        }
        let shards: Vec<i16> = holds.iter().map(|hold| hold.shard).collect();
        let held: Vec<i16> = sqlx::query_scalar(WRITE)
            .bind(&shards)
            .bind(holds.iter().map(|hold| hold.epoch).collect::<Vec<_>>())
            .bind(Entry::VERSION)
            .bind(batch.entries.iter().map(|entry| entry.run).collect::<Vec<_>>())
            .bind(batch.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>())
            .bind(batch.entries.iter().map(|entry| entry.hold.shard).collect::<Vec<_>>())
            .bind(batch.entries.iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>())
            .bind(batch.entries.iter().map(|entry| Json(&entry.body)).collect::<Vec<_>>())
            .bind(batch.entries.iter().map(|entry| entry.at).collect::<Vec<_>>())
            .bind(batch.moved.iter().map(|moved| moved.run).collect::<Vec<_>>())
            .bind(batch.moved.iter().map(|moved| moved.hold.shard).collect::<Vec<_>>())
            .bind(batch.moved.iter().map(|moved| moved.state.as_str()).collect::<Vec<_>>())
            .bind(batch.moved.iter().map(|moved| moved.wake.code()).collect::<Vec<_>>())
            .bind(batch.answers.iter().map(|(id, _, _)| *id).collect::<Vec<_>>())
            .bind(batch.answers.iter().map(|(_, hold, _)| hold.shard).collect::<Vec<_>>())
            .bind(batch.answers.iter().map(|(_, _, answer)| Json(answer)).collect::<Vec<_>>())
            .fetch_all(&self.pool)
            .await?;
        Ok(Written { lost: shards.into_iter().filter(|shard| !held.contains(shard)).collect() })
    }

    /// The journal of a run after entry number `after`, in order, at most `limit` entries.
    ///
    /// # Errors
    /// When the database does not answer, or an entry is of a newer version or does not read back.
    pub async fn journal(&self, run: Uuid, after: i64, limit: i64) -> Result<Vec<JournalEntry>, StoreError> {
        let rows: Vec<(i64, DateTime<Utc>, String, i16, Value)> =
            sqlx::query_as("select seq, at, kind, version, body from entry where run = $1 and seq > $2 order by seq limit $3")
                .bind(run)
                .bind(after)
                .bind(limit)
                .fetch_all(&self.pool)
                .await?;
        rows.into_iter().map(|(seq, at, kind, version, body)| read(run, seq, at, &kind, version, body)).collect()
    }

    /// The journals of several runs.
    ///
    /// # Errors
    /// When the database does not answer. A journal that does not read back is an error of that run alone.
    pub async fn journals(&self, runs: &[Uuid]) -> Result<Vec<(Uuid, Result<JournalEntry, StoreError>)>, StoreError> {
        let rows: Vec<(Uuid, i64, DateTime<Utc>, String, i16, Value)> =
            sqlx::query_as("select run, seq, at, kind, version, body from entry where run = any ($1) order by run, seq")
                .bind(runs)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(|(run, seq, at, kind, version, body)| (run, read(run, seq, at, &kind, version, body))).collect())
    }
}

fn read(run: Uuid, seq: i64, at: DateTime<Utc>, kind: &str, version: i16, body: Value) -> Result<JournalEntry, StoreError> {
    if version > Entry::VERSION {
        return Err(StoreError::Damaged(format!("entry {seq} of run {run} was written by a newer cutover (version {version})")));
    }
    let entry = Entry::read(kind, body).map_err(|error| StoreError::Damaged(format!("entry {seq} of run {run}, {kind}: {error}")))?;
    Ok(JournalEntry { seq, at, entry })
}

impl Wake {
    fn code(self) -> i64 {
        match self {
            Self::Now => 0,
            Self::After(millis) => millis.max(0),
            Self::Never => -1,
            Self::Over => -2,
        }
    }
}
