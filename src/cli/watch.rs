//! `cutover watch`.

use clap::Args;

use super::client::Client;
use super::exit::CliError;
use super::follow::{self, Following};
use super::runs;
use super::session::Session;
use crate::step::scalar::Span;

/// Follow a run until it is over or needs a person
///
/// Ends with the exit code of the run's state; `cutover help exit-codes` lists them.
#[derive(Clone, Debug, Args)]
pub struct WatchArgs {
    /// The run: its id, or the last eight characters of it; the newest run when it is left out
    pub run: Option<String>,

    /// Stop watching after this time, with exit code 75 when the run is not finished
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<Span>,

    /// Stop watching as soon as the run asks a person or is paused
    #[arg(long)]
    pub until_asked: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no such run or the server stays away.
pub async fn run(session: &Session, args: &WatchArgs) -> Result<u8, CliError> {
    let client = Client::connect(session).await?;
    let id = runs::resolve(&client, args.run.as_deref()).await?;
    let how = Following { ends_on_question: args.until_asked, patience: args.timeout.map(|span| span.0), answers: false };
    follow::follow(session, &client, id, &how).await
}
