//! Connections to the state database.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

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

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
