//! `cutover doctor`.

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::Client;
use super::exit::{self, CliError};
use super::load;
use super::server::VERSION;
use super::session::Session;
use crate::report::{Line, Tone};
use crate::stack::DataDir;

/// Check the data directory, the server and every system of the environment
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// Only systems whose name begins with this, for instance `kafka` or `registry main`
    pub systems: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Check {
    system: String,
    ok: bool,
    line: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    setting: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the configuration cannot be read.
pub async fn run(session: &Session, args: &DoctorArgs) -> Result<u8, CliError> {
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
            let answer: Value = client.post("/api/doctor", &environment).await?;
            let found: Vec<Check> = serde_json::from_value(answer.get("checks").cloned().unwrap_or_default()).unwrap_or_default();
            checks.extend(found);
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
    match client.get::<Value>("/api/status").await {
        Ok(status) => {
            let text = |name: &str| status.get(name).and_then(Value::as_str).unwrap_or("unknown").to_owned();
            let line = format!("{} answers, version {}, state database {}", client.url, text("version"), text("database"));
            Check { system: "server".to_owned(), ok: true, line, setting: None }
        }
        Err(error) => failed("server", &error),
    }
}

fn failed(system: &str, error: &CliError) -> Check {
    let hint = error.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    Check { system: system.to_owned(), ok: false, line: format!("{}{hint}", error.message), setting: None }
}
