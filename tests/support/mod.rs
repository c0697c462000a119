//! Real servers for a test binary: started once, through the same code as `cutover stack`, and ended by a reaper however the tests end.

#![allow(dead_code, reason = "each test binary uses its own part of it")]

use std::path::Path;
use std::sync::Mutex;

use cutover::stack::local::{self, StackAddresses};
use cutover::stack::progress::Silent;
use cutover::stack::reaper::Reaper;
use cutover::stack::{DataDir, keeper};
use tokio::sync::OnceCell;

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_cutover");

/// Servers that live as long as the test binary.
pub struct Servers {
    /// Where Kafka, the registry and the stack's Postgres answer.
    pub stack: StackAddresses,
    /// Where the private Postgres answers.
    pub database: String,
    /// A directory for what tests write.
    pub directory: std::path::PathBuf,
    reaper: Mutex<Reaper>,
    _lease: keeper::Lease,
}

static SERVERS: OnceCell<Servers> = OnceCell::const_new();

/// The servers, started at the first call.
pub async fn servers() -> &'static Servers {
    SERVERS
        .get_or_init(|| async {
            let mut reaper = Reaper::start(Path::new(PROGRAM)).expect("a reaper");
            let directory = tempfile::Builder::new().prefix("cutover-it-").tempdir().expect("a directory").keep();
            reaper.remove_directory(&directory).expect("a reaper that listens");
            let data = DataDir::open(&directory.join("data")).expect("a data directory");
            reaper.watch_keeper(data.path()).expect("a reaper that listens");
            reaper.watch_stack(data.path()).expect("a reaper that listens");
            let stack = local::up(&data, &mut Silent).await.expect("a stack");
            let database = keeper::ensure_with(&data, Path::new(PROGRAM)).await.expect("a database").expose().to_owned();
            let lease = keeper::register(&data).expect("a lease");
            Servers { stack, database, directory, reaper: Mutex::new(reaper), _lease: lease }
        })
        .await
}

impl Servers {
    /// Has a process ended when the tests end.
    pub fn end_with_tests(&self, process: &cutover::stack::process::Identity) {
        self.reaper.lock().expect("a reaper").watch_pid(process).expect("a reaper that listens");
    }

    /// Has the supervisor of a data directory ended when the tests end.
    pub fn end_supervisor_with_tests(&self, data: &Path) {
        self.reaper.lock().expect("a reaper").watch_supervisor(data).expect("a reaper that listens");
    }

    /// The address of another database on the private Postgres.
    pub fn database_named(&self, name: &str) -> String {
        let (base, _) = self.database.rsplit_once('/').expect("an address with a database");
        format!("{base}/{name}")
    }
}
