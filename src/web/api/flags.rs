//! `GET /flags/{environment}/{store}`: the flag document that services evaluate, by revision.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::super::App;
use super::super::problem::Problem;
use crate::adapters::flags::document_name;

const REVISION: HeaderName = HeaderName::from_static("cutover-revision");

/// The newest document, or 304 when the caller has it.
pub(in crate::web) async fn flags(
    State(app): State<App>,
    Path((environment, store)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if environment.contains('/') || store.contains('/') {
        return Err(Problem::not_found("names of environments and flag stores hold no `/`"));
    }
    let name = document_name(&environment, &store);
    let known: Vec<&str> = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).collect();
    if !known.is_empty() {
        // Why: a service asks every few seconds, and the number alone comes from an index.
        let revision = app.store.flag_revision(&name).await?;
        if known.iter().any(|known| holds(known, &tag(revision))) {
            return Ok((StatusCode::NOT_MODIFIED, stamp(revision)).into_response());
        }
    }
    let (revision, document) = app.store.flag_document(&name).await?;
    Ok((stamp(revision), Json(document)).into_response())
}

fn stamp(revision: i64) -> [(HeaderName, String); 3] {
    // Why not `no-store`: a client may keep the document, and must ask before it uses it again.
    [(header::ETAG, tag(revision)), (REVISION, revision.to_string()), (header::CACHE_CONTROL, "no-cache".to_owned())]
}

fn tag(revision: i64) -> String {
    format!("\"r{revision}\"")
}

fn holds(known: &str, tag: &str) -> bool {
    known.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_revision_is_recognised() {
        assert!(holds("\"r1\", W/\"r2\"", &tag(2)));
        assert!(holds("*", &tag(2)));
        assert!(!holds("\"r21\", r2", &tag(2)));
    }
}
