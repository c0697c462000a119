//! One broker with a listener for every way in, a registry behind TLS and a private Postgres: started once, ended by a reaper.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use cutover::adapters::kafka::KafkaCluster;
use cutover::adapters::secret::{ProcessSecrets, Secret, Secrets};
use cutover::ports::settings::{KafkaSecurity, KafkaSettings, Sasl, SaslMechanism, SecretRef, Tls, TokenSettings};
use cutover::stack::DataDir;
use cutover::stack::local::{self, KafkaOptions, StackAddresses};
use cutover::stack::process::Identity;
use cutover::stack::progress::Silent;
use cutover::stack::reaper::Reaper;
use cutover::step::StepError;

use crate::certificates::{self, Authority};
use crate::provider::{AUDIENCE, CLIENT, ISSUER, Provider, SECRET};
use crate::reaped::Reaped;
use crate::tls;

pub const SETTING: &str = "cutover.yaml: environments.test.kafka.main";
pub const USER: &str = "cutover-scram";
pub const PASSWORD: &str = "scr4m-password-of-ours";
/// A user who may do nothing that no ACL allows.
pub const LIMITED: &str = "limited";

/// Ports of the broker's listeners.
pub struct Ports {
    pub scram: u16,
    pub token: u16,
    pub certificate: u16,
    pub expired: u16,
    pub elsewhere: u16,
}

pub struct Ground {
    pub stack: StackAddresses,
    pub ports: Ports,
    pub directory: PathBuf,
    pub authority: Authority,
    /// An authority that signed nothing here.
    pub stranger: Authority,
    pub identity: certificates::Identity,
    pub provider: Arc<Provider>,
    /// Where tokens are.
    pub provider_url: String,
    /// The registry behind TLS.
    pub registry_url: String,
    /// The data directory, for commands.
    pub data: DataDir,
    reaper: Mutex<Reaper>,
}

/// The ground, made by the first test that needs it. Why a thread and a runtime of its own: the tests' runtimes come and go, and what
/// is served here outlives them.
pub fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| {
        let begin = || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let ground = runtime.block_on(Ground::begin());
            std::mem::forget(runtime);
            ground
        };
        std::thread::spawn(begin).join().expect("a ground")
    })
}

fn free<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

impl Ground {
    async fn begin() -> Self {
        let Reaped { data, directory, reaper } = Reaped::new();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (authority, stranger) = (Authority::new(&directory, "authority"), Authority::new(&directory, "stranger"));
        let here = ["127.0.0.1", "localhost"];
        let broker = authority.identity("broker", &here);
        let expired = authority.expired("expired-broker", &here);
        let elsewhere = authority.identity("elsewhere-broker", &["broker.elsewhere.example"]);
        let identity = authority.identity("cutover-mtls", &["cutover.example"]);
        let provider = Provider::new();
        let provider_url = tls::serve(provider.router(), &broker).await;
        let keys = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let keys_url = format!("http://{}/keys", keys.local_addr().unwrap());
        let router = provider.router();
        tokio::spawn(async move { axum::serve(keys, router).await });

        let [scram, token, certificate, expired_port, elsewhere_port] = free();
        let ports = Ports { scram, token, certificate, expired: expired_port, elsewhere: elsewhere_port };
        let options = KafkaOptions {
            extra_properties: properties(&ports, &authority.file, &broker, &expired, &elsewhere, &keys_url),
            java_arguments: vec![format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys_url}")],
        };
        let stack = match local::up_with(&data, &options, &mut Silent).await {
            Ok(stack) => stack,
            Err(error) => panic!("{error}\n{}", std::fs::read_to_string(data.stack().join("kafka/broker.log")).unwrap_or_default()),
        };
        let registry_url = tls::serve(crate::registry::proxy(&stack.registry.url), &broker).await;
        let ground = Self {
            stack,
            ports,
            directory,
            authority,
            stranger,
            identity,
            provider,
            provider_url,
            registry_url,
            data,
            reaper: Mutex::new(reaper),
        };
        ground.add_users();
        ground
    }

    /// Has a process ended when the tests end.
    pub fn end_with_tests(&self, process: &Identity) {
        self.reaper.lock().unwrap().watch_pid(process).unwrap();
    }

