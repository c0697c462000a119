//! One HTTP service with its address, credentials and certificates, for adapters that speak HTTP. Owns no protocol: it sends, caps
//! what comes back, and sorts failures to send. What an answer means is its caller's business.

mod service;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, Url};

use crate::adapters::secret::{Redactor, Secret, Secrets};
use crate::ports::settings::{BasicAuth, Tls};
use crate::ports::{PortError, SystemRef};
use crate::step::StepError;

pub use service::HttpService;

/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(3);

/// How long a whole exchange may take.
const WHOLE: Duration = Duration::from_secs(10);

/// The longest body that is read, in bytes.
const LONGEST: usize = 8 * 1024 * 1024;

/// A service at one base address.
#[derive(Debug)]
pub struct Endpoint {
    system: SystemRef,
    base: Url,
    client: Client,
    basic: Option<(String, Secret)>,
    bearer: Option<Secret>,
    tls: Option<Tls>,
    redactor: Arc<Redactor>,
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body as text; bytes that are no text are replaced.
    pub body: String,
    /// Where a redirect points.
    pub location: Option<String>,
}

impl Endpoint {
    /// Prepares for the service `name` (kind and name, as in `registry main`) at `url`; `setting` is where that was set. Nothing is
    /// sent yet.
    ///
    /// # Errors
    /// [`StepError::NoSecret`] when a secret is missing, [`PortError::Invalid`] when the settings cannot be used.
    pub fn new(
        name: &str,
        url: &str,
        setting: &str,
        basic: Option<&BasicAuth>,
        tls: Option<&Tls>,
        secrets: &dyn Secrets,
    ) -> Result<Self, StepError> {
        let mut system = SystemRef { name: name.to_owned(), address: String::new(), setting: setting.to_owned() };
        let base = Url::parse(url.trim()).map_err(|error| {
            // Why: what is no address may hold a password all the same.
            invalid(&system, format!("`url` is not an address ({error}); write `http://host:port` or `https://host:port`"))
        })?;
        system.address = shown(&base);
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(invalid(&system, "`url` begins neither with `http://` nor with `https://`"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(invalid(&system, "`url` holds a user or a password; write them under `basic`, the password as a reference"));
        }
        let basic = basic.map(|basic| Ok::<_, StepError>((basic.username.clone(), secrets.resolve(&basic.password)?))).transpose()?;
        let mut builder = Client::builder()
            .user_agent(concat!("cutover/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECTING)
            .timeout(WHOLE)
            // Why: a redirect would turn a POST into a GET, or carry it to a host that nobody named.
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let client = tls::apply(builder, tls, secrets, &|detail| invalid(&system, detail))?.build();
        let client = client.map_err(|error| invalid(&system, format!("the HTTP client cannot be made: {}", chain(&error))))?;
        Ok(Self { system, base, client, basic, bearer: None, tls: tls.cloned(), redactor: secrets.redactor() })
    }

    /// Sends `Authorization: Bearer …` with every request from now on.
    #[must_use]
    pub fn with_bearer(mut self, token: Option<Secret>) -> Self {
        self.bearer = token;
        self
    }

    /// Who this is, for messages.
    #[must_use]
    pub fn system(&self) -> &SystemRef {
        &self.system
    }

    /// Whether nobody on the way can read what is sent: TLS, or no way at all.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.base.scheme() == "https" || is_loopback(&self.base)
    }

    /// The address of a resource under the base; every segment is percent-encoded, slashes in it included.
    ///
    /// # Errors
    /// [`PortError::Invalid`] for a segment that cannot stand in an address.
    pub fn url(&self, segments: &[&str]) -> Result<Url, PortError> {
        if let Some(segment) = segments.iter().find(|segment| matches!(**segment, "" | "." | "..")) {
            return Err(PortError::Invalid { system: self.system.clone(), detail: format!("`{segment}` cannot be a name in an address") });
        }
        let mut url = self.base.clone();
        url.set_query(None);
        url.set_fragment(None);
        match url.path_segments_mut() {
            Ok(mut path) => {
                path.pop_if_empty().extend(segments);
            }
            Err(()) => return Err(PortError::Invalid { system: self.system.clone(), detail: "`url` has no path".to_owned() }),
        }
        Ok(url)
    }

    /// The address of a path and query that somebody wrote, under the base.
    ///
    /// # Errors
    /// [`PortError::Invalid`] when it is no path, or leads out of the base.
    pub fn under(&self, path: &str) -> Result<Url, PortError> {
        let invalid = |detail: String| PortError::Invalid { system: self.system.clone(), detail };
        if !path.starts_with('/') {
            return Err(invalid(format!("`{path}` is no path; write it with a slash at its beginning")));
        }
        let (root, origin) = (self.base.path().trim_end_matches('/'), self.base.origin());
        let url = self.base.join(&format!("{root}{path}")).map_err(|error| invalid(format!("`{path}` is no path: {error}")))?;
        // Why: two slashes at the beginning name another host, and `..` climbs.
        let inside = url.origin() == origin && url.path().strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
        if inside { Ok(url) } else { Err(invalid(format!("`{path}` leads out of the address of this service"))) }
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// [`PortError::Unreachable`] when there was no answer in time, [`PortError::Refused`] when the certificates do not fit,
    /// [`PortError::Invalid`] when the answer is too long.
    pub async fn send(&self, method: Method, url: Url, content: Option<(&str, String)>, accept: &str) -> Result<Answer, PortError> {
        self.send_within(WHOLE, method, url, content, accept).await
    }

    /// As [`Self::send`], with another limit for the whole exchange.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_within(
        &self,
        limit: Duration,
        method: Method,
        url: Url,
        content: Option<(&str, String)>,
        accept: &str,
    ) -> Result<Answer, PortError> {
        let mut request = self.client.request(method, url).timeout(limit).header("accept", accept);
        if let Some(token) = &self.bearer {
            request = request.bearer_auth(token.expose());
        }
        if let Some((user, password)) = &self.basic {
            request = request.basic_auth(user, Some(password.expose()));
        }
        if let Some((kind, body)) = content {
            request = request.header("content-type", kind).body(body);
        }
        let mut response = request.send().await.map_err(|error| self.failure(&error))?;
        let status = response.status().as_u16();
        let location = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(&error))? {
            if body.len() + chunk.len() > LONGEST {
                let detail = format!("the answer is longer than {LONGEST} bytes");
                return Err(PortError::Invalid { system: self.system.clone(), detail });
            }
            body.extend_from_slice(&chunk);
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        // Why: what refuses a request may repeat its credentials; what answers it is the caller's, byte for byte.
        let body = if status < 400 { body } else { self.redactor.scrub(&body) };
        Ok(Answer { status, body, location })
    }

    fn failure(&self, error: &reqwest::Error) -> PortError {
        let system = self.system.clone();
        let detail = self.redactor.scrub(&chain(error));
        if error.is_builder() {
            PortError::Invalid { system, detail }
        } else if let Some(detail) = tls::distrust(error, &detail, self.tls.as_ref()) {
            PortError::Refused { system, detail }
        } else {
            PortError::Unreachable { system, detail }
        }
    }
}

fn invalid(system: &SystemRef, detail: impl Into<String>) -> StepError {
    StepError::Port(PortError::Invalid { system: system.clone(), detail: detail.into() })
}

/// The address without credentials.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.as_str().trim_end_matches('/').to_owned()
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The causes of an error from the inside, without the address, which the system names already.
fn chain(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        causes.insert(0, "no answer in time".to_owned());
    }
    if causes.is_empty() { "the exchange broke off".to_owned() } else { causes.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::secret::ProcessSecrets;

    fn endpoint(url: &str) -> Result<Endpoint, StepError> {
        Endpoint::new("registry main", url, "cutover.yaml: registry.main.url", None, None, &ProcessSecrets::default())
    }

    #[test]
    fn names_are_encoded_and_a_slash_at_the_end_of_the_base_does_not_matter() {
        for base in ["http://127.0.0.1:8081/apis/ccompat/v7", "http://127.0.0.1:8081/apis/ccompat/v7/"] {
            let url = endpoint(base).unwrap().url(&["subjects", "a/b c?ü"]).unwrap();
            assert_eq!(url.as_str(), "http://127.0.0.1:8081/apis/ccompat/v7/subjects/a%2Fb%20c%3F%C3%BC");
        }
        assert!(endpoint("http://127.0.0.1:8081").unwrap().url(&["subjects", ".."]).is_err(), "it would climb out of the base");
    }

    #[test]
    fn a_written_path_stays_under_the_base() {
        let endpoint = endpoint("http://127.0.0.1:8081/hiring/").unwrap();
        assert_eq!(endpoint.under("/api/v0/exercise?id=7").unwrap().as_str(), "http://127.0.0.1:8081/hiring/api/v0/exercise?id=7");
        for path in ["api", "", "/../secret", "/..%2f/../../x"] {
            assert!(endpoint.under(path).is_err(), "{path}");
        }
        let bare = self::endpoint("http://127.0.0.1:8081").unwrap();
        assert_eq!(bare.under("/").unwrap().as_str(), "http://127.0.0.1:8081/");
        assert!(bare.under("//evil.example/x").is_err(), "it names another host");
    }

    #[test]
    fn an_address_with_credentials_is_refused_without_being_repeated() {
        let told = endpoint("http://cutover:open-sesame@127.0.0.1:8081").unwrap_err().to_string();
        assert!(told.contains("`basic`") && !told.contains("open-sesame"), "{told}");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in ["", "registry:8081", "ftp://registry"] {
            let told = endpoint(url).unwrap_err().to_string();
            assert!(told.contains("cutover.yaml: registry.main.url"), "{url}: {told}");
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_unreachable_and_names_the_setting() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let endpoint = endpoint(&format!("http://127.0.0.1:{port}")).unwrap();
        let url = endpoint.url(&["subjects"]).unwrap();
        let error = endpoint.send(Method::GET, url, None, "*/*").await.unwrap_err();
        let told = error.to_string();
        assert!(matches!(error, PortError::Unreachable { .. }), "{told}");
        assert!(told.contains("cutover.yaml: registry.main.url") && told.contains("refused"), "{told}");
    }
}
