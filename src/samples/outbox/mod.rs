//! The transactional outbox: what a service promises to tell is written with the change itself, and relayed afterwards until somebody
//! has acknowledged it. Owns the order per key; knows no service.

mod broker;
mod call;
mod relay;

use serde::Serialize;
use sqlx::PgPool;
use sqlx::postgres::PgConnection;

pub use broker::Broker;
pub use call::Call;
pub use relay::{Poke, relay};

use super::event::Event;

/// The outbox's tables.
pub const TABLES: &str = include_str!("tables.sql");

/// How a row travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// As a call to another service.
    Call,
    /// As a record of a topic.
    Events,
}

impl Transport {
    /// The word for it in tables and flags.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Events => "events",
        }
    }
}

/// Writes an event into the outbox, within the transaction of the change that it tells. `destination` is a topic or an address.
pub async fn write<P: Serialize>(
    connection: &mut PgConnection,
    transport: Transport,
    destination: &str,
    key: &str,
    event: &Event<P>,
) -> Result<(), sqlx::Error> {
    let body = serde_json::to_string(event).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    sqlx::query("insert into outbox (transport, destination, key, event_id, body) values ($1, $2, $3, $4, $5)")
        .bind(transport.as_str())
        .bind(destination)
        .bind(key)
        .bind(&event.event_id)
        .bind(body)
        .execute(connection)
        .await?;
    Ok(())
}

/// How many rows nobody has acknowledged; `None` for a service without an outbox.
pub async fn unsent(pool: &PgPool) -> Result<Option<i64>, sqlx::Error> {
    let there: bool = sqlx::query_scalar("select to_regclass('outbox') is not null").fetch_one(pool).await?;
    if !there {
        return Ok(None);
    }
    sqlx::query_scalar("select count(*) from outbox").fetch_one(pool).await.map(Some)
}
