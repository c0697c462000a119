//! A data directory whose stack and keeper a reaper ends, and which it removes, however the tests end.

#![allow(dead_code, reason = "each test binary uses its own part of it")]

use std::path::{Path, PathBuf};

use cutover::stack::DataDir;
use cutover::stack::reaper::Reaper;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_cutover");

/// What lives no longer than its reaper.
pub struct Reaped {
    /// The data directory.
    pub data: DataDir,
    /// The directory around it, for what tests write.
    pub directory: PathBuf,
    /// Its end ends the rest.
    pub reaper: Reaper,
}

impl Reaped {
    /// A new directory.
    pub fn new() -> Self {
        let mut reaper = Reaper::start(Path::new(PROGRAM)).expect("a reaper");
        let directory = tempfile::Builder::new().prefix("cutover-it-").tempdir().expect("a directory").keep();
        reaper.remove_directory(&directory).expect("a reaper that listens");
        let data = DataDir::open(&directory.join("data")).expect("a data directory");
        reaper.watch_stack(data.path()).expect("a reaper that listens");
        reaper.watch_keeper(data.path()).expect("a reaper that listens");
        Self { data, directory, reaper }
    }
}
