//! The private Postgres that holds cutover's own state, one per data directory, and the keeper process that holds it up as long as
//! a server of ours lives. Owns who holds that Postgres; knows not what is in it.

mod hold;
mod lease;
mod paths;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

pub use hold::run;
pub use lease::Lease;

use super::error::StackError;
use super::lock::FileLock;
use super::postgres::{Binaries, Cluster, DatabaseUrl, Manner, root_directory};
use super::process::{Identity, Program};
use super::progress::{Silent, listen};
use super::{DataDir, files};
use paths::Paths;

const PART: &str = "the private Postgres";
const COME_UP: Duration = Duration::from_secs(150);
const STOP: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(15);
// Why: a keeper that finds another one ends well; more of them than this means that something else is wrong.
const KEEPERS: u32 = 5;

/// Small, and safe on the disk: a run's journal is only as good as this.
const SETTINGS: &[(&str, &str)] = &[
    ("fsync", "on"),
    ("full_page_writes", "on"),
    ("shared_buffers", "32MB"),
    ("max_connections", "60"),
    ("max_worker_processes", "2"),
    ("max_parallel_workers", "0"),
    ("max_wal_size", "256MB"),
    ("jit", "off"),
];

/// What the keeper says of itself while it holds the data directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Holding {
    keeper: Identity,
    /// The server, once it answers.
    postgres: Option<Identity>,
}

/// Why a keeper gave up, for the process that started it.
#[derive(Debug, Serialize, Deserialize)]
struct Failure {
    keeper: u32,
    sentence: String,
    hint: Option<String>,
}

/// Makes sure that the private Postgres of this data directory answers, and says where. The one that runs is joined, whoever
/// started it. Registers nobody: a server that wants it to stay calls [`register`], before or within a minute.
///
/// # Errors
/// When Postgres is not installed, the disk is full, the database is a newer Postgres', or it does not start.
pub async fn ensure(data: &DataDir) -> Result<DatabaseUrl, StackError> {
    let own = std::env::current_exe().map_err(|error| files::FileError::new("find", Path::new("/proc/self/exe"), error))?;
    ensure_with(data, &own).await
}

/// As [`ensure`], with the path of the `cutover` program that becomes the keeper, for a process that is not one.
///
/// # Errors
/// As [`ensure`].
pub async fn ensure_with(data: &DataDir, program: &Path) -> Result<DatabaseUrl, StackError> {
    let paths = Paths::new(data);
    // Why: while we wait we count as a server, so a keeper that was about to end its Postgres leaves it to us.
    let _lease = register(data)?;
    if look(&paths).await?.is_none() && holder(&paths)?.is_none() {
        // Why: fetching takes longer than coming up may.
        let database = files::read_json::<Cluster>(&paths.cluster())?.map_or_else(|| paths.root().join("none"), |cluster| cluster.data());
        listen(&mut Silent, |teller| async move { Binaries::provide(&database, &teller).await }).await?;
    }
    let deadline = Instant::now() + COME_UP;
    let mut keepers = 0;
    let mut ours: Option<Identity> = None;
    while Instant::now() < deadline {
        if let Some(url) = look(&paths).await? {
            return Ok(url);
        }
        let alive = ours.as_ref().is_some_and(Identity::is_alive);
        if !alive && let Some(ended) = ours.take() {
            failure_of(&paths, &ended)?;
        }
        if !alive && holder(&paths)?.is_none() && keepers < KEEPERS {
            keepers += 1;
            // Why: here rather than in the keeper, so that what is missing or does not fit is told by the one who is asked.
            prepared(data, &paths).await?;
            ours = Some(Program::new(program, data.log("keeper")).inheriting().arg("keeper").arg("--data").arg(data.path()).start()?);
        }
        sleep(POLL).await;
    }
    Err(StackError::KeeperSilent { seconds: COME_UP.as_secs(), keeper: data.log("keeper"), postgres: paths.log() })
}

/// Where the private Postgres of this data directory answers; `None` when it does not run. Starts nothing.
///
/// # Errors
/// When the keeper's files cannot be read.
pub async fn find(data: &DataDir) -> Result<Option<DatabaseUrl>, StackError> {
    look(&Paths::new(data)).await
}

