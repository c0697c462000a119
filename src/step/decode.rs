//! How the body under a kind's key becomes a value, for steps and guards alike. Knows no kind.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::pointer;

/// A body that does not fit its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// JSON pointer into the body.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl DecodeError {
    /// Something is wrong with the whole body.
    #[must_use]
    pub fn whole(message: impl Into<String>) -> Self {
        Self { pointer: String::new(), message: message.into() }
    }
}

/// Reads a body.
///
/// # Errors
/// When it does not fit, with the place in it.
pub fn decode<T: DeserializeOwned>(body: &Value) -> Result<T, DecodeError> {
    serde_path_to_error::deserialize(body)
        .map_err(|error| DecodeError { pointer: pointer::of_path(error.path()), message: error.inner().to_string() })
}
