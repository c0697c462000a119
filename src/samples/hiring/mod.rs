//! The service hiring: takes attempts at exercises. Where it takes an exercise from, the owner by a call or its own copy, is the
//! choice of the release and of a flag; bonuses are told through an outbox. Managers who review attempts are assigned by exercises.

mod copy;
mod exercise;
mod notice;
mod review;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::consumer::{consume, consumer};
use super::error::SampleError;
use super::event::{ATTEMPT_TOPIC, BonusAdded, EXERCISE_TOPIC, Event, NOTICE_TOPIC};
use super::flags::Use;
use super::handled;
use super::outbox::{self, Broker, Call, Poke, Transport};
use super::problem::{Problem, checked_id};
use super::release::{Choice, Tells};
use super::runtime::{Base, Ending, Parts, make_tables};
use copy::Copying;
use exercise::Seen;
use notice::Asking;
use review::Reviewing;

/// The flag that decides where an exercise is taken from.
const READ_FLAG: &str = "exercise-read";

/// The flag that decides how bonuses travel.
const BONUS_FLAG: &str = "bonus-transport";

/// The group that feeds the copy.
const GROUP: &str = "hiring-exercises";

/// The group that feeds the copy from notices.
const NOTICE_GROUP: &str = "hiring-notices";

/// The group that assigns managers from the topic.
const REVIEW_GROUP: &str = "hiring-reviews";

/// What an attempt is worth, in points.
const BONUS: i64 = 10;

const TABLES: &str = include_str!("tables.sql");

/// What handlers need.
#[derive(Clone)]
struct Desk {
    base: Arc<Base>,
    poke: Poke,
    bonus_poke: Poke,
    exercises: String,
    bonuses: String,
}

#[derive(Debug, Deserialize)]
struct Wish {
    request_id: Uuid,
    exercise_id: String,
    candidate: String,
}

/// A stored attempt.
#[derive(Debug, Serialize)]
struct Stored {
    attempt: Uuid,
    version_seen: i64,
}

/// Makes the tables, starts relays and consumer, and answers the routes of this release.
pub async fn prepare(base: &Arc<Base>, ending: &Ending) -> Result<Parts, SampleError> {
    make_tables(&base.pool, &[TABLES, handled::TABLES, outbox::TABLES]).await?;
    let surroundings = &base.surroundings;
    let release = &surroundings.release;
    let desk = Desk {
        base: Arc::clone(base),
        poke: Poke::default(),
        bonus_poke: Poke::default(),
        exercises: surroundings.exercises.clone().unwrap_or_default(),
        bonuses: surroundings.bonuses.clone().unwrap_or_default(),
    };
    let mut work = JoinSet::new();
    work.spawn(outbox::relay(base.pool.clone(), Call(base.http.clone()), desk.poke.clone(), base.metrics.clone(), ending.clone()));
    if release.sends_bonus_events() != Choice::Never {
        let broker = Broker::new(surroundings)?;
        work.spawn(outbox::relay(base.pool.clone(), broker, desk.bonus_poke.clone(), base.metrics.clone(), ending.clone()));
    }
    if release.keeps_copy() && release.tells() == Tells::State {
        let copying = Copying::new(base.pool.clone())?;
        work.spawn(consume(consumer(surroundings, GROUP, EXERCISE_TOPIC)?, copying, base.metrics.clone(), ending.clone()));
    }
    if release.keeps_copy() && release.tells() == Tells::Notice {
        let asking = Asking::new(Arc::clone(base), desk.exercises.clone());
        work.spawn(consume(consumer(surroundings, NOTICE_GROUP, NOTICE_TOPIC)?, asking, base.metrics.clone(), ending.clone()));
    }
    if release.takes_assignments() {
        let reviewing = Reviewing(Arc::clone(base));
        work.spawn(consume(consumer(surroundings, REVIEW_GROUP, ATTEMPT_TOPIC)?, reviewing, base.metrics.clone(), ending.clone()));
    }
    base.metrics.expect("/api/v0/attempts");
    let mut router = Router::new().route("/api/v0/attempts", post(attempt)).route("/api/v0/attempts/{id}", get(show));
    if release.keeps_copy() {
        router = router.route("/api/v0/exercise_copy/{id}", get(exercise::copy));
        base.metrics.expect("/api/v0/exercise_copy/{id}");
    }
    if release.serves_assignments() {
        router = router.route("/api/v0/assign_manager", post(review::called));
        base.metrics.expect("/api/v0/assign_manager");
    }
    Ok(Parts { router: router.with_state(desk), work })
}

