//! What a service answers when it does not do what it was asked: a status and a word that callers may rely on.

use std::fmt;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// The word for an exercise that the answering service does not know.
pub const NO_EXERCISE: &str = "no_such_exercise";

/// An answer other than yes.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    word: &'static str,
    message: String,
}

impl Problem {
    pub fn new(status: StatusCode, word: &'static str, message: impl Into<String>) -> Self {
        Self { status, word, message: message.into() }
    }

    /// Whether the answer carries this word.
    pub fn is(&self, word: &str) -> bool {
        self.word == word
    }

    /// The request cannot be understood.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    /// There is no exercise of that id.
    pub fn no_exercise(id: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, NO_EXERCISE, format!("there is no exercise {id}"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        tracing::warn!(%error, "the database refused");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "database", "the database does not answer")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.word, "message": self.message }))).into_response()
    }
}

/// What a name in a path or body may be.
pub fn checked_id(id: &str) -> Result<(), Problem> {
    let fits = (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if fits { Ok(()) } else { Err(Problem::malformed("an id has 1 to 64 letters, digits, `-`, `_` or `.`")) }
}
