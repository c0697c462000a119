//! A store of metrics through Prometheus' HTTP API, as Prometheus itself and the stores built after it speak it. Nothing is kept here.

mod answer;

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::{Method, Url};

use super::http::{Answer, Endpoint};
use crate::adapters::secret::Secrets;
use crate::ports::PortError;
use crate::ports::metrics::{Metrics, Series};
use crate::ports::settings::ApiSettings;
use crate::step::StepError;

const ACCEPT: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// How long the store may work on an expression, in its own notation; a little less than the exchange may take.
const PATIENCE: &str = "8s";

/// A store of metrics at one address.
pub struct Prometheus {
    endpoint: Endpoint,
}

impl Prometheus {
    /// Prepares for the store `name` of an environment; `setting` is where its address was set. Nothing is sent yet.
    ///
    /// # Errors
    /// [`StepError::NoSecret`] when a secret is missing, [`PortError::Invalid`] when the settings cannot be used.
    pub fn connect(name: &str, settings: &ApiSettings, setting: &str, secrets: &dyn Secrets) -> Result<Arc<Self>, StepError> {
        let (basic, tls) = (settings.basic.as_ref(), settings.tls.as_ref());
        let endpoint = Endpoint::new(&format!("metrics {name}"), &settings.url, setting, basic, tls, secrets)?;
        Ok(Arc::new(Self { endpoint }))
    }

    async fn ask(&self, expression: &str) -> Result<Answer, PortError> {
        let url = self.endpoint.url(&["api", "v1", "query"])?;
        let pairs = [("query", expression), ("timeout", PATIENCE)];
        let mut form = Url::clone(&url);
        form.query_pairs_mut().extend_pairs(pairs);
        let body = form.query().unwrap_or_default().to_owned();
        // Why: an expression may be longer than an address may be.
        let answer = self.endpoint.send(Method::POST, url, Some((FORM, body)), ACCEPT).await?;
        if answer.status == 405 {
            // Why: some gateways let nothing through but reading.
            return self.endpoint.send(Method::GET, form, None, ACCEPT).await;
        }
        Ok(answer)
    }
}

#[async_trait]
impl Metrics for Prometheus {
    async fn ping(&self) -> Result<(), PortError> {
        answer::read(self.ask("1").await?, self.endpoint.system(), "asking whether it answers").map(drop)
    }

    async fn query(&self, expression: &str) -> Result<Vec<Series>, PortError> {
        let doing = format!("evaluating `{}`", answer::in_one_line(expression));
        answer::read(self.ask(expression).await?, self.endpoint.system(), &doing)
    }
}
