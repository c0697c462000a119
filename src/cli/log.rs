//! `cutover log`.

use std::time::Duration;

use chrono::SecondsFormat;
use clap::Args;

use super::client::Client;
use super::exit::{self, CliError};
use super::runs;
use super::session::{Format, Session};
use crate::report::Tone;
use crate::web::documents::EventsDocument;

/// Print a run's journal
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// The run; the newest one when it is left out
    pub run: Option<String>,
    /// Only entries of this step
    pub step: Option<String>,
    /// Go on printing as the run moves, until it is over
    #[arg(short, long)]
    pub follow: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no such run.
pub async fn run(session: &Session, args: &LogArgs) -> Result<u8, CliError> {
    let client = Client::connect(session).await?;
    let id = runs::resolve(&client, args.run.as_deref()).await?;
    let step = args.step.as_ref().map(|step| format!("&step={step}")).unwrap_or_default();
    let (mut after, mut all) = (0, Vec::new());
    loop {
        let wait = if args.follow && after > 0 { 20 } else { 0 };
        let path = format!("/api/runs/{id}/events?after={after}&wait={wait}{step}");
        let news: EventsDocument = client.wait_for(&path, Duration::from_secs(40)).await?;
        for event in news.events {
            match session.global.output {
                Format::Text => {
                    let at = event.at.to_rfc3339_opts(SecondsFormat::Millis, true);
                    let step = event.step.as_ref().map(|step| format!("{step}  ")).unwrap_or_default();
                    session.print(Tone::Plain, format!("{:>4}  {at}  {:<14}  {step}{}", event.seq, event.kind, event.line))?;
                }
                Format::Jsonl => session.json(&event)?,
                Format::Json => all.push(event),
            }
        }
        after = after.max(news.seq);
        if !news.more && (!args.follow || news.state.is_end()) {
            break;
        }
    }
    if session.global.output == Format::Json {
        session.json(&serde_json::json!({ "schema": "cutover.log/1", "run": id, "events": all }))?;
    }
    Ok(exit::OK)
}
