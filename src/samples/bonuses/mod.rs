//! The service bonuses: credits candidates, once per event, whether it is called or reads the event from a topic.

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;

use super::consumer::{Handled, Handler, Record, Trouble, consume, consumer};
use super::error::SampleError;
use super::event::{ATTEMPT_TOPIC, BonusAdded, Event};
use super::handled::{self, is_first};
use super::outbox::Transport;
use super::problem::Problem;
use super::runtime::{Base, Ending, Parts, make_tables};

/// The group that credits from the topic.
const GROUP: &str = "bonuses-attempts";

const TABLES: &str = include_str!("tables.sql");

/// Makes the tables, starts the consumer and answers the routes of this release.
pub async fn prepare(base: &Arc<Base>, ending: &Ending) -> Result<Parts, SampleError> {
    make_tables(&base.pool, &[TABLES, handled::TABLES]).await?;
    let mut work = JoinSet::new();
    if base.surroundings.release.takes_bonus_events() {
        let crediting = Crediting(base.pool.clone());
        work.spawn(consume(consumer(&base.surroundings, GROUP, ATTEMPT_TOPIC)?, crediting, base.metrics.clone(), ending.clone()));
    }
    base.metrics.expect("/api/v0/bonuses");
    let router = Router::new().route("/api/v0/bonuses", post(called)).with_state(Arc::clone(base));
    Ok(Parts { router, work })
}

async fn called(State(base): State<Arc<Base>>, Json(event): Json<Event<BonusAdded>>) -> Result<(StatusCode, Json<Value>), Problem> {
    if event.event_name != BonusAdded::NAME {
        return Err(Problem::malformed(format!("`event_name` is {}, and this address takes {}", event.event_name, BonusAdded::NAME)));
    }
    let handled = credit(&base.pool, &event, Transport::Call).await?;
    let status = if handled == Handled::Duplicate { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(json!({ "event_id": event.event_id }))))
}

/// Credits once per event.
async fn credit(pool: &PgPool, event: &Event<BonusAdded>, path: Transport) -> Result<Handled, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    if !is_first(&mut transaction, event).await? {
        return Ok(Handled::Duplicate);
    }
    sqlx::query("insert into credit (event_id, produced_at, attempt, candidate, amount, path) values ($1, $2, $3, $4, $5, $6)")
        .bind(&event.event_id)
        .bind(event.produced_at)
        .bind(event.payload.attempt)
        .bind(&event.payload.candidate)
        .bind(event.payload.amount)
        .bind(path.as_str())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Handled::Stored)
}

/// The handler of business events. The topic carries other names, too.
struct Crediting(PgPool);

#[async_trait]
impl Handler for Crediting {
    async fn handle(&self, record: &Record) -> Result<Handled, Trouble> {
        let Some(value) = record.value.as_deref().and_then(|value| serde_json::from_slice::<Value>(value).ok()) else {
            return Ok(Handled::Ignored);
        };
        if value.get("event_name").and_then(Value::as_str) != Some(BonusAdded::NAME) {
            return Ok(Handled::Ignored);
        }
        match serde_json::from_value(value) {
            Ok(event) => Ok(credit(&self.0, &event, Transport::Events).await?),
            Err(error) => {
                tracing::warn!(%error, partition = record.partition, offset = record.offset, "a bonus cannot be understood");
                Ok(Handled::PutAside)
            }
        }
    }
}
