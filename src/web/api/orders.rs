//! `POST /api/runs/{id}/orders`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::super::App;
use super::super::documents::{InInbox, OrderRequest};
use super::super::guard::Caller;
use super::super::input::{Body, Found};
use super::super::orders::give;
use super::super::problem::Problem;

/// Tells a run something.
pub(in crate::web) async fn order(
    State(app): State<App>,
    Found(row): Found,
    caller: Caller,
    Body(request): Body<OrderRequest>,
) -> Result<Response, Problem> {
    let given = give(&app, &row, request, caller.by()?).await?;
    Ok(match given.answer {
        Some(answer) if answer.taken => Json(answer).into_response(),
        Some(answer) => Problem::new(StatusCode::CONFLICT, "refused", &answer.text).beside("answer", &answer).into_response(),
        None => (StatusCode::ACCEPTED, Json(InInbox { inbox: given.inbox })).into_response(),
    })
}
