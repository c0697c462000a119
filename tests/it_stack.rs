//! The local stack and the private Postgres on their real parts: started, killed, started again, ended.

#[path = "ground/reaped.rs"]
mod reaped;
mod service;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cutover::ports::workloads::{Desired, DesiredChange};
use cutover::stack::local::{self, Ending, KafkaOptions, PartState, StackAddresses, StackStatus};
use cutover::stack::process::Identity;
use cutover::stack::progress::{Lines, Silent};
use cutover::stack::reaper::Reaper;
use cutover::stack::supervisor::{self, Order};
use cutover::stack::{DataDir, StackError, keeper};
use cutover::store::{Store, StoreOptions};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use reaped::{PROGRAM, Reaped};
use sqlx::{Connection, PgConnection};
use tokio::net::TcpStream;

const LONG: Duration = Duration::from_mins(1);

/// A data directory of one test. Whatever happens to the test, the reaper ends what was started on it and removes it.
struct Ground {
    data: DataDir,
    reaper: Reaper,
}

impl Ground {
    fn new() -> Self {
        let Reaped { data, reaper, .. } = Reaped::new();
        Self { data, reaper }
    }

    async fn up(&self) -> (StackAddresses, String) {
        let mut lines = Lines(Vec::new());
        let addresses = match local::up(&self.data, &mut lines).await {
            Ok(addresses) => addresses,
            Err(error) => panic!("{error}"),
        };
        (addresses, String::from_utf8(lines.0).unwrap())
    }

    async fn status(&self) -> StackStatus {
        local::status(&self.data).await.unwrap()
    }

    async fn url(&self) -> String {
        keeper::ensure_with(&self.data, Path::new(PROGRAM)).await.unwrap().expose().to_owned()
    }

    fn holding(&self) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.data.keeper().join("holding.json")).unwrap()).unwrap()
    }

    fn identity(&self, of: &str) -> Identity {
        serde_json::from_value(self.holding()[of].clone()).unwrap()
    }
}

async fn execute(url: &str, statement: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
}

async fn number(url: &str, query: &'static str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
}

async fn subjects(addresses: &StackAddresses) -> Vec<String> {
    let client = http();
    client.get(format!("{}/subjects", addresses.registry.url)).send().await.unwrap().json().await.unwrap()
}

fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn broker(addresses: &StackAddresses) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &addresses.kafka.bootstrap).set("client.id", "cutover-it");
    config
}

fn high_watermark(addresses: &StackAddresses, topic: &str) -> i64 {
    let consumer: BaseConsumer = broker(addresses).create().unwrap();
    consumer.fetch_watermarks(topic, 0, LONG).unwrap().1
}

async fn broker_setting(addresses: &StackAddresses, name: &str) -> Option<String> {
    let admin: AdminClient<DefaultClientContext> = broker(addresses).create().unwrap();
    let asked = admin.describe_configs(&[ResourceSpecifier::Broker(1)], &AdminOptions::new()).await.unwrap();
    let resource = asked.into_iter().next().unwrap().unwrap();
    resource.entries.into_iter().find(|entry| entry.name == name).unwrap().value
}

async fn refuses(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).await.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn port_of(address: &str) -> u16 {
    let place = address.rsplit_once('@').map_or(address, |(_, place)| place).trim_start_matches("http://");
    place.split('/').next().unwrap().rsplit(':').next().unwrap().parse().unwrap()
}

