//! `stack.json`: the truth about which ports, processes and passwords the local stack has, written whenever one of them changes so
//! that a start that was cut short is known to the next.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::KafkaOptions;
use crate::stack::error::StackError;
use crate::stack::fetch::{KAFKA, REGISTRY};
use crate::stack::files::{self, FileError};
use crate::stack::postgres::Cluster;
use crate::stack::process::Identity;
use crate::stack::{DataDir, port};

/// The name of the format, also of what `--output json` prints.
pub const SCHEMA: &str = "cutover.stack/1";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub schema: String,
    pub kafka: KafkaRecord,
    pub registry: RegistryRecord,
    pub postgres: PostgresRecord,
    #[serde(default)]
    pub prometheus: PrometheusRecord,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KafkaRecord {
    pub version: String,
    /// `host:port`; empty until ports are chosen.
    pub bootstrap: String,
    pub port: u16,
    pub controller_port: u16,
    pub cluster_id: String,
    #[serde(default)]
    pub options: KafkaOptions,
    pub process: Option<Identity>,
    pub log: PathBuf,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RegistryRecord {
    pub version: String,
    pub url: String,
    pub port: u16,
    /// Whether a new store has been given its default compatibility level.
    pub level_set: bool,
    pub process: Option<Identity>,
    pub log: PathBuf,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct PostgresRecord {
    /// Major version of the programs that run it; 0 until it was started.
    pub version: u32,
    pub url: String,
    pub cluster: Option<Cluster>,
    pub process: Option<Identity>,
    pub log: PathBuf,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct PrometheusRecord {
    /// As it says itself; empty until it was started.
    pub version: String,
    pub url: String,
    pub port: u16,
    pub process: Option<Identity>,
    pub log: PathBuf,
}

impl PrometheusRecord {
    /// Whether it is installed here, as far as that was ever looked at.
    fn was_started(&self) -> bool {
        !self.log.as_os_str().is_empty()
    }
}

impl Default for Record {
    fn default() -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            kafka: KafkaRecord {
                version: KAFKA.version.to_owned(),
                bootstrap: String::new(),
                port: 0,
                controller_port: 0,
                cluster_id: cluster_id(),
                options: KafkaOptions::default(),
                process: None,
                log: PathBuf::new(),
            },
            registry: RegistryRecord {
                version: REGISTRY.version.to_owned(),
                url: String::new(),
                port: 0,
                level_set: false,
                process: None,
                log: PathBuf::new(),
            },
            postgres: PostgresRecord::default(),
            prometheus: PrometheusRecord::default(),
        }
    }
}

impl Record {
    /// The ports that were chosen.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        let postgres = self.postgres.cluster.as_ref().map_or(0, |cluster| cluster.port);
        let ports = [self.kafka.port, self.kafka.controller_port, self.registry.port, postgres, self.prometheus.port];
        ports.into_iter().filter(|port| *port != 0)
    }

    /// Chooses what is not chosen yet, and other ports for parts that do not run and whose ports somebody else has.
    pub fn settle(&mut self, database: &Path, taken: &mut BTreeSet<u16>) -> Result<(), StackError> {
        let mut keep = |port: &mut u16, runs: bool| {
            if *port == 0 || !(runs || port::is_free(*port)) {
                *port = port::choose(taken).ok_or(StackError::NoPort)?;
            }
            Ok::<(), StackError>(())
        };
        let runs = self.kafka.process.as_ref().is_some_and(Identity::is_alive);
        keep(&mut self.kafka.port, runs)?;
        keep(&mut self.kafka.controller_port, runs)?;
        let runs = self.registry.process.as_ref().is_some_and(Identity::is_alive);
        keep(&mut self.registry.port, runs)?;
        let runs = self.prometheus.process.as_ref().is_some_and(Identity::is_alive);
        keep(&mut self.prometheus.port, runs)?;
        if self.postgres.cluster.is_none() {
            self.postgres.cluster = Some(Cluster::new(database, "postgres", taken)?);
        }
        self.refresh();
        Ok(())
    }

    /// Brings the addresses in line with the ports.
    fn refresh(&mut self) {
        self.kafka.bootstrap = format!("127.0.0.1:{}", self.kafka.port);
        self.registry.url = format!("http://127.0.0.1:{}/apis/ccompat/v7", self.registry.port);
        self.prometheus.url = format!("http://127.0.0.1:{}", self.prometheus.port);
        self.postgres.url = self.postgres.cluster.as_ref().map(|cluster| cluster.url().expose().to_owned()).unwrap_or_default();
    }

    pub fn addresses(&self) -> StackAddresses {
        StackAddresses {
            schema: SCHEMA.to_owned(),
            kafka: KafkaAddress { bootstrap: self.kafka.bootstrap.clone() },
            registry: HttpAddress { url: self.registry.url.clone() },
            postgres: DatabaseAddress { url: self.postgres.url.clone() },
            prometheus: self.prometheus.was_started().then(|| HttpAddress { url: self.prometheus.url.clone() }),
        }
    }
}

