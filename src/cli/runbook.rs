//! `cutover runbook`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::client::Client;
use super::exit::{self, CliError};
use super::load::{self, PlaybookArgs};
use super::plan;
use super::session::Session;
use crate::report::runbook::Runbook;

/// Write down the way back by hand, for the day when no controller can be started
///
/// For each step what a person does with the systems' own tools, from what the step would change now, as a Markdown document that
/// can be printed. It holds no secrets.
#[derive(Clone, Debug, Args)]
pub struct RunbookArgs {
    /// Which playbook, with which values.
    #[command(flatten)]
    pub playbook: PlaybookArgs,

    /// File to write; standard output when it is left out
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When the playbook has mistakes, a system does not answer, or the file cannot be written.
pub async fn run(session: &Session, args: &RunbookArgs) -> Result<u8, CliError> {
    let bundle = load::bundle(session, &args.playbook)?;
    let (playbook, _) = bundle.open().map_err(|wrong| load::mistakes(session, &wrong, exit::INVALID))?;
    let client = Client::connect(session).await?;
    let plan = plan::ask(&client, &bundle).await?;
    let text = Runbook { bundle: &bundle, playbook: &playbook, plan: &plan, by: &Session::by() }.markdown();
    match &args.out {
        Some(file) => {
            let cannot = |error: std::io::Error| CliError::new(exit::CONFIG, format!("cannot write {}: {error}", file.display()));
            std::fs::write(session.here.join(file), &text).map_err(cannot)?;
            session.say(format!("Wrote {}", file.display()));
        }
        None if session.is_json() => session.json(&json!({ "schema": "cutover.runbook/1", "markdown": text }))?,
        None => session.terminal.write(&text)?,
    }
    Ok(exit::OK)
}
