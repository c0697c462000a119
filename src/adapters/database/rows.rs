//! Rows as JSON, by primary key. Key values are bound as text and cast to their columns' types.

use std::fmt::Write;

use serde_json::Value;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use super::PostgresDatabase;
use super::catalogue::Table;
use crate::ports::PortError;
use crate::ports::database::Row;

/// A table that the statistics call smaller than this is counted.
const SMALL: f64 = 10_000.0;

/// How far a table is counted that the statistics know nothing of.
const MOST_COUNTED: i64 = 1_000_000;

impl PostgresDatabase {
    pub(super) async fn page(&self, table: &Table, after: Option<&[Value]>, limit: u32) -> Result<Vec<Row>, PortError> {
        let doing = format!("reading rows of {}", table.quoted());
        self.has_key(table)?;
        let order = columns(table);
        let mut sql = format!("select pg_catalog.to_jsonb(t) from {} t", table.quoted());
        if after.is_some() {
            let casts = (1..).zip(&table.key).map(|(at, key)| format!("${at}::text::{}", key.sql_type)).collect::<Vec<_>>();
            let _ = write!(sql, " where ({order}) > ({})", casts.join(", "));
        }
        let after = after.unwrap_or_default();
        if !after.is_empty() && after.len() != table.key.len() {
            return Err(self.wrong_key(table, after.len()));
        }
        let _ = write!(sql, " order by {order} limit ${}", after.len() + 1);
        let query = after.iter().fold(sqlx::query_scalar::<_, Json<Row>>(AssertSqlSafe(sql)), |query, value| query.bind(text(value)));
        let rows = query.bind(i64::from(limit)).fetch_all(&self.pool).await.map_err(|error| self.fault(&doing, &error))?;
        Ok(rows.into_iter().map(|Json(row)| row).collect())
    }

    pub(super) async fn named(&self, table: &Table, keys: &[Vec<Value>]) -> Result<Vec<Row>, PortError> {
        let doing = format!("reading rows of {}", table.quoted());
        self.has_key(table)?;
        if let Some(wrong) = keys.iter().find(|key| key.len() != table.key.len()) {
            return Err(self.wrong_key(table, wrong.len()));
        }
        let arrays = (1..=table.key.len()).map(|at| format!("${at}::text[]")).collect::<Vec<_>>().join(", ");
        let names = (1..=table.key.len()).map(|at| format!("k{at}")).collect::<Vec<_>>().join(", ");
        let same = (1..).zip(&table.key).map(|(at, key)| format!("t.{} = k.k{at}::{}", key.quoted, key.sql_type));
        let same = same.collect::<Vec<_>>().join(" and ");
        let sql = format!(
            "select pg_catalog.to_jsonb(t) from {} t where exists (select from unnest({arrays}) as k ({names}) where {same}) order by {}",
            table.quoted(),
            columns(table),
        );
        let mut query = sqlx::query_scalar::<_, Json<Row>>(AssertSqlSafe(sql));
        for at in 0..table.key.len() {
            query = query.bind(keys.iter().filter_map(|key| key.get(at)).map(text).collect::<Vec<_>>());
        }
        let rows = query.fetch_all(&self.pool).await.map_err(|error| self.fault(&doing, &error))?;
        Ok(rows.into_iter().map(|Json(row)| row).collect())
    }

    pub(super) async fn count(&self, table: &Table) -> Result<u64, PortError> {
        if table.rows >= SMALL {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 10,000, and an estimate all the same")]
            return Ok(table.rows as u64);
        }
        let doing = format!("counting rows of {}", table.quoted());
        let sql = format!("select count(*) from (select from {} limit {MOST_COUNTED}) as counted", table.quoted());
        let counted: i64 =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.pool).await.map_err(|error| self.fault(&doing, &error))?;
        Ok(counted.unsigned_abs())
    }

    pub(super) async fn count_of(&self, table: &Table, values: &Row) -> Result<u64, PortError> {
        let doing = format!("counting rows of {}", table.quoted());
        if let Some(missing) = values.keys().find(|name| !table.state.columns.iter().any(|column| column.name == **name)) {
            return Err(self.invalid(format!("table {} has no column {missing}", table.quoted())));
        }
        let sql = format!("select count(*) from {} t where pg_catalog.to_jsonb(t) @> $1", table.quoted());
        let query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).bind(Json(values));
        let counted = query.fetch_one(&self.pool).await.map_err(|error| self.fault(&doing, &error))?;
        Ok(counted.unsigned_abs())
    }

    /// A table whose rows can be named one by one, by values that survive the way through JSON.
    fn has_key(&self, table: &Table) -> Result<(), PortError> {
        if table.key.is_empty() {
            return Err(self.invalid(format!("table {} has no primary key", table.quoted())));
        }
        match table.key.iter().find(|key| key.sql_type == "numeric") {
            Some(key) => Err(self.invalid(format!("{} in the key of {} is numeric, and JSON would round it", key.quoted, table.quoted()))),
            None => Ok(()),
        }
    }

    fn wrong_key(&self, table: &Table, found: usize) -> PortError {
        self.invalid(format!("the key of {} has {} columns, and {found} values were given", table.quoted(), table.key.len()))
    }
}

fn columns(table: &Table) -> String {
    table.key.iter().map(|key| format!("t.{}", key.quoted)).collect::<Vec<_>>().join(", ")
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
