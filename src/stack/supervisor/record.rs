//! What a supervisor writes down so that the next one finds its processes: before a process is started, and after.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::paths::Paths;
use crate::ports::workloads::Desired;
use crate::stack::files::{self, FileError};
use crate::stack::process::Identity;

/// The whole record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The supervisor; `None` after one that ended well.
    pub supervisor: Option<Identity>,
    /// Whether it has taken over what it found.
    pub up: bool,
    /// The workloads that it keeps, for instance `local/main`.
    pub workloads: String,
    /// Its services file.
    pub services: PathBuf,
    /// What should run, as it last knew it.
    #[serde(default)]
    pub desired: BTreeMap<String, Desired>,
    /// The instances whose process runs or was about to be started.
    #[serde(default)]
    pub instances: Vec<Started>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    pub service: String,
    pub instance: String,
    pub release: String,
    /// Port of its administration.
    pub port: u16,
    /// `None` when the supervisor died before it could write down whom it had started.
    pub process: Option<Identity>,
}

impl Record {
    pub(super) fn read(paths: &Paths) -> Result<Option<Self>, FileError> {
        files::read_json(&paths.record())
    }

    pub(super) fn write(&self, paths: &Paths) -> Result<(), FileError> {
        files::write_json(&paths.record(), self)
    }

    /// The supervisor that lives.
    pub(super) fn alive(&self) -> Option<&Identity> {
        self.supervisor.as_ref().filter(|supervisor| supervisor.is_alive())
    }
}

impl Started {
    /// The process, if it lives: by what was written down of it, else by the number that it wrote itself.
    pub(super) fn alive(&self, paths: &Paths) -> Option<Identity> {
        let process = self.process.clone().or_else(|| wrote_itself(&paths.pid(&self.instance)))?;
        process.is_alive().then_some(process)
    }
}

/// The process that wrote this file about itself. A line that is not whole counts as none.
fn wrote_itself(path: &Path) -> Option<Identity> {
    let text = std::fs::read_to_string(path).ok()?;
    let pid = text.strip_suffix('\n')?.parse().ok()?;
    // Why: a number alone may have been given to somebody else by now; only a leader of a group can be what we started.
    let raw = nix::unistd::Pid::from_raw(i32::try_from(pid).ok()?);
    (nix::unistd::getpgid(Some(raw)) == Ok(raw)).then(|| Identity::of(pid)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::DataDir;
    use crate::stack::process::Program;

    #[tokio::test]
    async fn a_process_that_nobody_wrote_down_is_found_by_its_own_word() {
        let directory = tempfile::tempdir().unwrap();
        let paths = Paths::new(&DataDir::open(&directory.path().join("data")).unwrap());
        let process = Program::new("/bin/sh", directory.path().join("log")).args(["-c", "exec sleep 600"]).start().unwrap();
        let (service, instance, release) = ("hiring".to_owned(), "hiring-1".to_owned(), "1".to_owned());
        let started = Started { service, instance, release, port: 1, process: None };
        assert_eq!(started.alive(&paths), None);
        std::fs::create_dir_all(paths.pid("x").parent().unwrap()).unwrap();
        std::fs::write(paths.pid("hiring-1"), process.pid.to_string()).unwrap();
        assert_eq!(started.alive(&paths), None, "the line is not whole");
        std::fs::write(paths.pid("hiring-1"), format!("{}\n", process.pid)).unwrap();
        assert_eq!(started.alive(&paths), Some(process.clone()));
        std::fs::write(paths.pid("hiring-1"), format!("{}\n", std::process::id())).unwrap();
        let ours = nix::unistd::getpgid(None).is_ok_and(|group| group == nix::unistd::getpid());
        assert!(ours || started.alive(&paths).is_none(), "it leads no group");
        process.kill().await.unwrap();
    }
}
