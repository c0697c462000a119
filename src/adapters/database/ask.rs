//! Queries that a playbook writes itself: one statement, in a transaction that can only read and that the server gives up in time.

use std::time::Duration;

use serde_json::Value;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::QueryScalar;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Column, Executor, SqlSafeStr, Statement};
use tokio::time::timeout;

use super::PostgresDatabase;
use crate::ports::PortError;
use crate::ports::database::{Asked, Question};

/// How much longer than the server we wait: a server that has gone away without a word does not give up by itself.
const GRACE: Duration = Duration::from_secs(5);

/// A table, a column or a schema that is not there.
const NOT_THERE: [&str; 3] = ["42P01", "42703", "3F000"];

impl PostgresDatabase {
    pub(super) async fn answer(&self, question: &Question) -> Result<Asked, PortError> {
        let patience = question.timeout.saturating_add(GRACE);
        let late = |_| PortError::Unreachable {
            system: self.system.clone(),
            detail: format!("the query has not been answered for {} s", patience.as_secs()),
        };
        match timeout(patience, self.asked(question)).await.map_err(late)? {
            Ok(Some(asked)) => Ok(asked),
            Ok(None) => Err(self.invalid("the query gives no rows; write one `select`")),
            Err(sqlx::Error::Database(told)) if told.code().is_some_and(|code| NOT_THERE.contains(&code.as_ref())) => {
                Ok(Asked::NotThere(told.message().to_owned()))
            }
            Err(error) => Err(self.fault("the query", &error)),
        }
    }

    async fn asked(&self, question: &Question) -> Result<Option<Asked>, sqlx::Error> {
        // Why a transaction: it ends with its connection, and what the server calls read-only nothing in the statement can change.
        let mut transaction = self.pool.begin_with("begin transaction read only").await?;
        let limit = format!("{}ms", question.timeout.as_millis().max(1));
        sqlx::query("select pg_catalog.set_config('statement_timeout', $1, true)").bind(limit).execute(&mut *transaction).await?;
        // Why: the server itself refuses several statements here, and says which columns there are.
        let prepared = (&mut *transaction).prepare(AssertSqlSafe(question.query.clone()).into_sql_str()).await?;
        let columns: Vec<String> = prepared.columns().iter().map(|column| column.name().to_owned()).collect();
        if columns.is_empty() {
            return Ok(None);
        }
        let names = (1..=columns.len()).map(|at| format!("c{at}")).collect::<Vec<_>>();
        // Why on lines of its own: the query may end with a comment.
        let sql = format!(
            "select pg_catalog.jsonb_build_array({}) from (\n{}\n) as asked ({}) limit {}",
            names.join(", "),
            question.query.trim_end().trim_end_matches(';'),
            names.join(", "),
            question.most
        );
        let query = question.binds.iter().fold(sqlx::query_scalar::<_, Json<Vec<Value>>>(AssertSqlSafe(sql)), bound);
        let rows = query.fetch_all(&mut *transaction).await?;
        transaction.rollback().await?;
        Ok(Some(Asked::Rows { columns, rows: rows.into_iter().map(|Json(row)| row).collect() }))
    }
}

type Query<'q> = QueryScalar<'q, Postgres, Json<Vec<Value>>, PgArguments>;

fn bound<'q>(query: Query<'q>, value: &Value) -> Query<'q> {
    match value {
        Value::String(text) => query.bind(text.clone()),
        Value::Bool(flag) => query.bind(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => query.bind(whole),
            None => query.bind(number.as_f64()),
        },
        Value::Null => query.bind(None::<String>),
        Value::Array(_) | Value::Object(_) => query.bind(Json(value.clone())),
    }
}
