//! `cutover open`.

use clap::Args;
use serde_json::json;

use super::client::Client;
use super::exit::{self, CliError};
use super::runs;
use super::session::Session;
use crate::report::Tone;

/// Print an address of the web page that logs your browser in
///
/// The address works once and for a minute.
#[derive(Clone, Debug, Args)]
pub struct OpenArgs {
    /// Run whose page is meant; the list of runs when it is left out
    pub run: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When the server does not answer.
pub async fn run(session: &Session, args: &OpenArgs) -> Result<u8, CliError> {
    let client = Client::connect(session).await?;
    let path = match &args.run {
        Some(run) => format!("/runs/{}", runs::resolve(&client, Some(run)).await?),
        None => "/".to_owned(),
    };
    let url = client.page(&path).await?;
    if session.is_json() {
        session.json(&json!({ "schema": "cutover.page/1", "url": url }))?;
    } else {
        session.print(Tone::Plain, url)?;
    }
    Ok(exit::OK)
}
