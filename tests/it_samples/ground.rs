//! A place for the sample services: real Kafka and Postgres, a controller's real API, sockets that are handed over, and processes that
//! end with the test.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Json;
use axum::routing::post;
use command_fds::{CommandFdExt, FdMapping};
use cutover::adapters::flags::BuiltInFlags;
use cutover::adapters::kafka::KafkaCluster;
use cutover::adapters::secret::{ProcessSecrets, Redactor, Secret};
use cutover::driver::{RealWorlds, Worlds};
use cutover::ports::flags::{FlagChange, FlagState, Flags};
use cutover::ports::kafka::{Kafka, NewTopic};
use cutover::ports::settings::{DatabaseSettings, KafkaSecurity, KafkaSettings, SecretRef};
use cutover::samples::ledger::Whereabouts;
use cutover::samples::traffic::{Traffic, TrafficOptions};
use cutover::stack::ServerFile;
use cutover::stack::files;
use cutover::stack::process::Identity;
use cutover::store::{Store, StoreOptions};
use cutover::web::{Tokens, WebOptions};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::sync::{MutexGuard, Notify, broadcast};
use tokio::task::JoinHandle;

use crate::support::{PROGRAM, servers};

pub const TOPIC: &str = "datarep.exercise";
pub const ATTEMPTS: &str = "domain.candidate_attempt";
const TOKEN: &str = "flags-token-of-these-tests";
/// Long enough for a machine that is busy with other things; nothing is judged by it.
const LONG: Duration = Duration::from_mins(2);

struct Addresses {
    bootstrap: String,
    postgres: String,
    database: String,
    directory: PathBuf,
}

/// Why a thread of its own: the tests' runtimes come and go, and the servers outlive them.
fn addresses() -> &'static Addresses {
    static ADDRESSES: OnceLock<Addresses> = OnceLock::new();
    ADDRESSES.get_or_init(|| {
        let start = || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let found = runtime.block_on(async {
                let servers = servers().await;
                Addresses {
                    bootstrap: servers.stack.kafka.bootstrap.clone(),
                    postgres: servers.stack.postgres.url.clone(),
                    database: servers.database.clone(),
                    directory: servers.directory.clone(),
                }
            });
            std::mem::forget(runtime);
            found
        };
        std::thread::spawn(start).join().unwrap()
    })
}

