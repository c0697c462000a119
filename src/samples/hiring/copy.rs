//! Feeds the copy of exercises: each event once, the newest version wins, and what cannot be understood is put aside.

use async_trait::async_trait;
use sqlx::PgPool;

use super::exercise::Seen;
use crate::samples::consumer::{Handled, Handler, Record, Trouble};
use crate::samples::error::SampleError;
use crate::samples::event::{Event, ExerciseChanged, ExerciseEvents};
use crate::samples::handled::is_first;

/// The handler of state events.
pub struct Copying {
    pool: PgPool,
    events: ExerciseEvents,
}

impl Copying {
    /// A handler that writes into this database.
    pub fn new(pool: PgPool) -> Result<Self, SampleError> {
        Ok(Self { pool, events: ExerciseEvents::new()? })
    }
}

/// Writes what an exercise is into the copy when that is newer, once per event, and notes the event's own `(exercise, version)`.
pub async fn apply<P>(
    pool: &PgPool,
    record: &Record,
    event: &Event<P>,
    (id, version): (&str, i64),
    seen: &Seen,
) -> Result<Handled, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    if !is_first(&mut transaction, event).await? {
        return Ok(Handled::Duplicate);
    }
    // Why: this locks the copy's row also when that is newer, and comes before the log row gets its number, so the log of one exercise
    // is in the order of its effects.
    let written = sqlx::query(
        "insert into exercise_copy (id, title, version) values ($1, $2, $3)
         on conflict (id) do update set title = excluded.title, version = excluded.version, updated_at = clock_timestamp()
         where excluded.version > exercise_copy.version",
    )
    .bind(id)
    .bind(&seen.title)
    .bind(seen.version)
    .execute(&mut *transaction)
    .await?;
    let changed = written.rows_affected() == 1;
    sqlx::query(
        "insert into applied (exercise_id, version, event_id, partition, \"offset\", changed, copied) values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(version)
    .bind(&event.event_id)
    .bind(record.partition)
    .bind(record.offset)
    .bind(changed)
    .bind(seen.version)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Handled::Stored)
}

/// Keeps an event that cannot be understood.
pub async fn put_aside(pool: &PgPool, record: &Record, reason: &str) -> Result<Handled, sqlx::Error> {
    tracing::warn!(topic = record.topic, partition = record.partition, offset = record.offset, reason, "an event is put aside");
    sqlx::query(
        "insert into failed_message (topic, partition, \"offset\", key, value, reason) values ($1, $2, $3, $4, $5, $6)
         on conflict do nothing",
    )
    .bind(&record.topic)
    .bind(record.partition)
    .bind(record.offset)
    .bind(&record.key)
    .bind(&record.value)
    .bind(reason)
    .execute(pool)
    .await?;
    Ok(Handled::PutAside)
}

#[async_trait]
impl Handler for Copying {
    async fn handle(&self, record: &Record) -> Result<Handled, Trouble> {
        // Why: a tombstone takes a key out of a compacted topic; exercises are never deleted here.
        let Some(value) = &record.value else { return Ok(Handled::Ignored) };
        match self.events.read(value) {
            Ok(event) => {
                let ExerciseChanged { id, title, version } = &event.payload;
                let seen = Seen { title: title.clone().unwrap_or_default(), version: *version };
                Ok(apply(&self.pool, record, &event, (id, *version), &seen).await?)
            }
            Err(reason) => Ok(put_aside(&self.pool, record, &reason).await?),
        }
    }
}
