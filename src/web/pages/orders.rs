//! `POST /runs/{id}/orders`: the verbs, from a form.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Redirect;
use serde::Deserialize;

use super::super::App;
use super::super::documents::OrderRequest;
use super::super::guard::Caller;
use super::super::input::{Form, Found};
use super::super::orders::give;
use super::super::problem::Problem;
use super::parts::must_confirm;
use crate::engine::Command;

/// The fields of the forms.
#[derive(Deserialize)]
pub(in crate::web) struct Fields {
    command: Command,
    reason: Option<String>,
    step: Option<String>,
    evidence: Option<String>,
    confirm: Option<String>,
}

/// Gives an order and goes back to the run's page, which shows the answer.
pub(in crate::web) async fn order(
    State(app): State<App>,
    Found(row): Found,
    caller: Caller,
    Form(fields): Form<Fields>,
) -> Result<Redirect, Problem> {
    let Fields { command, reason, step, evidence, confirm } = fields;
    if must_confirm(command) && confirm.as_deref() != Some("yes") {
        let message = format!("{} wants the box beside it ticked", command.as_str());
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "unconfirmed", message));
    }
    let given = give(&app, &row, OrderRequest { command, reason, step, evidence }, caller.by()?).await?;
    Ok(Redirect::to(&format!("/runs/{}?said={}", row.id, given.inbox)))
}
