//! The outermost layer: answers only to its own names, puts the headers on every response, and gives people a page where something
//! went wrong.

use std::any::Any;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::{App, pages};

/// Why `default-src` alone is enough for scripts and styles: there are no inline ones.
const POLICY: &str = "default-src 'self'; frame-ancestors 'none'; object-src 'none'; base-uri 'none'; form-action 'self'";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

pub(super) async fn dress(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let known = is_known_host(&app, request.headers(), &uri);
    request.extensions_mut().insert(App::clone(&app));
    let mut response = if known { next.run(request).await } else { stranger() };
    if !is_for_programs(uri.path())
        && let Some(problem) = response.extensions_mut().remove::<Problem>()
    {
        let origin = (method == Method::GET).then_some(&uri);
        response = pages::problem(&app, &problem, uri.path(), origin);
    }
    let headers = response.headers_mut();
    for (name, value) in &HEADERS {
        // Why not always ours: a report carries its style inside and says so in a policy that allows even less.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A panic in a handler: the message goes to the log only.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands the payload over")]
pub(super) fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response {
    let words = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let words = words.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned());
    tracing::error!(panic = words, "a request handler panicked");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "this request met a defect of cutover")
        .hint("the log of `cutover serve` says more; runs go on")
        .into_response()
}

fn stranger() -> Response {
    // Why: a page of another origin whose name was made to point at this machine must get nothing.
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "host", "this server is not known by that name")
        .hint("use the address that `cutover serve` prints")
        .into_response()
}

fn is_known_host(app: &App, headers: &HeaderMap, uri: &Uri) -> bool {
    let mut named = headers.get_all(header::HOST).iter();
    let host = match (named.next(), named.next()) {
        (Some(one), None) => one.to_str().ok(),
        (None, _) => uri.authority().map(axum::http::uri::Authority::as_str),
        (Some(_), Some(_)) => None,
    };
    host.is_some_and(|host| app.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)))
}

fn is_for_programs(path: &str) -> bool {
    ["/api/", "/flags/", "/healthz", "/static/"].iter().any(|start| path.starts_with(start)) || path.ends_with("/live")
}
