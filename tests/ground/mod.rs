//! A private Postgres for one test binary, with a database of its own for every test. A reaper ends it when the binary ends.

#![allow(dead_code, reason = "each test binary uses its own part of it")]

pub mod reaped;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use cutover::stack::DataDir;
use cutover::stack::keeper::{self, Lease};
use cutover::stack::process::Identity;
use cutover::stack::reaper::Reaper;
use cutover::store::{Store, StoreOptions};
use sqlx::{Connection, PgConnection};

pub use reaped::{PROGRAM, Reaped};

/// What all tests of a binary share.
pub struct Ground {
    data: DataDir,
    url: String,
    reaper: Mutex<Reaper>,
    _lease: Lease,
}

/// The ground, made by the first test that needs it.
pub fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| {
        let begin = || tokio::runtime::Runtime::new().unwrap().block_on(Ground::begin());
        std::thread::spawn(begin).join().expect("a private Postgres")
    })
}

impl Ground {
    /// A ground of one's own, for a test that ends its Postgres.
    pub async fn begin() -> Self {
        let Reaped { data, reaper, .. } = Reaped::new();
        let url = keeper::ensure_with(&data, Path::new(PROGRAM)).await.unwrap().expose().to_owned();
        let lease = keeper::register(&data).unwrap();
        Self { data, url, reaper: Mutex::new(reaper), _lease: lease }
    }

    /// Has a process ended when the tests end.
    pub fn end_with_tests(&self, process: &Identity) {
        self.reaper.lock().unwrap().watch_pid(process).unwrap();
    }

    /// Has a directory removed when the tests end.
    pub fn remove_with_tests(&self, directory: &Path) {
        self.reaper.lock().unwrap().remove_directory(directory).unwrap();
    }

    /// A new empty database.
    pub async fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", COUNT.fetch_add(1, Ordering::SeqCst));
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
        let (place, options) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let (server, _) = place.rsplit_once('/').unwrap();
        format!("{server}/{name}?{options}")
    }
}

/// Its data directory, which not every binary asks for.
impl AsRef<DataDir> for Ground {
    fn as_ref(&self) -> &DataDir {
        &self.data
    }
}

/// Connections to a database whose schema is made when it is not there yet.
pub async fn store(url: &str, lease: Duration) -> Store {
    let store = Store::connect(&StoreOptions { url: url.to_owned(), lease, connections: 8 }).unwrap();
    store.migrate().await.unwrap();
    store
}
