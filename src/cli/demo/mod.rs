//! `cutover demo`: the whole thing on this machine, on real parts: live services whose calls are moved while traffic goes over them.

mod count;
pub mod ledger;
mod play;
mod scene;

use clap::{Args, Subcommand};

use crate::cli::exit::CliError;
use crate::cli::session::Session;

/// Move a call between live services on a local stack, and count what became of every request
///
/// Starts a real Kafka, schema registry, Postgres and Prometheus, three services and traffic on them, and applies playbooks: p1 moves a
/// call from HTTP to events, p2 moves it back; p3 and p4 do so with a call that causes something, in the order of each key; p1-notify is p1
/// with events that say only that something changed. Ends with a count from the raw data, and 0 only when nothing was lost, doubled or put out
/// of order.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// A part of it alone.
    #[command(subcommand)]
    pub part: Option<DemoPart>,

    /// Playbook to apply: p1, p2, p3, p4, p1-notify, hello, or another one in playbooks/; may be given several times [default: p1, then p2]
    #[arg(long = "playbook", value_name = "NAME")]
    pub playbooks: Vec<String>,

    /// Stop everything that runs afterwards
    #[arg(long)]
    pub once: bool,

    /// How long the traffic goes on at least
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub seconds: u64,

    /// Requests per second
    #[arg(long, value_name = "NUMBER", default_value_t = 40.0)]
    pub rate: f64,
}

/// A part of the demo.
#[derive(Clone, Debug, Subcommand)]
pub enum DemoPart {
    /// Count what became of every request of a traffic
    Ledger(ledger::LedgerArgs),
}

/// Runs the command.
///
/// # Errors
/// When a part does not start.
pub async fn run(session: &Session, args: &DemoArgs) -> Result<u8, CliError> {
    if let Some(DemoPart::Ledger(args)) = &args.part {
        return ledger::run(session, args).await;
    }
    let played = play::play(session, args).await;
    if args.once {
        scene::clear(session).await?;
    }
    played
}
