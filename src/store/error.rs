//! What can go wrong with the state database, sorted by what a caller can do about it.

/// A failed call to the state database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It does not answer. Trying again later is right.
    #[error("the state database does not answer")]
    Away(#[source] sqlx::Error),
    /// It answers with an error that trying again will not change.
    #[error("the state database refuses a statement")]
    Refused(#[source] sqlx::Error),
    /// Its schema is newer than this program.
    #[error("the state database was migrated by a newer cutover (schema {found}, this one knows {known}); use that one")]
    Newer {
        /// Number of the newest migration that was found.
        found: i64,
        /// Number of the newest migration that is known.
        known: i64,
    },
    /// Its schema is older and not ours to migrate.
    #[error("the state database has schema {found}, this cutover needs {known}; run `cutover db migrate`")]
    Older {
        /// Number of the newest migration that was found.
        found: i64,
        /// Number of the newest migration that is known.
        known: i64,
    },
    /// A migration failed.
    #[error("migrating the state database failed")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// Something in it does not read back.
    #[error("the state database holds something that does not read back: {0}")]
    Damaged(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if is_away(&error) { Self::Away(error) } else { Self::Refused(error) }
    }
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Away(_))
    }
}

fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_) => true,
        // Why: 08 connection, 40 serialisation and deadlock, 53 resources (disk full, too many connections), 57 shutdown and
        // statement timeout, 55P03 lock timeout, 25P03 idle-in-transaction timeout: all of them pass.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)) || matches!(code.as_ref(), "55P03" | "25P03")
        }),
        _ => false,
    }
}
