//! From `cutover.yaml`'s words to librdkafka's. Secrets are resolved here, and go nowhere but into the client's configuration.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::adapters::secret::Secrets;
use crate::ports::settings::{KafkaSecurity, KafkaSettings, SaslMechanism, Tls};
use crate::ports::{PortError, SystemRef};
use crate::step::StepError;

/// What every client gets unless `options` says otherwise.
const DEFAULTS: &[(&str, &str)] = &[
    ("socket.timeout.ms", "10000"),
    ("socket.connection.setup.timeout.ms", "5000"),
    ("reconnect.backoff.max.ms", "1000"),
    ("log.connection.close", "false"),
    ("enable.metrics.push", "false"),
    // Why: records must land where the Java clients of the same topic put that key.
    ("partitioner", "murmur2_random"),
];

/// Options that `cutover.yaml` has a field for, or that decide what cutover may promise.
const OURS: &[(&str, &str)] = &[
    ("bootstrap.servers", "use `bootstrap`"),
    ("metadata.broker.list", "use `bootstrap`"),
    ("security.protocol", "use `security`"),
    ("sasl.mechanism", "use `sasl.mechanism`"),
    ("sasl.mechanisms", "use `sasl.mechanism`"),
    ("sasl.username", "use `sasl.username`"),
    ("sasl.password", "use `sasl.password` with a reference such as `env:KAFKA_PASSWORD`"),
    ("ssl.ca.pem", "use `tls.ca`"),
    ("ssl.certificate.pem", "use `tls.certificate`"),
    ("ssl.key.pem", "use `tls.key` with a reference"),
    ("ssl.key.password", "use `tls.key` with a key that has no password"),
    ("ssl.keystore.password", "use `tls.certificate` and `tls.key`"),
    ("sasl.oauthbearer.client.secret", "a secret cannot be an option"),
    ("plugin.library.paths", "loading code is not possible"),
    ("ssl.engine.location", "loading code is not possible"),
    ("sasl.kerberos.kinit.cmd", "running commands is not possible"),
    ("client.id", "it is always `cutover`"),
    ("group.id", "it is cutover's own affair"),
    ("group.instance.id", "it is cutover's own affair"),
    ("transactional.id", "it is cutover's own affair"),
    ("enable.idempotence", "it is always on"),
    ("acks", "it is always `all`"),
    ("request.required.acks", "it is always `all`"),
    ("isolation.level", "it is cutover's own affair"),
    ("auto.offset.reset", "it is cutover's own affair"),
    ("enable.auto.commit", "it is cutover's own affair"),
    ("enable.partition.eof", "it is cutover's own affair"),
    ("allow.auto.create.topics", "it is always off"),
];

/// The configuration that all clients of this cluster share.
///
/// # Errors
/// [`StepError::NoSecret`] when a secret is missing, [`PortError::Invalid`] when a file cannot be read or an option does not exist.
pub(super) fn base(settings: &KafkaSettings, system: &SystemRef, secrets: &dyn Secrets) -> Result<ClientConfig, StepError> {
    let invalid = |detail: String| StepError::Port(PortError::Invalid { system: system.clone(), detail });
    if settings.bootstrap.trim().is_empty() {
        return Err(invalid("`bootstrap` is empty; write `host:port`, several with commas between them".to_owned()));
    }
    let mut config = ClientConfig::new();
    // Why: lines are filtered by `tracing`; librdkafka itself decides by this and must not ask the global logger.
    config.set_log_level(RDKafkaLogLevel::Info);
    for (key, value) in DEFAULTS {
        config.set(*key, *value);
    }
    for (key, value) in &settings.options {
        if let Some((_, instead)) = OURS.iter().find(|(name, _)| name == key) {
            return Err(invalid(format!("`options` cannot hold `{key}`: {instead}")));
        }
        config.set(key, value);
    }
    config.set("bootstrap.servers", settings.bootstrap.trim());
    config.set("client.id", "cutover");
    config.set("allow.auto.create.topics", "false");
    config.set("security.protocol", protocol(settings.security));
    if let Some(sasl) = &settings.sasl {
        config.set("sasl.mechanisms", sasl.mechanism.as_str());
        // Why: a token is fetched when a client asks for it, see `token.rs`.
        if sasl.mechanism != SaslMechanism::OauthBearer {
            let lacks = |field: &str| invalid(format!("`sasl.{field}` is missing, and {} needs it", sasl.mechanism.as_str()));
            config.set("sasl.username", sasl.username.as_ref().ok_or_else(|| lacks("username"))?);
            config.set("sasl.password", secrets.resolve(sasl.password.as_ref().ok_or_else(|| lacks("password"))?)?.expose());
        }
    }
    if let Some(tls) = &settings.tls {
        set_tls(&mut config, tls, secrets, &invalid)?;
    }
    match config.create_native_config() {
        Ok(_) => Ok(config),
        Err(error) => Err(invalid(super::fault::flatten(&error).text)),
    }
}

fn set_tls(config: &mut ClientConfig, tls: &Tls, secrets: &dyn Secrets, invalid: &dyn Fn(String) -> StepError) -> Result<(), StepError> {
    let read = |field: &str, path: &str| {
        std::fs::read_to_string(path).map_err(|error| invalid(format!("`tls.{field}`: the file {path} cannot be read: {error}")))
    };
    match (&tls.certificate, &tls.key) {
        (Some(_), None) => return Err(invalid("`tls.certificate` needs `tls.key`".to_owned())),
        (None, Some(_)) => return Err(invalid("`tls.key` needs `tls.certificate`".to_owned())),
        _ => {}
    }
    if let Some(path) = &tls.ca {
        config.set("ssl.ca.pem", read("ca", path)?);
    }
    if let Some(path) = &tls.certificate {
        config.set("ssl.certificate.pem", read("certificate", path)?);
    }
    if let Some(key) = &tls.key {
        config.set("ssl.key.pem", secrets.resolve(key)?.expose());
    }
    Ok(())
}

