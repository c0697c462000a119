//! Real Prometheus: how tests get at it, and what memory cannot show.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Query;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::IntoResponse;
use cutover::adapters::metrics::Prometheus;
use cutover::adapters::secret::{ProcessSecrets, Secret, Secrets};
use cutover::ports::PortError;
use cutover::ports::metrics::Metrics;
use cutover::ports::settings::{ApiSettings, BasicAuth, SecretRef};
use cutover::stack::process::Identity;
use cutover::step::StepError;

use super::SETTING;

/// The program, and where it answers.
static SERVED: OnceLock<(Child, String)> = OnceLock::new();

fn connect(url: &str, basic: Option<BasicAuth>, secrets: &dyn Secrets) -> Arc<Prometheus> {
    Prometheus::connect("main", &ApiSettings { url: url.to_owned(), basic, tls: None }, SETTING, secrets).unwrap()
}

/// The one that all tests of this binary share; it watches itself once a second.
pub fn prometheus() -> Arc<Prometheus> {
    let (_, address) = SERVED.get_or_init(|| {
        let start = || tokio::runtime::Runtime::new().unwrap().block_on(start());
        std::thread::spawn(start).join().unwrap()
    });
    connect(address, None, &ProcessSecrets::default())
}

async fn start() -> (Child, String) {
    super::bootstrap();
    let servers = crate::support::servers().await;
    let directory = servers.directory.join("prometheus");
    std::fs::create_dir_all(&directory).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let config = directory.join("prometheus.yml");
    let scrapes = format!("scrape_configs: [{{job_name: own, scrape_interval: 1s, static_configs: [{{targets: ['{address}']}}]}}]\n");
    std::fs::write(&config, scrapes).unwrap();
    let option = |name: &str, value: &Path| format!("--{name}={}", value.display());
    let child = Command::new("prometheus")
        .args([option("config.file", &config), option("storage.tsdb.path", &directory.join("data"))])
        .arg(format!("--web.listen-address={address}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(directory.join("log")).unwrap())
        .spawn()
        .unwrap_or_else(|error| panic!("prometheus does not start ({error}); apt-get install prometheus"));
    servers.end_with_tests(&Identity::of(child.id()).unwrap());
    let url = format!("http://{address}");
    let client = connect(&url, None, &ProcessSecrets::default());
    let until = Instant::now() + Duration::from_mins(1);
    while client.ping().await.is_err() {
        assert!(Instant::now() < until, "prometheus does not answer: {}", std::fs::read_to_string(directory.join("log")).unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (child, url)
}

#[tokio::test]
async fn a_series_has_its_labels_and_its_value() {
    let metrics = prometheus();
    let mut series = Vec::new();
    for _ in 0..600 {
        series = metrics.query("up{job=\"own\"}").await.unwrap();
        if !series.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(series.len(), 1);
    assert_eq!(series[0].labels["job"], "own");
    assert!(series[0].value >= 0.0);
    let several = metrics.query("count by (handler) (prometheus_http_requests_total)").await.unwrap();
    assert!(several.iter().all(|one| one.labels.contains_key("handler")), "{several:?}");
}

#[tokio::test]
async fn what_is_not_a_number_and_what_has_no_end_come_back() {
    let metrics = prometheus();
    assert!(metrics.query("vector(0) / vector(0)").await.unwrap()[0].value.is_nan());
    assert!(metrics.query("vector(1) / vector(0)").await.unwrap()[0].value.is_infinite());
    let long = format!("vector(7) # {}", "longer than an address may be ".repeat(2_000));
    assert!((metrics.query(&long).await.unwrap()[0].value - 7.0).abs() < 1e-9);
}

#[tokio::test]
async fn a_wrong_expression_is_told_in_prometheus_own_words() {
    let metrics = prometheus();
    let PortError::Invalid { detail, system } = metrics.query("sum(rate(up[1m])").await.unwrap_err() else { panic!("not Invalid") };
    assert!(detail.contains("parse error") && detail.contains("sum(rate(up[1m])"), "{detail}");
    assert_eq!(system.name, "metrics main");
    let PortError::Invalid { detail, .. } = metrics.query("up[1m]").await.unwrap_err() else { panic!("not Invalid") };
    assert!(detail.contains("ranges"), "{detail}");
    let PortError::Invalid { detail, .. } =
        metrics.query("vector(1) / on(x) group_left up * on() up + vector(1) offset").await.unwrap_err()
    else {
        panic!("not Invalid")
    };
    assert!(detail.contains("parse error"), "{detail}");
}

#[tokio::test]
async fn a_page_that_is_not_the_api_and_nobody_at_all_are_told_apart() {
    let url = {
        prometheus();
        SERVED.get().unwrap().1.clone()
    };
    let elsewhere = connect(&format!("{url}/elsewhere"), None, &ProcessSecrets::default());
    let error = elsewhere.ping().await.unwrap_err();
    assert!(matches!(error, PortError::Invalid { .. }), "{error}");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = connect(&format!("http://{nobody}"), None, &ProcessSecrets::default()).ping().await.unwrap_err();
    assert!(matches!(error, PortError::Unreachable { .. }) && error.to_string().contains(SETTING), "{error}");
}

struct OneSecret;

impl Secrets for OneSecret {
    fn resolve(&self, _: &SecretRef) -> Result<Secret, StepError> {
        Ok(Secret::new("open-sesame"))
    }
}

/// A gateway that wants a password and lets nothing through but reading.
async fn gateway(method: Method, headers: HeaderMap, Query(asked): Query<Vec<(String, String)>>) -> impl IntoResponse {
    // "ada:open-sesame"
    if headers.get("authorization").is_none_or(|sent| sent != "Basic YWRhOm9wZW4tc2VzYW1l") {
        return (StatusCode::UNAUTHORIZED, "who are you".to_owned());
    }
    if method != Method::GET {
        return (StatusCode::METHOD_NOT_ALLOWED, String::new());
    }
    assert_eq!(asked[0], ("query".to_owned(), "sum(up{a=\"b&c\"})".to_owned()));
    (StatusCode::OK, r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"5"]}]}}"#.to_owned())
}

#[tokio::test]
async fn a_gateway_that_wants_a_password_and_takes_no_post_is_served() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served =
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/api/v1/query", axum::routing::any(gateway))).await });
    let basic = BasicAuth { username: "ada".to_owned(), password: SecretRef::Env("P".to_owned()) };
    let series = connect(&url, Some(basic), &OneSecret).query("sum(up{a=\"b&c\"})").await.unwrap();
    assert_eq!(series[0].value.to_string(), "5");
    let error = connect(&url, None, &OneSecret).query("up").await.unwrap_err();
    assert!(matches!(error, PortError::Refused { .. }), "{error}");
    served.abort();
}