async fn show(State(desk): State<Desk>, Path(id): Path<Uuid>) -> Result<Json<Stored>, Problem> {
    let found = known(&desk, id).await?;
    found.map(Json).ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "no_such_attempt", format!("there is no attempt {id}")))
}

async fn attempt(
    State(desk): State<Desk>,
    Extension(flags): Extension<Arc<Use>>,
    Json(wish): Json<Wish>,
) -> Result<(StatusCode, Json<Stored>), Problem> {
    checked_id(&wish.exercise_id)?;
    if let Some(stored) = known(&desk, wish.request_id).await? {
        return Ok((StatusCode::OK, Json(stored)));
    }
    let reads_copy = match desk.base.surroundings.release.reads_copy() {
        Choice::Never => false,
        Choice::ByFlag => flags.variant(READ_FLAG, &wish.exercise_id, "call") == "events",
        Choice::Always => true,
    };
    let seen = if reads_copy {
        exercise::copied(&desk, &wish.exercise_id).await?
    } else {
        exercise::called(&desk.base.http, &desk.exercises, &wish.exercise_id).await?
    };
    let by_events = match desk.base.surroundings.release.sends_bonus_events() {
        Choice::Never => false,
        Choice::ByFlag => flags.variant(BONUS_FLAG, &wish.request_id.to_string(), "call") == "events",
        Choice::Always => true,
    };
    let transport = if by_events { Transport::Events } else { Transport::Call };
    let path = if reads_copy { Transport::Events } else { Transport::Call };
    let stored = store(&desk, &wish, &seen, path, transport).await?;
    if by_events {
        desk.bonus_poke.now();
    } else {
        desk.poke.now();
    }
    Ok((StatusCode::CREATED, Json(stored)))
}

async fn known(desk: &Desk, id: Uuid) -> Result<Option<Stored>, sqlx::Error> {
    let found = sqlx::query_scalar("select version_seen from handled_request where request_id = $1").bind(id);
    let found: Option<i64> = found.fetch_optional(&desk.base.pool).await?;
    Ok(found.map(|version_seen| Stored { attempt: id, version_seen }))
}

/// Stores the attempt and promises the bonus in one transaction, once per request.
async fn store(desk: &Desk, wish: &Wish, seen: &Seen, path: Transport, transport: Transport) -> Result<Stored, sqlx::Error> {
    let id = wish.request_id;
    let mut transaction = desk.base.pool.begin().await?;
    let first = sqlx::query("insert into handled_request (request_id, version_seen) values ($1, $2) on conflict do nothing")
        .bind(id)
        .bind(seen.version)
        .execute(&mut *transaction)
        .await?;
    if first.rows_affected() == 0 {
        // Why: another try of the same request was decided while this one read the exercise.
        let version_seen = sqlx::query_scalar("select version_seen from handled_request where request_id = $1")
            .bind(id)
            .fetch_one(&mut *transaction)
            .await?;
        return Ok(Stored { attempt: id, version_seen });
    }
    sqlx::query("insert into attempt (request_id, exercise_id, candidate, title, version_seen, path) values ($1, $2, $3, $4, $5, $6)")
        .bind(id)
        .bind(&wish.exercise_id)
        .bind(&wish.candidate)
        .bind(&seen.title)
        .bind(seen.version)
        .bind(path.as_str())
        .execute(&mut *transaction)
        .await?;
    let bonus = BonusAdded { attempt: id, candidate: wish.candidate.clone(), exercise_id: wish.exercise_id.clone(), amount: BONUS };
    let event = Event::new(BonusAdded::NAME, bonus);
    let destination = match transport {
        Transport::Call => format!("{}/api/v0/bonuses", desk.bonuses),
        Transport::Events => ATTEMPT_TOPIC.to_owned(),
    };
    outbox::write(&mut transaction, transport, &destination, &id.to_string(), &event).await?;
    transaction.commit().await?;
    Ok(Stored { attempt: id, version_seen: seen.version })
}
