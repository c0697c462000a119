//! The databases of the sample services in the stack's Postgres: each belongs to a role of its own that can do nothing elsewhere, and
//! cutover has a role that reads them. Passwords lie in files of mode 0600 and nowhere else.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, Connection};

use super::record;
use crate::stack::DataDir;
use crate::stack::error::StackError;
use crate::stack::files::{self, FileError};
use crate::stack::postgres::{Cluster, DatabaseUrl};

/// The services that have a database, which has the service's name, as its role has.
pub const SERVICES: [&str; 3] = ["exercises", "hiring", "bonuses"];

/// cutover's own role in them.
const READER: &str = "cutover";

/// A database with the role that opens it.
#[derive(Clone, Serialize, Deserialize)]
pub struct ServiceDatabase {
    /// Its name.
    pub name: String,
    /// The role.
    pub user: String,
    /// The role's password.
    pub password: String,
    /// Port on 127.0.0.1.
    pub port: u16,
}

impl ServiceDatabase {
    /// The address with the password.
    #[must_use]
    pub fn url(&self) -> DatabaseUrl {
        DatabaseUrl::new(format!("postgres://{}:{}@127.0.0.1:{}/{}", self.user, self.password, self.port, self.name))
    }
}

/// Where cutover reads a service's database: the address without password, and the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadableDatabase {
    /// `postgres://cutover@127.0.0.1:port/hiring`.
    pub url: String,
    /// The file with the password.
    pub password: PathBuf,
}

/// The database of a service, for its instances; `None` when the stack was never started or the service has none.
///
/// # Errors
/// When the stack's files cannot be read.
pub fn database(data: &DataDir, service: &str) -> Result<Option<ServiceDatabase>, FileError> {
    let Some(cluster) = record::read(data)?.and_then(|record| record.postgres.cluster) else { return Ok(None) };
    if !SERVICES.contains(&service) {
        return Ok(None);
    }
    let password = password_file(data, service);
    let Ok(text) = std::fs::read_to_string(&password) else { return Ok(None) };
    Ok(Some(ServiceDatabase { name: service.to_owned(), user: service.to_owned(), password: text.trim().to_owned(), port: cluster.port }))
}

/// The databases as cutover opens them, by service; empty when the stack was never started.
///
/// # Errors
/// When the stack's files cannot be read.
pub fn readable(data: &DataDir) -> Result<Vec<(String, ReadableDatabase)>, FileError> {
    opened(data, |_| READER)
}

/// The databases as their services open them, for the ledger's sabotage, which damages rows and rolls that back.
///
/// # Errors
/// When the stack's files cannot be read.
pub fn writable(data: &DataDir) -> Result<Vec<(String, ReadableDatabase)>, FileError> {
    opened(data, |service| service)
}

fn opened(data: &DataDir, role: impl Fn(&'static str) -> &'static str) -> Result<Vec<(String, ReadableDatabase)>, FileError> {
    let Some(cluster) = record::read(data)?.and_then(|record| record.postgres.cluster) else { return Ok(Vec::new()) };
    let one = |service: &'static str| {
        let url = format!("postgres://{}@127.0.0.1:{}/{service}", role(service), cluster.port);
        (service.to_owned(), ReadableDatabase { url, password: password_file(data, role(service)) })
    };
    Ok(SERVICES.into_iter().map(one).filter(|(_, database)| database.password.exists()).collect())
}

fn password_file(data: &DataDir, role: &str) -> PathBuf {
    data.stack().join("passwords").join(role)
}

/// Makes what is missing of databases and roles. What is there keeps its content; every role gets the password of its file.
pub(super) async fn make(data: &DataDir, cluster: &Cluster) -> Result<(), StackError> {
    let mut server = connect(cluster, "postgres").await?;
    for role in SERVICES.into_iter().chain([READER]) {
        let password = kept_password(data, role)?;
        let there: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
            .bind(role)
            .fetch_one(&mut server)
            .await
            .map_err(|error| refused("look for its roles", error))?;
        let verb = if there { "alter" } else { "create" };
        // Why: neither names of roles nor passwords can be bound; both are our own letters and digits.
        execute(&mut server, format!("{verb} role {role} login nosuperuser nocreatedb nocreaterole password '{password}'")).await?;
    }
    for service in SERVICES {
        let there: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(service)
            .fetch_one(&mut server)
            .await
            .map_err(|error| refused("look for its databases", error))?;
        if there {
            continue;
        }
        execute(&mut server, format!("create database {service} owner {service}")).await?;
        execute(&mut server, format!("revoke all on database {service} from public; grant connect on database {service} to {READER}"))
            .await?;
        let mut own = connect(cluster, service).await?;
        let rights = format!(
            "alter schema public owner to {service};
             revoke all on schema public from public;
             grant usage on schema public to {READER};
             alter default privileges for role {service} grant usage on schemas to {READER};
             alter default privileges for role {service} grant select on tables to {READER}"
        );
        execute(&mut own, rights).await?;
        let _ = own.close().await;
    }
    let _ = server.close().await;
    Ok(())
}

fn kept_password(data: &DataDir, role: &str) -> Result<String, FileError> {
    let path = password_file(data, role);
    if let Ok(text) = std::fs::read_to_string(&path)
        && !text.trim().is_empty()
    {
        return Ok(text.trim().to_owned());
    }
    let password = files::password();
    files::create_private_dir(&data.stack().join("passwords"))?;
    files::write_private(&path, password.as_bytes())?;
    Ok(password)
}

async fn connect(cluster: &Cluster, database: &str) -> Result<PgConnection, StackError> {
    let options = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(cluster.port).database(database);
    let options = options.username(&cluster.user).password(&cluster.password).ssl_mode(PgSslMode::Disable);
    PgConnection::connect_with(&options).await.map_err(|error| refused("open a database", error))
}

async fn execute(connection: &mut PgConnection, statement: String) -> Result<(), StackError> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.map_err(|error| refused("make a service's database", error))?;
    Ok(())
}

fn refused(doing: &'static str, source: sqlx::Error) -> StackError {
    StackError::Database { doing, source }
}
