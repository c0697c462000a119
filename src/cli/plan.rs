//! `cutover plan`.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use uuid::Uuid;

use super::client::Client;
use super::exit::{self, CliError};
use super::lint::variable;
use super::load::{self, PlaybookArgs};
use super::session::{Format, Session};
use super::{runs, saved};
use crate::engine::PlanDocument;
use crate::playbook::Bundle;
use crate::report::plan;
use crate::report::words::short_id;
use crate::step::ErasedPlan;
use crate::web::documents::WayBackDocument;

/// Show what a playbook would change, or what a revert of a run would, and change nothing
///
/// Every step is planned against what the steps before it will leave, by the server that would run it: what is shown is what the
/// controller sees, with its network, rights and secrets. With it comes what is proven of the playbook. Exits with 65 when it would break
/// something that it does not accept by name.
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// Playbook file, or the name of one in playbooks/
    #[arg(value_name = "PLAYBOOK", required_unless_present = "revert")]
    pub playbook: Option<PathBuf>,

    /// Value of a parameter; may be given several times
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,

    /// Write the plan to a new file, which `apply` and `show` take
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,

    /// Plan the way back of this run, as far as it is still to go
    #[arg(long, value_name = "RUN", conflicts_with_all = ["playbook", "vars", "save"])]
    pub revert: Option<String>,

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
/// When the playbook has mistakes, a system does not answer, or a step will not work and the plan was to be saved.
pub async fn run(session: &Session, args: &PlanArgs) -> Result<u8, CliError> {
    if let Some(run) = &args.revert {
        return revert(session, args, run).await;
    }
    let args_of = PlaybookArgs { playbook: args.playbook.clone().unwrap_or_default(), vars: args.vars.clone() };
    let bundle = load::bundle(session, &args_of)?;
    let client = Client::connect(session).await?;
    let (plan, next) = match &args.save {
        Some(file) => (saved::save(session, &client, &bundle, file).await?.plan, file),
        None => (ask(&client, &bundle).await?, &args_of.playbook),
    };
    print(session, &plan, args.all)?;
    if let Some(file) = &args.save {
        session.say(format!("Saved the plan to {}", file.display()));
    }
    let impossible = plan.steps.iter().any(|step| matches!(step.plan, ErasedPlan::Impossible(_)));
    let broken = plan.proof.as_ref().is_some_and(|proof| !proof.violations.is_empty());
    if broken {
        session.next(format!("cutover check {} --mend", args_of.playbook.display()));
    } else if !impossible {
        session.next(format!("cutover apply {}", next.display()));
    }
    Ok(match () {
        () if broken => exit::INVALID,
        () if impossible => exit::REFUSED,
        () if args.detailed_exitcode && plan.changes => exit::CHANGES,
        () => exit::OK,
    })
}

async fn revert(session: &Session, args: &PlanArgs, run: &str) -> Result<u8, CliError> {
    let client = Client::connect(session).await?;
    let id = runs::resolve(&client, Some(run)).await?;
    let way = ask_back(&client, id).await?;
    let Some(plan) = way.plan else {
        return Err(CliError::new(exit::UNREACHABLE, format!("the way back cannot be planned now: {}", way.problem.unwrap_or_default())));
    };
    print(session, &plan, args.all)?;
    if way.taken {
        session.next(format!("cutover runs revert {}", short_id(id)));
    } else {
        session.say(format!("The run does not take the order to revert: {}", way.text));
    }
    Ok(if args.detailed_exitcode && plan.changes { exit::CHANGES } else { exit::OK })
}

/// Has the server plan the way back of a run.
///
/// # Errors
/// As [`run`].
pub async fn ask_back(client: &Client, run: Uuid) -> Result<WayBackDocument, CliError> {
    client.get(&format!("/api/runs/{run}/way-back")).await
}

fn print(session: &Session, plan: &PlanDocument, all: bool) -> Result<(), CliError> {
    if session.global.output == Format::Text { show(session, plan, all) } else { session.json(plan) }
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
