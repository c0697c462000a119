//! A program to be started for longer than we live.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::{Uid, User};
use tokio::process::Command;

use super::{Identity, ProcessError};
use crate::stack::files::FileError;

// Why: a log that grows for months must not fill the disk; one older log is kept.
const LOG_LIMIT: u64 = 16 * 1024 * 1024;

/// Whom a program runs as when that is not the user who starts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
}

impl Account {
    /// Whether this process runs as root.
    #[must_use]
    pub fn is_root() -> bool {
        Uid::effective().is_root()
    }

    /// Looks a user up by name; `None` when there is none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let user = User::from_name(name).ok()??;
        Some(Self { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
    }
}

/// What to start. Without a shell, in a process group of its own, so that neither Ctrl-C nor a closed terminal reaches it; its
/// output goes to the end of a log file; its environment holds what is given here and nothing else unless told otherwise.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    inherits: bool,
    own_session: bool,
    directory: PathBuf,
    log: PathBuf,
    account: Option<Account>,
}

impl Program {
    /// The program at `path`, with a log file at `log`.
    pub fn new(path: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Self {
        let kept = ["PATH", "HOME", "TZ", "TMPDIR"];
        let environment = kept.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?))).collect();
        Self {
            path: path.into(),
            arguments: Vec::new(),
            environment,
            inherits: false,
            own_session: false,
            directory: PathBuf::from("/"),
            log: log.into(),
            account: None,
        }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// One variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Gives it our whole environment, for a process that is one of us.
    #[must_use]
    pub fn inheriting(mut self) -> Self {
        self.inherits = true;
        self
    }

    /// Leaves it to the program to begin a session of its own, which the leader of a group cannot.
    #[must_use]
    pub fn own_session(mut self) -> Self {
        self.own_session = true;
        self
    }

    /// The directory that it works in, instead of `/`.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// Gives up root's rights before it starts, supplementary groups included.
    #[must_use]
    pub fn account(mut self, account: Option<Account>) -> Self {
        self.account = account;
        self
    }

    /// Starts it and answers who it is. It is not ended with us, and what is left of it when it ends is cleared away. Only within
    /// a tokio runtime, which does the clearing.
    ///
    /// # Errors
    /// When its log cannot be written or the operating system does not start it.
    pub fn start(self) -> Result<Identity, ProcessError> {
        let log = open_log(&self.log)?;
        let error_log = log.try_clone().map_err(|error| FileError::new("open", &self.log, error))?;
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).current_dir(&self.directory);
        if !self.own_session {
            command.process_group(0);
        }
        command.stdin(Stdio::null()).stdout(log).stderr(error_log);
        if !self.inherits {
            command.env_clear();
        }
        command.envs(self.environment);
        if let Some(account) = &self.account {
            // Why: with a user number set, the standard library also clears root's supplementary groups.
            command.uid(account.uid).gid(account.gid);
        }
        let child = command.spawn().map_err(|source| ProcessError::Start { program: self.path.clone(), source })?;
        // Why: read while `child` is held, so that the number cannot have been given to somebody else.
        child.id().and_then(Identity::of).ok_or(ProcessError::Vanished { program: self.path })
    }
}

fn open_log(path: &Path) -> Result<std::fs::File, FileError> {
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_LIMIT) {
        let _ = std::fs::rename(path, path.with_extension("log.1"));
    }
    let options = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    options.map_err(|error| FileError::new("write", path, error))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::sys::signal::Signal;

    use super::*;
    use crate::stack::files::tail;

    fn sleeper(directory: &Path, script: &str) -> Identity {
        Program::new("/bin/sh", directory.join("log")).args(["-c", script]).start().unwrap()
    }

    #[tokio::test]
    async fn a_started_program_has_its_own_group_a_log_and_little_environment() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        // Why: one that ends at once may be gone before anybody has asked when it started.
        let started = Program::new("/bin/sh", &log).args(["-c", "env; sleep 1"]).env("PART", "kafka").start().unwrap();
        assert!(started.wait(Duration::from_mins(1)).await);
        let log = tail(&log, 100);
        assert!(log.lines().any(|line| line == "PART=kafka"), "{log}");
        assert!(!log.contains("CARGO"), "{log}");
    }

    #[tokio::test]
    async fn stop_ends_a_program_that_heeds_no_signal_and_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let ready = directory.path().join("child");
        let script =
            format!("trap '' TERM; sleep 600 & echo $! > '{}.tmp'; mv '{0}.tmp' '{0}'; while :; do sleep 1; done", ready.display());
        let parent = sleeper(directory.path(), &script);
        while !ready.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let child = Identity::of(std::fs::read_to_string(&ready).unwrap().trim().parse().unwrap()).unwrap();
        parent.stop(Signal::SIGTERM, Duration::from_millis(100)).await.unwrap();
        assert!(!parent.is_alive());
        assert!(child.wait(Duration::from_mins(1)).await);
    }

    #[tokio::test]
    async fn a_stranger_with_the_same_number_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let process = sleeper(directory.path(), "exec sleep 600");
        let stale = Identity { started: "another time".to_owned(), ..process.clone() };
        stale.stop(Signal::SIGKILL, Duration::ZERO).await.unwrap();
        assert!(process.is_alive());
        process.kill().await.unwrap();
        assert!(!process.is_alive());
    }

    #[tokio::test]
    async fn a_program_that_does_not_exist_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = Program::new("/nowhere/java", directory.path().join("log")).start().unwrap_err();
        assert_eq!(error.to_string(), "cannot start /nowhere/java");
    }
}
