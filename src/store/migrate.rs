//! The schema of the state database.

use sqlx::Connection;
use sqlx::migrate::Migrator;

use super::error::StoreError;
use super::pool::Store;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Where the schema stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaVersion {
    /// Newest migration in the database; 0 when there is none.
    pub found: i64,
    /// Newest migration that this program knows.
    pub known: i64,
}

impl Store {
    /// Which schema the database has.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schema(&self) -> Result<SchemaVersion, StoreError> {
        let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
        let there: bool = sqlx::query_scalar("select to_regclass('cutover._sqlx_migrations') is not null").fetch_one(&self.pool).await?;
        if !there {
            return Ok(SchemaVersion { found: 0, known });
        }
        let found: Option<i64> =
            sqlx::query_scalar("select max(version) from cutover._sqlx_migrations where success").fetch_one(&self.pool).await?;
        Ok(SchemaVersion { found: found.unwrap_or_default(), known })
    }

    /// Makes the schema what this program needs. Safe to call from several controllers at once.
    ///
    /// # Errors
    /// When the schema is newer than this program, or the database refuses.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let schema = self.schema().await?;
        if schema.found > schema.known {
            return Err(StoreError::Newer { found: schema.found, known: schema.known });
        }
        if schema.found == schema.known {
            return Ok(());
        }
        let mut connection = self.pool.acquire().await?.detach();
        // Why: another controller may be migrating; waiting for it takes longer than an ordinary statement may.
        sqlx::raw_sql("set statement_timeout = '60s'; set lock_timeout = '60s'").execute(&mut connection).await?;
        let made = sqlx::raw_sql("create schema if not exists cutover").execute(&mut connection).await;
        // Why: two at once do not see each other's schema, and the slower one hears that the name is taken.
        let taken = |error: &sqlx::Error| error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation);
        if let Err(error) = made
            && !taken(&error)
        {
            return Err(error.into());
        }
        MIGRATIONS.run(&mut connection).await.map_err(StoreError::Migrate)?;
        connection.close().await?;
        Ok(())
    }

    /// Refuses a database whose schema is not exactly the one that this program needs.
    ///
    /// # Errors
    /// When it is older or newer, or the database does not answer.
    pub async fn require_schema(&self) -> Result<(), StoreError> {
        let SchemaVersion { found, known } = self.schema().await?;
        match found.cmp(&known) {
            std::cmp::Ordering::Less => Err(StoreError::Older { found, known }),
            std::cmp::Ordering::Equal => Ok(()),
            std::cmp::Ordering::Greater => Err(StoreError::Newer { found, known }),
        }
    }
}
