//! `cutover doctor`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::client::Client;
use super::exit::{self, CliError};
use super::lint::variable;
use super::load::{self, PlaybookArgs};
use super::rights;
use super::server::VERSION;
use super::session::Session;
use crate::report::{Line, Tone};
use crate::stack::DataDir;
use crate::web::documents::{Check, DoctorDocument, StatusDocument};

/// Check the data directory, the server and every system of the environment
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// Only systems whose name begins with this, for instance `kafka` or `registry main`
    pub systems: Vec<String>,

    /// Instead: the least rights that this playbook needs on Kafka and the databases, and which of them are missing
    #[arg(long, value_name = "PLAYBOOK", conflicts_with = "systems")]
    pub rights: Option<PathBuf>,

    /// Value of a parameter of that playbook; may be given several times
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable, requires = "rights")]
    pub vars: Vec<(String, String)>,

    /// Whom the printed commands grant Kafka's rights, where the settings do not say who we are
    #[arg(long, value_name = "USER", requires = "rights")]
    pub principal: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the configuration cannot be read.
pub async fn run(session: &Session, args: &DoctorArgs) -> Result<u8, CliError> {
    if let Some(playbook) = &args.rights {
        let playbook = PlaybookArgs { playbook: playbook.clone(), vars: args.vars.clone() };
        return rights::run(session, &playbook, args.principal.as_deref()).await;
    }
    let mut checks = vec![data_directory(session)];
    let client = match Client::connect(session).await {
        Ok(client) => {
            checks.push(server_check(&client).await);
            Some(client)
        }
        Err(error) => {
            checks.push(failed("server", &error));
            None
        }
    };
    match (load::resolve(session), &client) {
        (Ok(environment), Some(client)) => {
            let answer: DoctorDocument = client.post("/api/doctor", &environment).await?;
            checks.extend(answer.checks);
        }
        (Ok(_), None) => {}
        (Err(error), _) => checks.push(failed("cutover.yaml", &error)),
    }
    if !args.systems.is_empty() {
        checks.retain(|check| args.systems.iter().any(|system| check.system.starts_with(system.as_str())));
    }
    let ok = checks.iter().all(|check| check.ok);
    if session.is_json() {
        session.json(&json!({ "schema": "cutover.doctor/1", "ok": ok, "version": VERSION, "checks": checks }))?;
    } else {
        let width = checks.iter().map(|check| check.system.chars().count()).max().unwrap_or_default();
        for check in &checks {
            let (shape, tone) = if check.ok { ("✔", Tone::Good) } else { ("✖", Tone::Bad) };
            session.terminal.print(&Line { tone, text: format!("{shape} {:<width$}  {}", check.system, check.line) })?;
            if let (false, Some(setting)) = (check.ok, &check.setting) {
                session.print(Tone::Dim, format!("  {:<width$}  set in {setting}", ""))?;
            }
        }
    }
    Ok(if ok { exit::OK } else { exit::UNREACHABLE })
}

fn data_directory(session: &Session) -> Check {
    let path = session.data_path();
    match DataDir::open(&path) {
        Ok(data) => Check { system: "data directory".to_owned(), ok: true, line: data.path().display().to_string(), setting: None },
        Err(error) => failed("data directory", &CliError::from(error)),
    }
}

async fn server_check(client: &Client) -> Check {
    match client.get::<StatusDocument>("/api/status").await {
        Ok(status) => {
            let line = format!("{} answers, version {}, state database {}", client.url(), status.version, status.database);
            Check { system: "server".to_owned(), ok: true, line, setting: None }
        }
        Err(error) => failed("server", &error),
    }
}

fn failed(system: &str, error: &CliError) -> Check {
    let hint = error.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    Check { system: system.to_owned(), ok: false, line: format!("{}{hint}", error.message), setting: None }
}