fn kill(pid: u32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.try_into().unwrap()), nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn the_stack_comes_up_survives_a_kill_and_a_stop_and_leaves_nothing() {
    let ground = Ground::new();
    let (addresses, told) = ground.up().await;
    assert!(told.contains("    Started kafka on 127.0.0.1:"), "{told}");
    fill(&addresses).await;
    assert_eq!(high_watermark(&addresses, "orders"), 1);

    let (again, told) = ground.up().await;
    assert!(again == addresses, "addresses have changed");
    assert_eq!(told.matches("already up").count(), 4, "{told}");
    assert_eq!(told.matches("Started").count(), 0, "{told}");

    let before = ground.status().await;
    let parts = [&before.kafka, &before.registry, &before.postgres, &before.prometheus];
    assert_eq!(parts.map(|part| part.state), [PartState::Up; 4]);
    for part in parts {
        kill(part.pid.unwrap());
    }
    let (again, told) = ground.up().await;
    assert!(again == addresses, "addresses have changed");
    assert_eq!(told.matches("Started").count(), 4, "{told}");
    filled(&addresses).await;

    local::down(&ground.data, Ending::Clean, false, &mut Silent).await.unwrap();
    gone(&addresses, &ground.status().await).await;
    let (again, _) = ground.up().await;
    assert!(again == addresses, "addresses have changed");
    filled(&addresses).await;

    let extra_properties = [("message.max.bytes".to_owned(), "123456".to_owned())].into();
    let options = KafkaOptions { extra_properties, ..KafkaOptions::default() };
    local::up_with(&ground.data, &options, &mut Silent).await.unwrap();
    assert_eq!(broker_setting(&addresses, "message.max.bytes").await.as_deref(), Some("123456"));
    let (_, told) = ground.up().await;
    assert_eq!(told.matches("already up").count(), 4, "{told}");

    local::down(&ground.data, Ending::Clean, true, &mut Silent).await.unwrap();
    gone(&addresses, &ground.status().await).await;
    assert!(!ground.data.stack().exists() && !ground.data.stack_file().exists());
    ground.reaper.finish().unwrap();
}

/// With no Postgres to be found, one comes through Maven, for the stack and for the private database alike.
#[tokio::test]
async fn without_an_installed_postgres_one_is_fetched() {
    let mut ground = Ground::new();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).arg("--data").arg(ground.data.path()).env("CUTOVER_POSTGRES_PATH", "").stdin(Stdio::null());
        let output = command.current_dir(ground.data.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run(&["stack", "up"]);
    let addresses = local::addresses(&ground.data).unwrap().unwrap();
    let version = "select current_setting('server_version_num')::int8 / 10000";
    assert_eq!(number(&addresses.postgres.url, version).await, 17);
    let mut connection = PgConnection::connect(&addresses.postgres.url).await.unwrap();
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
    let program = std::fs::read_link(format!("/proc/{pid}/exe"));
    // Why: elsewhere than on Linux nobody tells which program a process is.
    assert!(program.as_ref().map_or(true, |program| program.to_string_lossy().contains("postgres-17.6.0-")), "{program:?}");
    drop(connection);

    run(&["runs"]);
    ground.reaper.watch_pid(&ground.data.read_server().unwrap().unwrap().identity()).unwrap();
    let url = keeper::find(&ground.data).await.unwrap().unwrap().expose().to_owned();
    assert_eq!(number(&url, version).await, 17);
    run(&["serve", "--stop"]);
    run(&["stack", "down"]);
    ground.reaper.finish().unwrap();
}

