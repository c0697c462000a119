//! What the database lets our role do, as its own functions tell.

use sqlx::error::DatabaseError;

use super::PostgresDatabase;
use crate::ports::PortError;
use crate::ports::access::{Access, Leave, Operation};

/// Ordinary and partitioned tables, whether we may look into their schema or not; a name without a schema is looked for in the usual ones.
const TABLE: &str = "
    select pg_catalog.has_table_privilege(c.oid, 'SELECT')
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relname = $2 and c.relkind in ('r', 'p') and n.nspname = coalesce($1::text, 'public')";

const SCHEMA: &str = "select pg_catalog.has_schema_privilege(oid, 'USAGE') from pg_catalog.pg_namespace where nspname = $1";

const DATABASE: &str = "select pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CONNECT')";

/// SQLSTATE of a right that is missing.
const REFUSED: &str = "42501";

impl PostgresDatabase {
    pub(super) async fn leaves(&self, asked: &[Access]) -> Result<Vec<Leave>, PortError> {
        let doing = "asking what we may do";
        let connected = sqlx::query_scalar::<_, bool>(DATABASE).fetch_one(&self.pool).await;
        let connect = match connected {
            Ok(given) => given,
            Err(error) if error.as_database_error().and_then(DatabaseError::code).as_deref() == Some(REFUSED) => {
                let why = "it is known only to whoever may connect";
                let told = |access: &Access| match access.operation {
                    Operation::Connect => Leave::Missing,
                    _ => Leave::Unknown(why.to_owned()),
                };
                return Ok(asked.iter().map(told).collect());
            }
            Err(error) => return Err(self.fault(doing, &error)),
        };
        let mut leaves = Vec::new();
        for access in asked {
            let found = match access.sort.as_str() {
                "database" => Some(connect),
                "schema" => {
                    let found = sqlx::query_scalar(SCHEMA).bind(&access.id).fetch_optional(&self.pool).await;
                    found.map_err(|error| self.fault(doing, &error))?
                }
                "table" => {
                    let (schema, name) =
                        access.id.split_once('.').map_or((None, access.id.as_str()), |(schema, name)| (Some(schema), name));
                    let found = sqlx::query_scalar(TABLE).bind(schema).bind(name).fetch_optional(&self.pool).await;
                    found.map_err(|error| self.fault(doing, &error))?
                }
                _ => None,
            };
            leaves.push(match found {
                Some(true) => Leave::Given,
                Some(false) => Leave::Missing,
                None => Leave::Unknown(format!("there is no such {} yet", access.sort)),
            });
        }
        Ok(leaves)
    }
}