/// Waits until something is so.
pub async fn until<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let end = tokio::time::Instant::now() + LONG;
    while !so().await {
        assert!(tokio::time::Instant::now() < end, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// A service's socket, as a supervisor keeps it.
pub struct Place {
    pub name: &'static str,
    pub url: String,
    socket: TcpListener,
}

impl Place {
    fn new(name: &'static str) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { name, url: format!("http://{}", socket.local_addr().unwrap()), socket }
    }
}

/// One process of a service.
pub struct Instance {
    pub name: String,
    pub admin: String,
    child: Child,
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Instance {
    pub fn signal(&self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub async fn ended(&mut self) -> ExitStatus {
        let name = self.name.clone();
        let child = &mut self.child;
        let mut status = None;
        let end = tokio::time::Instant::now() + LONG;
        while status.is_none() {
            assert!(tokio::time::Instant::now() < end, "{name} does not end");
            status = child.try_wait().unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        status.unwrap()
    }

    /// Ends it as a power cut does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as the supervisor does.
    pub async fn end(mut self) {
        self.signal();
        let status = self.ended().await;
        assert!(status.success(), "{} ended with {status}", self.name);
    }
}

/// A controller as services see it: the real API for flags, and an ear for heartbeats.
pub struct Controller {
    store: Store,
    pub heartbeats: Arc<Mutex<Vec<Value>>>,
    serving: JoinHandle<()>,
}

/// Where one test works.
pub struct Ground {
    pub directory: PathBuf,
    pub exercises: Place,
    pub hiring: Place,
    pub bonuses: Place,
    pub controller: Controller,
    pub http: reqwest::Client,
    pub kafka: Arc<KafkaCluster>,
    number: u32,
    /// Why: topic and group have one name, as in the samples themselves.
    _alone: MutexGuard<'static, ()>,
}

static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
static NUMBER: AtomicU32 = AtomicU32::new(1);

impl Ground {
    pub async fn new() -> Self {
        let alone = ALONE.lock().await;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let found = tokio::task::spawn_blocking(addresses).await.unwrap();
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let directory = found.directory.join(format!("ground-{number}"));
        std::fs::create_dir_all(&directory).unwrap();
        files::write_private(&directory.join("token.flags"), TOKEN.as_bytes()).unwrap();
        let mut connection = PgConnection::connect(&found.postgres).await.unwrap();
        for name in ["exercises", "hiring", "bonuses"] {
            create_database(&mut connection, &format!("{name}_{number}")).await;
        }
        let mut connection = PgConnection::connect(&found.database).await.unwrap();
        create_database(&mut connection, &format!("samples_{number}")).await;
        let url = servers_database(&found.database, &format!("samples_{number}"));
        let store = Store::connect(&StoreOptions { url, lease: Duration::from_secs(5), connections: 4 }).unwrap();
        store.migrate().await.unwrap();
        let heartbeats = Arc::default();
        let serving = serve(&store, &heartbeats, &directory).await;
        let kafka = KafkaCluster::connect("main", &kafka_settings(), "these tests", &ProcessSecrets::default()).unwrap();
        kafka.delete_topic(TOPIC, None).await.unwrap();
        kafka.delete_topic(ATTEMPTS, None).await.unwrap();
        Self {
            directory,
            exercises: Place::new("exercises"),
            hiring: Place::new("hiring"),
            bonuses: Place::new("bonuses"),
            controller: Controller { store, heartbeats, serving },
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            kafka,
            number,
            _alone: alone,
        }
    }

    /// Ends the controller, as if its process had died; its file stays.
    pub async fn kill_controller(&mut self) {
        self.controller.serving.abort();
        let _ = (&mut self.controller.serving).await;
    }

    /// Starts it again, on another port.
    pub async fn revive_controller(&mut self) {
        self.controller.serving = serve(&self.controller.store, &self.controller.heartbeats, &self.directory).await;
    }

    /// Makes a flag serve one variant, or shares of variants, and returns the revision.
    pub async fn set_flag(&self, flag: &str, variants: impl IntoIterator<Item = &'static str>, to: &str, targeting: Option<Value>) -> i64 {
        let flags = BuiltInFlags::new(self.controller.store.clone(), "local", "main", "these tests");
        let before = flags.flag(flag).await.unwrap();
        let variants: BTreeMap<String, Value> = variants.into_iter().map(|name| (name.to_owned(), json!(name))).collect();
        let after = FlagState { enabled: true, variants, default_variant: Some(to.to_owned()), targeting };
        flags
            .change(&FlagChange { key: uuid::Uuid::now_v7().to_string(), flag: flag.to_owned(), before, after: Some(after) })
            .await
            .unwrap()
    }

    /// As [`Self::set_flag`], and waits until no request of these instances uses an older revision.
    pub async fn set_flag_everywhere(
        &self,
        flag: &str,
        variants: impl IntoIterator<Item = &'static str>,
        to: &str,
        targeting: Option<Value>,
        on: &[&Instance],
    ) {
        let revision = self.set_flag(flag, variants, to, targeting).await;
        for instance in on {
            self.heard(instance, |beat| beat["oldest"].as_i64() >= Some(revision)).await;
        }
    }

    /// Waits for a heartbeat of the instance that is as wanted.
    pub async fn heard(&self, instance: &Instance, wanted: impl Fn(&Value) -> bool) {
        until(&format!("a heartbeat of {}", instance.name), async || self.beats(&instance.name).last().is_some_and(&wanted)).await;
    }

    /// Heartbeats of an instance so far.
    pub fn beats(&self, instance: &str) -> Vec<Value> {
        self.controller.heartbeats.lock().unwrap().iter().filter(|beat| beat["instance"] == instance).cloned().collect()
    }

    /// The command that starts an instance, with everything but its sockets.
    pub fn command(&self, place: &Place, release: &str, instance: &str) -> Command {
        let found = addresses();
        let state = self.directory.join("state").join(place.name);
        std::fs::create_dir_all(&state).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["sample", place.name, "--release", release]).env_clear();
        let log = std::fs::File::create(self.directory.join(format!("{instance}.log"))).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let pairs = [
            ("CUTOVER_SERVICE", place.name.to_owned()),
            ("CUTOVER_RELEASE", release.to_owned()),
            ("CUTOVER_INSTANCE", instance.to_owned()),
            ("CUTOVER_ENVIRONMENT", "local".to_owned()),
            ("CUTOVER_SERVER_FILE", self.directory.join("server.json").display().to_string()),
            ("CUTOVER_TOKEN_FILE", self.directory.join("token.flags").display().to_string()),
            ("CUTOVER_STATE", state.display().to_string()),
            ("DATABASE_URL", servers_database(&found.postgres, &format!("{}_{}", place.name, self.number))),
            ("KAFKA_BOOTSTRAP", found.bootstrap.clone()),
            ("EXERCISES_URL", self.exercises.url.clone()),
            ("HIRING_URL", self.hiring.url.clone()),
            ("BONUSES_URL", self.bonuses.url.clone()),
        ];
        command.envs(pairs);
        command
    }

    /// Starts an instance with the service's socket and one of its own, and returns at once.
    pub async fn launch(&self, place: &Place, release: &str) -> Instance {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("{}-{}", place.name, COUNT.fetch_add(1, Ordering::SeqCst));
        let admin = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", admin.local_addr().unwrap());
        let mut command = self.command(place, release, &name);
        command.env("LISTEN_FDS", "2");
        let sockets: [OwnedFd; 2] = [place.socket.try_clone().unwrap().into(), admin.into()];
        let mappings = sockets.into_iter().zip(3..).map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd }).collect();
        command.fd_mappings(mappings).unwrap();
        let child = command.spawn().unwrap();
        if let Some(process) = Identity::of(child.id()) {
            servers().await.end_with_tests(&process);
        }
        Instance { name, admin: url, child }
    }

    /// Starts an instance and waits until it serves.
    pub async fn start(&self, place: &Place, release: &str) -> Instance {
        let mut instance = self.launch(place, release).await;
        let end = tokio::time::Instant::now() + LONG;
        while !self.http.get(format!("{}/health", instance.admin)).send().await.is_ok_and(|answer| answer.status() == 200) {
            let log = || files::tail(&self.directory.join(format!("{}.log", instance.name)), 20);
            assert!(instance.child.try_wait().unwrap().is_none(), "{} has ended:\n{}", instance.name, log());
            assert!(tokio::time::Instant::now() < end, "{} does not serve:\n{}", instance.name, log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        instance
    }

    pub async fn create_topic(&self, name: &str) {
        let topic = NewTopic { name: name.to_owned(), partitions: 3, replication: None, configs: BTreeMap::new() };
        self.kafka.create_topic(&topic).await.unwrap();
    }

    pub async fn database(&self, place: &Place) -> PgConnection {
        PgConnection::connect(&servers_database(&addresses().postgres, &format!("{}_{}", place.name, self.number))).await.unwrap()
    }

    pub async fn number(&self, place: &Place, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&mut self.database(place).await).await.unwrap()
    }

    /// Begins a traffic in the ground's directory and writes down for the ledger where everything is.
    pub async fn traffic(&self, rate: f64) -> Traffic {
        let password = self.directory.join("password");
        let (url, secret) = without_password(&addresses().postgres);
        files::write_private(&password, secret.as_bytes()).unwrap();
        let database = |place: &Place| DatabaseSettings {
            url: servers_database(&url, &format!("{}_{}", place.name, self.number)),
            password: Some(SecretRef::File(password.display().to_string())),
            tls: None,
        };
        let databases = [database(&self.exercises), database(&self.hiring), database(&self.bonuses)];
        Whereabouts::new(kafka_settings(), databases).write(&self.directory).unwrap();
        let options = TrafficOptions {
            directory: self.directory.clone(),
            exercises_url: self.exercises.url.clone(),
            hiring_url: self.hiring.url.clone(),
            rate,
            seed: 7,
            exercises: 12,
        };
        Traffic::start(options).await.unwrap()
    }

    /// The ledger's exit code and what it printed, from a process of its own.
    pub async fn ledger(&self, arguments: &[&str]) -> (i32, Value) {
        let mut command = tokio::process::Command::new(PROGRAM);
        command.args(["--output", "json", "demo", "ledger"]).arg(&self.directory).args(arguments);
        let output = command.kill_on_drop(true).output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{said}"));
        (output.status.code().unwrap(), value)
    }

    pub async fn metric(&self, instance: &Instance, name: &str) -> f64 {
        let text = self.http.get(format!("{}/metrics", instance.admin)).send().await.unwrap().text().await.unwrap();
        text.lines().filter(|line| line.starts_with(name)).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

/// Waits until the traffic has so many more acknowledged requests.
pub async fn goes_on(traffic: &Traffic, more: u64) {
    let goal = traffic.progress().acknowledged + more;
    until("the traffic went on", async || traffic.progress().acknowledged >= goal).await;
}

async fn serve(store: &Store, heartbeats: &Arc<Mutex<Vec<Value>>>, directory: &Path) -> JoinHandle<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let worlds: Arc<dyn Worlds> = Arc::new(RealWorlds::new(store.clone(), Arc::new(ProcessSecrets::new(Arc::new(Redactor::default())))));
    let tokens = Tokens { operate: Secret::new("operate-token-of-these-tests"), flags: Secret::new(TOKEN) };
    let api = cutover::web::router(WebOptions {
        store: store.clone(),
        worlds,
        poke: Arc::new(Notify::new()),
        moved: broadcast::channel(16).0,
        tokens,
        hosts: vec![host.clone()],
        version: "9.9.9",
        environment_banner: None,
    });
    let heard = Arc::clone(heartbeats);
    let ear = post(move |Json(beat): Json<Value>| {
        heard.lock().unwrap().push(beat);
        std::future::ready(axum::http::StatusCode::NO_CONTENT)
    });
    let router = axum::Router::new().route("/api/heartbeats", ear).fallback_service(api);
    let Identity { pid, started } = Identity::own();
    let server = ServerFile { pid, started, url: format!("http://{host}"), version: "9.9.9".to_owned() };
    files::write_json(&directory.join("server.json"), &server).unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
}

fn kafka_settings() -> KafkaSettings {
    KafkaSettings {
        bootstrap: addresses().bootstrap.clone(),
        cluster_id: None,
        security: KafkaSecurity::Plaintext,
        sasl: None,
        tls: None,
        options: BTreeMap::new(),
    }
}

async fn create_database(connection: &mut PgConnection, name: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(connection).await.unwrap();
}

fn servers_database(url: &str, name: &str) -> String {
    let (place, options) = url.split_once('?').map_or((url, String::new()), |(place, options)| (place, format!("?{options}")));
    let (server, _) = place.rsplit_once('/').unwrap();
    format!("{server}/{name}{options}")
}

fn without_password(url: &str) -> (String, String) {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (credentials, place) = rest.rsplit_once('@').unwrap();
    let (user, password) = credentials.split_once(':').unwrap();
    (format!("{scheme}://{user}@{place}"), password.to_owned())
}
