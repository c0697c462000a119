//! What cutover asks of a service's database.

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

    /// How many rows hold all of these values in their columns, each compared as JSON.
    async fn matching(&self, table: &str, _values: &Row) -> Result<u64, PortError> {
        Err(PortError::unfit("counting rows", table))
    }

    /// Whether we may do each of these, as the database tells us itself; what is not there yet is asked about, too. Changes nothing.
    async fn allows(&self, asked: &[Access]) -> Result<Vec<Leave>, PortError> {
        Ok(Leave::unknown(asked, "nobody here tells who may do what"))
    }
}
