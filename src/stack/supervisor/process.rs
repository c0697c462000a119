//! Starting the process of an instance, and telling how it ended.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::stack::files::{self, FileError};
use crate::stack::process::{Identity, ProcessError};

/// The service's listening socket in the instance, and the instance's own one for administration.
const SERVICE_FD: i32 = 3;
const ADMINISTRATION_FD: i32 = 4;

/// Writes its own number down and becomes the service. Why: between a start and its being written down a supervisor may be killed,
/// and then the next one finds the process by this file; and only the process itself can say `LISTEN_PID` truly. The words of the
/// command are arguments here and never text of the script.
const BECOME: &str = r#"printf '%s\n' "$$" > "$0" && export LISTEN_PID="$$" && exec "$@""#;

/// Variables of our own environment that an instance gets.
const KEPT: [&str; 4] = ["PATH", "HOME", "TZ", "TMPDIR"];

/// How many lines of its log tell why an instance ended, and how much of each.
const LINES: usize = 5;
const LINE: usize = 200;

/// A process that was started.
#[derive(Debug)]
pub(super) struct Running {
    pub identity: Identity,
    child: Option<Child>,
}

/// Everything that a start needs.
pub(super) struct Launch<'a> {
    pub command: &'a [String],
    pub environment: &'a [(String, String)],
    pub directory: &'a Path,
    pub log: File,
    pub pid: &'a Path,
    pub service: OwnedFd,
    pub administration: OwnedFd,
}

impl Launch<'_> {
    /// Starts the process, in a group of its own.
    pub(super) fn start(self) -> Result<Running, ProcessError> {
        if let Some(parent) = self.pid.parent() {
            files::create_private_dir(parent)?;
        }
        let program = self.command.first().map(Into::into).unwrap_or_default();
        let failed = |source| ProcessError::Start { program, source };
        let error_log = self.log.try_clone().map_err(|error| FileError::new("open", Path::new("the log"), error))?;
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(BECOME).arg(self.pid).args(self.command);
        command.env_clear().envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("LISTEN_FDS", "2").env("LISTEN_FDNAMES", "service:administration");
        command.current_dir(self.directory).process_group(0);
        command.stdin(Stdio::null()).stdout(self.log).stderr(error_log);
        let sockets = vec![
            FdMapping { parent_fd: self.service, child_fd: SERVICE_FD },
            FdMapping { parent_fd: self.administration, child_fd: ADMINISTRATION_FD },
        ];
        command.fd_mappings(sockets).map_err(|error| failed(std::io::Error::other(error)))?;
        let child = match command.spawn() {
            Ok(child) => child,
            Err(source) => return Err(ProcessError::Start { program: self.command.first().map(Into::into).unwrap_or_default(), source }),
        };
        // Why: read while `child` is held, so that the number cannot have been given to somebody else.
        let identity = Identity::of(child.id()).unwrap_or_else(|| Identity { pid: child.id(), started: String::new() });
        Ok(Running { identity, child: Some(child) })
    }
}

impl Running {
    pub(super) fn adopted(identity: Identity) -> Self {
        Self { identity, child: None }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.identity.is_alive()
    }

    /// Tells it to finish what it has and end.
    pub(super) fn tell_to_end(&self) -> Result<(), ProcessError> {
        self.identity.signal(Signal::SIGTERM)
    }

    /// Ends it and all that it started, now.
    pub(super) fn kill(&self) {
        if self.is_alive() {
            self.kill_group();
        }
    }

    /// Clears away what is left of a process that has ended, and says how it ended.
    pub(super) fn clear(mut self) -> String {
        let Some(mut child) = self.child.take() else { return "ended; how is not known, for an earlier supervisor started it".to_owned() };
        // Why: as long as nobody has looked at the dead leader, its number, and so its group's, is nobody else's.
        self.kill_group();
        child.wait().map_or_else(|error| format!("ended: {error}"), how)
    }

    fn kill_group(&self) {
        if let Ok(pid) = i32::try_from(self.identity.pid) {
            // Why: a group without members is what is wanted.
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => format!("ended: {status}"),
    }
}

/// How an instance ended, with the end of its log.
pub(super) fn told(how: &str, log: &Path, secrets: &[String]) -> String {
    let tail = files::tail(log, LINES);
    if tail.is_empty() {
        return format!("{how} and wrote no log");
    }
    let lines = tail.lines().map(|line| line.trim().chars().take(LINE).collect::<String>()).collect::<Vec<_>>().join(" | ");
    let clean = secrets.iter().fold(lines, |text, secret| text.replace(secret.as_str(), "[secret]"));
    format!("{how}; its log ends: {clean}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{address, logs};
    use super::*;

    fn launch(directory: &Path, script: &str) -> Running {
        let (service, administration) = (address::listen(0).unwrap().0, address::listen(0).unwrap().0);
        let log = logs::open(&directory.join("log")).unwrap();
        let command = ["/bin/sh", "-c", script].map(str::to_owned);
        let environment = [("CUTOVER_SERVICE".to_owned(), "hiring".to_owned())];
        Launch { command: &command, environment: &environment, directory, log, pid: &directory.join("pids/x"), service, administration }
            .start()
            .unwrap()
    }

    #[tokio::test]
    async fn an_instance_gets_its_sockets_and_says_who_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let script = "echo $CUTOVER_SERVICE $LISTEN_FDS $(( LISTEN_PID == $$ )); ls -l /proc/$$/fd/3 /proc/$$/fd/4 2>/dev/null | grep -c socket; exit 3";
        let running = launch(directory.path(), script);
        assert!(running.identity.wait(Duration::from_mins(1)).await);
        assert_eq!(std::fs::read_to_string(directory.path().join("pids/x")).unwrap(), format!("{}\n", running.identity.pid));
        let how = running.clear();
        assert_eq!(how, "ended with exit code 3");
        let said = told(&how, &directory.path().join("log"), &["hiring".to_owned()]);
        let sockets = if cfg!(target_os = "linux") { "2" } else { "0" };
        assert_eq!(said, format!("ended with exit code 3; its log ends: [secret] 2 1 | {sockets}"));
    }

    #[tokio::test]
    async fn what_an_instance_leaves_behind_goes_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let running = launch(directory.path(), "sleep 600 & echo $!");
        assert!(running.identity.wait(Duration::from_mins(1)).await);
        let left: u32 = std::fs::read_to_string(directory.path().join("log")).unwrap().trim().parse().unwrap();
        let left = Identity::of(left).expect("it lives on");
        running.clear();
        assert!(left.wait(Duration::from_mins(1)).await);
    }

    #[test]
    fn a_program_that_is_not_there_is_named_in_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let (service, administration) = (address::listen(0).unwrap().0, address::listen(0).unwrap().0);
        let log = logs::open(&directory.path().join("log")).unwrap();
        let command = ["/nowhere/hiring".to_owned()];
        let pid = directory.path().join("pids/x");
        let launch = Launch { command: &command, environment: &[], directory: directory.path(), log, pid: &pid, service, administration };
        let how = launch.start().unwrap().clear();
        let said = told(&how, &directory.path().join("log"), &[]);
        assert!(said.starts_with("ended ") && (said.contains("/nowhere/hiring") || said.contains("signal 9")), "{said}");
    }
}
