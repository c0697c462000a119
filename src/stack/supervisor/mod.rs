//! The supervisor: one process per data directory that keeps the processes of services to what the state database says should run,
//! and hands their listening sockets from release to release. It outlives the controller, and its instances outlive it: the next one
//! takes them over. Owns processes, ports and logs of services; knows no playbook and no run.

mod address;
mod decide;
mod exchange;
mod health;
mod keep;
mod logs;
mod paths;
mod process;
mod record;
mod services;
mod slot;
mod targets;
mod variables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

pub use keep::run;
pub use services::{FILE, Service, Services};

use super::error::StackError;
use super::local::Ending;
use super::lock::FileLock;
use super::process::{Identity, Program};
use super::{DataDir, files};
use paths::Paths;
use record::Record;

const PART: &str = "the supervisor";
const COME_UP: Duration = Duration::from_mins(1);
// Why: its instances have ten seconds to end, and a busy machine needs some more.
const GO_DOWN: Duration = Duration::from_secs(25);
const POLL: Duration = Duration::from_millis(15);

/// What a supervisor is to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Name of the environment, for the instances.
    pub environment: String,
    /// Under which name the state database keeps the workloads, for instance `local/main`.
    pub workloads: String,
    /// The services file.
    pub services: PathBuf,
    /// Address of a shared state database; `None` for the data directory's private one.
    pub database: Option<String>,
}

/// Why a supervisor gave up, for the process that started it.
#[derive(Debug, Serialize, Deserialize)]
struct Failure {
    supervisor: u32,
    sentence: String,
    hint: Option<String>,
}

/// Makes sure that a supervisor keeps these services, and answers which process it is. The one that runs is joined; `program` is the
/// path of the `cutover` program that becomes a new one, in a session of its own.
///
/// # Errors
/// When one runs that keeps something else, or a new one does not come up.
pub async fn ensure_with(data: &DataDir, program: &Path, order: &Order) -> Result<Identity, StackError> {
    let paths = Paths::new(data);
    let deadline = Instant::now() + COME_UP;
    let log = data.log("supervise");
    let mut ours: Option<Identity> = None;
    while Instant::now() < deadline {
        let record = Record::read(&paths)?.unwrap_or_default();
        if let Some(alive) = record.alive().filter(|_| record.up) {
            if record.workloads == order.workloads && record.services == order.services {
                return Ok(alive.clone());
            }
            let keeps = format!("{} by {}", record.workloads, record.services.display());
            return Err(StackError::SupervisesOther { pid: alive.pid, keeps });
        }
        match &ours {
            Some(process) if !process.is_alive() => {
                return Err(match files::read_json::<Failure>(&paths.failure())? {
                    Some(Failure { supervisor, sentence, hint }) if supervisor == process.pid => StackError::Keeper { sentence, hint },
                    _ => StackError::died(PART, &log, paths.root()),
                });
            }
            Some(_) => {}
            None => {
                let mut started = Program::new(program, &log).inheriting().own_session();
                started = started.args(["supervise", "--in-session", "--data"]).arg(data.path()).arg("--services").arg(&order.services);
                started = started.args(["--keep-as", &order.workloads, "--env", &order.environment]);
                if let Some(database) = &order.database {
                    started = started.env("CUTOVER_DATABASE_URL", database);
                }
                ours = Some(started.start()?);
            }
        }
        sleep(POLL).await;
    }
    Err(StackError::no_answer(PART, data.path().display().to_string(), COME_UP.as_secs(), "it has not taken over", &log))
}

/// The supervisor of this data directory that lives.
///
/// # Errors
/// When its record cannot be read.
pub fn alive(data: &DataDir) -> Result<Option<Identity>, StackError> {
    Ok(Record::read(&Paths::new(data))?.and_then(|record| record.alive().cloned()))
}

/// Ends every instance of this data directory and its supervisor; instances whose supervisor was killed are ended too. Says whether
/// there was any. That nothing runs is fine.
///
/// # Errors
/// When a process may not be ended.
pub async fn stop(data: &DataDir, ending: Ending) -> Result<bool, StackError> {
    let paths = Paths::new(data);
    if !paths.root().exists() {
        return Ok(false);
    }
    let mut any = false;
    let deadline = Instant::now() + GO_DOWN;
    let lock = loop {
        if let Some(supervisor) = alive(data)? {
            any = true;
            match ending {
                Ending::Clean => supervisor.stop(Signal::SIGTERM, GO_DOWN).await?,
                Ending::Kill => supervisor.kill().await?,
            }
        }
        // Why: a supervisor that has only just begun has the lock and has not said so yet.
        let lock = FileLock::try_take(&paths.lock())?;
        if lock.is_some() || Instant::now() >= deadline {
            break lock;
        }
        sleep(POLL).await;
    };
    if let Some(record) = Record::read(&paths)? {
        any |= record.instances.iter().any(|started| started.alive(&paths).is_some());
        keep::end_all(&paths, &record.instances, ending == Ending::Kill).await?;
        Record { supervisor: None, up: false, instances: Vec::new(), ..record }.write(&paths)?;
        files::write_json(&paths.targets(), &targets::document(std::iter::empty()))?;
    }
    drop(lock);
    Ok(any)
}

/// Removes everything that the supervisor kept: ports, logs and what services wrote for themselves. Only after [`stop`].
///
/// # Errors
/// When a file may not be removed.
pub fn wipe(data: &DataDir) -> Result<(), StackError> {
    Ok(files::remove(Paths::new(data).root())?)
}

/// Chooses ports for services that have none yet, so that they are known before anything runs.
///
/// # Errors
/// When no port is free, or the data directory cannot be written.
pub async fn choose_ports(data: &DataDir, services: &[&str]) -> Result<(), StackError> {
    let known = address::read(data)?;
    let missing = services.iter().filter(|service| !known.contains_key(**service)).map(|service| ((*service).to_owned(), 0)).collect();
    address::keep(data, &missing).await.map(drop)
}

/// Where each service of this data directory answers, whether it runs or not.
///
/// # Errors
/// When the ports cannot be read.
pub fn urls(data: &DataDir) -> Result<BTreeMap<String, String>, StackError> {
    Ok(address::read(data)?.into_iter().map(|(service, port)| (service, variables::local_url(port))).collect())
}

/// The file that names every instance's administration for Prometheus.
#[must_use]
pub fn targets_file(data: &DataDir) -> PathBuf {
    Paths::new(data).targets()
}
