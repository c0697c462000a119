//! Real servers for a test binary: started once, through the same code as `cutover stack`, and ended by a reaper however the tests end.

#![allow(dead_code, reason = "each test binary uses its own part of it")]

#[path = "../ground/reaped.rs"]
pub mod reaped;

use std::path::Path;
use std::sync::Mutex;

use cutover::stack::keeper;
use cutover::stack::local::{self, StackAddresses};
use cutover::stack::progress::Silent;
use cutover::stack::reaper::Reaper;
use tokio::sync::OnceCell;

pub use reaped::PROGRAM;
use reaped::Reaped;

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
            let Reaped { data, directory, reaper } = Reaped::new();
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

    /// A service's database on the stack's server, with an empty table `exercise` whose rows a test may write. The first caller makes it.
    pub async fn exercises(&self, name: &str) -> ServiceDatabase {
        use sqlx::{AssertSqlSafe, Connection, PgConnection};
        let mut main = PgConnection::connect(&self.stack.postgres.url).await.expect("the stack's database");
        let there: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut main)
            .await
            .expect("an answer");
        let (base, _) = self.stack.postgres.url.rsplit_once('/').expect("an address with a database");
        let url = format!("{base}/{name}");
        if !there {
            sqlx::raw_sql(AssertSqlSafe(format!("create database {name}"))).execute(&mut main).await.expect("a database");
        }
        {
            let mut own = PgConnection::connect(&url).await.expect("the database");
            let table = "create table if not exists exercise (id bigint primary key, title text not null, note text, version bigint not null default 1)";
            sqlx::raw_sql(table).execute(&mut own).await.expect("a table");
        }
        let (scheme, rest) = url.split_once("://").expect("an address");
        let (login, place) = rest.split_once('@').expect("a login");
        let (user, password) = login.split_once(':').expect("a password");
        let file = self.directory.join(format!("password-{name}"));
        std::fs::write(&file, password).expect("a file");
        let settings = cutover::ports::settings::DatabaseSettings {
            url: format!("{scheme}://{user}@{place}"),
            password: Some(cutover::ports::settings::SecretRef::File(file.to_string_lossy().into_owned())),
            tls: None,
        };
        ServiceDatabase { url: url.clone(), settings }
    }
}

/// A service's database.
#[derive(Clone, Debug)]
pub struct ServiceDatabase {
    /// Its address, password included.
    pub url: String,
    /// How an environment names it.
    pub settings: cutover::ports::settings::DatabaseSettings,
}