#[tokio::test]
async fn services_run_on_the_stack_with_databases_of_their_own_and_are_scraped() {
    let ground = Ground::new();
    let (addresses, _) = ground.up().await;
    databases(&ground.data).await;

    let services = ground.data.path().join("workloads.yaml");
    std::fs::write(&services, service::file(&["hiring"])).unwrap();
    let workloads = "local/main".to_owned();
    let order = Order { environment: "local".to_owned(), workloads: workloads.clone(), services, database: None };
    let supervisor = supervisor::ensure_with(&ground.data, Path::new(PROGRAM), &order).await.unwrap();
    let url = keeper::find(&ground.data).await.unwrap().expect("its supervisor has started it");
    let options = StoreOptions { url: url.expose().to_owned(), lease: LONG, connections: 1 };
    let store = Store::connect(&options).unwrap();
    let after = Desired { release: "1.4".to_owned(), instances: 1 };
    let change = DesiredChange { key: "k".to_owned(), service: "hiring".to_owned(), before: None, after };
    store.write_desired(&workloads, &change).await.unwrap();
    let scraped =
        format!("{}/api/v1/query?query=up_for_tests{{service='hiring',release='1.4'}}", addresses.prometheus.clone().unwrap().url);
    let end = std::time::Instant::now() + LONG;
    let found = loop {
        let answer: serde_json::Value = http().get(&scraped).send().await.unwrap().json().await.unwrap();
        if let Some(first) = answer["data"]["result"].get(0) {
            break first.clone();
        }
        assert!(std::time::Instant::now() < end, "nobody scrapes: {answer}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let instances = store.instances(&workloads, None).await.unwrap();
    assert_eq!(found["metric"]["instance"], instances[0].instance.as_str());
    store.close().await;
    let told = variables(&ground.data, &instances[0].instance);
    let database = local::database(&ground.data, "hiring").unwrap().unwrap();
    for (name, value) in [
        ("DATABASE_URL", database.url().expose().to_owned()),
        ("KAFKA_BOOTSTRAP", addresses.kafka.bootstrap.clone()),
        ("REGISTRY_URL", addresses.registry.url.clone()),
        ("HIRING_URL", supervisor::urls(&ground.data).unwrap()["hiring"].clone()),
        ("CUTOVER_INSTANCE", instances[0].instance.clone()),
        ("CUTOVER_SERVER_FILE", ground.data.server_file().display().to_string()),
    ] {
        assert_eq!(told.get(name), Some(&value), "{name}");
    }
    assert!(told.contains_key("EXERCISES_URL") && told.contains_key("BONUSES_URL"), "a port is known before anything runs there");

    local::down(&ground.data, Ending::Clean, false, &mut Silent).await.unwrap();
    assert!(!supervisor.is_alive());
    assert!(refuses(port_of(&told["HIRING_URL"])).await);
    ground.reaper.finish().unwrap();
}

/// What an instance was told, from its own process.
fn variables(data: &DataDir, instance: &str) -> BTreeMap<String, String> {
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(data.path().join("supervisor/record.json")).unwrap()).unwrap();
    let started = record["instances"].as_array().unwrap().iter().find(|started| started["instance"] == instance).unwrap();
    let environment = std::fs::read(format!("/proc/{}/environ", started["process"]["pid"])).unwrap();
    let pairs = String::from_utf8(environment).unwrap();
    pairs.split('\0').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Each service owns its database and nothing else; cutover reads them all and writes none.
async fn databases(data: &DataDir) {
    let service = |name: &str| local::database(data, name).unwrap().unwrap().url().expose().to_owned();
    execute(
        &service("hiring"),
        "create schema work; create table work.candidate (id bigint primary key); insert into work.candidate values (7)",
    )
    .await;
    execute(&service("hiring"), "create table attempt (id bigint primary key); insert into attempt values (1), (2)").await;
    let elsewhere = service("hiring").replace("/hiring", "/exercises");
    assert!(PgConnection::connect(&elsewhere).await.is_err(), "a service opens another one's database");
    let readable: BTreeMap<_, _> = local::readable(data).unwrap().into_iter().collect();
    assert_eq!(readable.keys().collect::<Vec<_>>(), ["bonuses", "exercises", "hiring"]);
    let hiring = &readable["hiring"];
    assert!(!hiring.url.contains(':') || hiring.url.matches(':').count() == 2, "{} holds a password", hiring.url);
    assert_eq!(std::fs::metadata(&hiring.password).unwrap().permissions().mode() & 0o777, 0o600);
    let password = std::fs::read_to_string(&hiring.password).unwrap();
    let reader = hiring.url.replace("cutover@", &format!("cutover:{password}@"));
    assert_eq!(number(&reader, "select (select id from work.candidate) + (select count(*) from attempt)").await, 9);
    let mut connection = PgConnection::connect(&reader).await.unwrap();
    for statement in ["delete from attempt", "create table own (id bigint)", "drop table attempt"] {
        let error = sqlx::raw_sql(statement).execute(&mut connection).await.unwrap_err();
        let code = error.as_database_error().and_then(|error| error.code().map(String::from));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
    }
}

async fn fill(addresses: &StackAddresses) {
    let admin: AdminClient<DefaultClientContext> = broker(addresses).create().unwrap();
    let topic = NewTopic::new("orders", 1, TopicReplication::Fixed(1));
    let made = admin.create_topics(&[topic], &AdminOptions::new().operation_timeout(Some(LONG))).await.unwrap();
    made.into_iter().next().unwrap().unwrap();
    let producer: FutureProducer = broker(addresses).create().unwrap();
    producer.send(FutureRecord::to("orders").key("k").payload("v"), LONG).await.unwrap();

    assert_eq!(subjects(addresses).await, Vec::<String>::new());
    let level: serde_json::Value = http().get(format!("{}/config", addresses.registry.url)).send().await.unwrap().json().await.unwrap();
    assert_eq!(level["compatibilityLevel"], "BACKWARD");
    let schema = serde_json::json!({ "schema": r#"{"type": "string"}"# });
    let registered = http().post(format!("{}/subjects/orders-value/versions", addresses.registry.url)).json(&schema).send().await.unwrap();
    assert!(registered.status().is_success(), "{registered:?}");

    execute(&addresses.postgres.url, "create table kept (id bigint); insert into kept values (7)").await;
}

async fn filled(addresses: &StackAddresses) {
    assert_eq!(high_watermark(addresses, "orders"), 1);
    assert_eq!(subjects(addresses).await, ["orders-value"]);
    assert_eq!(number(&addresses.postgres.url, "select id from kept").await, 7);
}

async fn gone(addresses: &StackAddresses, status: &StackStatus) {
    for address in [&addresses.kafka.bootstrap, &addresses.registry.url, &addresses.postgres.url] {
        assert!(refuses(port_of(address)).await, "somebody still listens on {address}");
    }
    assert_eq!([status.kafka.pid, status.registry.pid, status.postgres.pid], [None; 3]);
}

#[tokio::test]
async fn the_private_postgres_outlives_its_servers_and_its_keeper() {
    let ground = Ground::new();
    let url = ground.url().await;
    execute(&url, "create table journal (entry bigint); insert into journal values (1)").await;

    // A server registers and is killed: what it used stays, and the next one finds it.
    let mut server = Command::new("sleep").arg("600").spawn().unwrap();
    let lease = ground.data.keeper().join("servers").join(server.id().to_string());
    std::fs::write(&lease, serde_json::to_vec(&Identity::of(server.id()).unwrap()).unwrap()).unwrap();
    let (first_keeper, first_postgres) = (ground.identity("keeper"), ground.identity("postgres"));
    kill(server.id());
    server.wait().unwrap();
    assert_eq!(ground.url().await, url);
    assert_eq!((ground.identity("keeper"), ground.identity("postgres")), (first_keeper.clone(), first_postgres.clone()));

    // The keeper is killed: Postgres stays, and the next keeper takes it over.
    kill(first_keeper.pid);
    assert!(first_keeper.wait(LONG).await);
    assert_eq!(number(&url, "select count(*) from journal").await, 1);
    assert_eq!(ground.url().await, url);
    assert_ne!(ground.identity("keeper"), first_keeper);
    assert_eq!(ground.identity("postgres"), first_postgres);

    // Postgres is killed: its keeper starts it again, at the same place and with what was committed.
    kill(first_postgres.pid);
    assert!(first_postgres.wait(LONG).await);
    assert_eq!(ground.url().await, url);
    assert_eq!(number(&url, "select count(*) from journal").await, 1);

    // Both are killed, and a stranger has the number of the Postgres that was, as after a reboot.
    let (keeper_process, postgres) = (ground.identity("keeper"), ground.identity("postgres"));
    kill(keeper_process.pid);
    assert!(keeper_process.wait(LONG).await);
    kill(postgres.pid);
    assert!(postgres.wait(LONG).await);
    let cluster: serde_json::Value = serde_json::from_slice(&std::fs::read(ground.data.keeper().join("cluster.json")).unwrap()).unwrap();
    let lock = PathBuf::from(cluster["directory"].as_str().unwrap()).join("data/postmaster.pid");
    let text = std::fs::read_to_string(&lock).unwrap();
    std::fs::write(&lock, text.replacen(&postgres.pid.to_string(), &std::process::id().to_string(), 1)).unwrap();
    assert_eq!(ground.url().await, url);
    assert_eq!(number(&url, "select count(*) from journal").await, 1);

    let (keeper_process, postgres) = (ground.identity("keeper"), ground.identity("postgres"));
    keeper::stop(&ground.data).await.unwrap();
    assert!(!keeper_process.is_alive() && !postgres.is_alive());
    assert!(refuses(port_of(url.split('?').next().unwrap())).await);
    assert_eq!(ground.url().await, url);
    assert_eq!(number(&url, "select count(*) from journal").await, 1);
    ground.reaper.finish().unwrap();
}

#[tokio::test]
async fn a_server_ends_when_its_data_directory_is_removed() {
    let mut ground = Ground::new();
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--data"]).arg(ground.data.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = command.spawn().unwrap();
    let identity = Identity::of(server.id()).unwrap();
    ground.reaper.watch_pid(&identity).unwrap();
    let there = async {
        while ground.data.read_server().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, there).await.expect("a server");
    let away = ground.data.path().with_extension("away");
    std::fs::rename(ground.data.path(), &away).unwrap();
    let ended = tokio::task::spawn_blocking(move || server.wait());
    assert!(tokio::time::timeout(LONG, ended).await.expect("it ends").unwrap().unwrap().success());
    // The reaper looks for the database where it was.
    std::fs::rename(away, ground.data.path()).unwrap();
}

#[tokio::test]
async fn several_at_once_share_one_keeper_which_ends_when_nobody_is_left() {
    let mut ground = Ground::new();
    let mut command = Command::new(PROGRAM);
    command.args(["keeper", "--data"]).arg(ground.data.path()).env("CUTOVER_KEEPER_GRACE", "1").stdin(Stdio::null());
    let mut keeper_process = command.spawn().unwrap();
    let identity = Identity::of(keeper_process.id()).unwrap();
    ground.reaper.watch_pid(&identity).unwrap();

    let (first, second, third) = tokio::join!(ground.url(), ground.url(), ground.url());
    assert!(first == second && second == third);
    let lease = keeper::register(&ground.data).unwrap();
    assert_eq!(ground.identity("keeper"), identity);
    let postgres = ground.identity("postgres");
    drop(lease);
    assert!(keeper_process.wait().unwrap().success());
    assert!(!postgres.is_alive());
    assert!(!ground.data.keeper().join("holding.json").exists());
    ground.reaper.finish().unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_postgres_is_refused_with_the_way_out() {
    let ground = Ground::new();
    let directory = ground.data.path().join("elsewhere");
    std::fs::create_dir_all(directory.join("data")).unwrap();
    std::fs::write(directory.join("data/PG_VERSION"), "99\n").unwrap();
    std::fs::create_dir_all(ground.data.keeper()).unwrap();
    let cluster = serde_json::json!({ "directory": directory, "port": 20_001, "user": "cutover", "password": "x" });
    std::fs::write(ground.data.keeper().join("cluster.json"), cluster.to_string()).unwrap();
    let error = keeper::ensure_with(&ground.data, Path::new(PROGRAM)).await.unwrap_err();
    assert!(matches!(error, StackError::PostgresVersion { made_by: 99, .. }), "{error}");
    assert!(error.hint().unwrap().contains("postgresql-99"));
    ground.reaper.finish().unwrap();
}

#[tokio::test]
async fn a_keeper_that_cannot_start_postgres_says_why_to_who_waits() {
    let ground = Ground::new();
    let url = ground.url().await;
    keeper::stop(&ground.data).await.unwrap();
    let cluster: serde_json::Value = serde_json::from_slice(&std::fs::read(ground.data.keeper().join("cluster.json")).unwrap()).unwrap();
    let configuration = PathBuf::from(cluster["directory"].as_str().unwrap()).join("data/postgresql.conf");
    let good = std::fs::read_to_string(&configuration).unwrap();
    std::fs::write(&configuration, format!("{good}\nno_such_setting = 1\n")).unwrap();
    let error = keeper::ensure_with(&ground.data, Path::new(PROGRAM)).await.unwrap_err();
    assert!(error.to_string().contains("no_such_setting"), "{error}");
    std::fs::write(&configuration, good).unwrap();
    assert_eq!(ground.url().await, url);
    ground.reaper.finish().unwrap();
}

#[tokio::test]
async fn the_reaper_ends_what_a_killed_process_left() {
    let directory = tempfile::Builder::new().prefix("cutover-it-").tempdir().unwrap().keep();
    let data = DataDir::open(&directory.join("data")).unwrap();
    let mut reaper = Reaper::start(Path::new(PROGRAM)).unwrap();
    reaper.remove_directory(&directory).unwrap();
    reaper.watch_keeper(data.path()).unwrap();
    keeper::ensure_with(&data, Path::new(PROGRAM)).await.unwrap();
    let holding: serde_json::Value = serde_json::from_slice(&std::fs::read(data.keeper().join("holding.json")).unwrap()).unwrap();
    let processes: Vec<Identity> = ["keeper", "postgres"].map(|of| serde_json::from_value(holding[of].clone()).unwrap()).into();
    // The pipe closes when its holder dies, and dropping is how a living holder closes it.
    drop(reaper);
    assert!(processes.iter().all(|process| !process.is_alive()));
    assert!(!directory.exists());
}
