//! What the catalogue says of a table, and the only place where a name becomes part of a statement.

use sqlx::Row as _;

use super::PostgresDatabase;
use crate::ports::PortError;
use crate::ports::database::{Column, TableState};

/// Ordinary and partitioned tables; a name without a schema is looked for as the session would.
const FIND: &str = "
    select c.oid::int8 as id, n.nspname::text as schema, c.relname::text as name, c.reltuples::float8 as rows
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relname = $2 and c.relkind in ('r', 'p')
      and case when $1::text is null then n.nspname = any (pg_catalog.current_schemas(false)) else n.nspname = $1 end
    order by pg_catalog.array_position(pg_catalog.current_schemas(false), n.nspname)
    limit 1";

const COLUMNS: &str = "
    select attname::text as name, pg_catalog.format_type(atttypid, atttypmod) as type,
           pg_catalog.format_type(atttypid, null) as cast, not attnotnull as nullable
    from pg_catalog.pg_attribute
    where attrelid = $1::int8::oid and attnum > 0 and not attisdropped
    order by attnum";

const KEY: &str = "
    select a.attname::text as name
    from pg_catalog.pg_index i
    cross join lateral unnest(i.indkey) with ordinality as k (attnum, place)
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indrelid = $1::int8::oid and i.indisprimary
    order by k.place";

/// A table that the catalogue has shown.
#[derive(Clone, Debug)]
pub(super) struct Table {
    schema: String,
    name: String,
    /// By the statistics; negative or 0 when they know nothing.
    pub rows: f64,
    pub state: TableState,
    /// The columns of the primary key, each with the type that text is cast to.
    pub key: Vec<KeyColumn>,
}

/// A column of a primary key.
#[derive(Clone, Debug)]
pub(super) struct KeyColumn {
    /// Its name, quoted.
    pub quoted: String,
    /// Its type in the database's own, quoted words.
    pub sql_type: String,
}

impl Table {
    /// Its name, quoted.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}

/// A name between double quotes. Only for names that came out of the catalogue, which cannot hold a zero byte.
fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl PostgresDatabase {
    pub(super) async fn find(&self, named: &str) -> Result<Option<Table>, PortError> {
        let doing = format!("looking at table {named}");
        let fault = |error: sqlx::Error| self.fault(&doing, &error);
        let (schema, name) = named.split_once('.').map_or((None, named), |(schema, name)| (Some(schema), name));
        let found = sqlx::query(FIND).bind(schema).bind(name).fetch_optional(&self.pool).await.map_err(fault)?;
        let Some(found) = found else { return Ok(None) };
        let id: i64 = found.try_get("id").map_err(fault)?;
        let mut columns = Vec::new();
        let mut casts = Vec::new();
        for row in sqlx::query(COLUMNS).bind(id).fetch_all(&self.pool).await.map_err(fault)? {
            let name: String = row.try_get("name").map_err(fault)?;
            casts.push((name.clone(), row.try_get::<String, _>("cast").map_err(fault)?));
            let (sql_type, nullable) = (row.try_get("type").map_err(fault)?, row.try_get("nullable").map_err(fault)?);
            columns.push(Column { name, sql_type, nullable });
        }
        let key: Vec<String> = sqlx::query_scalar(KEY).bind(id).fetch_all(&self.pool).await.map_err(fault)?;
        let cast = |name: &String| casts.iter().find(|(column, _)| column == name).map(|(_, cast)| cast.clone());
        let parts = key.iter().filter_map(|name| Some(KeyColumn { quoted: quote(name), sql_type: cast(name)? })).collect();
        Ok(Some(Table {
            schema: found.try_get("schema").map_err(fault)?,
            name: found.try_get("name").map_err(fault)?,
            rows: found.try_get("rows").map_err(fault)?,
            state: TableState { columns, key },
            key: parts,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(quote("exercise"), "\"exercise\"");
        assert_eq!(quote("a\"; drop table b; --"), "\"a\"\"; drop table b; --\"");
    }
}
