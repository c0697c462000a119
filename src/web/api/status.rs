//! `GET /healthz` and `GET /api/status`.

use axum::Json;
use axum::extract::State;

use super::super::App;
use super::super::documents::{STATUS, StatusDocument};

/// Whether this process answers, and nothing more, for anybody may ask.
pub(in crate::web) async fn health() -> &'static str {
    "ok"
}

/// Version, database and how many runs there are in each state.
pub(in crate::web) async fn status(State(app): State<App>) -> Json<StatusDocument> {
    let (runs, database) = match app.store.run_counts().await {
        Ok(counts) => (counts.into_iter().collect(), "ok".to_owned()),
        Err(error) => (std::collections::BTreeMap::new(), error.to_string()),
    };
    Json(StatusDocument { schema: STATUS.to_owned(), version: app.version.to_owned(), runs, database })
}
