//! Connections to the state database.

use std::io;
use std::str::FromStr;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};

use super::error::StoreError;

/// How connections are made.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `postgres://…`.
    pub url: String,
    /// Length of a controller's lease. Server-side limits on statements and idle transactions stay below it, so that no connection of a
    /// controller that lost its lease can hold up a takeover.
    pub lease: Duration,
    /// Most connections at once.
    pub connections: u32,
}

/// The state database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) pool: PgPool,
    pub(super) lease: Duration,
}

impl Store {
    /// Prepares connections; the first one is made when it is needed.
    ///
    /// # Errors
    /// When the URL is not one.
    pub fn connect(options: &StoreOptions) -> Result<Self, StoreError> {
        let limit = format!("{}ms", (options.lease * 6 / 10).as_millis().max(200));
        let connect = PgConnectOptions::from_str(&options.url)?.application_name("cutover").options([
            ("search_path", "cutover"),
            ("statement_timeout", limit.as_str()),
            ("idle_in_transaction_session_timeout", limit.as_str()),
            ("lock_timeout", limit.as_str()),
            ("tcp_user_timeout", limit.as_str()),
            ("timezone", "UTC"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(options.connections)
            .acquire_timeout(Duration::from_secs(5))
            .idle_timeout(Duration::from_mins(1))
            .test_before_acquire(false)
            .after_release(|connection, _| Box::pin(still_speaks(connection)))
            .connect_lazy_with(connect);
        Ok(Self { pool, lease: options.lease })
    }

    /// The pool itself, for benchmarks and tests that look at the tables.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Length of a controller's lease.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Asks, and gives up on a connection that has gone silent: one whose other end is out of reach says neither yes nor no until TCP
    /// gives up, which takes a quarter of an hour. The server has its own, shorter limits, so a statement that is given up on here is over.
    ///
    /// # Errors
    /// What was asked for, or `Away` after seven tenths of the lease.
    pub async fn answered<T>(&self, ask: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let patience = (self.lease * 7 / 10).max(Duration::from_millis(300));
        tokio::time::timeout(patience, ask).await.unwrap_or_else(|_| Err(silent().into()))
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// How long a connection that was given back may take to say that it is well.
const SPEAKS_WITHIN: Duration = Duration::from_secs(1);

/// Why: a connection whose question was given up on goes back into the pool, and would keep its place there while it waits for an answer.
async fn still_speaks(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    tokio::time::timeout(SPEAKS_WITHIN, connection.ping()).await.map_err(|_| silent())?.map(|()| true)
}

fn silent() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the connection has gone silent"))
}
