//! Promises of a service that is reached by HTTP: one that tells its release at `/version`, gives back what is posted to `/echo`, and
//! knows nothing else.

use std::time::Duration;

use cutover::ports::PortError;
use cutover::ports::http::{Http, HttpRequest};
use serde_json::{Value, json};

fn request(method: &str, path: &str) -> HttpRequest {
    HttpRequest { method: method.to_owned(), path: path.to_owned(), body: None, timeout: Duration::from_secs(30) }
}

pub async fn every_answer_is_fine(http: &dyn Http, release: &str) {
    let answer = http.send(&request("GET", "/version")).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), json!({ "version": release }));
    assert_eq!(http.send(&request("GET", "/nothing")).await.unwrap().status, 404);
    let body = json!({ "title": "[Rust] Ownership" });
    let echo = http.send(&HttpRequest { body: Some(body.clone()), ..request("POST", "/echo") }).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&echo.body).unwrap(), body);
    for path in ["version", "//elsewhere.example/version"] {
        assert!(matches!(http.send(&request("GET", path)).await, Err(PortError::Invalid { .. })), "{path}");
    }
}

pub async fn no_answer_is_unreachable(http: &dyn Http) {
    let error = http.send(&request("GET", "/version")).await.unwrap_err();
    assert!(matches!(error, PortError::Unreachable { .. }), "{error:?}");
}
