//! `GET /login`: spends a code from a terminal and gives the browser a session.

use std::time::Instant;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::Deserialize;

use super::super::input::Params;
use super::super::problem::Problem;
use super::super::{App, now};
use super::frame::Frame;
use super::page;

/// What the link carries.
#[derive(Deserialize)]
pub(in crate::web) struct Link {
    code: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoggedIn {
    frame: Frame,
    next: String,
}

/// Logs a browser in and sends it on.
pub(in crate::web) async fn login(
    State(app): State<App>,
    method: Method,
    headers: HeaderMap,
    Params(link): Params<Link>,
) -> Result<Response, Problem> {
    let unusable = || {
        let message = if link.code.is_some() { "this link was used before, or is older than a minute" } else { "you are not logged in" };
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message).hint("`cutover open` prints a new one")
    };
    // Why: whoever only asks for the headers, as link previews do, must not use the code up.
    let code = link.code.as_deref().filter(|_| method == Method::GET);
    let session = code.and_then(|code| app.codes.spend(code, Instant::now())).ok_or_else(unusable)?;
    let cookie = AppendHeaders([(header::SET_COOKIE, app.gate.sessions.cookie(&session, now()))]);
    let next = link.next.as_deref().filter(|next| is_local(next)).unwrap_or("/").to_owned();
    let site = headers.get("sec-fetch-site").map(axum::http::HeaderValue::as_bytes);
    if matches!(site, None | Some(b"none" | b"same-origin")) {
        return Ok((StatusCode::SEE_OTHER, cookie, [(header::LOCATION, next)]).into_response());
    }
    // Why: a redirect that another site's page began counts as that site's, and would leave the strict cookie behind.
    Ok((cookie, page(&LoggedIn { frame: Frame::new(&app, None, &[]), next })?).into_response())
}

/// Whether an address stays on this server.
fn is_local(next: &str) -> bool {
    next.starts_with('/') && !next.starts_with("//") && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_one_of_ours() {
        assert!(is_local("/") && is_local("/runs/1?journal=all#end"));
        for bad in ["", "runs", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nset-cookie: b", "/ a"] {
            assert!(!is_local(bad), "{bad:?}");
        }
    }
}
