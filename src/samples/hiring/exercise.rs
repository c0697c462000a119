//! The two ways to an exercise: a call to its owner, or the local copy.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::sleep;

use super::Desk;
use crate::samples::problem::{NO_EXERCISE, Problem};
use crate::samples::release::Fault;

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a call is made before the caller is told that it failed.
const TRIES: u32 = 3;

/// The pause before the second call; it doubles.
const PAUSE: Duration = Duration::from_millis(50);

/// An exercise as an attempt sees it.
#[derive(Debug, Deserialize, sqlx::FromRow)]
pub struct Seen {
    /// Its title.
    pub title: String,
    /// Its version.
    pub version: i64,
}

/// An exercise as the copy has it.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct Copied {
    id: String,
    title: String,
    version: i64,
}

/// `GET /api/v0/exercise_copy/{id}`: what the copy has, in the form in which the owner answers, so that the two can be compared.
pub async fn copy(State(desk): State<Desk>, Path(id): Path<String>) -> Result<Json<Copied>, Problem> {
    let found =
        sqlx::query_as("select id, title, version from exercise_copy where id = $1").bind(&id).fetch_optional(&desk.base.pool).await?;
    found.map(Json).ok_or_else(|| Problem::no_exercise(&id))
}

/// From the owner, at the base address `exercises`.
pub async fn called(http: &reqwest::Client, exercises: &str, id: &str) -> Result<Seen, Problem> {
    let url = format!("{exercises}/api/v0/exercise/{id}");
    let mut pause = PAUSE;
    let mut reason = String::new();
    for number in 1..=TRIES {
        match http.get(&url).timeout(PATIENCE).send().await {
            Ok(answer) if answer.status() == StatusCode::OK => match answer.json().await {
                Ok(seen) => return Ok(seen),
                Err(error) => reason = error.to_string(),
            },
            Ok(answer) if answer.status() == StatusCode::NOT_FOUND => {
                // Why: a release without this endpoint answers 404, too, and that says nothing about the exercise.
                let said: Value = answer.json().await.unwrap_or_default();
                if said.get("error").and_then(Value::as_str) == Some(NO_EXERCISE) {
                    return Err(Problem::no_exercise(id));
                }
                return Err(failed("exercises has no such endpoint"));
            }
            Ok(answer) => reason = format!("exercises answered {}", answer.status()),
            Err(error) => reason = error.to_string(),
        }
        if number < TRIES {
            sleep(pause).await;
            pause *= 2;
        }
    }
    Err(failed(&reason))
}

/// From the copy.
pub async fn copied(desk: &Desk, id: &str) -> Result<Seen, Problem> {
    if desk.base.surroundings.release.has(Fault::BrokenRead) {
        return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "copy", "this release cannot read its copy"));
    }
    let found = sqlx::query_as("select title, version from exercise_copy where id = $1").bind(id).fetch_optional(&desk.base.pool).await?;
    found.ok_or_else(|| Problem::no_exercise(id))
}

fn failed(reason: &str) -> Problem {
    Problem::new(StatusCode::BAD_GATEWAY, "exercises", format!("exercises cannot be asked: {reason}"))
}
