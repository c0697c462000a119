//! Processes that outlive the one that started them: told apart by pid and start time, started without a shell in a group of
//! their own, ended with the whole group.

mod identity;
mod program;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpgid};
use tokio::time::{Instant, sleep};

pub use identity::Identity;
pub use program::{Account, Program};

use super::files::FileError;

const POLL: Duration = Duration::from_millis(10);
// Why: the kernel may need a while to tear down a large process on a busy machine; after that something is badly wrong.
const AFTER_KILL: Duration = Duration::from_secs(20);

/// A process could not be started or ended.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The operating system did not start it.
    #[error("cannot start {program}")]
    Start {
        /// The program's path.
        program: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// It ended before it could be identified.
    #[error("{program} ended as soon as it was started")]
    Vanished {
        /// The program's path.
        program: PathBuf,
    },
    /// Its log cannot be written.
    #[error(transparent)]
    Log(#[from] FileError),
    /// It may not be signalled, or survived being killed.
    #[error("process {pid} cannot be ended: {reason}")]
    Stays {
        /// Which process.
        pid: u32,
        /// Why.
        reason: String,
    },
}

impl Identity {
    /// Sends a signal; that the process has gone is fine.
    ///
    /// # Errors
    /// When the operating system forbids it.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        if !self.is_alive() {
            return Ok(());
        }
        match kill(self.raw(), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => Err(ProcessError::Stays { pid: self.pid, reason: error.desc().to_owned() }),
        }
    }

    /// Ends the process: `first` (usually SIGTERM), then, when it is still there after `patience`, SIGKILL to its group.
    /// That it has gone already is fine, and a process that merely has the same number is left alone.
    ///
    /// # Errors
    /// When it may not be signalled, or does not even go when killed.
    pub async fn stop(&self, first: Signal, patience: Duration) -> Result<(), ProcessError> {
        self.signal(first)?;
        if self.wait(patience).await {
            return Ok(());
        }
        self.kill().await
    }

    /// Ends the process and its group with SIGKILL and waits until it has gone.
    ///
    /// # Errors
    /// As [`Self::stop`].
    pub async fn kill(&self) -> Result<(), ProcessError> {
        // Why: only a leader's number names its group, and only while the leader is known to be ours.
        if self.is_alive() && getpgid(Some(self.raw())) == Ok(self.raw()) {
            let _ = killpg(self.raw(), Signal::SIGKILL);
        }
        self.signal(Signal::SIGKILL)?;
        if self.wait(AFTER_KILL).await {
            return Ok(());
        }
        Err(ProcessError::Stays { pid: self.pid, reason: format!("it is still there {} s after SIGKILL", AFTER_KILL.as_secs()) })
    }

    /// Waits until the process has gone; `false` when it is still there after `patience`.
    pub async fn wait(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() >= deadline {
                return false;
            }
            sleep(POLL).await;
        }
        true
    }

    fn raw(&self) -> Pid {
        // Why: a pid that does not fit would be our own broken file; 0 and negative numbers mean groups, so it becomes "nobody".
        Pid::from_raw(i32::try_from(self.pid).unwrap_or(i32::MAX))
    }
}
