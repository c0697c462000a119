//! Where in the data directory the keeper and those who look for it meet.

use std::path::{Path, PathBuf};

use crate::stack::DataDir;

/// `<data>/keeper` and what lies in it.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    root: PathBuf,
}

impl Paths {
    pub(super) fn new(data: &DataDir) -> Self {
        Self { root: data.keeper() }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Locked by the keeper for as long as it lives.
    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Locked for a moment: by who looks whether the database is up, and by the keeper when it decides to end it.
    pub(super) fn door(&self) -> PathBuf {
        self.root.join("door")
    }

    /// The keeper's word about itself.
    pub(super) fn holding(&self) -> PathBuf {
        self.root.join("holding.json")
    }

    /// Why the last keeper gave up.
    pub(super) fn failure(&self) -> PathBuf {
        self.root.join("failure.json")
    }

    /// Directory, port and password of the database.
    pub(super) fn cluster(&self) -> PathBuf {
        self.root.join("cluster.json")
    }

    /// One file per process that uses the database.
    pub(super) fn servers(&self) -> PathBuf {
        self.root.join("servers")
    }

    /// Ends the keeper when it is there.
    pub(super) fn stop(&self) -> PathBuf {
        self.root.join("stop")
    }

    /// What Postgres says.
    pub(super) fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }
}
