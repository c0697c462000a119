//! The broker: one node that is its own controller, with the small settings of a machine that runs everything else too.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::part::Part;
use super::record::{Book, KafkaRecord};
use super::{java, wire};
use crate::stack::DataDir;
use crate::stack::error::StackError;
use crate::stack::fetch::KAFKA;
use crate::stack::files;
use crate::stack::process::{Identity, Program};
use crate::stack::progress::Teller;

const PART: &str = "kafka";
// Why: on a machine with ten times more work than processors a start takes a quarter of a minute.
const START: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(30);
const JVM: &[&str] = &["-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true"];

const LOGGING: &str = r#"Configuration:
  status: WARN
  Appenders: { Console: { name: Out, target: SYSTEM_OUT, PatternLayout: { pattern: "%d %p %c{1} %m%n" } } }
  Loggers: { Root: { level: INFO, AppenderRef: { ref: Out } } }
"#;

/// Settings that do not depend on where the broker runs. One node means one replica of everything; the short delays make what a
/// playbook does visible at once.
const SETTINGS: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,PROXIED:PLAINTEXT"),
    ("controller.listener.names", "CONTROLLER"),
    ("inter.broker.listener.name", "PLAINTEXT"),
    // Why: after a kill the node is let in again only when its last session has run out.
    ("broker.session.timeout.ms", "3000"),
    ("broker.heartbeat.interval.ms", "500"),
    ("num.network.threads", "2"),
    ("num.io.threads", "4"),
    ("background.threads", "2"),
    ("log.cleaner.dedupe.buffer.size", "16777216"),
    ("offsets.topic.num.partitions", "3"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.num.partitions", "3"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.num.partitions", "3"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "1000"),
    ("group.consumer.min.session.timeout.ms", "1000"),
    ("auto.create.topics.enable", "false"),
    // Why: with it rules can be made and looked at, as on the clusters that matter; whoever comes to this listener may do everything.
    ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
    ("super.users", "User:ANONYMOUS"),
    ("allow.everyone.if.no.acl.found", "true"),
    ("log.segment.delete.delay.ms", "1000"),
    ("log.initial.task.delay.ms", "1000"),
    ("log.retention.check.interval.ms", "5000"),
    ("num.partitions", "1"),
    ("default.replication.factor", "1"),
];

pub(super) async fn up(data: &DataDir, book: &Book, teller: &Teller) -> Result<(), StackError> {
    let directory = data.stack().join("kafka");
    let log = directory.join("broker.log");
    let since = Instant::now();
    let mut found = book.get(|record| record.kafka.process.clone()).filter(Identity::is_alive);
    let record = book.get(|record| record.kafka.clone());
    let part = Part { name: PART, address: &record.bootstrap, directory: &directory, log: &log, since, start: START, poll: POLL };
    let (process, last) = part.rise(&mut found, || launch(&directory, &log, book, teller), || answers(&record)).await?;
    part.tell(teller, &process, found.is_some(), last)
}

/// Whether the broker answers; why not otherwise.
pub(super) async fn answers(record: &KafkaRecord) -> Result<(), String> {
    if record.port == 0 {
        return Err("it was never started".to_owned());
    }
    match timeout(Duration::from_secs(3), wire::brokers(record.port)).await {
        Ok(Ok(0)) => Err("it has not joined its cluster yet".to_owned()),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it took the connection and said nothing".to_owned()),
    }
}

async fn launch(directory: &Path, log: &Path, book: &Book, teller: &Teller) -> Result<Identity, StackError> {
    let java = java::find().await?;
    let jars = KAFKA.obtain(teller).await?;
    let record = book.get(|record| record.kafka.clone());
    files::create_private_dir(&directory.join("data"))?;
    files::create_private_dir(&directory.join("tmp"))?;
    let settings = directory.join("server.properties");
    let logging = directory.join("log4j2.yaml");
    files::write_private(&settings, properties(&record, &directory.join("data")).as_bytes())?;
    files::write_private(&logging, LOGGING.as_bytes())?;
    let program = |log: &Path| {
        let mut program = Program::new(&java, log).args(JVM).args(&record.options.java_arguments);
        program = program.arg(format!("-Djava.io.tmpdir={}", directory.join("tmp").display()));
        program = program.arg(format!("-Dlog4j2.configurationFile={}", logging.display()));
        program.arg("-cp").arg(jars.join("*"))
    };
    if !directory.join("data/meta.properties").is_file() {
        format(program(&directory.join("format.log")), directory, &record, &settings).await?;
    }
    let process = program(log).arg("kafka.Kafka").arg(&settings).start()?;
    book.change(|record| {
        record.kafka.process = Some(process.clone());
        log.clone_into(&mut record.kafka.log);
        KAFKA.version.clone_into(&mut record.kafka.version);
    })?;
    Ok(process)
}

/// Makes the data directory a node's. `meta.properties` is written last, so a making that was cut short is begun anew.
async fn format(program: Program, directory: &Path, record: &KafkaRecord, settings: &Path) -> Result<(), StackError> {
    let log = directory.join("format.log");
    files::remove(&log)?;
    let arguments = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", &record.cluster_id, "-c"];
    let tool = program.args(arguments).arg(settings).start()?;
    if !tool.wait(START).await {
        tool.kill().await?;
    }
    if directory.join("data/meta.properties").is_file() {
        return Ok(());
    }
    Err(StackError::died(PART, &log, directory))
}

fn properties(record: &KafkaRecord, data: &Path) -> String {
    let KafkaRecord { port, controller_port, .. } = record;
    let mut all: BTreeMap<&str, String> = SETTINGS.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    all.insert("listeners", format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}"));
    all.insert("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{port}"));
    all.insert("controller.quorum.voters", format!("1@127.0.0.1:{controller_port}"));
    all.insert("log.dirs", data.display().to_string());
    for (name, value) in &record.options.extra_properties {
        let value = value.replace("{port}", &port.to_string()).replace("{controller_port}", &controller_port.to_string());
        all.insert(name, value);
    }
    let mut text = String::new();
    for (name, value) in all {
        // Why: in this file format a backslash begins an escape and ends of lines end the value.
        let value = value.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(text, "{name}={value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::record::Record;
    use super::*;

    #[test]
    fn extra_properties_replace_ours_and_know_the_ports() {
        let mut record = Record::default().kafka;
        (record.port, record.controller_port) = (20_001, 20_002);
        let extra = [
            ("num.io.threads", "9"),
            ("listeners", "PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port},PROXIED://127.0.0.1:7"),
        ];
        record.options.extra_properties = extra.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let text = properties(&record, Path::new("/data/kafka"));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.contains(&"num.io.threads=9") && !lines.contains(&"num.io.threads=4"), "{text}");
        assert!(lines.contains(&"listeners=PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002,PROXIED://127.0.0.1:7"), "{text}");
        assert!(lines.contains(&"log.dirs=/data/kafka"), "{text}");
    }
}
