//! A database in memory: tables whose rows are JSON, in the order of their primary keys. It understands queries of one form only:
//! `select COLUMNS|count(*) from TABLE [where COLUMN = $1]`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::faults::Host;
use crate::ports::PortError;
use crate::ports::database::{Asked, Column, Database, Question, Row, TableState};

/// A database in memory. No call of its port changes anything, so nothing in it fails on order.
#[derive(Debug)]
pub struct SimDatabase {
    host: Host,
    tables: Mutex<BTreeMap<String, Table>>,
}

#[derive(Debug)]
struct Table {
    state: TableState,
    rows: Vec<Row>,
}

impl SimDatabase {
    /// A database without tables.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { host: Host::new("database", name), tables: Mutex::default() }
    }

    /// Makes an empty table; columns are (name, type, nullable).
    pub fn create(&self, table: &str, columns: &[(&str, &str, bool)], key: &[&str]) {
        let column = |(name, sql_type, nullable): &(&str, &str, bool)| Column {
            name: (*name).to_owned(),
            sql_type: (*sql_type).to_owned(),
            nullable: *nullable,
        };
        let state = TableState { columns: columns.iter().map(column).collect(), key: key.iter().map(|name| (*name).to_owned()).collect() };
        self.lock().insert(table.to_owned(), Table { state, rows: Vec::new() });
    }

    /// Writes a row, over the one with the same key if there is one. A table that is not there is left so.
    pub fn put(&self, table: &str, row: Row) {
        let mut tables = self.lock();
        let Some(table) = tables.get_mut(table) else { return };
        let key = table.key_of(&row);
        table.rows.retain(|other| order(&table_key(&table.state, other), &key) != Ordering::Equal);
        let at = table.rows.partition_point(|other| order(&table_key(&table.state, other), &key) == Ordering::Less);
        table.rows.insert(at, row);
    }

    /// Deletes the row of that key.
    pub fn delete(&self, table: &str, key: &[Value]) {
        if let Some(table) = self.lock().get_mut(table) {
            table.rows.retain(|other| order(&table_key(&table.state, other), key) != Ordering::Equal);
        }
    }

    /// The tables with their rows, to be compared with another world's.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let tables = self.lock();
        let shown = tables.iter().map(|(name, table)| (name.clone(), json!({ "columns": table.state.columns, "rows": table.rows })));
        Value::Object(shown.collect())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Table>> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a look on a table that must be there and have a key.
    fn look<T>(&self, name: &str, look: impl FnOnce(&Table) -> T) -> Result<T, PortError> {
        let tables = self.lock();
        let table = tables.get(name).ok_or_else(|| self.host.invalid(format!("there is no table {name}")))?;
        if table.state.key.is_empty() {
            return Err(self.host.invalid(format!("table {name} has no primary key")));
        }
        Ok(look(table))
    }

    fn check_keys<'a>(&self, name: &str, keys: impl IntoIterator<Item = &'a [Value]>) -> Result<(), PortError> {
        let wanted = self.look(name, |table| table.state.key.len())?;
        match keys.into_iter().find(|key| key.len() != wanted) {
            Some(key) => Err(self.host.invalid(format!("the key of {name} has {wanted} columns, and {} values were given", key.len()))),
            None => Ok(()),
        }
    }
}

/// A query in the one form that is understood.
struct Select<'q> {
    columns: Vec<&'q str>,
    table: &'q str,
    only: Option<&'q str>,
}

impl<'q> Select<'q> {
    fn parse(query: &'q str) -> Option<Self> {
        let (columns, rest) = query.trim().strip_prefix("select ")?.split_once(" from ")?;
        let (table, only) = match rest.split_once(" where ") {
            Some((table, condition)) => (table, Some(condition.strip_suffix(" = $1")?.trim())),
            None => (rest, None),
        };
        let columns: Vec<_> = columns.split(',').map(str::trim).collect();
        let plain = |name: &str| !name.is_empty() && name.chars().all(|one| one.is_ascii_alphanumeric() || "_-\"".contains(one));
        let named = columns.iter().all(|name| plain(name)) || columns == ["count(*)"];
        let fits = named && plain(table.trim()) && only.is_none_or(plain);
        fits.then_some(Self { columns, table: table.trim(), only })
    }

