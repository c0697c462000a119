//! Who is refused is told why and what to do, at once, and never sees a secret repeated.

use std::time::Duration;

use cutover::adapters::kafka::KafkaCluster;
use cutover::ports::PortError;
use cutover::ports::kafka::Kafka;
use cutover::ports::settings::{KafkaSettings, SaslMechanism, SecretRef};

use crate::conformance::kafka::{PATIENCE, at, record};
use crate::ground::{PASSWORD, SETTING, USER, Vault, WRONG, connect, ground};
use crate::provider::{FORGER, SECRET};

/// Nobody waits for ever: this is far beyond what any refusal takes.
const HANG: Duration = Duration::from_mins(2);

/// Asks in every way there is; each is refused, and all say the same words.
async fn told(settings: &KafkaSettings) -> String {
    let cluster = connect(settings);
    let (records, until) = ([record("k", "v")], [at(0, 1)]);
    let asked = async || {
        [
            cluster.cluster().await.map(drop),
            cluster.topic("t").await.map(drop),
            cluster.produce("t", &records).await.map(drop),
            cluster.read("t", &[(at(0, 0), 1)], PATIENCE).await.map(drop),
            cluster.consume("t", "g", &until, PATIENCE).await.map(drop),
            cluster.committed("g", "t").await.map(drop),
            cluster.group("g").await.map(drop),
        ]
    };
    // Why again: a broker of a busy machine may be silent for once, and that is no refusal.
    let asked = async {
        loop {
            let outcomes = asked().await;
            if !outcomes.iter().any(|outcome| outcome.as_ref().is_err_and(PortError::is_passing)) {
                break outcomes;
            }
        }
    };
    let outcomes = tokio::time::timeout(HANG, asked).await.expect("an answer before anybody gives up");
    let mut last = String::new();
    for outcome in outcomes {
        let error = outcome.expect_err("no entrance");
        last = error.to_string();
        assert!(matches!(error, PortError::Refused { .. }), "{last}");
        assert!(last.contains(SETTING), "{last}");
        for secret in [PASSWORD, WRONG, SECRET, "PRIVATE KEY"] {
            assert!(!last.contains(secret), "{last}");
        }
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password() {
    for mechanism in [SaslMechanism::ScramSha512, SaslMechanism::Plain] {
        let mut settings = ground().named(mechanism, USER);
        settings.sasl.as_mut().unwrap().password = Some(SecretRef::Env("WRONG".to_owned()));
        let told = told(&settings).await;
        assert!(told.contains("uthentication failed") && told.contains("see `sasl`"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mechanism_that_the_broker_does_not_offer() {
    let mut settings = ground().scram();
    settings.bootstrap = ground().token().bootstrap;
    let told = told(&settings).await;
    assert!(told.contains("SCRAM-SHA-512") && told.contains("`sasl"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_did_not_sign() {
    let stranger = ground().stranger.file.to_string_lossy().into_owned();
    let mut settings = ground().scram();
    settings.tls.as_mut().unwrap().ca = Some(stranger.clone());
    let told = told(&settings).await;
    assert!(told.contains(&stranger) && told.contains("`tls.ca`"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate() {
    let told = told(&ground().encrypted(ground().ports.expired)).await;
    assert!(told.contains("has expired") && told.contains("renewed"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_host() {
    let told = told(&ground().encrypted(ground().ports.elsewhere)).await;
    assert!(told.contains("broker.elsewhere.example") && told.contains("127.0.0.1"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_certificate() {
    let told = told(&ground().encrypted(ground().ports.certificate)).await;
    assert!(told.contains("`tls.certificate`") && told.contains("`tls.key`"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_of_a_stranger() {
    let other = ground().stranger.identity("stranger-client", &["stranger.example"]);
    let mut settings = ground().certificate();
    let tls = settings.tls.as_mut().unwrap();
    tls.certificate = Some(other.certificate.to_string_lossy().into_owned());
    tls.key = Some(SecretRef::File(other.key.to_string_lossy().into_owned()));
    let told = told(&settings).await;
    assert!(told.contains("our certificate"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_client_secret() {
    let mut settings = ground().token();
    settings.sasl.as_mut().unwrap().token.as_mut().unwrap().secret = SecretRef::Env("WRONG".to_owned());
    let told = told(&settings).await;
    assert!(told.contains("invalid_client") && told.contains("`sasl.token.secret`"), "{told}");
}

/// A token with a signature that is not the provider's: the broker itself checks it.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_token() {
    let mut settings = ground().token();
    settings.sasl.as_mut().unwrap().token.as_mut().unwrap().client = FORGER.to_owned();
    let told = told(&settings).await;
    assert!(told.contains("see `sasl`"), "{told}");
}

#[test]
fn a_secret_that_would_travel_in_the_clear() {
    let mut settings = ground().token();
    settings.sasl.as_mut().unwrap().token.as_mut().unwrap().url = "http://id.example/token".to_owned();
    let told = KafkaCluster::connect("main", &settings, SETTING, &Vault).err().unwrap().to_string();
    assert!(told.contains("https://") && !told.contains(SECRET), "{told}");
}

/// The provider is away: that passes, so it is no refusal.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut settings = ground().token();
    settings.sasl.as_mut().unwrap().token.as_mut().unwrap().url = format!("http://{nobody}/token");
    let cluster = connect(&settings);
    let asked = tokio::time::timeout(HANG, cluster.cluster()).await.expect("an answer");
    let error = asked.unwrap_err();
    assert!(matches!(&error, PortError::Unreachable { detail, .. } if detail.contains("no token from")), "{error}");
}
