//! `cutover db`.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::{self, CliError};
use super::session::Session;
use crate::report::Tone;
use crate::stack::keeper;
use crate::store::{Store, StoreOptions};

/// Look at or migrate the state database
///
/// A private database migrates itself; one that is named by `CUTOVER_DATABASE_URL` is migrated only by `db migrate`.
#[derive(Clone, Debug, Args)]
pub struct DbArgs {
    /// What is done.
    #[command(subcommand)]
    pub command: DbCommand,

    /// Address of a shared state database.
    #[arg(long, env = "CUTOVER_DATABASE_URL", hide_env_values = true, hide = true, global = true)]
    pub database: Option<String>,
}

/// What is done with the state database.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum DbCommand {
    /// Show which schema it has and which one this program needs
    Status,
    /// Give it the schema that this program needs
    Migrate,
}

/// Runs the command.
///
/// # Errors
/// When the database does not answer or has a newer schema.
pub async fn run(session: &Session, args: &DbArgs) -> Result<u8, CliError> {
    let (url, private) = match &args.database {
        Some(url) => (url.clone(), false),
        None => (keeper::ensure(&session.data()?).await?.expose().to_owned(), true),
    };
    let store = Store::connect(&StoreOptions { url, lease: Duration::from_secs(5), connections: 2 })?;
    if matches!(args.command, DbCommand::Migrate) {
        store.migrate().await?;
    }
    let schema = store.schema().await?;
    let ready = schema.found == schema.known;
    if session.is_json() {
        session.json(
            &json!({ "schema": "cutover.db/1", "private": private, "found": schema.found, "needed": schema.known, "ready": ready }),
        )?;
    } else {
        let whose = if private { "private database" } else { "database of CUTOVER_DATABASE_URL" };
        let tone = if ready { Tone::Good } else { Tone::Warn };
        session.print(tone, format!("{whose}: schema {}, needed {}", schema.found, schema.known))?;
        if !ready {
            session.next("cutover db migrate");
        }
    }
    Ok(if ready { exit::OK } else { exit::CONFIG })
}
