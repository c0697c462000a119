//! `cutover plan`.

use clap::Args;
use serde_json::Value;

use super::client::Client;
use super::exit::{self, CliError};
use super::load::{self, PlaybookArgs};
use super::session::{Format, Session};
use crate::engine::PlanDocument;
use crate::playbook::Bundle;
use crate::report::plan;
use crate::step::ErasedPlan;

/// Show what a playbook would change, and change nothing
///
/// Every step is planned against what the steps before it will leave, by the server that would run it: what is shown is what the
/// controller sees, with its network, rights and secrets.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// Which playbook, with which values.
    #[command(flatten)]
    pub playbook: PlaybookArgs,

    /// Show every effect, act and resource
    #[arg(long)]
    pub all: bool,

    /// Exit with 2 when a step would change something, 0 when everything is so already; steps that happen anew in every run do not count
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// Runs the command.
///
/// # Errors
/// When the playbook has mistakes or a system does not answer.
pub async fn run(session: &Session, args: &PlanArgs) -> Result<u8, CliError> {
    let bundle = load::bundle(session, &args.playbook)?;
    let client = Client::connect(session).await?;
    let plan = ask(&client, &bundle).await?;
    if session.global.output == Format::Text {
        show(session, &plan, args.all)?;
    } else {
        session.json(&plan)?;
    }
    let impossible = plan.steps.iter().any(|step| matches!(step.plan, ErasedPlan::Impossible(_)));
    if !impossible {
        session.next(format!("cutover apply {}", args.playbook.playbook.display()));
    }
    Ok(match () {
        () if impossible => exit::REFUSED,
        () if args.detailed_exitcode && plan.changes => exit::CHANGES,
        () => exit::OK,
    })
}

/// Has the server plan a bundle.
///
/// # Errors
/// As [`run`].
pub async fn ask(client: &Client, bundle: &Bundle) -> Result<PlanDocument, CliError> {
    let answer: Value = client.post("/api/plan", bundle).await?;
    let plan = answer.get("plan").cloned().unwrap_or_default();
    serde_json::from_value(plan).map_err(|error| CliError::new(exit::UNEXPECTED, format!("the server's plan does not read: {error}")))
}

/// Prints a plan.
///
/// # Errors
/// When standard output is gone.
pub fn show(session: &Session, document: &PlanDocument, all: bool) -> Result<(), CliError> {
    for line in plan::lines(document, all) {
        session.terminal.print(&line)?;
    }
    Ok(())
}
