//! The controller as a service sees it: the place that flag documents come from and that is told which one is in use. Where it is may
//! change at any time; a controller that is gone changes nothing.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{ETAG, IF_NONE_MATCH};
use reqwest::{Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::Snapshot;
use crate::stack::ServerFile;
use crate::stack::files;

/// The flag store of the samples.
const STORE: &str = "main";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The headers that may carry the revision.
const REVISION: [&str; 2] = ["cutover-revision", "x-cutover-revision"];

/// Nothing usable came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControllerError {
    /// Nobody said where it is.
    #[error("no controller is known")]
    Unknown,
    /// Its file or the token cannot be read.
    #[error("{} does not say where the controller is", .0.display())]
    NoFile(PathBuf),
    /// It did not answer.
    #[error("the controller does not answer")]
    Silent,
    /// It answered something else than a document.
    #[error("the controller answered {0}")]
    Odd(String),
}

/// What an instance says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Heartbeat<'a> {
    /// Environment of the flags.
    pub environment: &'a str,
    /// Store of the flags.
    pub store: &'a str,
    /// The service.
    pub service: &'a str,
    /// The process.
    pub instance: &'a str,
    /// The release that it says it is.
    pub release: &'a str,
    /// The revision that new requests use.
    pub revision: i64,
    /// The oldest revision that a running request uses.
    pub oldest: i64,
    /// The flags that this release may evaluate.
    pub flags: &'static [&'static str],
    /// Whether this is its last word.
    pub ending: bool,
}

impl Heartbeat<'_> {
    /// The store that all samples read.
    pub const STORE: &'static str = STORE;
}

/// A document with the tag under which the controller knows it.
pub struct Fetched {
    pub snapshot: Snapshot,
    pub tag: Option<String>,
}

/// Where the controller is.
pub struct Controller {
    server_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    environment: String,
    http: reqwest::Client,
    found: Mutex<Option<(String, String)>>,
}

impl Controller {
    pub fn new(server_file: Option<PathBuf>, token_file: Option<PathBuf>, environment: String, http: reqwest::Client) -> Self {
        Self { server_file, token_file, environment, http, found: Mutex::default() }
    }

    /// Whether anybody said where it is.
    pub fn is_known(&self) -> bool {
        self.server_file.is_some()
    }

    /// The document, or `None` when it is still the one with this tag.
    pub async fn document(&self, known: Option<&str>) -> Result<Option<Fetched>, ControllerError> {
        let (url, token) = self.place()?;
        let mut request = self.http.get(format!("{url}/flags/{}/{STORE}", self.environment)).bearer_auth(token).timeout(PATIENCE);
        if let Some(tag) = known {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let answer = request.send().await.map_err(|_| self.lost())?;
        match answer.status() {
            StatusCode::NOT_MODIFIED => Ok(None),
            StatusCode::OK => fetched(answer).await.map(Some).inspect_err(|_| self.forget()),
            status => {
                // Why: another data directory's server may have taken the port.
                self.forget();
                Err(ControllerError::Odd(format!("status {status} when asked for flags")))
            }
        }
    }

    /// Tells it which revision is in use.
    pub async fn tell(&self, heartbeat: &Heartbeat<'_>) -> Result<(), ControllerError> {
        let (url, token) = self.place()?;
        let request = self.http.post(format!("{url}/api/heartbeats")).bearer_auth(token).timeout(PATIENCE).json(heartbeat);
        let answer = request.send().await.map_err(|_| self.lost())?;
        if answer.status().is_success() { Ok(()) } else { Err(ControllerError::Odd(format!("status {} to a heartbeat", answer.status()))) }
    }

    fn place(&self) -> Result<(String, String), ControllerError> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = &*found {
            return Ok(place.clone());
        }
        let server_file = self.server_file.as_deref().ok_or(ControllerError::Unknown)?;
        let no_file = |path: &Path| ControllerError::NoFile(path.to_owned());
        let server: ServerFile = files::read_json(server_file).ok().flatten().ok_or_else(|| no_file(server_file))?;
        let token = match &self.token_file {
            Some(path) => std::fs::read_to_string(path).map_err(|_| no_file(path))?,
            None => String::new(),
        };
        let place = (server.url.trim_end_matches('/').to_owned(), token.trim().to_owned());
        *found = Some(place.clone());
        Ok(place)
    }

    fn forget(&self) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn lost(&self) -> ControllerError {
        self.forget();
        ControllerError::Silent
    }
}

async fn fetched(answer: Response) -> Result<Fetched, ControllerError> {
    let headers = answer.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let tag = text(ETAG.as_str()).map(str::to_owned);
    let revision = REVISION.iter().find_map(|name| text(name)).and_then(|revision| revision.parse().ok());
    let revision = revision.ok_or_else(|| ControllerError::Odd("flags without their revision".to_owned()))?;
    let document: Value = answer.json().await.map_err(|_| ControllerError::Odd("flags that are no JSON".to_owned()))?;
    if !document.get("flags").is_some_and(Value::is_object) {
        return Err(ControllerError::Odd("something else than flags".to_owned()));
    }
    Ok(Fetched { snapshot: Snapshot { revision, document }, tag })
}
