//! The Postgres adapter on a real server: what memory cannot show.

use std::sync::Arc;

use async_trait::async_trait;
use cutover::adapters::database::PostgresDatabase;
use cutover::adapters::secret::ProcessSecrets;
use cutover::ports::PortError;
use cutover::ports::database::{Asked, Database, Question, Row, TableState};
use cutover::ports::settings::{DatabaseSettings, SecretRef};
use serde_json::{Value, json};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{SETTING, addresses};
use crate::conformance::database::Tables;
use crate::conformance::fresh;

/// The database `postgres` of the stack's server, with a way to change it.
pub struct Real {
    database: Arc<PostgresDatabase>,
    pool: PgPool,
}

fn settings(url: &str) -> DatabaseSettings {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (login, place) = rest.split_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let file = tempfile::NamedTempFile::new().unwrap().keep().unwrap().1;
    std::fs::write(&file, password).unwrap();
    let password = Some(SecretRef::File(file.to_string_lossy().into_owned()));
    DatabaseSettings { url: format!("{scheme}://{user}@{place}"), password, tls: None }
}

pub fn database() -> Arc<Real> {
    let url = &addresses().postgres;
    let database = PostgresDatabase::connect("main", &settings(url), SETTING, &ProcessSecrets::default()).unwrap();
    Arc::new(Real { database, pool: PgPool::connect_lazy(url).unwrap() })
}

impl Real {
    async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.unwrap();
    }
}

#[async_trait]
impl Tables for Real {
    async fn create(&self, table: &str, columns: &[(&str, &str, bool)], key: &[&str]) {
        let column =
            |(name, sql_type, nullable): &(&str, &str, bool)| format!("\"{name}\" {sql_type} {}", if *nullable { "" } else { "not null" });
        let mut parts: Vec<_> = columns.iter().map(column).collect();
        if !key.is_empty() {
            parts.push(format!("primary key ({})", key.join(", ")));
        }
        self.execute(&format!("create table \"{table}\" ({})", parts.join(", "))).await;
    }

    async fn write(&self, table: &str, row: Value) {
        let key = self.table(table).await.unwrap().unwrap().key;
        let names: Vec<_> = row.as_object().unwrap().keys().cloned().collect();
        let set: Vec<_> = names.iter().map(|name| format!("{name} = excluded.{name}")).collect();
        let sql = format!(
            "insert into \"{table}\" select * from jsonb_populate_record(null::\"{table}\", '{row}') on conflict ({}) do update set {}",
            key.join(", "),
            set.join(", ")
        );
        self.execute(&sql).await;
    }
}

#[async_trait]
impl Database for Real {
    async fn ping(&self) -> Result<(), PortError> {
        self.database.ping().await
    }
    async fn table(&self, table: &str) -> Result<Option<TableState>, PortError> {
        self.database.table(table).await
    }
    async fn rows(&self, table: &str, after: Option<&[Value]>, limit: u32) -> Result<Vec<Row>, PortError> {
        self.database.rows(table, after, limit).await
    }
    async fn rows_of(&self, table: &str, keys: &[Vec<Value>]) -> Result<Vec<Row>, PortError> {
        self.database.rows_of(table, keys).await
    }
    async fn estimate(&self, table: &str) -> Result<u64, PortError> {
        self.database.estimate(table).await
    }
    async fn ask(&self, question: &Question) -> Result<Asked, PortError> {
        self.database.ask(question).await
    }

    async fn matching(&self, table: &str, values: &Row) -> Result<u64, PortError> {
        self.database.matching(table, values).await
    }
}

#[tokio::test]
async fn names_are_data_and_never_a_part_of_a_statement() {
    let real = database();
    let evil = format!("a\"; drop table victim; --{}", fresh("x"));
    real.execute(&format!("create table \"{}\" (\"k\"\"ey\" int primary key, version int)", evil.replace('"', "\"\""))).await;
    real.execute(&format!("insert into \"{}\" values (1, 1), (2, 1)", evil.replace('"', "\"\""))).await;
    assert_eq!(real.rows(&evil, Some(&[json!(1)]), 10).await.unwrap().len(), 1);
    assert_eq!(real.rows_of(&evil, &[vec![json!(2)]]).await.unwrap().len(), 1);
    let error = real.rows(&evil, Some(&[json!("1; drop table x")]), 10).await.unwrap_err();
    assert!(matches!(&error, PortError::Invalid { detail, .. } if !detail.contains("1; drop")), "{error:?}");
}

#[tokio::test]
async fn a_table_of_another_schema_is_named_with_it() {
    let real = database();
    let schema = fresh("schema").replace('-', "_");
    real.execute(&format!("create schema {schema}; create table {schema}.t (id uuid primary key, at timestamptz, version int)")).await;
    real.execute(&format!("insert into {schema}.t values ('00000000-0000-0000-0000-00000000000a', '2026-01-02 03:04:05+01', 7)")).await;
    assert_eq!(real.table("t_that_is_nowhere").await.unwrap(), None);
    let rows = real.rows(&format!("{schema}.t"), None, 10).await.unwrap();
    let expected = json!({ "id": "00000000-0000-0000-0000-00000000000a", "at": "2026-01-02T02:04:05+00:00", "version": 7 });
    assert_eq!(Value::Object(rows[0].clone()), expected);
    let key = [rows[0]["id"].clone()];
    assert_eq!(real.rows(&format!("{schema}.t"), Some(&key), 10).await.unwrap().len(), 0, "a key of any type is cast to its column's");
    assert_eq!(real.rows_of(&format!("{schema}.t"), &[key.to_vec()]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_that_json_would_round_is_refused() {
    let real = database();
    let table = fresh("numeric").replace('-', "_");
    real.execute(&format!("create table {table} (id numeric primary key)")).await;
    let error = real.rows(&table, None, 1).await.unwrap_err();
    assert!(error.to_string().contains("numeric"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_a_closed_port_is_passing() {
    let url = &addresses().postgres;
    let mut wrong = settings(url);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "open sesame").unwrap();
    wrong.password = Some(SecretRef::File(file.path().to_string_lossy().into_owned()));
    let connect = |settings: &DatabaseSettings| PostgresDatabase::connect("main", settings, SETTING, &ProcessSecrets::default()).unwrap();
    let error = connect(&wrong).ping().await.unwrap_err();
    assert!(matches!(&error, PortError::Refused { .. }) && !error.to_string().contains("open sesame"), "{error:?}");
    let nobody = DatabaseSettings { url: "postgres://cutover@127.0.0.1:1/x".to_owned(), ..wrong };
    let error = connect(&nobody).ping().await.unwrap_err();
    assert!(error.is_passing(), "{error:?}");
}

#[tokio::test]
async fn a_lock_on_the_table_passes_and_does_not_hang() {
    let real = database();
    let table = fresh("locked").replace('-', "_");
    real.execute(&format!("create table {table} (id int primary key)")).await;
    let mut other = PgConnection::connect(&addresses().postgres).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("begin; lock table {table} in access exclusive mode"))).execute(&mut other).await.unwrap();
    let error = real.rows(&table, None, 1).await.unwrap_err();
    assert!(error.is_passing(), "{error:?}");
    sqlx::raw_sql("rollback").execute(&mut other).await.unwrap();
    assert_eq!(real.rows(&table, None, 1).await.unwrap().len(), 0);
}