    fn answer(&self, table: &Table, question: &Question) -> Asked {
        let known = |name: &&str| table.state.columns.iter().any(|column| column.name == **name);
        let counts = self.columns == ["count(*)"];
        if let Some(name) = self.columns.iter().filter(|_| !counts).chain(&self.only).find(|name| !known(name)) {
            return Asked::NotThere(format!("column \"{name}\" does not exist"));
        }
        let fits =
            |row: &&Row| self.only.is_none_or(|name| row.get(name).zip(question.binds.first()).is_some_and(|(one, other)| one == other));
        let rows = table.rows.iter().filter(fits);
        if counts {
            return Asked::Rows { columns: vec!["count".to_owned()], rows: vec![vec![json!(rows.count())]] };
        }
        let values = |row: &Row| self.columns.iter().map(|name| row.get(*name).cloned().unwrap_or_default()).collect();
        let columns = self.columns.iter().map(|name| (*name).to_owned()).collect();
        Asked::Rows { columns, rows: rows.take(question.most as usize).map(values).collect() }
    }
}

impl Table {
    fn key_of(&self, row: &Row) -> Vec<Value> {
        table_key(&self.state, row)
    }
}

fn table_key(state: &TableState, row: &Row) -> Vec<Value> {
    state.key.iter().map(|name| row.get(name).cloned().unwrap_or_default()).collect()
}

/// Numbers by size, everything else by its text.
fn order(one: &[Value], other: &[Value]) -> Ordering {
    let part = |(one, other): (&Value, &Value)| match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ => text(one).cmp(&text(other)),
    };
    one.iter().zip(other).map(part).find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[async_trait]
impl Database for SimDatabase {
    async fn ping(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn table(&self, table: &str) -> Result<Option<TableState>, PortError> {
        Ok(self.lock().get(table).map(|table| table.state.clone()))
    }

    async fn rows(&self, table: &str, after: Option<&[Value]>, limit: u32) -> Result<Vec<Row>, PortError> {
        self.check_keys(table, after)?;
        let later = |table: &Table, row: &&Row| after.is_none_or(|after| order(&table.key_of(row), after) == Ordering::Greater);
        self.look(table, |table| table.rows.iter().filter(|row| later(table, row)).take(limit as usize).cloned().collect())
    }

    async fn rows_of(&self, table: &str, keys: &[Vec<Value>]) -> Result<Vec<Row>, PortError> {
        self.check_keys(table, keys.iter().map(Vec::as_slice))?;
        let named = |table: &Table, row: &&Row| keys.iter().any(|key| order(&table.key_of(row), key) == Ordering::Equal);
        self.look(table, |table| table.rows.iter().filter(|row| named(table, row)).cloned().collect())
    }

    async fn matching(&self, table: &str, values: &Row) -> Result<u64, PortError> {
        let tables = self.lock();
        let found = tables.get(table).ok_or_else(|| self.host.invalid(format!("there is no table {table}")))?;
        if let Some(missing) = values.keys().find(|name| !found.state.columns.iter().any(|column| column.name == **name)) {
            return Err(self.host.invalid(format!("table {table} has no column {missing}")));
        }
        Ok(found.rows.iter().filter(|row| values.iter().all(|(name, value)| row.get(name) == Some(value))).count() as u64)
    }

    async fn estimate(&self, table: &str) -> Result<u64, PortError> {
        self.lock().get(table).map(|table| table.rows.len() as u64).ok_or_else(|| self.host.invalid(format!("there is no table {table}")))
    }

    async fn ask(&self, question: &Question) -> Result<Asked, PortError> {
        let select = Select::parse(&question.query).ok_or_else(|| self.host.invalid("the query is of no form that is known here"))?;
        match self.lock().get(select.table.trim_matches('"')) {
            Some(table) => Ok(select.answer(table, question)),
            None => Ok(Asked::NotThere(format!("relation {} does not exist", select.table))),
        }
    }
}
