//! Tokens for `OAUTHBEARER`: fetched from the identity provider with client credentials, kept until shortly before they expire. Owns the
//! token in use; it is a secret and goes nowhere but to the broker.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::{Method, Url};
use serde::Deserialize;
use tokio::runtime::{Builder, Runtime};

use crate::adapters::http::Endpoint;
use crate::adapters::secret::{Redactor, Secret, Secrets};
use crate::ports::PortError;
use crate::ports::settings::{BasicAuth, TokenSettings};
use crate::step::StepError;

/// How long a token may be fetched.
const FETCHING: Duration = Duration::from_secs(5);

/// A token is fetched anew this long before it expires.
const MARGIN: Duration = Duration::from_secs(10);

/// What a token is taken to live when the provider does not say it.
const UNSAID: u64 = 300;

/// A token and its end.
#[derive(Clone, Debug)]
pub(super) struct Token {
    /// The token itself.
    pub value: Secret,
    /// When it expires.
    pub ends: SystemTime,
}

impl Token {
    /// When it expires, in milliseconds since 1970.
    pub fn ends_in_milliseconds(&self) -> i64 {
        let since = self.ends.duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// What the provider answers.
#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: Option<u64>,
}

/// What the provider answers when it refuses.
#[derive(Default, Deserialize)]
struct NotGiven {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Where tokens come from.
pub(super) struct TokenSource {
    endpoint: Arc<Endpoint>,
    redactor: Arc<Redactor>,
    /// The client id, which also names us to librdkafka.
    pub client: String,
    body: String,
    kept: Mutex<Option<Token>>,
    /// Why one of its own: librdkafka asks on threads that belong to no runtime.
    runtime: Option<Runtime>,
}

impl TokenSource {
    /// Prepares for the provider of the cluster `name`; `setting` is where the cluster's address was set. Nothing is sent yet.
    ///
    /// # Errors
    /// [`StepError::NoSecret`] when the secret is missing, [`PortError::Invalid`] when the settings cannot be used.
    pub fn new(name: &str, settings: &TokenSettings, setting: &str, secrets: &dyn Secrets) -> Result<Self, StepError> {
        let basic = BasicAuth { username: settings.client.clone(), password: settings.secret.clone() };
        let name = format!("identity provider of kafka {name}");
        let endpoint = Endpoint::new(&name, &settings.url, setting, Some(&basic), settings.tls.as_ref(), secrets)?;
        let invalid = |detail: String| StepError::Port(PortError::Invalid { system: endpoint.system().clone(), detail });
        if !endpoint.is_private() {
            return Err(invalid(
                "`sasl.token.url` begins with http://, and the client's secret would be readable on its way; use https://".to_owned(),
            ));
        }
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("kafka-token").enable_all().build();
        let runtime = runtime.map_err(|error| invalid(format!("no thread for fetching tokens: {error}")))?;
        let mut form = Url::parse("form:").map_err(|error| invalid(error.to_string()))?;
        form.query_pairs_mut().append_pair("grant_type", "client_credentials");
        if let Some(scope) = &settings.scope {
            form.query_pairs_mut().append_pair("scope", scope);
        }
        let body = form.query().unwrap_or_default().to_owned();
        let (client, endpoint) = (settings.client.clone(), Arc::new(endpoint));
        Ok(Self { endpoint, redactor: secrets.redactor(), client, body, kept: Mutex::default(), runtime: Some(runtime) })
    }

    /// A token that is good for a while. Blocks, for [`FETCHING`] at the most.
    ///
    /// # Errors
    /// As the provider answers, or does not.
    pub fn token(&self) -> Result<Token, PortError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = kept.as_ref().filter(|token| token.ends > SystemTime::now() + MARGIN) {
            return Ok(token.clone());
        }
        let (done, waited) = mpsc::channel();
        let (endpoint, body) = (Arc::clone(&self.endpoint), self.body.clone());
        if let Some(runtime) = &self.runtime {
            runtime.spawn(async move {
                // Why: nobody waits any more when this fails.
                let _ = done.send(fetch(&endpoint, body).await);
            });
        }
        let token = waited.recv_timeout(FETCHING + MARGIN).unwrap_or_else(|_| Err(unreachable(&self.endpoint, "no answer in time")))?;
        self.redactor.learn(token.value.expose());
        if let Some(old) = kept.replace(token.clone()) {
            self.redactor.forget(old.value.expose());
        }
        Ok(token)
    }
}

impl Drop for TokenSource {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Why: a runtime that ends in the usual way waits, which an async worker must not.
            runtime.shutdown_background();
        }
    }
}

fn unreachable(endpoint: &Endpoint, detail: &str) -> PortError {
    PortError::Unreachable { system: endpoint.system().clone(), detail: detail.to_owned() }
}

async fn fetch(endpoint: &Endpoint, body: String) -> Result<Token, PortError> {
    let asked = SystemTime::now();
    let content = Some(("application/x-www-form-urlencoded", body));
    let answer = endpoint.send_within(FETCHING, Method::POST, endpoint.url(&[])?, content, "application/json").await?;
    let system = || endpoint.system().clone();
    match answer.status {
        200..=299 => {
            // Why: the answer itself is a secret, so a reason that repeats it is not told.
            let given: Given = serde_json::from_str(&answer.body)
                .map_err(|_| PortError::Invalid { system: system(), detail: "it answered no token; see `sasl.token.url`".to_owned() })?;
            let lives = Duration::from_secs(given.expires_in.unwrap_or(UNSAID));
            Ok(Token { value: Secret::new(&given.access_token), ends: asked + lives })
        }
        400 | 401 | 403 => {
            let told: NotGiven = serde_json::from_str(&answer.body).unwrap_or_default();
            let why = [told.error, told.error_description].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
            let why = if why.is_empty() { format!("it answered {}", answer.status) } else { why };
            let detail = format!("{why}; see `sasl.token.client`, `sasl.token.secret` and `sasl.token.scope`");
            Err(PortError::Refused { system: system(), detail })
        }
        status if status >= 500 => Err(unreachable(endpoint, &format!("it answered {status}"))),
        status => Err(PortError::Invalid { system: system(), detail: format!("it answered {status}; see `sasl.token.url`") }),
    }
}
