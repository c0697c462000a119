//! `cutover show`.

use std::path::Path;

use clap::Args;
use serde_json::Value;

use super::client::Client;
use super::exit::{self, CliError};
use super::runs;
use super::saved::{self, FromFile};
use super::session::Session;
use crate::driver::SavedPlan;

/// Print a saved plan or a run
///
/// A saved plan is printed also when it is stale, with what has moved since it was saved.
#[derive(Clone, Debug, Args)]
pub struct ShowArgs {
    /// File of a saved plan, the id of one, or a run
    #[arg(value_name = "PLAN|RUN")]
    pub subject: String,

    /// Show every effect, act and resource of a plan
    #[arg(long)]
    pub all: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no such thing, or the plan was changed after it was saved.
pub async fn run(session: &Session, args: &ShowArgs) -> Result<u8, CliError> {
    let file = Path::new(&args.subject);
    if let Some(plan) = saved::read(session, file)? {
        return saved::show(session, &plan, args.all).await;
    }
    if session.here.join(file).is_file() {
        let message = format!("{} is no saved plan", file.display());
        return Err(CliError::new(exit::USAGE, message).hint(format!("cutover plan {}", file.display())));
    }
    let client = Client::connect(session).await?;
    if uuid::Uuid::parse_str(&args.subject).is_ok() {
        match client.get::<Value>(&format!("/api/plans/{}", args.subject)).await {
            Ok(json) => {
                let plan = SavedPlan::from_json(&json).map_err(|error| CliError::new(exit::REFUSED, error.to_string()))?;
                return saved::show(session, &FromFile { saved: plan, json }, args.all).await;
            }
            Err(error) if error.exit == exit::USAGE => {}
            Err(error) => return Err(error),
        }
    }
    runs::show(session, &client, Some(&args.subject)).await
}
