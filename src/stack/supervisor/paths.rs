//! Where in the data directory the supervisor keeps what outlives it.

use std::path::{Path, PathBuf};

use crate::stack::DataDir;

/// `<data>/supervisor` and what lies in it.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    root: PathBuf,
}

impl Paths {
    pub(super) fn new(data: &DataDir) -> Self {
        Self { root: data.path().join("supervisor") }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Locked by the supervisor for as long as it lives.
    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Who supervises, and the processes that were started.
    pub(super) fn record(&self) -> PathBuf {
        self.root.join("record.json")
    }

    /// Why the last supervisor gave up.
    pub(super) fn failure(&self) -> PathBuf {
        self.root.join("failure.json")
    }

    /// The port of every service.
    pub(super) fn ports(&self) -> PathBuf {
        self.root.join("ports.json")
    }

    /// Locked for a moment by whoever chooses ports.
    pub(super) fn ports_lock(&self) -> PathBuf {
        self.root.join("ports.lock")
    }

    /// What Prometheus is to scrape.
    pub(super) fn targets(&self) -> PathBuf {
        self.root.join("targets.json")
    }

    /// The logs of one service's instances.
    pub(super) fn logs(&self, service: &str) -> PathBuf {
        self.root.join("logs").join(service)
    }

    /// The log of one instance.
    pub(super) fn log(&self, service: &str, instance: &str) -> PathBuf {
        self.logs(service).join(format!("{instance}.log"))
    }

    /// Where one service keeps what it must not forget.
    pub(super) fn state(&self, service: &str) -> PathBuf {
        self.root.join("state").join(service)
    }

    /// Where an instance writes its own number before it becomes the service's program.
    pub(super) fn pid(&self, instance: &str) -> PathBuf {
        self.root.join("pids").join(instance)
    }
}
