//! A service in memory that is reached by HTTP: while a release of it runs, it tells which at `/version`, and every exercise
//! that it is asked for is there.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::SimWorkloads;
use super::faults::Host;
use crate::ports::PortError;
use crate::ports::http::{Http, HttpAnswer, HttpRequest};

/// One service. It changes nothing, so faults do not reach it.
#[derive(Debug)]
pub struct SimHttp {
    host: Host,
    service: String,
    workloads: Arc<SimWorkloads>,
}

impl SimHttp {
    /// The service of that name.
    #[must_use]
    pub fn new(service: &str, workloads: Arc<SimWorkloads>) -> Self {
        Self { host: Host::new("http", service), service: service.to_owned(), workloads }
    }
}

#[async_trait]
impl Http for SimHttp {
    async fn send(&self, request: &HttpRequest) -> Result<HttpAnswer, PortError> {
        let Some(release) = self.workloads.serving(&self.service) else { return Err(self.host.unreachable("the connection was refused")) };
        if !request.path.starts_with('/') || request.path.starts_with("//") {
            return Err(self.host.invalid(format!("`{}` is no path", request.path)));
        }
        Ok(match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/version") => answer(200, json!({ "version": release }).to_string()),
            ("POST", "/echo") => answer(200, request.body.clone().unwrap_or_default().to_string()),
            ("GET", path) if path.starts_with("/api/v0/exercise") => {
                answer(200, json!({ "id": path.rsplit('/').next().unwrap_or_default() }).to_string())
            }
            _ => answer(404, "there is nothing here".to_owned()),
        })
    }
}

fn answer(status: u16, body: String) -> HttpAnswer {
    HttpAnswer { status, body, cut: false }
}
