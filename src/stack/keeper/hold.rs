//! The keeper itself: starts Postgres or joins the one that runs, starts it again when it dies, and ends it when nobody uses it.

use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::time::{Instant, sleep};

use super::paths::Paths;
use super::{Failure, Holding, holder, lease, manner, prepared};
use crate::stack::DataDir;
use crate::stack::error::StackError;
use crate::stack::files::{self, FileError};
use crate::stack::lock::FileLock;
use crate::stack::postgres::Cluster;
use crate::stack::process::Identity;

const LOOK: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_mins(1);
/// Seconds instead of [`GRACE`], for tests.
const GRACE_VARIABLE: &str = "CUTOVER_KEEPER_GRACE";
// Why: an earlier keeper that is ending its Postgres needs up to that long.
const SUCCESSION: Duration = Duration::from_secs(45);

/// Holds the private Postgres of this data directory up until no server of ours has lived for a minute, or until it is told to
/// stop by a signal or by the file `stop`. Ends at once, and well, when another keeper does so already, or when there is no such
/// directory any more. What goes wrong is also written down for the process that waits for it.
///
/// # Errors
/// When Postgres cannot be started, or not again.
pub async fn run(path: &Path) -> Result<(), StackError> {
    // Why: who started us may have been ended, and its directory removed; we must not bring that back.
    let Some(data) = DataDir::open_existing(path)? else { return Ok(()) };
    let paths = Paths::new(&data);
    let held = hold(&data, &paths).await;
    if let Err(error) = &held {
        let failure = Failure { keeper: std::process::id(), sentence: error.to_string(), hint: error.hint() };
        // Why: when not even this can be written, the log has it.
        let _ = files::write_json(&paths.failure(), &failure);
        let _ = files::remove(&paths.holding());
    }
    held
}

async fn hold(data: &DataDir, paths: &Paths) -> Result<(), StackError> {
    let mut term = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let Some(_lock) = succeed(paths).await? else { return Ok(()) };
    files::remove(&paths.stop())?;
    files::remove(&paths.failure())?;
    let mut holding = Holding { keeper: Identity::own(), postgres: None };
    files::write_json(&paths.holding(), &holding)?;
    let mut cluster = prepared(data, paths).await?;
    let grace = grace();
    let mut used = Instant::now();
    loop {
        if holding.postgres.as_ref().is_none_or(|postgres| !postgres.is_alive()) {
            holding.postgres = None;
            files::write_json(&paths.holding(), &holding)?;
            holding.postgres = Some(bring_up(&mut cluster, paths).await?);
            files::write_json(&paths.holding(), &holding)?;
        }
        tokio::select! {
            _ = term.recv() => return end(&cluster, paths).await,
            _ = interrupt.recv() => return end(&cluster, paths).await,
            () = sleep(LOOK) => (),
        }
        if lease::any(&paths.servers()) {
            used = Instant::now();
        }
        // Why: without its directory nobody can find this Postgres any more.
        if paths.stop().exists() || !paths.root().exists() {
            return end(&cluster, paths).await;
        }
        if used.elapsed() >= grace {
            let door = FileLock::take(&paths.door(), || ()).await?;
            if !lease::any(&paths.servers()) {
                files::remove(&paths.holding())?;
                drop(door);
                return end(&cluster, paths).await;
            }
        }
    }
}

/// The keeper's lock, after an earlier keeper has ended; `None` when one lives and means to go on.
async fn succeed(paths: &Paths) -> Result<Option<FileLock>, StackError> {
    let deadline = Instant::now() + SUCCESSION;
    loop {
        if let Some(lock) = FileLock::try_take(&paths.lock())? {
            return Ok(Some(lock));
        }
        if holder(paths)?.is_some() || Instant::now() >= deadline {
            return Ok(None);
        }
        sleep(Duration::from_millis(25)).await;
    }
}

async fn bring_up(cluster: &mut Cluster, paths: &Paths) -> Result<Identity, StackError> {
    cluster.start(&manner(paths), |cluster, _| Ok(files::write_json(&paths.cluster(), cluster)?)).await
}

async fn end(cluster: &Cluster, paths: &Paths) -> Result<(), StackError> {
    cluster.stop().await?;
    if paths.root().exists() {
        files::remove(&paths.holding())?;
        files::remove(&paths.stop())?;
    }
    Ok(())
}

fn listen(kind: SignalKind) -> Result<SignalStream, StackError> {
    Ok(signal(kind).map_err(|error| FileError::new("listen for signals in", Path::new("the keeper"), error))?)
}

fn grace() -> Duration {
    let seconds = std::env::var(GRACE_VARIABLE).ok().and_then(|value| value.parse().ok());
    seconds.map_or(GRACE, Duration::from_secs)
}
