//! The local stack: a real Kafka broker, schema registry and Postgres on 127.0.0.1, for playbooks to change, and Prometheus where it is
//! installed. Owns `stack.json`.

mod databases;
mod java;
mod kafka;
mod part;
mod postgres;
mod prometheus;
mod record;
mod registry;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

pub use databases::{ReadableDatabase, SERVICES, ServiceDatabase, database, readable, writable};
pub use record::{PartState, PartStatus, StackAddresses, StackStatus};

use super::DataDir;
use super::error::{MAVEN, StackError};
use super::fetch;
use super::files;
use super::lock::FileLock;
use super::postgres::{Binaries, Cluster, root_directory};
use super::process::Identity;
use super::progress::{Progress, Teller, listen};
use super::supervisor;
use record::{Book, Record};

/// How the broker differs from the usual one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KafkaOptions {
    /// Broker properties on top of ours, which they replace; `{port}` and `{controller_port}` in a value stand for our ports.
    pub extra_properties: BTreeMap<String, String>,
    /// Arguments of its Java machine on top of ours.
    #[serde(default)]
    pub java_arguments: Vec<String>,
}

/// How parts are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Each part closes its files first.
    Clean,
    /// At once; the next start recovers what was not closed.
    Kill,
}

/// Starts what does not run, waits until all of it answers, and says where. Prometheus is left out where it is not installed. The broker keeps the options that it was given last.
///
/// # Errors
/// The first part's error in the order Kafka, registry, Postgres, Prometheus; parts that came up stay up.
pub async fn up(data: &DataDir, progress: &mut dyn Progress) -> Result<StackAddresses, StackError> {
    start(data, None, progress).await
}

/// As [`up`], with a broker that has these options from now on; it is restarted when it runs with others.
///
/// # Errors
/// As [`up`].
pub async fn up_with(data: &DataDir, kafka: &KafkaOptions, progress: &mut dyn Progress) -> Result<StackAddresses, StackError> {
    start(data, Some(kafka), progress).await
}

async fn start(data: &DataDir, options: Option<&KafkaOptions>, progress: &mut dyn Progress) -> Result<StackAddresses, StackError> {
    listen(progress, |teller| async move {
        let _lock = take_lock(data, &teller).await?;
        let mut first = record::read(data)?.unwrap_or_default();
        let mut taken: BTreeSet<u16> = first.ports().collect();
        let root = root_directory(data.path()).unwrap_or_else(|| data.stack());
        first.settle(&root.join("postgres"), &mut taken)?;
        if let Some(options) = options.filter(|options| **options != first.kafka.options) {
            if let Some(process) = first.kafka.process.take() {
                teller.tell("Stopping", "kafka, to start it with other options");
                process.stop(Signal::SIGTERM, PATIENCE).await?;
            }
            first.kafka.options = options.clone();
        }
        check_needs(&first).await?;
        let book = Book::open(data, first)?;
        supervisor::choose_ports(data, &SERVICES).await?;
        let (kafka, registry, postgres, prometheus) = tokio::join!(
            kafka::up(data, &book, &teller),
            registry::up(data, &book, &teller),
            postgres::up(data, &book, &teller),
            prometheus::up(data, &book, &teller)
        );
        kafka.and(registry).and(postgres).and(prometheus)?;
        Ok(book.get(Record::addresses))
    })
    .await
}

/// Looks for all that is missing before anything is started, so that it can be installed in one go.
async fn check_needs(record: &Record) -> Result<(), StackError> {
    let lives = |process: &Option<Identity>| process.as_ref().is_some_and(Identity::is_alive);
    let mut checks = Vec::new();
    let mut to_fetch = false;
    if !lives(&record.kafka.process) || !lives(&record.registry.process) {
        checks.push(java::find().await.map(drop));
        to_fetch = !fetch::KAFKA.is_there() || !fetch::REGISTRY.is_there();
    }
    if let Some(cluster) = &record.postgres.cluster
        && cluster.running().is_none()
        && let Err(error) = Binaries::choose(&Binaries::installed(), &cluster.data())
    {
        if Binaries::can_be_fetched(&cluster.data()) {
            to_fetch = true;
        } else {
            checks.push(Err(error));
        }
    }
    if to_fetch && !fetch::has_maven() {
        checks.push(Err(StackError::missing(MAVEN, None)));
    }
    let mut lacks = Vec::new();
    for error in checks.into_iter().filter_map(Result::err) {
        match error {
            StackError::Missing(more) => lacks.extend(more),
            other => return Err(other),
        }
    }
    if lacks.is_empty() { Ok(()) } else { Err(StackError::Missing(lacks)) }
}

