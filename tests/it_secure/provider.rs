//! A small identity provider: gives signed tokens for client credentials, and its public key to brokers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;

/// The one client that is known.
pub const CLIENT: &str = "cutover-service";
pub const SECRET: &str = "s3cret-of-the-client";
/// A client whose tokens are signed with a key that is not the published one.
pub const FORGER: &str = "forger";
/// A client whose tokens live for seconds.
pub const SHORT: &str = "short-lived";
pub const ISSUER: &str = "https://id.test";
pub const AUDIENCE: &str = "kafka";

pub struct Provider {
    key: EcdsaKeyPair,
    other: EcdsaKeyPair,
    given: AtomicUsize,
}

/// Seconds that a client's tokens live.
fn lifetime(client: &str) -> u64 {
    if client == SHORT { 12 } else { 300 }
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap()
}

impl Provider {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { key: key(), other: key(), given: AtomicUsize::new(0) })
    }

    /// How many tokens it gave.
    pub fn given(&self) -> usize {
        self.given.load(Ordering::SeqCst)
    }

    pub fn router(self: &Arc<Self>) -> Router {
        Router::new().route("/token", post(token)).route("/keys", get(keys)).with_state(Arc::clone(self))
    }

    fn sign(&self, client: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let head = json!({ "alg": "ES256", "kid": "one", "typ": "JWT" });
        let body = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": client, "scope": "kafka", "iat": now, "exp": now + lifetime(client), "jti": now.to_string(),
        });
        let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", encode(&head), encode(&body));
        let key = if client == FORGER { &self.other } else { &self.key };
        let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

async fn keys(State(provider): State<Arc<Provider>>) -> Json<serde_json::Value> {
    // A point of the curve in the long form: a byte that says so, then both coordinates.
    let point = provider.key.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
    Json(json!({ "keys": [{ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "one", "x": x, "y": y }] }))
}

async fn token(State(provider): State<Arc<Provider>>, headers: HeaderMap, Form(form): Form<BTreeMap<String, String>>) -> Response {
    let basic = headers.get("authorization").and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Basic "));
    let login = basic.and_then(|basic| String::from_utf8(STANDARD.decode(basic).ok()?).ok()).unwrap_or_default();
    let (client, secret) = login.split_once(':').unwrap_or_default();
    if secret != SECRET || ![CLIENT, FORGER, SHORT].contains(&client) {
        let told = json!({ "error": "invalid_client", "error_description": "client or secret are wrong" });
        return (StatusCode::UNAUTHORIZED, Json(told)).into_response();
    }
    if form.get("grant_type").map(String::as_str) != Some("client_credentials")
        || form.get("scope").map(String::as_str) != Some("kafka read")
    {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_scope" }))).into_response();
    }
    provider.given.fetch_add(1, Ordering::SeqCst);
    let token = provider.sign(client);
    Json(json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime(client) })).into_response()
}
