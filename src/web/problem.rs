//! One form for everything that goes wrong: `{"error": {"code", "message", "hint"}}` for programs, a page for people. Which of the two
//! is decided where the response leaves, by its address.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::driver::{BeginError, PlanError, SavedPlanError};
use crate::ports::PortError;
use crate::step::StepError;
use crate::store::StoreError;

/// Something that went wrong.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// What stands beside `error` in the JSON form.
    beside: Vec<(String, Value)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), hint: None, beside: Vec::new() }
    }

    /// The request is not one.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn beside(mut self, key: &str, value: &impl Serialize) -> Self {
        self.beside.push((key.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null)));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body: Map<String, Value> = self.beside.iter().cloned().collect();
        body.insert("error".to_owned(), json!({ "code": self.code, "message": self.message, "hint": self.hint }));
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_passing() {
            tracing::warn!(%error, "a request failed");
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "database", error.to_string()).hint("try again in a few seconds");
        }
        tracing::error!(error = %Chain(&error), "a request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "database", error.to_string()).hint("the log of `cutover serve` says more")
    }
}

impl From<BeginError> for Problem {
    fn from(error: BeginError) -> Self {
        let message = error.to_string();
        match error {
            BeginError::Invalid(diagnostics) => {
                let all: Vec<_> = diagnostics.into_iter().collect();
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", message).beside("diagnostics", &all)
            }
            BeginError::Plan(error) => error.into(),
            BeginError::Impossible { step, .. } => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "impossible", message).beside("step", &step),
            BeginError::Breaks(proof) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "breaks", message)
                .hint("`cutover check PLAYBOOK` tells the story of each, and how to mend it; `accept:` in the playbook accepts one by name")
                .beside("proof", &proof),
            BeginError::OtherBundle => Self::new(StatusCode::CONFLICT, "stale", message),
            BeginError::Stale(_) => {
                Self::new(StatusCode::CONFLICT, "stale", message).hint("nothing was started; plan again, and look at what moved")
            }
            BeginError::OtherPlan(_) => Self::new(StatusCode::CONFLICT, "refused", message),
            BeginError::Taken(holders) => Self::new(StatusCode::CONFLICT, "taken", message)
                .hint("wait until the other run is over, or end it")
                .beside("holders", &holders),
            BeginError::Broken(error) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", message).beside("cause", &error),
            BeginError::Store(error) => error.into(),
        }
    }
}

impl From<SavedPlanError> for Problem {
    fn from(error: SavedPlanError) -> Self {
        let (status, code) = match &error {
            SavedPlanError::Changed(_) => (StatusCode::CONFLICT, "refused"),
            SavedPlanError::Newer { .. } => (StatusCode::CONFLICT, "newer"),
            SavedPlanError::NotJson { .. } | SavedPlanError::OtherSchema(_) | SavedPlanError::DoesNotRead { .. } => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid")
            }
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<PlanError> for Problem {
    fn from(error: PlanError) -> Self {
        let message = error.to_string();
        match error {
            PlanError::Unreachable(systems) => {
                let systems: Vec<Value> = systems.iter().map(system).collect();
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unreachable", message)
                    .hint("`cutover doctor` asks every system of the environment")
                    .beside("systems", &systems)
            }
            PlanError::Step { step, error } => {
                let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", message).beside("step", &step);
                match &error {
                    StepError::NoSecret { .. } => problem.hint("set it where `cutover serve` is started, and start that again"),
                    _ => problem,
                }
                .beside("cause", &error)
            }
        }
    }
}

fn system(error: &PortError) -> Value {
    let system = error.system();
    json!({ "system": system.name, "address": system.address, "setting": system.setting, "message": error.to_string() })
}

/// An error with everything behind it, for the log.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}
