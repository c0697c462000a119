//! Managers who are assigned to review attempts: each assignment takes effect once, whether it comes by a call or by an event.

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::sleep;

use super::Desk;
use crate::samples::consumer::{Handled, Handler, Record, Trouble};
use crate::samples::event::{Event, ManagerAssigned};
use crate::samples::handled::is_first;
use crate::samples::outbox::Transport;
use crate::samples::problem::Problem;
use crate::samples::release::Fault;
use crate::samples::runtime::Base;

/// How often a release that stalls looks whether it is let go.
const STALL: std::time::Duration = std::time::Duration::from_millis(50);

/// `POST /api/v0/assign_manager`.
pub async fn called(State(desk): State<Desk>, Json(event): Json<Event<ManagerAssigned>>) -> Result<(StatusCode, Json<Value>), Problem> {
    if event.event_name != ManagerAssigned::NAME {
        return Err(Problem::malformed(format!("`event_name` is {}, and this address takes {}", event.event_name, ManagerAssigned::NAME)));
    }
    stall(&desk.base, Fault::StalledCalls).await;
    let handled = assign(&desk.base.pool, &event, Transport::Call).await?;
    let status = if handled == Handled::Duplicate { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(json!({ "event_id": event.event_id }))))
}

async fn stall(base: &Base, fault: Fault) {
    let let_go = base.surroundings.state.join("let-go");
    while base.surroundings.release.has(fault) && !let_go.exists() {
        sleep(STALL).await;
    }
}

/// Assigns once per event, whichever way it came.
async fn assign(pool: &PgPool, event: &Event<ManagerAssigned>, path: Transport) -> Result<Handled, sqlx::Error> {
    let ManagerAssigned { attempt_id, manager, number } = &event.payload;
    let mut transaction = pool.begin().await?;
    if !is_first(&mut transaction, event).await? {
        return Ok(Handled::Duplicate);
    }
    // Why: this locks the attempt's row before the log row gets its number, so the log of one attempt is in the order of its effects.
    sqlx::query(
        "insert into reviewer (attempt_id, manager, number) values ($1, $2, $3)
         on conflict (attempt_id) do update set manager = excluded.manager, number = excluded.number",
    )
    .bind(attempt_id)
    .bind(manager)
    .bind(number)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("insert into review (attempt_id, number, manager, event_id, path) values ($1, $2, $3, $4, $5)")
        .bind(attempt_id)
        .bind(number)
        .bind(manager)
        .bind(&event.event_id)
        .bind(path.as_str())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Handled::Stored)
}

/// The handler of business events. The topic carries other names, too.
pub struct Reviewing(pub std::sync::Arc<Base>);

#[async_trait]
impl Handler for Reviewing {
    async fn handle(&self, record: &Record) -> Result<Handled, Trouble> {
        let Some(value) = record.value.as_deref().and_then(|value| serde_json::from_slice::<Value>(value).ok()) else {
            return Ok(Handled::Ignored);
        };
        if value.get("event_name").and_then(Value::as_str) != Some(ManagerAssigned::NAME) {
            return Ok(Handled::Ignored);
        }
        stall(&self.0, Fault::StalledEvents).await;
        match serde_json::from_value(value) {
            Ok(event) => Ok(assign(&self.0.pool, &event, Transport::Events).await?),
            Err(error) => Ok(super::copy::put_aside(&self.0.pool, record, &error.to_string()).await?),
        }
    }
}
