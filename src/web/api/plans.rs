//! `POST /api/plans`, `GET /api/plans/{id}`, `POST /api/plans/check` and `POST /api/plans/start`: plans that are saved and applied later.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::Value;
use uuid::Uuid;

use super::super::App;
use super::super::documents::{CheckSavedRequest, SavedAnswer, StartSavedRequest, Started};
use super::super::guard::Caller;
use super::super::input::{Body, LARGE};
use super::super::problem::Problem;
use crate::driver::{BeginError, SavedPlan, check_saved, save_plan, start_saved};
use crate::playbook::Bundle;
use crate::report::StaleDocument;

/// Plans a bundle and keeps the plan.
pub(in crate::web) async fn save(
    State(app): State<App>,
    caller: Caller,
    Body(bundle): Body<Bundle, LARGE>,
) -> Result<(StatusCode, Json<SavedAnswer>), Problem> {
    let (saved, warnings) = save_plan(&app.store, app.worlds.as_ref(), bundle, caller.by()?).await?;
    Ok((StatusCode::CREATED, Json(SavedAnswer { saved, warnings: warnings.into_iter().collect() })))
}

/// A saved plan, as its file holds it.
pub(in crate::web) async fn kept(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let missing = || Problem::not_found(format!("there is no saved plan `{}`", id.chars().take(60).collect::<String>()));
    let id = Uuid::parse_str(&id).map_err(|_| missing())?;
    Ok(Json(app.store.kept_plan(id).await?.ok_or_else(missing)?.body))
}

/// Says how a saved plan differs from the world, and changes nothing.
pub(in crate::web) async fn check(
    State(app): State<App>,
    Body(request): Body<CheckSavedRequest, LARGE>,
) -> Result<Json<StaleDocument>, Problem> {
    let saved = SavedPlan::from_json(&request.saved)?;
    let stale = check_saved(&app.store, app.worlds.as_ref(), &saved).await?;
    Ok(Json(StaleDocument::new(&saved, &stale)))
}

/// Starts a run of exactly what was saved, and wakes the driver.
pub(in crate::web) async fn start(
    State(app): State<App>,
    caller: Caller,
    Body(request): Body<StartSavedRequest, LARGE>,
) -> Result<(StatusCode, Json<Started>), Problem> {
    let saved = SavedPlan::from_json(&request.saved)?;
    let by = caller.by()?.to_owned();
    match start_saved(&app.store, app.worlds.as_ref(), request.id, saved.clone(), by, request.yes).await {
        Ok(id) => {
            app.poke.notify_one();
            Ok((StatusCode::CREATED, Json(Started { id })))
        }
        Err(BeginError::Stale(steps)) => {
            let document = StaleDocument::new(&saved, &steps);
            Err(Problem::from(BeginError::Stale(steps)).beside("stale", &document))
        }
        Err(error) => Err(error.into()),
    }
}
