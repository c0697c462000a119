//! Serving: every request runs to its end whatever becomes of its caller, holds one revision of the flags, and is counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::watch;

use super::{Base, Phase};
use crate::samples::outbox;
use crate::samples::problem::Problem;

/// How long the figure that needs the database may take.
const LOOKING: Duration = Duration::from_secs(1);

/// What the routes that every service has need to know.
#[derive(Clone)]
pub struct Desk {
    pub base: Arc<Base>,
    pub phase: watch::Receiver<Phase>,
}

/// The routes that every service has on both sockets.
pub fn common(desk: Desk) -> Router {
    Router::new().route("/health", get(health)).route("/metrics", get(metrics)).route("/version", get(version)).with_state(desk)
}

/// A service's own routes, as they are served.
pub fn business(desk: Desk, router: Router) -> Router {
    router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "no_such_route", "this release has nothing at this address"))
        .layer(from_fn_with_state(desk, whole))
}

async fn health(State(desk): State<Desk>) -> Response {
    let phase = *desk.phase.borrow();
    let status = if phase == Phase::Serving { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "phase": phase.as_str() }))).into_response()
}

async fn version(State(desk): State<Desk>) -> Response {
    let surroundings = &desk.base.surroundings;
    let body = json!({
        "service": surroundings.service.as_str(),
        "release": surroundings.release.says(),
        "instance": surroundings.instance,
    });
    Json(body).into_response()
}

async fn metrics(State(desk): State<Desk>) -> Response {
    let unsent = tokio::time::timeout(LOOKING, outbox::unsent(&desk.base.pool)).await.ok().and_then(Result::ok).flatten();
    match desk.base.metrics.text(unsent, desk.base.flags.in_use().revision) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn whole(State(desk): State<Desk>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let flags = Arc::new(desk.base.flags.take());
    request.extensions_mut().insert(Arc::clone(&flags));
    // Why: a caller that hangs up must not leave a request half done while its revision of the flags counts as given back.
    let running = tokio::spawn(async move {
        let response = next.run(request).await;
        drop(flags);
        response
    });
    let mut response = running.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request ended in a defect");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "defect", "a defect of this service").into_response()
    });
    desk.base.metrics.answered(&route, response.status().as_u16(), began.elapsed());
    if *desk.phase.borrow() == Phase::Ending {
        // Why: the caller opens its next connection, which another instance takes.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
