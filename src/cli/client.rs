//! Talks to a server: the data directory's own one, started when it does not run, or another one by its address.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::exit::{self, CliError};
use super::server;
use super::session::Session;
use crate::adapters::secret::Secret;
use crate::playbook::Diagnostics;
use crate::stack::DataDir;

/// How long a request may take when it says nothing else.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a server that takes no connection is looked for again.
const COMES_BACK: Duration = Duration::from_secs(5);

/// A connection to a server.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    /// Base address without a slash at its end; another one after the server came back elsewhere.
    url: Arc<Mutex<String>>,
    /// The data directory whose server this is, if it is one's.
    home: Option<DataDir>,
    token: Secret,
    by: String,
}

impl Client {
    /// A client of the server at this address.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(url: &str, token: Secret) -> Result<Self, CliError> {
        // Why: an error here only says that a provider was installed before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(5)).no_proxy().build();
        let http = http.map_err(|error| CliError::new(exit::UNEXPECTED, exit::chain(&error)))?;
        Ok(Self { http, url: Arc::new(Mutex::new(url.trim_end_matches('/').to_owned())), home: None, token, by: Session::by() })
    }

    /// The same for the server of a data directory, which is looked for again when it does not take a connection.
    #[must_use]
    pub fn at_home(self, data: &DataDir) -> Self {
        Self { home: Some(data.clone()), ..self }
    }

    /// Base address without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The server to work with; the data directory's own one is started if it does not run.
    ///
    /// # Errors
    /// When there is none and it cannot be started.
    pub async fn connect(session: &Session) -> Result<Self, CliError> {
        match remote(session)? {
            Some(client) => Ok(client),
            None => server::join_or_start(session).await,
        }
    }

    /// The server to look at, `None` when the data directory's own one does not run.
    ///
    /// # Errors
    /// When the data directory cannot be read.
    pub async fn running(session: &Session) -> Result<Option<Self>, CliError> {
        match remote(session)? {
            Some(client) => Ok(Some(client)),
            None => server::join(session).await,
        }
    }

    /// Whether the server answers.
    pub async fn answers(&self) -> bool {
        let asked = self.http.get(format!("{}/healthz", self.url())).timeout(Duration::from_secs(3)).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }

    /// Asks for something.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.send(Method::GET, path, None::<&Value>, PATIENCE).await
    }

    /// Asks for something that may take a while.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn wait_for<T: DeserializeOwned>(&self, path: &str, patience: Duration) -> Result<T, CliError> {
        self.send(Method::GET, path, None::<&Value>, patience).await
    }

    /// Sends something.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, CliError> {
        self.send(Method::POST, path, Some(body), PATIENCE).await
    }

    /// An address of the web page that logs the browser in once.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn page(&self, path: &str) -> Result<String, CliError> {
        let made: Value = self.post("/api/login-codes", &json!({ "by": self.by })).await?;
        let login = made.get("path").and_then(Value::as_str).unwrap_or("/login");
        let join = if login.contains('?') { '&' } else { '?' };
        Ok(format!("{}{login}{join}next={path}", self.url()))
    }

    /// The server may have come back at another port.
    fn look_again(&self) {
        if let Some(server) = self.home.as_ref().and_then(|data| data.read_server().ok().flatten()) {
            *self.url.lock().unwrap_or_else(PoisonError::into_inner) = server.url;
        }
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        patience: Duration,
    ) -> Result<T, CliError> {
        let away = |error: reqwest::Error| {
            let message = format!("the server at {} cannot be reached: {}", self.url(), exit::chain(&error.without_url()));
            CliError::new(exit::UNREACHABLE, message)
                .hint("`cutover doctor` says what is wrong; the run itself goes on with any controller")
        };
        let end = Instant::now() + COMES_BACK;
        let answer = loop {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.url())).timeout(patience);
            request = request.bearer_auth(self.token.expose()).header("x-cutover-by", &self.by);
            if let Some(body) = body {
                request = request.json(body);
            }
            match request.send().await {
                // Why: nobody took the connection, so nothing was asked, and another server may take over within a blink.
                Err(error) if error.is_connect() && Instant::now() < end && self.home.is_some() => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    self.look_again();
                }
                answer => break answer.map_err(away)?,
            }
        };
        let status = answer.status();
        let text = answer.text().await.map_err(away)?;
        if status.is_success() {
            return serde_json::from_str(&text).map_err(|error| {
                CliError::new(exit::UNEXPECTED, format!("the server at {} answered something unexpected: {error}", self.url()))
            });
        }
        Err(refusal(status.as_u16(), &text))
    }
}

fn remote(session: &Session) -> Result<Option<Client>, CliError> {
    let Some(url) = &session.global.server else { return Ok(None) };
    let token = std::env::var("CUTOVER_TOKEN").ok().filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| {
        CliError::new(exit::CONFIG, format!("no token for the server at {url}")).hint("put the server's token into CUTOVER_TOKEN")
    })?;
    Client::new(url, Secret::new(&token)).map(Some)
}

/// What the server says when it refuses, as an error with the exit code that its kind has.
fn refusal(status: u16, text: &str) -> CliError {
    let answer: Value = serde_json::from_str(text).unwrap_or_default();
    let error = answer.get("error").cloned().unwrap_or_default();
    let field = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    let code = field("code").unwrap_or_default();
    let exit = match (code.as_str(), status) {
        ("invalid" | "breaks", _) => exit::INVALID,
        ("unreachable", _) => exit::UNREACHABLE,
        ("stale", _) => exit::STALE,
        ("not_found", _) | (_, 404) => exit::USAGE,
        ("taken" | "refused" | "impossible", _) | (_, 401 | 403 | 409 | 422) => exit::REFUSED,
        (_, 400) => exit::USAGE,
        (_, 503) => exit::UNREACHABLE,
        _ => exit::UNEXPECTED,
    };
    let mut message = field("message").unwrap_or_else(|| format!("the server answered {status}"));
    if let Some(diagnostics) = answer.get("diagnostics").and_then(|found| serde_json::from_value::<Diagnostics>(found.clone()).ok()) {
        message = format!("{message}\n{}", diagnostics.plain());
    }
    CliError { exit, message, hint: field("hint"), answer: Some(Box::new(answer)) }
}
