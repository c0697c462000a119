//! `POST /api/heartbeats`: what an instance of a service says about the flag document that it evaluates.

use axum::extract::State;
use axum::http::StatusCode;

use super::super::App;
use super::super::input::{Body, SMALL};
use super::super::problem::Problem;
use crate::adapters::flags::document_name;
use crate::flags::Heartbeat;
use crate::store::heartbeats::Report;

/// Keeps the report; the instance's last one counts.
pub(in crate::web) async fn heartbeat(State(app): State<App>, Body(heartbeat): Body<Heartbeat, SMALL>) -> Result<StatusCode, Problem> {
    heartbeat.check().map_err(Problem::malformed)?;
    let document = document_name(&heartbeat.environment, &heartbeat.store);
    match app.store.keep_heartbeat(&document, &heartbeat).await? {
        Report::Kept => Ok(StatusCode::NO_CONTENT),
        Report::FromTheFuture(newest) => {
            let message = format!("revision {} of {document} does not exist yet; the newest is {newest}", heartbeat.revision);
            Err(Problem::new(StatusCode::CONFLICT, "future", message).hint("read the flag document again"))
        }
    }
}
