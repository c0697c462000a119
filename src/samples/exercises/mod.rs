//! The service exercises: owns exercises and managers, answers for them, and tells of changes and assignments by an outbox.

mod assign;
mod held;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnection;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::error::SampleError;
use super::event::{EXERCISE_TOPIC, Event, ExerciseChanged, ExerciseTouched, NOTICE_TOPIC};
use super::flags::Use;
use super::outbox::{self, Broker, Call, Poke, Transport};
use super::problem::{Problem, checked_id};
use super::release::{Assigns, Choice, Fault, Tells};
use super::runtime::{Base, Ending, Parts, make_tables};

/// The flag that decides whether changes are told as events.
const FLAG: &str = "exercise-events";

const TABLES: &str = include_str!("tables.sql");

#[derive(Clone)]
struct Desk {
    base: Arc<Base>,
    poke: Poke,
    call_poke: Poke,
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
    let desk = Desk { base: Arc::clone(base), poke: Poke::default(), call_poke: Poke::default() };
    let mut work = JoinSet::new();
    // Why in every release: what an instance that was killed has promised by a call is delivered by those after it.
    work.spawn(outbox::relay(base.pool.clone(), Call(base.http.clone()), desk.call_poke.clone(), base.metrics.clone(), ending.clone()));
    if release.assigns() == Assigns::ByFlag {
        work.spawn(held::let_go(Arc::clone(base), [desk.poke.clone(), desk.call_poke.clone()], ending.clone()));
    }
    if release.publishes() != Choice::Never || release.assigns() != Assigns::ByCall {
        let broker = Broker::new(&base.surroundings)?;
        work.spawn(outbox::relay(base.pool.clone(), broker, desk.poke.clone(), base.metrics.clone(), ending.clone()));
    }
    let mut router = Router::new()
        .route("/api/v0/exercises/{id}", put(change))
        .route("/api/v0/assignments", post(assign::assign).get(assign::under_way));
    base.metrics.expect("/api/v0/assignments");
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
    let told = if tells { Some(promise(desk, &mut transaction, id, wish, version).await?) } else { None };
    sqlx::query("insert into exercise_change (exercise_id, version, title, request_id, event_id) values ($1, $2, $3, $4, $5)")
        .bind(id)
        .bind(version)
        .bind(&wish.title)
        .bind(wish.request_id)
        .bind(&told)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("update handled_request set version = $2 where request_id = $1")
        .bind(wish.request_id)
        .bind(version)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Made { id: id.to_owned(), version })
}

/// Promises the event of a change; its id.
async fn promise(desk: &Desk, connection: &mut PgConnection, id: &str, wish: &Wish, version: i64) -> Result<String, sqlx::Error> {
    let release = &desk.base.surroundings.release;
    let id = id.to_owned();
    match release.tells() {
        Tells::State => {
            let title = (!release.has(Fault::BadSchema)).then(|| wish.title.clone());
            let event = Event::new(ExerciseChanged::NAME, ExerciseChanged { id: id.clone(), title, version });
            outbox::write(connection, Transport::Events, EXERCISE_TOPIC, &id, &event).await?;
            Ok(event.event_id)
        }
        Tells::Notice => {
            let event = Event::new(ExerciseTouched::NAME, ExerciseTouched { id: id.clone(), version });
            outbox::write(connection, Transport::Events, NOTICE_TOPIC, &id, &event).await?;
            Ok(event.event_id)
        }
    }
}
