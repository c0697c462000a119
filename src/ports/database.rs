//! What cutover asks of a service's database.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PortError;
use super::access::{Access, Leave};

/// A column as the catalogue describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type in the database's own words: `text`, `timestamp with time zone`.
    pub sql_type: String,
    /// Whether it may be null.
    pub nullable: bool,
}

/// A table as the catalogue describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableState {
    /// Columns in their order.
    pub columns: Vec<Column>,
    /// Columns of the primary key in its order; empty when there is none.
    pub key: Vec<String>,
}

/// A row as JSON: numbers as numbers, times as RFC 3339 text, `json` as it is, everything else as the database writes it.
pub type Row = serde_json::Map<String, Value>;

/// A query in the database's own language, which only reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// One statement that gives rows, with `$1`, `$2`, … where values stand.
    pub query: String,
    /// The values, in their order: texts, numbers, booleans. They are bound and never become part of the statement.
    pub binds: Vec<Value>,
    /// The most rows that are taken.
    pub most: u32,
    /// How long the statement may run.
    pub timeout: Duration,
}

/// What a query gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// Rows in the order in which the query gives them, each with its values in the order of the columns, as in a [`Row`].
    Rows {
        /// The names of the columns.
        columns: Vec<String>,
        /// At most as many rows as were asked for.
        rows: Vec<Vec<Value>>,
    },
    /// It names a table, a column or a schema that is not there, which may only come later. The database's own words.
    NotThere(String),
}

/// One database of a service. Names of tables are `table` or `schema.table`; they are data and never become part of a statement unquoted.
#[async_trait]
pub trait Database: Send + Sync {
    /// Asks for something cheap, to see that it answers and lets us in.
    async fn ping(&self) -> Result<(), PortError>;

    /// The table, or `None` when there is none of that name.
    async fn table(&self, table: &str) -> Result<Option<TableState>, PortError>;

    /// At most `limit` rows whose primary key lies after `after` (all key columns, in the order of the key), in the order of the key.
    async fn rows(&self, table: &str, after: Option<&[Value]>, limit: u32) -> Result<Vec<Row>, PortError>;

    /// The rows with these primary keys as they are now, in the order of the key; keys without a row are left out.
    async fn rows_of(&self, table: &str, keys: &[Vec<Value>]) -> Result<Vec<Row>, PortError>;

    /// About how many rows there are, by the database's own statistics, or counted when the table is small.
    async fn estimate(&self, table: &str) -> Result<u64, PortError>;

    /// Answers a query in a transaction that can only read and is given up after the time that the question names. `Invalid` when it is
    /// no single statement that gives rows, or would write.
    async fn ask(&self, question: &Question) -> Result<Asked, PortError>;

    /// How many rows hold all of these values in their columns, each compared as JSON.
    async fn matching(&self, table: &str, _values: &Row) -> Result<u64, PortError> {
        Err(PortError::unfit("counting rows", table))
    }

    /// Whether we may do each of these, as the database tells us itself; what is not there yet is asked about, too. Changes nothing.
    async fn allows(&self, asked: &[Access]) -> Result<Vec<Leave>, PortError> {
        Ok(Leave::unknown(asked, "nobody here tells who may do what"))
    }
}
