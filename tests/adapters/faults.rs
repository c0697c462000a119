//! Servers that are not there, are not the right ones, or say no.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use cutover::adapters::registry::ConfluentRegistry;
use cutover::adapters::secret::{ProcessSecrets, Secret, Secrets};
use cutover::ports::PortError;
use cutover::ports::kafka::{Kafka, NewTopic};
use cutover::ports::registry::{Compatibility, NewSchema, Registry, SchemaFormat};
use cutover::ports::settings::{ApiSettings, BasicAuth, KafkaSettings, SecretRef};
use cutover::step::StepError;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::mocking::MockCluster;

use super::{SETTING, bootstrap, connect, kafka, kafka_settings, registry, registry_at};
use crate::conformance::fresh;
use crate::conformance::kafka::{PATIENCE, at, record, topic};

/// A port on which nobody listens.
fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Every call of a cluster ends unreachable and names where the address was set.
#[tokio::test]
async fn nobody_listening_is_unreachable_and_names_the_setting() {
    let address = nobody();
    let kafka = connect(&kafka_settings(&address));
    let new = NewTopic { name: "t".to_owned(), partitions: 1, replication: None, configs: std::collections::BTreeMap::new() };
    let (records, range, until) = ([record("k", "v")], [(at(0, 0), 1)], [at(0, 1)]);
    let (cluster, topics, created, produced, read, consumed) = tokio::join!(
        kafka.cluster(),
        kafka.topics(),
        kafka.create_topic(&new),
        kafka.produce("t", &records),
        kafka.read("t", &range, PATIENCE),
        kafka.consume("t", "g", &until, PATIENCE),
    );
    for error in
        [cluster.unwrap_err(), topics.unwrap_err(), created.unwrap_err(), produced.unwrap_err(), read.unwrap_err(), consumed.unwrap_err()]
    {
        let told = error.to_string();
        assert!(matches!(error, PortError::Unreachable { .. }), "{told}");
        assert!(told.contains(&address) && told.contains(SETTING) && told.contains("kafka main"), "{told}");
        assert!(told.contains("refused"), "the reason, not only a timeout: {told}");
    }
}

#[tokio::test]
async fn another_cluster_is_refused_with_both_ids() {
    let id = kafka().cluster().await.unwrap().id;
    let right = connect(&KafkaSettings { cluster_id: Some(id.clone()), ..kafka_settings(&bootstrap()) });
    right.topics().await.unwrap();
    let wrong = connect(&KafkaSettings { cluster_id: Some("not-this-one".to_owned()), ..kafka_settings(&bootstrap()) });
    let name = fresh("conformance");
    let new = NewTopic { name: name.clone(), partitions: 1, replication: None, configs: std::collections::BTreeMap::new() };
    for error in [wrong.create_topic(&new).await.unwrap_err(), wrong.topics().await.unwrap_err(), wrong.cluster().await.unwrap_err()] {
        let told = error.to_string();
        assert!(matches!(error, PortError::Refused { .. }), "{told}");
        assert!(told.contains(&id) && told.contains("not-this-one"), "{told}");
    }
    assert_eq!(right.topic(&name).await.unwrap(), None, "nothing was done on the wrong cluster");
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_on_a_consumer_ends_it() {
    let kafka = kafka();
    let name = topic(kafka.as_ref(), 1, &[]).await;
    let group = fresh("group");
    let (consumer, of, within) = (Arc::clone(&kafka), name.clone(), group.clone());
    let waiting = tokio::spawn(async move { consumer.consume(&of, &within, &[at(0, 5)], PATIENCE).await });
    let joined = wait_for_members(kafka.as_ref(), &group, 1).await;
    assert_eq!(joined.as_deref(), Some("Stable"));
    waiting.abort();
    wait_for_members(kafka.as_ref(), &group, 0).await;
}

/// Waits until the group has this many members and is at rest, and returns the word for its state.
async fn wait_for_members(kafka: &dyn Kafka, group: &str, members: u32) -> Option<String> {
    for _ in 0..300 {
        // Why: a broker that makes its first group has no coordinator for a moment, and says so.
        match kafka.group(group).await {
            Ok(None) if members == 0 => return None,
            Ok(Some(state)) if state.members == members && (members == 0 || state.state == "Stable") => return Some(state.state),
            Err(error) if !error.is_passing() => panic!("{error}"),
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    panic!("group {group} never came to have {members} members: {:?}", kafka.group(group).await);
}

/// Groups of Kafka's newer protocol are no classic groups, and are seen all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_the_newer_protocol_is_seen() {
    let kafka = kafka();
    let name = topic(kafka.as_ref(), 1, &[]).await;
    let group = fresh("group");
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap())
        .set("group.id", &group)
        .set("group.protocol", "consumer")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    kafka.produce(&name, &[record("k", "v")]).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, of) = (Arc::clone(&stop), name.clone());
    let running = tokio::task::spawn_blocking(move || {
        consumer.subscribe(&[&of]).unwrap();
        while !stopped.load(Ordering::Acquire) {
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                consumer.commit_message(&message, CommitMode::Sync).unwrap();
            }
        }
    });
    assert_eq!(wait_for_members(kafka.as_ref(), &group, 1).await.as_deref(), Some("Stable"));
    for _ in 0..300 {
        if kafka.committed(&group, &name).await.unwrap() == [at(0, 1)] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(kafka.committed(&group, &name).await.unwrap(), [at(0, 1)]);
    stop.store(true, Ordering::Release);
    running.await.unwrap();
    assert_eq!(wait_for_members(kafka.as_ref(), &group, 0).await.as_deref(), Some("Empty"));
}