/// Says that this process uses the private Postgres, until the lease is dropped or the process has gone in any way.
///
/// # Errors
/// When the data directory cannot be written.
pub fn register(data: &DataDir) -> Result<Lease, StackError> {
    Ok(Lease::take(&Paths::new(data).servers())?)
}

/// Ends the private Postgres of this data directory and its keeper, whoever uses them. That neither runs is fine.
///
/// # Errors
/// When a process may not be ended.
pub async fn stop(data: &DataDir) -> Result<(), StackError> {
    let paths = Paths::new(data);
    if !paths.root().exists() {
        return Ok(());
    }
    let deadline = Instant::now() + STOP;
    let lock = loop {
        if let Some(holding) = holder(&paths)? {
            files::write_private(&paths.stop(), b"stop\n")?;
            holding.keeper.stop(Signal::SIGTERM, STOP).await?;
        }
        // Why: a keeper that has only just begun has the lock and has not said so yet.
        let lock = FileLock::try_take(&paths.lock())?;
        if lock.is_some() || Instant::now() >= deadline {
            break lock;
        }
        sleep(POLL).await;
    };
    // Why: a Postgres whose keeper was killed lives on, and so does one that a killed keeper was just starting.
    if let Some(cluster) = files::read_json::<Cluster>(&paths.cluster())? {
        cluster.stop().await?;
    }
    files::remove(&paths.stop())?;
    files::remove(&paths.holding())?;
    drop(lock);
    Ok(())
}

/// [`stop`], and removes the database for good: every run of this data directory and its journal.
///
/// # Errors
/// As [`stop`], and when a file may not be removed.
pub async fn wipe(data: &DataDir) -> Result<(), StackError> {
    stop(data).await?;
    let paths = Paths::new(data);
    if let Some(cluster) = files::read_json::<Cluster>(&paths.cluster())? {
        files::remove(&cluster.directory)?;
    }
    if let Some(root) = root_directory(data.path()) {
        // Why: the stack's Postgres of the same data directory may lie beside; then this fails, as it should.
        let _ = std::fs::remove_dir(root);
    }
    Ok(files::remove(paths.root())?)
}

/// The address when the database is up.
async fn look(paths: &Paths) -> Result<Option<DatabaseUrl>, StackError> {
    let cluster = {
        // Why: a keeper decides behind this door to end its Postgres; what we see in front of it stays as long as our lease.
        let _door = FileLock::take(&paths.door(), || ()).await?;
        match (files::read_json::<Cluster>(&paths.cluster())?, holder(paths)?) {
            (Some(cluster), Some(Holding { postgres: Some(_), .. })) => cluster,
            _ => return Ok(None),
        }
    };
    // Why: it may just have died, and be on its way up again.
    Ok(cluster.knock().await.is_ok().then(|| DatabaseUrl::new(format!("{}?sslmode=disable", cluster.url().expose()))))
}

/// The database, made if there was none. Its record is written first, so that the password is never lost.
async fn prepared(data: &DataDir, paths: &Paths) -> Result<Cluster, StackError> {
    let _door = FileLock::take(&paths.door(), || ()).await?;
    let cluster = if let Some(cluster) = files::read_json::<Cluster>(&paths.cluster())? {
        cluster
    } else {
        let directory = root_directory(data.path()).unwrap_or_else(|| paths.root().to_owned()).join("keeper");
        let cluster = Cluster::new(&directory, "cutover", &mut BTreeSet::new())?;
        files::write_json(&paths.cluster(), &cluster)?;
        cluster
    };
    cluster.made(&manner(paths)).await?;
    Ok(cluster)
}

fn manner(paths: &Paths) -> Manner {
    Manner { part: PART, settings: SETTINGS, throwaway: false, log: paths.log() }
}

/// The keeper that lives.
fn holder(paths: &Paths) -> Result<Option<Holding>, StackError> {
    Ok(files::read_json::<Holding>(&paths.holding())?.filter(|holding| holding.keeper.is_alive()))
}

/// The error that our keeper left when it ended; one that left none found another keeper.
fn failure_of(paths: &Paths, ended: &Identity) -> Result<(), StackError> {
    match files::read_json::<Failure>(&paths.failure())? {
        Some(Failure { keeper, sentence, hint }) if keeper == ended.pid => Err(StackError::Keeper { sentence, hint }),
        _ => Ok(()),
    }
}
