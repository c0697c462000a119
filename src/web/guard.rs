//! Who asks, and whether they may: a bearer token that must verify, or a session cookie. Stands before every handler.

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::problem::Problem;
use super::session::Sessions;
use super::{App, Role, Tokens, by, now};
use crate::adapters::secret::Secret;

/// Carries the name of the person behind a bearer token.
pub(super) const BY: &str = "x-cutover-by";

/// Whoever asks.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) role: Role,
    by: Option<String>,
    by_cookie: bool,
}

impl Caller {
    /// Their name, for the journal.
    pub(super) fn by(&self) -> Result<&str, Problem> {
        self.by.as_deref().ok_or_else(|| Problem::malformed(format!("the header {BY} must say who asks")))
    }

    /// Their name, for the page.
    pub(super) fn shown(&self) -> &str {
        self.by.as_deref().unwrap_or_default()
    }

    pub(super) fn may_operate(&self) -> bool {
        self.role >= Role::Operate
    }
}

/// What callers are measured against.
pub(super) struct Gate {
    operate: [u8; 32],
    flags: [u8; 32],
    pub(super) sessions: Sessions,
}

impl Gate {
    pub(super) fn new(tokens: &Tokens) -> Self {
        let digest = |token: &Secret| Sha256::digest(token.expose()).into();
        Self { operate: digest(&tokens.operate), flags: digest(&tokens.flags), sessions: Sessions::new(&tokens.operate) }
    }

    /// Who asks; `None` without a valid credential. A bearer token that is presented decides, whatever else is there.
    fn caller(&self, headers: &HeaderMap, now: DateTime<Utc>) -> Result<Option<Caller>, Problem> {
        if let Some(presented) = headers.get(header::AUTHORIZATION) {
            let token = presented.as_bytes().strip_prefix(b"Bearer ").unwrap_or_default();
            let Some(role) = self.role_of(token) else { return Ok(None) };
            let by = headers.get(BY).map(|value| std::str::from_utf8(value.as_bytes()).unwrap_or_default());
            return Ok(Some(Caller { role, by: by.map(by::name).transpose()?, by_cookie: false }));
        }
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let session = cookies.into_iter().find_map(|cookies| self.sessions.read(cookies, now));
        Ok(session.map(|session| Caller { role: session.role, by: Some(session.by), by_cookie: true }))
    }

    fn role_of(&self, token: &[u8]) -> Option<Role> {
        let presented: [u8; 32] = Sha256::digest(token).into();
        let (operate, flags) = (same(&presented, &self.operate), same(&presented, &self.flags));
        if operate { Some(Role::Operate) } else { flags.then_some(Role::Flags) }
    }
}

/// Compares two digests in a time that does not depend on where they differ.
fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.iter().zip(other).fold(0, |differ, (one, other)| differ | (one ^ other)) == 0
}

/// Lets a request through to its handler when the caller may.
pub(super) async fn admit(role: Role, mut request: Request, next: Next) -> Result<Response, Problem> {
    if role > Role::Public {
        let app = request.extensions().get::<App>();
        let caller = app.map(|app| app.gate.caller(request.headers(), now())).transpose()?.flatten();
        let caller = caller.ok_or_else(unknown)?;
        if caller.role < role {
            let message = format!("this needs the role {}, and yours is {}", role.as_str(), caller.role.as_str());
            return Err(Problem::new(StatusCode::FORBIDDEN, "role", message));
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        if caller.by_cookie && !reads && !is_same_origin(request.headers()) {
            return Err(Problem::new(StatusCode::FORBIDDEN, "origin", "a change must come from a page of this server itself"));
        }
        request.extensions_mut().insert(caller);
    }
    Ok(next.run(request).await)
}

fn unknown() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "you are not logged in, or the login is over")
        .hint("`cutover open` prints a link that logs this browser in")
}

/// Why the browser's own word comes first: under `no-referrer` it sends `Origin: null` with the forms of our own pages.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://")).filter(|(scheme, _)| matches!(*scheme, "http" | "https"));
    origin.zip(text(header::HOST)).is_some_and(|((_, origin), host)| origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (header::HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_change_by_cookie_comes_from_our_own_pages() {
        let host = ("host", "127.0.0.1:7070");
        let ours = [
            headers(&[host, ("origin", "http://127.0.0.1:7070")]),
            headers(&[host, ("sec-fetch-site", "same-origin"), ("origin", "null")]),
        ];
        let theirs = [
            headers(&[host]),
            headers(&[host, ("origin", "null")]),
            headers(&[host, ("origin", "http://127.0.0.1:7071")]),
            headers(&[host, ("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:7070")]),
            headers(&[host, ("sec-fetch-site", "cross-site")]),
        ];
        assert!(ours.iter().all(is_same_origin));
        assert!(!theirs.iter().any(is_same_origin));
    }

    #[test]
    fn a_token_that_is_presented_must_verify() {
        let gate = Gate::new(&Tokens { operate: Secret::new("operate token"), flags: Secret::new("flags token") });
        let role = |value: &'static str| {
            let caller = gate.caller(&headers(&[("authorization", value)]), Utc::now()).unwrap();
            caller.map(|caller| caller.role)
        };
        assert_eq!(role("Bearer operate token"), Some(Role::Operate));
        assert_eq!(role("Bearer flags token"), Some(Role::Flags));
        for wrong in ["Bearer ", "Bearer nothing", "bearer operate token", "operate token", "Basic b3BlcmF0ZQ=="] {
            assert_eq!(role(wrong), None, "{wrong}");
        }
    }
}
