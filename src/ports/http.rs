//! What cutover asks of a plain HTTP service.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PortError;

/// A request to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query, beginning with a slash.
    pub path: String,
    /// Sent as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// How long to wait for the whole answer.
    pub timeout: Duration,
}

/// What a service answered, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// The body as text; cut at 64 KiB.
    pub body: String,
    /// Whether the body was longer than that.
    pub cut: bool,
}

/// One service that is reached by HTTP.
#[async_trait]
pub trait Http: Send + Sync {
    /// Sends the request. Every answer is fine here; only no answer is an error.
    async fn send(&self, request: &HttpRequest) -> Result<HttpAnswer, PortError>;
}
