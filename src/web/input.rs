//! What requests bring, bounded and checked, with every mistake in the one form for problems.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::App;
use super::guard::Caller;
use super::problem::Problem;
use crate::report::words::short_id;
use crate::store::Store;
use crate::store::runs::RunRow;

/// Most bytes of an ordinary body.
pub(super) const SMALL: usize = 64 * 1024;

/// Most bytes of a body that carries a bundle.
pub(super) const LARGE: usize = 8 * 1024 * 1024;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most runs that an abbreviation is compared with.
const MOST_ALIKE: i64 = 20;

/// A JSON body of at most `MOST` bytes.
pub(super) struct Body<T, const MOST: usize = SMALL>(pub(super) T);

impl<T: DeserializeOwned, S: Sync, const MOST: usize> FromRequest<S> for Body<T, MOST> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = read(request.into_body(), MOST).await?;
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let at = error.path().to_string();
            let place = if at == "." { String::new() } else { format!(" at `{at}`") };
            Problem::malformed(format!("the body is not what this address takes{place}: {}", error.inner()))
        })?;
        json.end().map_err(|error| Problem::malformed(format!("the body goes on after its end: {error}")))?;
        Ok(Self(value))
    }
}

/// A form of an HTML page.
pub(super) struct Form<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read(body, SMALL).await?;
        let request = Request::from_parts(parts, axum::body::Body::from(bytes));
        let form = axum::Form::<T>::from_request(request, &()).await;
        form.map(|axum::Form(form)| Self(form)).map_err(|error| Problem::malformed(error.body_text()))
    }
}

async fn read(body: axum::body::Body, most: usize) -> Result<Vec<u8>, Problem> {
    let all = async {
        let (mut stream, mut bytes) = (body.into_data_stream(), Vec::new());
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| Problem::malformed(format!("the body broke off: {error}")))?;
            if bytes.len() + chunk.len() > most {
                let message = format!("the body is larger than {} KiB", most / 1024);
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    };
    let late = || Problem::new(StatusCode::REQUEST_TIMEOUT, "late", format!("the body did not arrive within {} s", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, all).await.map_err(|_| late())?
}

/// The query of an address.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query.map(|Query(query)| Self(query)).map_err(|error| Problem::malformed(error.body_text()))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Why: the guard has put it there; a public route has none, and a handler of one does not ask for it.
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "you are not logged in"))
    }
}

/// The run that the address names, by its id, the beginning of it, or the beginning of its last eight digits.
pub(super) struct Found(pub(super) RunRow);

impl FromRequestParts<App> for Found {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let named = Path::<String>::from_request_parts(parts, app).await;
        let Path(named) = named.map_err(|error| Problem::malformed(error.body_text()))?;
        find(&app.store, &named).await.map(Self)
    }
}

async fn find(store: &Store, named: &str) -> Result<RunRow, Problem> {
    let missing = || {
        let shown: String = named.chars().take(60).collect();
        Problem::not_found(format!("there is no run `{shown}`")).hint("`cutover runs list` shows all runs")
    };
    let id = match Uuid::parse_str(named) {
        Ok(id) => id,
        Err(_) => abbreviated(store, &named.to_ascii_lowercase()).await?.ok_or_else(missing)?,
    };
    store.run(id).await?.ok_or_else(missing)
}

async fn abbreviated(store: &Store, start: &str) -> Result<Option<Uuid>, Problem> {
    if start.is_empty() || start.len() > 36 || !start.chars().all(|digit| digit.is_ascii_hexdigit() || digit == '-') {
        return Ok(None);
    }
    let alike = store.runs_like(start, MOST_ALIKE).await?;
    // Why: the short id that we print ourselves must always work, even when the time in another run's id looks like it.
    let mut exact = alike.iter().filter(|id| short_id(**id) == start);
    if let (Some(id), None) = (exact.next(), exact.next()) {
        return Ok(Some(*id));
    }
    match alike.as_slice() {
        [] => Ok(None),
        [id] => Ok(Some(*id)),
        several => {
            let message = format!("`{start}` can mean any of {} runs", several.len());
            let problem = Problem::new(StatusCode::CONFLICT, "ambiguous", message);
            Err(problem.hint("give more of the id").beside("runs", &several))
        }
    }
}
