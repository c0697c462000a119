//! `POST /api/plan` and `POST /api/runs`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::App;
use super::super::documents::{PlanAnswer, StartRequest, Started};
use super::super::guard::Caller;
use super::super::input::{Body, LARGE};
use super::super::problem::Problem;
use crate::driver::{NewRunRequest, plan_bundle, start_run};
use crate::playbook::Bundle;

/// Plans a bundle against its environment's systems, and changes nothing.
pub(in crate::web) async fn plan(State(app): State<App>, Body(bundle): Body<Bundle, LARGE>) -> Result<Json<PlanAnswer>, Problem> {
    let (plan, warnings) = plan_bundle(&app.store, app.worlds.as_ref(), &bundle).await?;
    Ok(Json(PlanAnswer { plan, warnings: warnings.into_iter().collect() }))
}

/// Starts a run and wakes the driver.
pub(in crate::web) async fn start(
    State(app): State<App>,
    caller: Caller,
    Body(request): Body<StartRequest, LARGE>,
) -> Result<(StatusCode, Json<Started>), Problem> {
    let StartRequest { id, bundle, plan, yes } = request;
    let id = start_run(&app.store, NewRunRequest { id, bundle, plan, by: caller.by()?.to_owned(), yes }).await?;
    app.poke.notify_one();
    Ok((StatusCode::CREATED, Json(Started { id })))
}
