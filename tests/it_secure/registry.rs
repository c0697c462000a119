//! A registry over TLS with basic authentication. Apicurio 2 asks for passwords only together with a Keycloak, so a proxy stands before it
//! that does both, as it does in front of most registries.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cutover::adapters::registry::ConfluentRegistry;
use cutover::adapters::secret::ProcessSecrets;
use cutover::ports::PortError;
use cutover::ports::registry::Registry;
use cutover::ports::settings::{ApiSettings, BasicAuth, SecretRef, Tls};

use crate::conformance::registry as promises;
use crate::ground::{PASSWORD, Vault, WRONG, ground};
use crate::tls;

const SETTING: &str = "cutover.yaml: environments.test.registry.main";
const USER: &str = "cutover";

/// What lets the right user through to the registry.
pub fn proxy(registry: &str) -> Router {
    let base = registry.to_owned();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    Router::new().fallback(pass).with_state((base, client))
}

async fn pass(
    State((base, client)): State<(String, reqwest::Client)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let expected = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    if headers.get("authorization").and_then(|value| value.to_str().ok()) != Some(&expected) {
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic realm=\"registry\"")]).into_response();
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = client.request(method, format!("{base}{path}")).body(body);
    for name in ["accept", "content-type"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await.unwrap();
    let (status, kind) = (answer.status(), answer.headers().get("content-type").cloned());
    let mut response = Response::builder().status(status);
    if let Some(kind) = kind {
        response = response.header("content-type", kind);
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

fn settings() -> ApiSettings {
    let ground = ground();
    let basic = BasicAuth { username: USER.to_owned(), password: SecretRef::Env("SCRAM_PASSWORD".to_owned()) };
    let tls = Tls { ca: Some(ground.authority.file.to_string_lossy().into_owned()), ..Tls::default() };
    ApiSettings { url: ground.registry_url.clone(), basic: Some(basic), tls: Some(tls) }
}

async fn told(settings: &ApiSettings) -> String {
    let registry = ConfluentRegistry::connect("main", settings, SETTING, &Vault).unwrap();
    let error = registry.subjects().await.unwrap_err();
    let told = error.to_string();
    assert!(matches!(error, PortError::Refused { .. }), "{told}");
    assert!(told.contains(SETTING) && !told.contains(WRONG) && !told.contains(PASSWORD), "{told}");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_with_a_password() {
    let registry = ConfluentRegistry::connect("main", &settings(), SETTING, &Vault).unwrap();
    promises::it_answers_and_has_a_default_level(registry.as_ref()).await;
    promises::a_schema_is_registered_once_and_found_again(registry.as_ref()).await;
    promises::an_incompatible_schema_is_invalid_and_changes_nothing(registry.as_ref()).await;
    promises::a_level_of_its_own_is_set_counts_and_is_taken_back(registry.as_ref()).await;
    promises::a_deleted_version_is_gone_and_its_number_is_not_used_again(registry.as_ref()).await;
    promises::subjects_may_have_odd_names(registry.as_ref()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password() {
    let mut wrong = settings();
    wrong.basic.as_mut().unwrap().password = SecretRef::Env("WRONG".to_owned());
    let told = told(&wrong).await;
    assert!(told.contains("401") && told.contains("`basic`"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_did_not_sign() {
    let mut wrong = settings();
    let stranger = ground().stranger.file.to_string_lossy().into_owned();
    wrong.tls.as_mut().unwrap().ca = Some(stranger.clone());
    let told = told(&wrong).await;
    assert!(told.contains(&stranger) && told.contains("`tls.ca`"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_and_one_for_another_host() {
    let ground = ground();
    let before = &ground.stack.registry.url;
    let expired = tls::serve(proxy(before), &ground.authority.expired("expired-registry", &["127.0.0.1"])).await;
    let expired = told(&ApiSettings { url: expired, ..settings() }).await;
    assert!(expired.contains("has expired"), "{expired}");
    let elsewhere = tls::serve(proxy(before), &ground.authority.identity("elsewhere-registry", &["registry.elsewhere.example"])).await;
    let elsewhere = told(&ApiSettings { url: elsewhere, ..settings() }).await;
    assert!(elsewhere.contains("registry.elsewhere.example") && elsewhere.contains("127.0.0.1"), "{elsewhere}");
}

/// A server that repeats what it was sent, as some do on their error pages.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_come_back_are_taken_out() {
    let echo = async |headers: HeaderMap| (StatusCode::BAD_REQUEST, format!("{headers:?} {PASSWORD}"));
    let url = tls::serve(Router::new().fallback(echo), &ground().authority.identity("echo", &["127.0.0.1"])).await;
    let file = ground().directory.join("echoed-password");
    std::fs::write(&file, PASSWORD).unwrap();
    let mut settings = ApiSettings { url, ..settings() };
    settings.basic.as_mut().unwrap().password = SecretRef::File(file.to_string_lossy().into_owned());
    let registry = ConfluentRegistry::connect("main", &settings, SETTING, &ProcessSecrets::default()).unwrap();
    let told = registry.subjects().await.unwrap_err().to_string();
    let encoded = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    assert!(told.contains("[secret]") && !told.contains(PASSWORD) && !told.contains(&encoded), "{told}");
}
