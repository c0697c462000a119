//! Two more brokers beside the first one, which stays the controller: for what needs replicas, and a broker that may be killed.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cutover::ports::kafka::Kafka;
use cutover::stack::process::Identity;

use crate::ground::{PATIENCE, bootstrap, ground, kafka};

/// A broker that a test may stop and kill.
pub struct Broker {
    pub process: Identity,
}

/// All three brokers' addresses, and the two that are not the controller.
pub fn brokers() -> &'static (String, Vec<Broker>) {
    static BROKERS: OnceLock<(String, Vec<Broker>)> = OnceLock::new();
    BROKERS.get_or_init(|| {
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let cluster = runtime.block_on(async { kafka().cluster().await.unwrap() });
            let started: Vec<_> = [2, 3].map(|id| start(id, &cluster.id)).into();
            let all = std::iter::once(bootstrap().to_owned()).chain(started.iter().map(|(port, _)| format!("127.0.0.1:{port}")));
            let all = all.collect::<Vec<_>>().join(",");
            let end = Instant::now() + PATIENCE;
            runtime.block_on(async {
                while kafka().cluster().await.unwrap().brokers.len() < 3 {
                    assert!(Instant::now() < end, "three brokers");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
            (all, started.into_iter().map(|(_, broker)| broker).collect())
        })
        .join()
        .expect("brokers")
    })
}

/// A new topic with three replicas that the first broker leads, and so goes on while the others stand still.
pub async fn led_by_the_first(kafka: &dyn Kafka) -> String {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    let client: BaseConsumer = rdkafka::ClientConfig::new().set("bootstrap.servers", bootstrap()).create().unwrap();
    loop {
        let name = crate::ground::fresh("replicated");
        let configs = std::collections::BTreeMap::new();
        let new = cutover::ports::kafka::NewTopic { name: name.clone(), partitions: 1, replication: Some(3), configs };
        kafka.create_topic(&new).await.unwrap();
        let metadata = client.fetch_metadata(Some(&name), PATIENCE).unwrap();
        // The broker that is asked may not have heard of it yet.
        let leader =
            metadata.topics().first().and_then(|topic| topic.partitions().first()).map(rdkafka::metadata::MetadataPartition::leader);
        if leader == Some(1) {
            known(kafka, &name).await;
            return name;
        }
    }
}

/// Waits until every broker has heard of a topic, whichever of them answers.
pub async fn known(kafka: &dyn Kafka, topic: &str) {
    let mut heard = 0;
    crate::ground::until("every broker knows the topic", async || {
        heard = if kafka.ends(topic).await.is_ok() { heard + 1 } else { 0 };
        heard > 20
    })
    .await;
}

/// The program and the arguments of the broker that runs, up to its class.
fn java() -> Vec<String> {
    let directory = ground().directory.to_string_lossy().into_owned();
    let ps = Command::new("ps").args(["-ww", "-eo", "args="]).output().unwrap();
    let said = String::from_utf8_lossy(&ps.stdout).into_owned();
    let line = said.lines().find(|line| line.contains(" kafka.Kafka ") && line.contains(&directory)).expect("the broker").to_owned();
    let before = line.split(" kafka.Kafka ").next().unwrap();
    before.split(' ').map(str::to_owned).collect()
}

#[expect(clippy::zombie_processes, reason = "the reaper ends the broker when the tests end")]
fn start(id: u32, cluster: &str) -> (u16, Broker) {
    let first = std::fs::read_to_string(ground().data.stack().join("kafka/server.properties")).unwrap();
    let value = |name: &str| first.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let directory = ground().directory.join(format!("broker-{id}"));
    std::fs::create_dir_all(&directory).unwrap();
    let own = ["listeners", "advertised.listeners", "process.roles", "node.id", "log.dirs", "controller.quorum.voters"];
    let mut text = String::new();
    for line in first.lines().filter(|line| !own.iter().any(|name| line.starts_with(&format!("{name}=")))) {
        writeln!(text, "{line}").unwrap();
    }
    writeln!(text, "listeners=PLAINTEXT://127.0.0.1:{port}\nadvertised.listeners=PLAINTEXT://127.0.0.1:{port}").unwrap();
    writeln!(text, "process.roles=broker\nnode.id={id}\nlog.dirs={}/data", directory.display()).unwrap();
    writeln!(text, "controller.quorum.voters={}", value("controller.quorum.voters")).unwrap();
    let settings = directory.join("server.properties");
    std::fs::write(&settings, text).unwrap();
    let java = java();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&java[0]);
        let log = std::fs::File::create(directory.join("broker.log")).unwrap();
        command.args(&java[1..]).args(arguments).arg(&settings).stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
        command.spawn().unwrap()
    };
    let formatted = run(&["kafka.tools.StorageTool", "format", "-t", cluster, "-c"]).wait().unwrap();
    assert!(formatted.success(), "{}", std::fs::read_to_string(directory.join("broker.log")).unwrap());
    let child = run(&["kafka.Kafka"]);
    let process = Identity::of(child.id()).expect("a broker");
    ground().end_with_tests(&process);
    (port, Broker { process })
}