// Why: a broker closes its log segments one by one.
const PATIENCE: Duration = Duration::from_secs(30);

/// Ends the supervisor with its services, then the parts; their data stay unless `wipe`, which also removes what is kept outside of the data directory. That nothing
/// runs is fine.
///
/// # Errors
/// When a process may not be ended or a file may not be removed; the other parts are ended all the same.
pub async fn down(data: &DataDir, ending: Ending, wipe: bool, progress: &mut dyn Progress) -> Result<(), StackError> {
    listen(progress, |teller| async move {
        let _lock = take_lock(data, &teller).await?;
        let since = Instant::now();
        // Why: services first, so that they say goodbye to brokers and databases that are still there.
        let services = supervisor::stop(data, ending).await;
        if let Ok(true) = services {
            teller.tell("Stopped", format!("the supervisor and its services in {}", seconds(since)));
        }
        if wipe && services.is_ok() {
            supervisor::wipe(data)?;
        }
        let Some(found) = record::read(data)? else {
            services?;
            teller.tell("Stopped", "nothing: there is no stack in this data directory");
            return if wipe { files::remove(&data.stack()).map_err(Into::into) } else { Ok(()) };
        };
        let book = Book::open(data, found.clone())?;
        let end = async |name: &'static str, process: Option<Identity>| {
            let Some(process) = process.filter(Identity::is_alive) else { return Ok(()) };
            let since = Instant::now();
            match ending {
                Ending::Clean => process.stop(Signal::SIGTERM, PATIENCE).await?,
                Ending::Kill => process.kill().await?,
            }
            teller.tell("Stopped", format!("{name} in {}", seconds(since)));
            Ok::<(), StackError>(())
        };
        let database = async {
            let Some(cluster) = &found.postgres.cluster else { return Ok(()) };
            if cluster.running().is_some() {
                let since = Instant::now();
                cluster.stop().await?;
                teller.tell("Stopped", format!("postgres in {}", seconds(since)));
            }
            Ok::<(), StackError>(())
        };
        let (kafka, registry, postgres, prometheus) = tokio::join!(
            end("kafka", found.kafka.process.clone()),
            end("registry", found.registry.process.clone()),
            database,
            end("prometheus", found.prometheus.process.clone())
        );
        services.and(kafka).and(registry).and(postgres).and(prometheus)?;
        book.change(|record| {
            record.kafka.process = None;
            record.registry.process = None;
            record.postgres.process = None;
            record.prometheus.process = None;
        })?;
        if wipe {
            if let Some(cluster) = &found.postgres.cluster {
                files::remove(&cluster.directory)?;
            }
            remove_if_empty(data);
            files::remove(&data.stack_file())?;
            files::remove(&data.stack())?;
            teller.tell("Removed", "the stack's data");
        }
        Ok(())
    })
    .await
}

/// What of the stack runs and answers now.
///
/// # Errors
/// When `stack.json` cannot be read.
pub async fn status(data: &DataDir) -> Result<StackStatus, StackError> {
    let record = record::read(data)?.unwrap_or_default();
    let knock = async {
        match &record.postgres.cluster {
            Some(cluster) => cluster.knock().await.map_err(|error| error.to_string()),
            None => Err("it was never started".to_owned()),
        }
    };
    let (kafka, registry, postgres, prometheus) =
        tokio::join!(kafka::answers(&record.kafka), registry::answers(&record.registry), knock, prometheus::answers(&record.prometheus));
    let postgres_process = record.postgres.cluster.as_ref().and_then(Cluster::running);
    Ok(StackStatus::new(&record, postgres_process, [kafka, registry, postgres, prometheus]))
}

/// Where the stack of this directory is, as far as it was ever started; says nothing about whether it runs.
///
/// # Errors
/// When `stack.json` cannot be read.
pub fn addresses(data: &DataDir) -> Result<Option<StackAddresses>, StackError> {
    Ok(record::read(data)?.map(|record| record.addresses()))
}

/// The ports that the stack of this directory keeps, whether it runs or not.
pub(super) fn ports(data: &DataDir) -> Result<Vec<u16>, StackError> {
    Ok(record::read(data)?.map(|record| record.ports().collect()).unwrap_or_default())
}

async fn take_lock(data: &DataDir, teller: &Teller) -> Result<FileLock, StackError> {
    let waiting = || teller.tell("Waiting", "for another `cutover stack` on this data directory");
    Ok(FileLock::take(&data.path().join("stack.lock"), waiting).await?)
}

fn remove_if_empty(data: &DataDir) {
    if let Some(root) = root_directory(data.path()) {
        // Why: the private Postgres of the same data directory may lie beside; then this fails, as it should.
        let _ = std::fs::remove_dir(root);
    }
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
}
