//! `GET /api/runs/{id}/events`: the journal from a place on, waiting for more when there is none yet.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tokio::sync::broadcast;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::App;
use super::super::documents::EventsDocument;
use super::super::input::{Found, Params};
use super::super::problem::Problem;
use crate::engine::RunState;
use crate::report::EventDocument;
use crate::store::StoreError;

/// Most entries in one answer.
const PAGE: i64 = 5000;

/// Longest wait in seconds.
const LONGEST: u64 = 30;

/// How often the database is looked at while waiting, since another controller may drive the run.
const LOOK: Duration = Duration::from_millis(500);

/// From where on, and how long to wait.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Since {
    #[serde(default)]
    after: i64,
    #[serde(default)]
    wait: u64,
    step: Option<String>,
    state: Option<String>,
}

/// Journal entries after a number.
pub(in crate::web) async fn events(
    State(app): State<App>,
    Found(row): Found,
    Params(since): Params<Since>,
) -> Result<Json<EventsDocument>, Problem> {
    let mut moved = app.moved.subscribe();
    let until = Instant::now() + Duration::from_secs(since.wait.min(LONGEST));
    let (id, mut row, mut seq) = (row.id, row, since.after.max(0));
    loop {
        // Why: the row is read first, so that a state is never told before the entries that lead to it.
        let journal = app.store.journal(id, seq, PAGE).await?;
        let more = i64::try_from(journal.len()).is_ok_and(|count| count >= PAGE);
        seq = journal.last().map_or(seq, |last| last.seq);
        let wanted = journal.iter().filter(|entry| since.step.is_none() || entry.entry.step() == since.step.as_deref());
        let events: Vec<EventDocument> = wanted.map(|entry| EventDocument::new(id, entry)).collect();
        let differs = since.state.as_ref().is_some_and(|state| *state != row.state);
        if !events.is_empty() || differs || Instant::now() >= until {
            let state: RunState = row.state.parse().map_err(StoreError::Damaged)?;
            return Ok(Json(EventsDocument { events, state, seq, more }));
        }
        if !more {
            tokio::select! {
                () = heard(&mut moved, id) => {}
                () = tokio::time::sleep_until(until.min(Instant::now() + LOOK)) => {}
            }
        }
        row = app.store.run(id).await?.ok_or_else(|| Problem::not_found(format!("there is no run {id}")))?;
    }
}

/// Returns when this run's journal may have grown.
pub(in crate::web) async fn heard(moved: &mut broadcast::Receiver<Uuid>, run: Uuid) {
    loop {
        match moved.recv().await {
            Ok(other) if other != run => {}
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending::<()>().await,
        }
    }
}
