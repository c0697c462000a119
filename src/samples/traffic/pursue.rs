//! One request, tried with the same id until it was acknowledged or has been tried often enough.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use super::file::{Doing, Failure, Line};
use super::{Shared, attempt_id, exercise_id};

/// How often a request is tried at most.
const TRIES: u32 = 60;

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause after the first try, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What is wanted of a service.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub id: Uuid,
    pub doing: Doing,
    /// The exercise, or the attempt.
    pub exercise: String,
    /// The new title, the candidate, or the manager.
    pub text: String,
}

impl Request {
    pub fn new(doing: Doing, number: u32, text: String) -> Self {
        let exercise = if doing == Doing::Assign { attempt_id(number) } else { exercise_id(number) };
        Self { id: Uuid::now_v7(), doing, exercise, text }
    }
}

/// Pursues a request; `true` when it was acknowledged.
pub(super) async fn pursue(shared: Arc<Shared>, request: Request) -> bool {
    shared.count(|progress| progress.requests += 1);
    let mut pause = PAUSES.0;
    for number in 1..=TRIES {
        let (id, doing, exercise) = (request.id, request.doing, request.exercise.clone());
        note(&shared, &Line::Sent { at: Utc::now(), request: id, doing, exercise, number });
        let outcome = once(&shared, &request).await;
        let at = Utc::now();
        match outcome {
            Ok((status, version)) => {
                note(&shared, &Line::Answered { at, request: id, number, status, version });
                shared.count(|progress| {
                    progress.tries += 1;
                    *progress.statuses.entry(status).or_default() += 1;
                });
                if (200..300).contains(&status) {
                    shared.count(|progress| progress.acknowledged += 1);
                    return true;
                }
            }
            Err((how, reason)) => {
                note(&shared, &Line::Failed { at, request: id, number, how, reason });
                shared.count(|progress| {
                    progress.tries += 1;
                    progress.failed(how);
                });
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
    note(&shared, &Line::GivenUp { at: Utc::now(), request: request.id });
    shared.count(|progress| progress.given_up += 1);
    false
}

fn note(shared: &Shared, line: &Line) {
    if let Err(error) = shared.book.write(line) {
        tracing::error!(%error, "the traffic cannot be written down");
    }
}

async fn once(shared: &Shared, request: &Request) -> Result<(u16, Option<i64>), (Failure, String)> {
    let (id, exercise) = (request.id, &request.exercise);
    let (sent, field) = match request.doing {
        Doing::Change => {
            let url = format!("{}/api/v0/exercises/{exercise}", shared.options.exercises_url);
            (shared.http.put(url).json(&json!({ "request_id": id, "title": request.text })), "version")
        }
        Doing::Attempt => {
            let url = format!("{}/api/v0/attempts", shared.options.hiring_url);
            let body = json!({ "request_id": id, "exercise_id": exercise, "candidate": request.text });
            (shared.http.post(url).json(&body), "version_seen")
        }
        Doing::Assign => {
            let url = format!("{}/api/v0/assignments", shared.options.exercises_url);
            let body = json!({ "request_id": id, "attempt_id": exercise, "manager": request.text });
            (shared.http.post(url).json(&body), "version")
        }
    };
    let failure = |error: reqwest::Error| {
        let how = if error.is_timeout() {
            Failure::TimedOut
        } else if error.is_connect() {
            Failure::Refused
        } else {
            Failure::Broken
        };
        (how, format!("{error:?}"))
    };
    let answer = sent.timeout(PATIENCE).send().await.map_err(failure)?;
    let status = answer.status().as_u16();
    // Why: an answer that breaks off acknowledges nothing.
    let text = answer.text().await.map_err(failure)?;
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    Ok((status, body.get(field).and_then(Value::as_i64)))
}
