//! Damage on purpose, to show that the judgement would see it. It is done to the real tables, in the very transaction that they are
//! read in, and that transaction is rolled back: what is judged was really damaged, and nothing stays.

use std::fmt;

use sqlx::PgConnection;
use uuid::Uuid;

/// Which damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Sabotage {
    /// Delete an attempt that was acknowledged.
    Lose,
    /// Store an attempt a second time.
    Double,
    /// Swap two events of one exercise in the order in which they were applied; without any, two of its changes.
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

impl Sabotage {
    /// Damages hiring's tables; says what was done, `None` when there is nothing to do it to.
    pub(super) async fn hiring(self, connection: &mut PgConnection, acknowledged: &[Uuid]) -> Result<Option<String>, sqlx::Error> {
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
                        \"offset\" = there.\"offset\"
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
    pub(super) async fn exercises(self, connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
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