/// A name for a new cluster as Kafka makes them: 16 random bytes in base64, not beginning with a dash, which its tools would take
/// for an option.
fn cluster_id() -> String {
    loop {
        let id = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        if !id.starts_with('-') {
            return id;
        }
    }
}

pub(super) fn read(data: &DataDir) -> Result<Option<Record>, FileError> {
    files::read_json(&data.stack_file())
}

/// The record while parts start side by side: every change is on disk before it is acted upon.
pub(super) struct Book {
    path: PathBuf,
    record: Mutex<Record>,
}

impl Book {
    pub fn open(data: &DataDir, record: Record) -> Result<Self, FileError> {
        let book = Self { path: data.stack_file(), record: Mutex::new(record) };
        book.change(|_| ())?;
        Ok(book)
    }

    pub fn get<T>(&self, read: impl FnOnce(&Record) -> T) -> T {
        read(&self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn change(&self, change: impl FnOnce(&mut Record)) -> Result<(), FileError> {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut record);
        record.refresh();
        files::write_json(&self.path, &*record)
    }
}

/// Where the parts answer, as a user needs it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackAddresses {
    /// Always `cutover.stack/1`.
    pub schema: String,
    /// The broker.
    pub kafka: KafkaAddress,
    /// The schema registry.
    pub registry: HttpAddress,
    /// The database server.
    pub postgres: DatabaseAddress,
    /// The store of metrics; `None` where it is not installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<HttpAddress>,
}

/// Where the broker answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KafkaAddress {
    /// `host:port`.
    pub bootstrap: String,
}

/// Where a part answers that speaks HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpAddress {
    /// Base address of its API.
    pub url: String,
}

/// Where the database server answers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseAddress {
    /// `postgres://` address of the superuser, with the password.
    pub url: String,
}

impl std::fmt::Debug for StackAddresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StackAddresses").field("kafka", &self.kafka).field("registry", &self.registry).finish_non_exhaustive()
    }
}

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// It runs and answers.
    Up,
    /// It runs and does not answer.
    Silent,
    /// It does not run.
    Down,
}

/// One part of the stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartStatus {
    /// How it is.
    pub state: PartState,
    /// Its version.
    pub version: String,
    /// Where it answers when it is up; without password.
    pub address: String,
    /// Its process.
    pub pid: Option<u32>,
    /// Why it is not up, as far as that is known.
    pub reason: Option<String>,
    /// Its log.
    pub log: PathBuf,
}

/// What of the stack runs and answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackStatus {
    /// Always `cutover.stack-status/1`.
    pub schema: String,
    /// The broker.
    pub kafka: PartStatus,
    /// The schema registry.
    pub registry: PartStatus,
    /// The database server.
    pub postgres: PartStatus,
    /// The store of metrics.
    pub prometheus: PartStatus,
}

impl StackStatus {
    /// The status of a stack that there is no data directory for.
    #[must_use]
    pub fn never_started() -> Self {
        Self::new(&Record::default(), None, [Ok(()), Ok(()), Ok(()), Ok(())])
    }

    /// Whether everything that playbooks and services need runs and answers.
    #[must_use]
    pub fn is_up(&self) -> bool {
        [&self.kafka, &self.registry, &self.postgres].iter().all(|part| part.state == PartState::Up)
    }

    pub(super) fn new(record: &Record, database: Option<Identity>, answers: [Result<(), String>; 4]) -> Self {
        let [kafka_answer, registry_answer, postgres_answer, prometheus_answer] = answers;
        let part = |process: Option<Identity>, answer: Result<(), String>, version: String, address: String, log: &Path| {
            let process = process.filter(Identity::is_alive);
            let (state, reason) = match (&process, answer) {
                (None, _) => (PartState::Down, None),
                (Some(_), Ok(())) => (PartState::Up, None),
                (Some(_), Err(reason)) => (PartState::Silent, Some(reason)),
            };
            PartStatus { state, version, address, pid: process.map(|process| process.pid), reason, log: log.to_owned() }
        };
        let (kafka, registry, postgres, prometheus) = (&record.kafka, &record.registry, &record.postgres, &record.prometheus);
        let shown = postgres.cluster.as_ref().map(|cluster| cluster.url().shown()).unwrap_or_default();
        let version = if postgres.version == 0 { String::new() } else { postgres.version.to_string() };
        Self {
            schema: "cutover.stack-status/1".to_owned(),
            kafka: part(kafka.process.clone(), kafka_answer, kafka.version.clone(), kafka.bootstrap.clone(), &kafka.log),
            registry: part(registry.process.clone(), registry_answer, registry.version.clone(), registry.url.clone(), &registry.log),
            postgres: part(database, postgres_answer, version, shown, &postgres.log),
            prometheus: part(
                prometheus.process.clone(),
                prometheus_answer,
                prometheus.version.clone(),
                prometheus.url.clone(),
                &prometheus.log,
            ),
        }
    }
}
