//! `POST /api/login-codes`.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::documents::{LoginCode, LoginCodeRequest};
use super::super::input::Body;
use super::super::problem::Problem;
use super::super::session::Session;
use super::super::{App, Role, by};

/// Makes a code with which a browser logs in once.
pub(in crate::web) async fn login_code(State(app): State<App>, Body(request): Body<LoginCodeRequest>) -> Result<Json<LoginCode>, Problem> {
    let role = match request.role.as_deref() {
        None => Role::Operate,
        Some(word) => Role::of_session(word).ok_or_else(|| Problem::malformed("`role` is `view` or `operate`"))?,
    };
    let session = Session { role, by: by::name(&request.by)? };
    let full = || Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many", "too many login codes wait to be used");
    let code = app.codes.make(session, Instant::now()).ok_or_else(full)?;
    Ok(Json(LoginCode { path: format!("/login?code={code}") }))
}