    /// The Java and the classes of the broker that runs.
    pub fn java(&self) -> (String, String) {
        let ps = Command::new("ps").args(["-ww", "-eo", "args="]).output().unwrap();
        let said = String::from_utf8_lossy(&ps.stdout).into_owned();
        let directory = self.directory.to_string_lossy().into_owned();
        let line = said.lines().find(|line| line.contains("kafka.Kafka") && line.contains(&directory)).expect("the broker");
        let (java, rest) = line.split_once(' ').unwrap();
        let classes = rest.split(" -cp ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
        (java.to_owned(), classes.to_owned())
    }

    /// One of Kafka's own tools.
    fn tool(&self, class: &str, arguments: &[&str]) -> String {
        let (java, classes) = self.java();
        let mut command = Command::new(java);
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", &classes, class]).args(arguments);
        let output = command.output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{class} {arguments:?}: {text}");
        text
    }

    fn add_users(&self) {
        for (user, mechanism) in [(USER, "SCRAM-SHA-512"), (USER, "SCRAM-SHA-256"), (LIMITED, "SCRAM-SHA-512")] {
            let password = format!("{mechanism}=[password={PASSWORD}]");
            let bootstrap = self.stack.kafka.bootstrap.as_str();
            let entity = ["--entity-type", "users", "--entity-name", user];
            let all = [&["--bootstrap-server", bootstrap, "--alter", "--add-config", &password][..], &entity[..]].concat();
            self.tool("kafka.admin.ConfigCommand", &all);
        }
    }

    fn secure(&self, port: u16, security: KafkaSecurity, sasl: Option<Sasl>) -> KafkaSettings {
        KafkaSettings {
            bootstrap: format!("127.0.0.1:{port}"),
            cluster_id: None,
            security,
            sasl,
            tls: Some(Tls { ca: Some(self.authority.file.to_string_lossy().into_owned()), ..Tls::default() }),
            options: BTreeMap::new(),
        }
    }

    /// User name and password over TLS.
    pub fn named(&self, mechanism: SaslMechanism, user: &str) -> KafkaSettings {
        let password = Some(SecretRef::Env("SCRAM_PASSWORD".to_owned()));
        self.secure(
            self.ports.scram,
            KafkaSecurity::SaslSsl,
            Some(Sasl { mechanism, username: Some(user.to_owned()), password, token: None }),
        )
    }

    pub fn scram(&self) -> KafkaSettings {
        self.named(SaslMechanism::ScramSha512, USER)
    }

    /// A token over TLS.
    pub fn token(&self) -> KafkaSettings {
        let token = TokenSettings {
            url: format!("{}/token", self.provider_url),
            client: CLIENT.to_owned(),
            secret: SecretRef::Env("CLIENT_SECRET".to_owned()),
            scope: Some("kafka read".to_owned()),
            tls: Some(Tls { ca: Some(self.authority.file.to_string_lossy().into_owned()), ..Tls::default() }),
        };
        let sasl = Sasl { mechanism: SaslMechanism::OauthBearer, username: None, password: None, token: Some(token) };
        self.secure(self.ports.token, KafkaSecurity::SaslSsl, Some(sasl))
    }

    /// A client certificate.
    pub fn certificate(&self) -> KafkaSettings {
        let mut settings = self.secure(self.ports.certificate, KafkaSecurity::Ssl, None);
        if let Some(tls) = &mut settings.tls {
            tls.certificate = Some(self.identity.certificate.to_string_lossy().into_owned());
            tls.key = Some(SecretRef::File(self.identity.key.to_string_lossy().into_owned()));
        }
        settings
    }

    /// TLS alone, on that port.
    pub fn encrypted(&self, port: u16) -> KafkaSettings {
        self.secure(port, KafkaSecurity::Ssl, None)
    }
}

fn properties(
    ports: &Ports,
    authority: &Path,
    broker: &certificates::Identity,
    expired: &certificates::Identity,
    elsewhere: &certificates::Identity,
    keys: &str,
) -> BTreeMap<String, String> {
    let listeners = [
        ("SCRAM", ports.scram),
        ("TOKEN", ports.token),
        ("CERTIFICATE", ports.certificate),
        ("EXPIRED", ports.expired),
        ("ELSEWHERE", ports.elsewhere),
    ];
    let ours = listeners.iter().fold(String::new(), |all, (name, port)| format!("{all},{name}://127.0.0.1:{port}"));
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let oauth = "org.apache.kafka.common.security.oauthbearer";
    let text = |value: &str| value.to_owned();
    let all = [
        ("listeners", format!("PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller_port}}{ours}")),
        ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{{port}}{ours}")),
        (
            "listener.security.protocol.map",
            text("PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SCRAM:SASL_SSL,TOKEN:SASL_SSL,CERTIFICATE:SSL,EXPIRED:SSL,ELSEWHERE:SSL"),
        ),
        ("ssl.keystore.type", text("PEM")),
        ("ssl.keystore.location", path(&broker.both)),
        ("ssl.truststore.type", text("PEM")),
        ("ssl.truststore.location", path(authority)),
        ("listener.name.expired.ssl.keystore.type", text("PEM")),
        ("listener.name.expired.ssl.keystore.location", path(&expired.both)),
        ("listener.name.elsewhere.ssl.keystore.type", text("PEM")),
        ("listener.name.elsewhere.ssl.keystore.location", path(&elsewhere.both)),
        ("listener.name.certificate.ssl.client.auth", text("required")),
        ("listener.name.certificate.ssl.principal.mapping.rules", text("RULE:^CN=([^,]+).*$/$1/,DEFAULT")),
        ("listener.name.scram.sasl.enabled.mechanisms", text("SCRAM-SHA-256,SCRAM-SHA-512,PLAIN")),
        ("listener.name.scram.scram-sha-256.sasl.jaas.config", text("org.apache.kafka.common.security.scram.ScramLoginModule required;")),
        ("listener.name.scram.scram-sha-512.sasl.jaas.config", text("org.apache.kafka.common.security.scram.ScramLoginModule required;")),
        (
            "listener.name.scram.plain.sasl.jaas.config",
            format!("org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";"),
        ),
        ("listener.name.token.sasl.enabled.mechanisms", text("OAUTHBEARER")),
        // With a limit the broker ends a connection whose token has expired.
        ("listener.name.token.oauthbearer.connections.max.reauth.ms", text("3600000")),
        ("listener.name.token.oauthbearer.sasl.jaas.config", format!("{oauth}.OAuthBearerLoginModule required;")),
        ("listener.name.token.oauthbearer.sasl.server.callback.handler.class", format!("{oauth}.OAuthBearerValidatorCallbackHandler")),
        ("listener.name.token.sasl.oauthbearer.jwks.endpoint.url", text(keys)),
        ("listener.name.token.sasl.oauthbearer.expected.audience", text(AUDIENCE)),
        ("listener.name.token.sasl.oauthbearer.expected.issuer", text(ISSUER)),
        ("allow.everyone.if.no.acl.found", text("false")),
        ("authorizer.class.name", text("org.apache.kafka.metadata.authorizer.StandardAuthorizer")),
        ("super.users", format!("User:ANONYMOUS;User:{USER};User:{CLIENT};User:cutover-mtls")),
    ];
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The secrets of the tests, some of them wrong.
pub struct Vault;

impl Secrets for Vault {
    fn resolve(&self, reference: &SecretRef) -> Result<Secret, StepError> {
        match reference {
            SecretRef::Env(name) => match name.as_str() {
                "SCRAM_PASSWORD" => Ok(Secret::new(PASSWORD)),
                "CLIENT_SECRET" => Ok(Secret::new(SECRET)),
                "WRONG" => Ok(Secret::new(WRONG)),
                _ => Err(StepError::NoSecret { reference: reference.to_string() }),
            },
            SecretRef::File(_) => ProcessSecrets::default().resolve(reference),
        }
    }
}

/// No secret of anybody.
pub const WRONG: &str = "wr0ng-and-still-secret";

pub fn connect(settings: &KafkaSettings) -> Arc<KafkaCluster> {
    KafkaCluster::connect("main", settings, SETTING, &Vault).unwrap()
}
