//! `cutover demo`: the whole thing on this machine, on real parts.

pub mod ledger;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::client::Client;
use crate::cli::exit::{self, CliError};
use crate::cli::follow::{self, Following};
use crate::cli::load::{self, PlaybookArgs};
use crate::cli::plan;
use crate::cli::server;
use crate::cli::session::{Format, Session};
use crate::engine::RunState;
use crate::report::words::short_id;
use crate::report::{RunDocument, Tone};
use crate::stack::local::{self, Ending};
use crate::stack::progress::Lines;

/// The playbook that is applied.
const PLAYBOOK: &str = "playbooks/hello.yaml";

/// Start the local stack, apply a playbook on it and show where the page is
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// A part of it alone.
    #[command(subcommand)]
    pub part: Option<DemoPart>,

    /// Stop everything that runs afterwards
    #[arg(long)]
    pub once: bool,
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
/// When a part does not start or the run does not end well.
pub async fn run(session: &Session, args: &DemoArgs) -> Result<u8, CliError> {
    if let Some(DemoPart::Ledger(args)) = &args.part {
        return ledger::run(session, args).await;
    }
    let data = session.data()?;
    let played = play(session, args.once).await;
    if args.once {
        session.say("Stopping everything that was started");
        server::stop(&data).await?;
        local::down(&data, Ending::Clean, false, &mut Lines(std::io::stderr())).await?;
    }
    played
}

async fn play(session: &Session, once: bool) -> Result<u8, CliError> {
    local::up(&session.data()?, &mut Lines(std::io::stderr())).await?;
    let bundle = load::bundle(session, &PlaybookArgs { playbook: PathBuf::from(PLAYBOOK), vars: Vec::new() })?;
    let client = Client::connect(session).await?;
    let document = plan::ask(&client, &bundle).await?;
    if session.global.output == Format::Text {
        plan::show(session, &document, false)?;
    }
    let id = Uuid::now_v7();
    let _: Value = client.post("/api/runs", &json!({ "id": id, "bundle": bundle, "plan": document, "yes": true })).await?;
    session.say(format!("Started run {}", short_id(id)));
    let code = follow::follow(session, &client, id, &Following { ends_on_question: true, patience: None, answers: false }).await?;
    let run: RunDocument = client.get(&format!("/api/runs/{id}")).await?;
    if session.global.output == Format::Text {
        saw(session, &client, &run, once).await?;
    }
    Ok(if run.state == RunState::Done { exit::OK } else { code })
}

/// What the run saw, and where to look at it.
async fn saw(session: &Session, client: &Client, run: &RunDocument, once: bool) -> Result<(), CliError> {
    session.print(Tone::Strong, "what it saw:")?;
    for step in run.steps.iter().filter_map(|step| step.evidence.as_ref().map(|evidence| (step, evidence))) {
        session.print(Tone::Plain, format!("  {}: {}", step.0.id, step.1.line))?;
    }
    if once {
        return session.print(Tone::Dim, format!("page: {}/runs/{}, once you run the demo without --once", client.url, run.id));
    }
    session.print(Tone::Strong, format!("page: {}", client.page(&format!("/runs/{}", run.id)).await?))?;
    session.print(Tone::Dim, "the address logs your browser in once, within a minute; `cutover open` prints a new one")?;
    Ok(())
}