/// A coordinator that goes away and comes back must cost an error, never the process.
#[tokio::test]
async fn a_coordinator_that_comes_back_does_no_harm() {
    let servers = MockCluster::new(1).unwrap();
    let kafka = connect(&kafka_settings(&servers.bootstrap_servers()));
    // Why: the client has to know the cluster before it goes away. What the answer is does not matter here.
    let _ = kafka.group("g").await;
    servers.broker_down(1).unwrap();
    let error = kafka.group("g").await.unwrap_err();
    assert!(matches!(error, PortError::Unreachable { .. }), "{error:?}");
    servers.broker_up(1).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let back = kafka.group("g").await;
    assert!(!matches!(back, Err(PortError::Unreachable { .. })), "{back:?}");
}

/// A server that gives every request the same answer.
async fn answering(status: u16, body: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = move || async move { (StatusCode::from_u16(status).unwrap(), [("location", "https://elsewhere/")], body).into_response() };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    format!("http://{address}")
}

fn json() -> NewSchema {
    NewSchema { format: SchemaFormat::Json, text: r#"{"type":"object"}"#.to_owned(), ..NewSchema::default() }
}

#[tokio::test]
async fn a_registry_that_does_not_know_us_refuses() {
    for status in [401, 403] {
        let registry = registry_at(&answering(status, r#"{"error_code":401,"message":"Unauthorized"}"#).await);
        for error in [
            registry.ping().await.unwrap_err(),
            registry.latest("s").await.unwrap_err(),
            registry.register("s", &json()).await.unwrap_err(),
            registry.level("s").await.unwrap_err(),
        ] {
            assert!(matches!(error, PortError::Refused { .. }), "{error:?}");
            assert!(error.to_string().contains(SETTING), "{error}");
        }
    }
}

#[tokio::test]
async fn a_registry_that_is_none_is_told_from_an_empty_one() {
    for (status, body) in [(200, "<html>Log in</html>"), (404, "<html>Not Found</html>"), (302, "")] {
        let registry = registry_at(&answering(status, body).await);
        for error in [registry.latest("s").await.unwrap_err(), registry.level("s").await.unwrap_err(), registry.ping().await.unwrap_err()] {
            assert!(matches!(error, PortError::Invalid { .. }), "{status}: {error:?}");
        }
    }
    let away = registry_at(&answering(302, "").await).ping().await.unwrap_err();
    assert!(away.to_string().contains("https://elsewhere/"), "{away}");
    let busy = registry_at(&answering(503, "try later").await).subjects().await.unwrap_err();
    assert!(matches!(&busy, PortError::Unreachable { detail, .. } if detail.contains("try later")), "{busy:?}");
}

#[tokio::test]
async fn no_registry_listening_is_unreachable_and_names_the_setting() {
    let error = registry_at(&format!("http://{}", nobody())).ping().await.unwrap_err();
    assert!(matches!(error, PortError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(SETTING), "{error}");
}

struct OnePassword;

impl Secrets for OnePassword {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, StepError> {
        match reference {
            SecretRef::Env(name) if name == "PASSWORD" => Ok(Secret::new("open sesame")),
            other => ProcessSecrets::default().resolve(other),
        }
    }
}

#[tokio::test]
async fn basic_authentication_is_sent_and_a_missing_password_is_named() {
    let seen = Arc::new(std::sync::Mutex::new(String::new()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let note = Arc::clone(&seen);
    let answer = move |headers: axum::http::HeaderMap| async move {
        *note.lock().unwrap() = headers["authorization"].to_str().unwrap().to_owned();
        r#"["a","b"]"#
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });

    let basic = |variable: &str| BasicAuth { username: "cutover".to_owned(), password: SecretRef::Env(variable.to_owned()) };
    let settings = |variable: &str| ApiSettings { url: url.clone(), basic: Some(basic(variable)), tls: None };
    let registry = ConfluentRegistry::connect("main", &settings("PASSWORD"), SETTING, &OnePassword).unwrap();
    assert_eq!(registry.subjects().await.unwrap(), ["a", "b"]);
    assert_eq!(*seen.lock().unwrap(), "Basic Y3V0b3ZlcjpvcGVuIHNlc2FtZQ==");
    let missing = ConfluentRegistry::connect("main", &settings("CUTOVER_TEST_NO_SUCH_VARIABLE"), SETTING, &OnePassword);
    assert_eq!(missing.err(), Some(StepError::NoSecret { reference: "env:CUTOVER_TEST_NO_SUCH_VARIABLE".to_owned() }));
}

/// Apicurio takes NONE for a subject as "no level of its own", and its default stays in force.
#[tokio::test]
async fn a_registry_that_cannot_hold_none_says_so_and_changes_nothing() {
    let registry = registry();
    let subject = fresh("orders-value");
    registry.set_level(&subject, Some(Compatibility::Full)).await.unwrap();
    let error = registry.set_level(&subject, Some(Compatibility::None)).await.unwrap_err();
    assert!(matches!(&error, PortError::Invalid { detail, .. } if detail.contains("BACKWARD")), "{error:?}");
    assert_eq!(registry.level(&subject).await.unwrap(), Some(Compatibility::Full));
}

#[tokio::test]
async fn registrations_at_once_all_end_well_or_in_a_conflict() {
    let registry = registry();
    let subject = fresh("orders-value");
    let schema = |number: usize| NewSchema {
        format: SchemaFormat::Json,
        text: format!(r#"{{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","title":"t{number}"}}"#),
        ..NewSchema::default()
    };
    let schemas = (0..8).map(schema).collect::<Vec<_>>();
    let outcomes = futures_util::future::join_all(schemas.iter().map(|schema| registry.register(&subject, schema))).await;
    for (schema, outcome) in schemas.iter().zip(outcomes) {
        match outcome {
            Ok(_) => {}
            Err(PortError::Conflict { .. }) => assert!(registry.register(&subject, schema).await.is_ok(), "alone it is no conflict"),
            Err(error) => panic!("a race was taken for something else: {error:?}"),
        }
    }
}
