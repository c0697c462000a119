//! A plain HTTP service behind the port: whatever it answers is an answer, and only silence is an error.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Method;

use super::Endpoint;
use crate::adapters::secret::Secrets;
use crate::ports::PortError;
use crate::ports::http::{Http, HttpAnswer, HttpRequest};
use crate::ports::settings::HttpSettings;
use crate::step::StepError;

/// The longest part of a body that is handed on, in bytes.
const SHOWN: usize = 64 * 1024;

/// A service at one address.
#[derive(Debug)]
pub struct HttpService {
    endpoint: Endpoint,
}

impl HttpService {
    /// Prepares for the service `name` of an environment; `setting` is where its address was set. Nothing is sent yet.
    ///
    /// # Errors
    /// [`StepError::NoSecret`] when a secret is missing, [`PortError::Invalid`] when the settings cannot be used.
    pub fn connect(name: &str, settings: &HttpSettings, setting: &str, secrets: &dyn Secrets) -> Result<Arc<Self>, StepError> {
        let endpoint = Endpoint::new(&format!("http {name}"), &settings.url, setting, None, settings.tls.as_ref(), secrets)?;
        let token = settings.bearer.as_ref().map(|bearer| secrets.resolve(bearer)).transpose()?;
        Ok(Arc::new(Self { endpoint: endpoint.with_bearer(token) }))
    }
}

#[async_trait]
impl Http for HttpService {
    async fn send(&self, request: &HttpRequest) -> Result<HttpAnswer, PortError> {
        let invalid = |detail: String| PortError::Invalid { system: self.endpoint.system().clone(), detail };
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|_| invalid(format!("`{}` is no method", request.method)))?;
        let url = self.endpoint.under(&request.path)?;
        let content = request.body.as_ref().map(|body| ("application/json", body.to_string()));
        let answer = self.endpoint.send_within(request.timeout, method, url, content, "*/*").await?;
        let mut body = answer.body;
        let cut = body.len() > SHOWN;
        if cut {
            let end = (0..=SHOWN).rev().find(|at| body.is_char_boundary(*at)).unwrap_or_default();
            body.truncate(end);
        }
        Ok(HttpAnswer { status: answer.status, body, cut })
    }
}
