//! Damage on purpose, to show that the judgement would see it. It is done to the real tables, in the very transaction that they are
//! read in, and that transaction is rolled back: what is judged was really damaged, and nothing stays.

use std::fmt;

use sqlx::PgConnection;
use uuid::Uuid;

/// What is damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Damaged {
    /// Attempts, and what hiring was told of exercises.
    #[default]
    Exercise,
    /// Managers who were assigned to attempts.
    AssignManager,
}

/// Damage to one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Which damage.
    pub how: Sabotage,
    /// To what.
    pub of: Damaged,
}

/// Which damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    /// Delete an attempt that was acknowledged, or an assignment that took effect.
    Lose,
    /// Store an attempt, or an assignment, a second time.
    Double,
    /// Swap two events of one exercise in the order in which they were applied; without any, two of its changes. Or two assignments to
    /// one attempt.
    Reorder,
}

impl fmt::Display for Sabotage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lose => "lose",
            Self::Double => "double",
            Self::Reorder => "reorder",
        })
    }
}

impl Damage {
    /// Damages hiring's tables; says what was done, `None` when there is nothing to do it to.
    pub(super) async fn hiring(self, connection: &mut PgConnection, acknowledged: &[Uuid]) -> Result<Option<String>, sqlx::Error> {
        match self.of {
            Damaged::Exercise => self.how.attempts(connection, acknowledged).await,
            Damaged::AssignManager => self.how.reviews(connection).await,
        }
    }

    /// Damages the tables of exercises, for a reordering that hiring's had nothing for.
    pub(super) async fn exercises(self, connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
        if self.of == Damaged::Exercise { self.how.changes(connection).await } else { Ok(None) }
    }
}

impl Sabotage {
    /// Damages assignments as they took effect.
    async fn reviews(self, connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
        let chosen: Option<(String, i64, i64)> = sqlx::query_as(
            "select one.attempt_id, one.id, other.id from review one
             join review other on other.attempt_id = one.attempt_id and other.id > one.id order by one.id desc, other.id limit 1",
        )
        .fetch_optional(&mut *connection)
        .await?;
        let Some((attempt, one, other)) = chosen else { return Ok(None) };
        let (statement, done) = match self {
            Self::Lose => ("delete from review where id = $1 and $2 > 0", "one assignment was deleted"),
            Self::Double => (
                "insert into review (attempt_id, number, manager, event_id, path, at)
                 select attempt_id, number, manager, event_id, path, at from review where id = $1 and $2 > 0",
                "one assignment was stored a second time",
            ),
            Self::Reorder => (
                "update review as here set number = there.number, manager = there.manager, event_id = there.event_id, path = there.path
                 from review as there where (here.id = $1 and there.id = $2) or (here.id = $2 and there.id = $1)",
                "two assignments were swapped",
            ),
        };
        sqlx::query(statement).bind(one).bind(other).execute(connection).await?;
        Ok(Some(format!("of {attempt} {done}")))
    }

    /// Damages hiring's tables; says what was done, `None` when there is nothing to do it to.
    async fn attempts(self, connection: &mut PgConnection, acknowledged: &[Uuid]) -> Result<Option<String>, sqlx::Error> {
        if self == Self::Reorder {
            let pair: Option<(String, i64, i64)> = sqlx::query_as(
                "select one.exercise_id, one.number, other.number from applied one
                 join applied other on other.exercise_id = one.exercise_id and other.number > one.number and other.version > one.version
                 where one.changed and other.changed order by one.number desc, other.number limit 1",
            )
            .fetch_optional(&mut *connection)
            .await?;
            let Some((exercise, one, other)) = pair else { return Ok(None) };
            sqlx::query(
                "update applied as here set version = there.version, event_id = there.event_id, partition = there.partition,
                        \"offset\" = there.\"offset\", copied = there.copied
                 from applied as there
                 where (here.number = $1 and there.number = $2) or (here.number = $2 and there.number = $1)",
            )
            .bind(one)
            .bind(other)
            .execute(connection)
            .await?;
            return Ok(Some(format!("two applied events of {exercise} were swapped")));
        }
        let chosen: Option<Uuid> =
            sqlx::query_scalar("select request_id from attempt where request_id = any($1) order by number desc limit 1")
                .bind(acknowledged)
                .fetch_optional(&mut *connection)
                .await?;
        let Some(chosen) = chosen else { return Ok(None) };
        let (statement, done) = match self {
            Self::Lose => ("delete from attempt where request_id = $1", "deleted"),
            _ => (
                "insert into attempt (request_id, exercise_id, candidate, title, version_seen, path, at)
                 select request_id, exercise_id, candidate, title, version_seen, path, at from attempt where request_id = $1",
                "stored a second time",
            ),
        };
        sqlx::query(statement).bind(chosen).execute(connection).await?;
        Ok(Some(format!("attempt {chosen} was {done}")))
    }

    /// Damages the tables of exercises, for a reordering that hiring's had nothing for.
    async fn changes(self, connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
        if self != Self::Reorder {
            return Ok(None);
        }
        let pair: Option<(String, i64, i64)> = sqlx::query_as(
            "select one.exercise_id, one.number, other.number from exercise_change one
             join exercise_change other on other.exercise_id = one.exercise_id and other.number > one.number
             order by one.number desc, other.number limit 1",
        )
        .fetch_optional(&mut *connection)
        .await?;
        let Some((exercise, one, other)) = pair else { return Ok(None) };
        sqlx::query(
            "update exercise_change as here set version = there.version, title = there.title, request_id = there.request_id,
                    event_id = there.event_id
             from exercise_change as there
             where (here.number = $1 and there.number = $2) or (here.number = $2 and there.number = $1)",
        )
        .bind(one)
        .bind(other)
        .execute(connection)
        .await?;
        Ok(Some(format!("two changes of {exercise} were swapped")))
    }
}
