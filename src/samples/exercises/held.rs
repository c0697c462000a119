//! What is to be told and may not be told yet. Owns the order between held rows and the outbox, and the promise behind the flag's third
//! variant: an instance says that it has left a way only when nothing is under way on it any more, and that it has left `hold` only when
//! nothing is held.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::postgres::PgConnection;

use crate::samples::event::{ATTEMPT_TOPIC, Event};
use crate::samples::flags::Use;
use crate::samples::outbox::{Poke, Transport};
use crate::samples::release::{Assigns, Release};
use crate::samples::runtime::{Base, Ending};

/// The flag that decides how hiring is told of an assigned manager.
const FLAG: &str = "manager-assignment";

/// How long between two looks at what is held.
const REST: Duration = Duration::from_millis(100);

/// How hiring is told of an assigned manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a call.
    Call,
    /// Not yet.
    Hold,
    /// By an event.
    Events,
}

impl Way {
    fn transport(self) -> Option<Transport> {
        match self {
            Self::Call => Some(Transport::Call),
            Self::Hold => None,
            Self::Events => Some(Transport::Events),
        }
    }
}

/// The way for this attempt.
pub fn way(release: &Release, flags: &Use, attempt: &str) -> Way {
    match release.assigns() {
        Assigns::ByCall => Way::Call,
        Assigns::ByEvent => Way::Events,
        Assigns::ByFlag => match flags.variant(FLAG, attempt, "call").as_str() {
            "events" => Way::Events,
            "hold" => Way::Hold,
            _ => Way::Call,
        },
    }
}

/// Where assignments go: the address for calls, and the topic.
pub fn destinations(base: &Base) -> [String; 2] {
    let hiring = base.surroundings.hiring.as_deref().unwrap_or_default();
    [format!("{hiring}/api/v0/assign_manager"), ATTEMPT_TOPIC.to_owned()]
}

/// Whether something of this attempt is held. The attempt's row must be locked.
pub async fn is_held(connection: &mut PgConnection, attempt: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists(select from held where key = $1)").bind(attempt).fetch_one(connection).await
}

/// Holds an event, within the transaction of what it tells. The attempt's row must be locked.
pub async fn write<P: Serialize>(connection: &mut PgConnection, attempt: &str, event: &Event<P>) -> Result<(), sqlx::Error> {
    let body = serde_json::to_string(event).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let held = sqlx::query("insert into held (key, event_id, body) values ($1, $2, $3)").bind(attempt).bind(&event.event_id).bind(body);
    held.execute(connection).await.map(drop)
}

/// Lets go what is held as soon as there is a way, and keeps the flags' revision in use until nothing is left on the ways of before.
/// Only for a release in which the flag decides.
pub async fn let_go(base: Arc<Base>, pokes: [Poke; 2], mut ending: Ending) {
    let mut kept = base.flags.take_beside();
    loop {
        let now = base.flags.take_beside();
        match turn(&base, &now, kept.revision() != now.revision()).await {
            Ok(Turn { moved, settled }) => {
                if moved {
                    pokes.iter().for_each(Poke::now);
                }
                if settled {
                    kept = now;
                }
            }
            Err(error) => tracing::warn!(%error, "what is held stays so"),
        }
        if !ending.pause(REST).await {
            return;
        }
    }
}

struct Turn {
    moved: bool,
    settled: bool,
}

async fn turn(base: &Base, flags: &Use, changed: bool) -> Result<Turn, sqlx::Error> {
    let release = &base.surroundings.release;
    let mut moved = false;
    for key in held_keys(base).await? {
        if let Some(transport) = way(release, flags, &key).transport() {
            moved |= move_to(base, &key, transport).await?;
        }
    }
    if !changed {
        return Ok(Turn { moved, settled: true });
    }
    let [call, topic] = destinations(base);
    let under_way: Vec<(String, String)> =
        sqlx::query_as("select distinct transport, key from outbox where destination = $1 or destination = $2")
            .bind(call)
            .bind(topic)
            .fetch_all(&base.pool)
            .await?;
    let left_behind =
        |(transport, key): &(String, String)| way(release, flags, key).transport().is_none_or(|now| now.as_str() != transport);
    let waits = held_keys(base).await?.iter().any(|key| way(release, flags, key) != Way::Hold);
    Ok(Turn { moved, settled: !waits && !under_way.iter().any(left_behind) })
}

async fn held_keys(base: &Base) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("select distinct key from held").fetch_all(&base.pool).await
}

/// Moves what is held of one attempt into the outbox, in its order; `false` while something of it is under way on the other transport.
async fn move_to(base: &Base, key: &str, transport: Transport) -> Result<bool, sqlx::Error> {
    let [call, topic] = destinations(base);
    let destination = if transport == Transport::Call { call } else { topic };
    let mut transaction = base.pool.begin().await?;
    sqlx::query("select from reviewer where attempt_id = $1 for update").bind(key).execute(&mut *transaction).await?;
    let other: bool = sqlx::query_scalar("select exists(select from outbox where key = $1 and transport <> $2)")
        .bind(key)
        .bind(transport.as_str())
        .fetch_one(&mut *transaction)
        .await?;
    if other {
        return Ok(false);
    }
    // Why a statement of its own for the order: a `with` that deletes and inserts promises none.
    let moved = sqlx::query(
        "insert into outbox (transport, destination, key, event_id, body)
         select $1, $2, key, event_id, body from held where key = $3 order by id",
    )
    .bind(transport.as_str())
    .bind(destination)
    .bind(key)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("delete from held where key = $1").bind(key).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(moved.rows_affected() > 0)
}
