//! The service exercises: owns exercises, answers for them, and tells of their changes by an outbox.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::error::SampleError;
use super::event::{EXERCISE_TOPIC, Event, ExerciseChanged};
use super::flags::Use;
use super::outbox::{self, Broker, Poke, Transport};
use super::problem::{Problem, checked_id};
use super::release::{Choice, Fault};
use super::runtime::{Base, Ending, Parts, make_tables};

/// The flag that decides whether changes are told as events.
const FLAG: &str = "exercise-events";

const TABLES: &str = include_str!("tables.sql");

#[derive(Clone)]
struct Desk {
    base: Arc<Base>,
    poke: Poke,
}

/// What a caller wants an exercise to be.
#[derive(Debug, Deserialize)]
struct Wish {
    title: String,
    request_id: Uuid,
}

/// Which version a change has made.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Made {
    id: String,
    version: i64,
}

/// An exercise as callers see it.
#[derive(Debug, Serialize, sqlx::FromRow)]
struct Exercise {
    id: String,
    title: String,
    version: i64,
}

/// Makes the tables, starts the relay and answers the routes of this release.
pub async fn prepare(base: &Arc<Base>, ending: &Ending) -> Result<Parts, SampleError> {
    make_tables(&base.pool, &[TABLES, outbox::TABLES]).await?;
    let release = &base.surroundings.release;
    let desk = Desk { base: Arc::clone(base), poke: Poke::default() };
    let mut work = JoinSet::new();
    if release.publishes() != Choice::Never {
        let broker = Broker::new(&base.surroundings)?;
        work.spawn(outbox::relay(base.pool.clone(), broker, desk.poke.clone(), base.metrics.clone(), ending.clone()));
    }
    let mut router = Router::new().route("/api/v0/exercises/{id}", put(change));
    base.metrics.expect("/api/v0/exercises/{id}");
    if release.serves_exercise() {
        router = router.route("/api/v0/exercise/{id}", get(show));
        base.metrics.expect("/api/v0/exercise/{id}");
    }
    Ok(Parts { router: router.with_state(desk), work })
}

async fn show(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Json<Exercise>, Problem> {
    let found = sqlx::query_as("select id, title, version from exercise where id = $1").bind(&id).fetch_optional(&desk.base.pool).await?;
    found.map(Json).ok_or_else(|| Problem::no_exercise(&id))
}

async fn change(
    State(desk): State<Desk>,
    Extension(flags): Extension<Arc<Use>>,
    Path(id): Path<String>,
    Json(wish): Json<Wish>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    checked_id(&id)?;
    if !(1..=500).contains(&wish.title.len()) {
        return Err(Problem::malformed("`title` has 1 to 500 characters"));
    }
    let tells = match desk.base.surroundings.release.publishes() {
        Choice::Never => false,
        Choice::ByFlag => flags.variant(FLAG, &id, "off") == "on",
        Choice::Always => true,
    };
    let made = make(&desk, &id, &wish, tells).await?;
    if tells {
        desk.poke.now();
    }
    let status = if made.version == 1 { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(made)))
}

/// Changes the exercise and promises the event in one transaction, once per request.
async fn make(desk: &Desk, id: &str, wish: &Wish, tells: bool) -> Result<Made, sqlx::Error> {
    let mut transaction = desk.base.pool.begin().await?;
    // Why: the row of a request under way makes a second try wait here until the first is decided.
    let first = sqlx::query("insert into handled_request (request_id, exercise_id) values ($1, $2) on conflict do nothing")
        .bind(wish.request_id)
        .bind(id)
        .execute(&mut *transaction)
        .await?;
    if first.rows_affected() == 0 {
        let (id, version) = sqlx::query_as("select exercise_id, version from handled_request where request_id = $1")
            .bind(wish.request_id)
            .fetch_one(&mut *transaction)
            .await?;
        return Ok(Made { id, version });
    }
    // Why: from here on the exercise's row is locked, so versions, log rows and outbox rows of one exercise have one order.
    let version: i64 = sqlx::query_scalar(
        "insert into exercise (id, title, version, updated_at) values ($1, $2, 1, clock_timestamp())
         on conflict (id) do update set title = excluded.title, version = exercise.version + 1, updated_at = excluded.updated_at
         returning version",
    )
    .bind(id)
    .bind(&wish.title)
    .fetch_one(&mut *transaction)
    .await?;
    let title = (!desk.base.surroundings.release.has(Fault::BadSchema)).then(|| wish.title.clone());
    let event = tells.then(|| Event::new(ExerciseChanged::NAME, ExerciseChanged { id: id.to_owned(), title, version }));
    sqlx::query("insert into exercise_change (exercise_id, version, title, request_id, event_id) values ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(version)
        .bind(&wish.title)
        .bind(wish.request_id)
        .bind(event.as_ref().map(|event| &event.event_id))
        .execute(&mut *transaction)
        .await?;
    sqlx::query("update handled_request set version = $2 where request_id = $1")
        .bind(wish.request_id)
        .bind(version)
        .execute(&mut *transaction)
        .await?;
    if let Some(event) = &event {
        outbox::write(&mut transaction, Transport::Events, EXERCISE_TOPIC, id, event).await?;
    }
    transaction.commit().await?;
    Ok(Made { id: id.to_owned(), version })
}
