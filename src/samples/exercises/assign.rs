//! Managers are assigned to attempts, and hiring is told. A call is waited for before the caller is answered; an event is promised; and
//! while the flag says `hold` the assignment waits here, behind those of its attempt that came before it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use uuid::Uuid;

use super::Desk;
use super::held::{self, Way};
use crate::samples::event::{Event, ManagerAssigned};
use crate::samples::flags::Use;
use crate::samples::outbox::{self, Transport};
use crate::samples::problem::{Problem, checked_id};

/// The first pause between two looks whether a call was answered, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// What a caller wants.
#[derive(Debug, Deserialize)]
pub struct Wish {
    request_id: Uuid,
    attempt_id: String,
    manager: String,
}

/// Which assignment to the attempt this is.
#[derive(Debug, Serialize)]
pub struct Assigned {
    attempt_id: String,
    version: i64,
}

/// What still waits for hiring, by the way that it goes.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct UnderWay {
    held: i64,
    by_call: i64,
    by_events: i64,
}

/// `POST /api/v0/assignments`.
pub async fn assign(
    State(desk): State<Desk>,
    Extension(flags): Extension<Arc<Use>>,
    Json(wish): Json<Wish>,
) -> Result<(StatusCode, Json<Assigned>), Problem> {
    checked_id(&wish.attempt_id)?;
    if !(1..=100).contains(&wish.manager.len()) {
        return Err(Problem::malformed("`manager` has 1 to 100 characters"));
    }
    let way = held::way(&desk.base.surroundings.release, &flags, &wish.attempt_id);
    let Made { number, event, first } = make(&desk, &wish, way).await?;
    desk.call_poke.now();
    desk.poke.now();
    // Why: the flags count as in use until the call was answered, so that another way is open to everybody only when no call is under way.
    let mut pause = PAUSES.0;
    while calls(&desk, &event).await? {
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
    let status = if first { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(Assigned { attempt_id: wish.attempt_id, version: number })))
}

/// `GET /api/v0/assignments`.
pub async fn under_way(State(desk): State<Desk>) -> Result<Json<UnderWay>, Problem> {
    let found = sqlx::query_as(
        "select (select count(*) from held) as held, count(*) filter (where transport = 'call') as by_call,
                count(*) filter (where transport = 'events') as by_events
         from outbox where destination = $1 or destination = $2",
    );
    let [call, topic] = held::destinations(&desk.base);
    Ok(Json(found.bind(call).bind(topic).fetch_one(&desk.base.pool).await?))
}

async fn calls(desk: &Desk, event: &str) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar("select exists(select from outbox where event_id = $1 and transport = 'call')").bind(event);
    found.fetch_one(&desk.base.pool).await
}

struct Made {
    number: i64,
    event: String,
    first: bool,
}

/// Assigns the manager and promises that hiring is told, in one transaction, once per request.
async fn make(desk: &Desk, wish: &Wish, way: Way) -> Result<Made, sqlx::Error> {
    let mut transaction = desk.base.pool.begin().await?;
    let first = sqlx::query("insert into handled_assignment (request_id, attempt_id) values ($1, $2) on conflict do nothing")
        .bind(wish.request_id)
        .bind(&wish.attempt_id)
        .execute(&mut *transaction)
        .await?;
    if first.rows_affected() == 0 {
        let (number, event) = sqlx::query_as("select number, event_id from handled_assignment where request_id = $1")
            .bind(wish.request_id)
            .fetch_one(&mut *transaction)
            .await?;
        return Ok(Made { number, event, first: false });
    }
    // Why: from here on the attempt's row is locked, so numbers, held rows and outbox rows of one attempt have one order.
    let number: i64 = sqlx::query_scalar(
        "insert into reviewer (attempt_id, manager, number) values ($1, $2, 1)
         on conflict (attempt_id) do update set manager = excluded.manager, number = reviewer.number + 1 returning number",
    )
    .bind(&wish.attempt_id)
    .bind(&wish.manager)
    .fetch_one(&mut *transaction)
    .await?;
    let payload = ManagerAssigned { attempt_id: wish.attempt_id.clone(), manager: wish.manager.clone(), number };
    let event = Event::new(ManagerAssigned::NAME, payload);
    sqlx::query("insert into assignment (attempt_id, number, manager, request_id, event_id) values ($1, $2, $3, $4, $5)")
        .bind(&wish.attempt_id)
        .bind(number)
        .bind(&wish.manager)
        .bind(wish.request_id)
        .bind(&event.event_id)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("update handled_assignment set number = $2, event_id = $3 where request_id = $1")
        .bind(wish.request_id)
        .bind(number)
        .bind(&event.event_id)
        .execute(&mut *transaction)
        .await?;
    let [call, topic] = held::destinations(&desk.base);
    match way {
        // Why: what was held goes first, whatever the flag says by now.
        _ if held::is_held(&mut transaction, &wish.attempt_id).await? => held::write(&mut transaction, &wish.attempt_id, &event).await?,
        Way::Hold => held::write(&mut transaction, &wish.attempt_id, &event).await?,
        Way::Call => outbox::write(&mut transaction, Transport::Call, &call, &wish.attempt_id, &event).await?,
        Way::Events => outbox::write(&mut transaction, Transport::Events, &topic, &wish.attempt_id, &event).await?,
    }
    transaction.commit().await?;
    Ok(Made { number, event: event.event_id, first: true })
}
