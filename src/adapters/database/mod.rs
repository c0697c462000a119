//! A service's Postgres database through sqlx: what its catalogue says of tables, and rows by primary key. Every value is bound; a
//! name becomes part of a statement only after the catalogue has shown it, and quoted. Knows no step.

mod ask;
mod catalogue;
mod fault;
mod rights;
mod rows;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};

use self::catalogue::Table;
use crate::adapters::secret::Secrets;
use crate::ports::access::{Access, Leave};
use crate::ports::database::{Asked, Database, Question, Row, TableState};
use crate::ports::settings::{DatabaseSettings, Tls};
use crate::ports::{PortError, SystemRef};
use crate::step::StepError;

/// How long a statement may run, as the server counts. Batches are small, so a longer one waits for a lock.
const STATEMENT: &str = "15s";

/// How long a statement may wait for a lock.
const LOCK: &str = "3s";

/// A database. The first connection is made when it is needed.
#[derive(Clone, Debug)]
pub struct PostgresDatabase {
    pool: PgPool,
    system: SystemRef,
}

impl PostgresDatabase {
    /// Prepares for the database `name` of an environment; `setting` is where its address was set. Nothing is sent yet. Wants a tokio
    /// runtime around it.
    ///
    /// # Errors
    /// [`StepError::NoSecret`] when a secret is missing, [`PortError::Invalid`] when the settings cannot be used.
    pub fn connect(name: &str, settings: &DatabaseSettings, setting: &str, secrets: &dyn Secrets) -> Result<Arc<Self>, StepError> {
        let system =
            |address: &str| SystemRef { name: format!("database {name}"), address: address.to_owned(), setting: setting.to_owned() };
        // Why: the library's reason may repeat the address, and somebody may have put a password into it.
        let mut options = PgConnectOptions::from_str(&settings.url).map_err(|_| PortError::Invalid {
            system: system("an address that cannot be read"),
            detail: "`url` is not written as postgres://user@host:port/database".to_owned(),
        })?;
        let system = system(&format!("{}:{}/{}", options.get_host(), options.get_port(), options.get_database().unwrap_or_default()));
        if let Some(password) = &settings.password {
            options = options.password(secrets.resolve(password)?.expose());
        }
        if let Some(tls) = &settings.tls {
            options = encrypted(options, tls, secrets)?;
        }
        let options = options.application_name("cutover").options([
            ("statement_timeout", STATEMENT),
            ("lock_timeout", LOCK),
            ("idle_in_transaction_session_timeout", STATEMENT),
            ("timezone", "UTC"),
            ("datestyle", "ISO"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .idle_timeout(Duration::from_secs(30))
            .connect_lazy_with(options);
        Ok(Arc::new(Self { pool, system }))
    }

    fn fault(&self, doing: &str, error: &sqlx::Error) -> PortError {
        fault::port_error(&self.system, doing, error)
    }

    async fn existing(&self, table: &str) -> Result<Table, PortError> {
        self.find(table).await?.ok_or_else(|| self.invalid(format!("there is no table {table}")))
    }

    fn invalid(&self, detail: impl Into<String>) -> PortError {
        PortError::Invalid { system: self.system.clone(), detail: detail.into() }
    }
}

fn encrypted(options: PgConnectOptions, tls: &Tls, secrets: &dyn Secrets) -> Result<PgConnectOptions, StepError> {
    let mut options = options.ssl_mode(PgSslMode::VerifyFull);
    if let Some(ca) = &tls.ca {
        options = options.ssl_root_cert(ca);
    }
    if let Some(certificate) = &tls.certificate {
        options = options.ssl_client_cert(certificate);
    }
    if let Some(key) = &tls.key {
        options = options.ssl_client_key_from_pem(secrets.resolve(key)?.expose().as_bytes());
    }
    Ok(options)
}

#[async_trait]
impl Database for PostgresDatabase {
    async fn ping(&self) -> Result<(), PortError> {
        sqlx::query("select 1").execute(&self.pool).await.map_err(|error| self.fault("asking whether it answers", &error))?;
        Ok(())
    }

    async fn table(&self, table: &str) -> Result<Option<TableState>, PortError> {
        Ok(self.find(table).await?.map(|found| found.state))
    }

    async fn rows(&self, table: &str, after: Option<&[Value]>, limit: u32) -> Result<Vec<Row>, PortError> {
        self.page(&self.existing(table).await?, after, limit).await
    }

    async fn rows_of(&self, table: &str, keys: &[Vec<Value>]) -> Result<Vec<Row>, PortError> {
        self.named(&self.existing(table).await?, keys).await
    }

    async fn estimate(&self, table: &str) -> Result<u64, PortError> {
        self.count(&self.existing(table).await?).await
    }

    async fn ask(&self, question: &Question) -> Result<Asked, PortError> {
        self.answer(question).await
    }

    async fn matching(&self, table: &str, values: &Row) -> Result<u64, PortError> {
        self.count_of(&self.existing(table).await?, values).await
    }

    async fn allows(&self, asked: &[Access]) -> Result<Vec<Leave>, PortError> {
        self.leaves(asked).await
    }
}
