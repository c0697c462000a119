//! `GET /api/runs`, `GET /api/runs/{id}` and `GET /api/runs/{id}/way-back`.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::super::App;
use super::super::documents::{RUNS, RunLine, RunsDocument, WayBackDocument};
use super::super::input::{Found, Params};
use super::super::look::look;
use super::super::problem::Problem;
use crate::driver;
use crate::engine::table::{Rule, rule};
use crate::engine::{Command, RunState};
use crate::report::RunDocument;

/// Runs in one answer when nothing is said.
const USUAL: i64 = 50;

/// Most runs in one answer.
const MOST: i64 = 500;

/// Which runs are wanted.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Wanted {
    state: Option<String>,
    playbook: Option<String>,
    before: Option<DateTime<Utc>>,
    limit: Option<i64>,
}

/// Runs, the newest first.
pub(in crate::web) async fn list(State(app): State<App>, Params(wanted): Params<Wanted>) -> Result<Json<RunsDocument>, Problem> {
    if let Some(state) = &wanted.state {
        state.parse::<RunState>().map_err(Problem::malformed)?;
    }
    let limit = wanted.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::malformed(format!("`limit` is a number from 1 to {MOST}")));
    }
    let rows = app.store.runs(wanted.state.as_deref(), wanted.playbook.as_deref(), wanted.before, limit).await?;
    Ok(Json(RunsDocument { schema: RUNS.to_owned(), runs: rows.into_iter().map(RunLine::from).collect() }))
}

/// One run.
pub(in crate::web) async fn show(State(app): State<App>, Found(row): Found) -> Result<Json<RunDocument>, Problem> {
    let seen = look(&app, &row).await?;
    Ok(Json(RunDocument::new(&seen.row, &seen.run, seen.plan.as_ref())))
}

/// What a revert would do now.
pub(in crate::web) async fn way_back(State(app): State<App>, Found(row): Found) -> Result<Json<WayBackDocument>, Problem> {
    let seen = look(&app, &row).await?;
    let (taken, text) = match rule(seen.run.state(), Command::Revert) {
        Rule::Taken(text) => (true, text.to_owned()),
        Rule::Refused(text) => (false, text.to_owned()),
    };
    let steps = driver::way_back(&seen.run, &seen.opened);
    let (plan, problem) = match driver::plan_way_back(&seen, app.store.now().await?).await {
        Ok(plan) => (Some(plan), None),
        // Why: what the run would do is known all the same.
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(Json(WayBackDocument { steps, plan, problem, taken, text }))
}