fn protocol(security: KafkaSecurity) -> &'static str {
    match security {
        KafkaSecurity::Plaintext => "plaintext",
        KafkaSecurity::Ssl => "ssl",
        KafkaSecurity::SaslPlaintext => "sasl_plaintext",
        KafkaSecurity::SaslSsl => "sasl_ssl",
    }
}

/// The configuration of a producer: idempotent, in order, acknowledged by all replicas.
pub(super) fn producer(base: &ClientConfig) -> ClientConfig {
    let mut config = base.clone();
    config.set("enable.idempotence", "true");
    config.set("acks", "all");
    if base.get("linger.ms").is_none() {
        config.set("linger.ms", "1");
    }
    if base.get("message.timeout.ms").is_none() && base.get("delivery.timeout.ms").is_none() {
        config.set("message.timeout.ms", "30000");
    }
    config
}

/// The configuration of a reader that assigns its partitions itself, commits nothing and belongs to no group.
pub(super) fn scanner(base: &ClientConfig) -> ClientConfig {
    let mut config = base.clone();
    // Why: librdkafka wants a group id before it lets anybody assign partitions; without a subscription nobody joins it.
    config.set("group.id", "cutover-scan");
    config.set("auto.offset.reset", "error");
    reader(&mut config);
    config
}

/// The configuration of a member of `group`, or of somebody who only looks at its commits.
pub(super) fn member(base: &ClientConfig, group: &str) -> ClientConfig {
    let mut config = base.clone();
    config.set("group.id", group);
    config.set("auto.offset.reset", "earliest");
    if base.get("session.timeout.ms").is_none() {
        config.set("session.timeout.ms", "10000");
    }
    reader(&mut config);
    config
}

fn reader(config: &mut ClientConfig) {
    config.set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false");
    config.set("enable.partition.eof", "true");
    config.set("isolation.level", "read_committed");
    // Why: a reader that copies records is now and then slower than the broker; librdkafka then rests a whole second by default.
    for (key, value) in [("fetch.wait.max.ms", "100"), ("fetch.queue.backoff.ms", "5")] {
        if config.get(key).is_none() {
            config.set(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::adapters::secret::Secret;
    use crate::ports::settings::{Sasl, SecretRef};

    struct One;

    impl Secrets for One {
        fn resolve(&self, reference: &SecretRef) -> Result<Secret, StepError> {
            match reference {
                SecretRef::Env(name) if name == "PASSWORD" => Ok(Secret::new("open sesame")),
                other => Err(StepError::NoSecret { reference: other.to_string() }),
            }
        }
    }

    fn settings() -> KafkaSettings {
        KafkaSettings {
            bootstrap: "broker:9092".to_owned(),
            cluster_id: None,
            security: KafkaSecurity::Plaintext,
            sasl: None,
            tls: None,
            options: BTreeMap::new(),
        }
    }

    fn system() -> SystemRef {
        SystemRef { name: "kafka main".to_owned(), address: "broker:9092".to_owned(), setting: "cutover.yaml: kafka.main".to_owned() }
    }

    fn sasl(variable: &str) -> Sasl {
        let password = Some(SecretRef::Env(variable.to_owned()));
        Sasl { mechanism: SaslMechanism::ScramSha512, username: Some("cutover".to_owned()), password, token: None }
    }

    #[test]
    fn sasl_is_passed_on_and_its_password_does_not_print() {
        let settings = KafkaSettings { security: KafkaSecurity::SaslSsl, sasl: Some(sasl("PASSWORD")), ..settings() };
        let config = base(&settings, &system(), &One).unwrap();
        assert_eq!(config.get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(config.get("sasl.mechanisms"), Some("SCRAM-SHA-512"));
        assert_eq!(config.get("sasl.password"), Some("open sesame"));
        assert!(!format!("{config:?}").contains("open sesame"));
    }

    #[test]
    fn a_missing_password_is_named() {
        let settings = KafkaSettings { sasl: Some(sasl("OTHER")), ..settings() };
        assert_eq!(base(&settings, &system(), &One).unwrap_err(), StepError::NoSecret { reference: "env:OTHER".to_owned() });
    }

    #[test]
    fn options_pass_through_but_not_those_that_a_promise_rests_on() {
        let mut settings = settings();
        settings.options.insert("linger.ms".to_owned(), "7".to_owned());
        let config = base(&settings, &system(), &One).unwrap();
        assert_eq!(producer(&config).get("linger.ms"), Some("7"));

        for key in ["acks", "sasl.password", "plugin.library.paths", "no.such.option"] {
            settings.options = BTreeMap::from([(key.to_owned(), "1".to_owned())]);
            let told = base(&settings, &system(), &One).unwrap_err().to_string();
            assert!(told.contains(key) && told.contains("cutover.yaml: kafka.main"), "{told}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let tls = Tls { ca: Some("/no/such/ca.pem".to_owned()), ..Tls::default() };
        let told = base(&KafkaSettings { tls: Some(tls), ..settings() }, &system(), &One).unwrap_err().to_string();
        assert!(told.contains("tls.ca") && told.contains("/no/such/ca.pem"), "{told}");
    }
}
