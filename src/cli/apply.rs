//! `cutover apply`.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::exit::{self, CliError};
use super::follow::{self, Following};
use super::lint::variable;
use super::load::{self, PlaybookArgs};
use super::plan;
use super::saved::{self, FromFile};
use super::session::{Format, Session};
use crate::report::words::{counted, short_id};
use crate::report::{Line, StaleDocument, Tone};
use crate::step::ErasedPlan;
use crate::ui::prompt;
use crate::web::documents::StartSavedRequest;

/// Plan a playbook, ask, run it and watch; or run a saved plan exactly as it is
///
/// The run belongs to the server: it goes on when this command ends. Ctrl-C leaves it running and says how to watch it again. A saved
/// plan is refused with exit code 103 when the world is not what it foresaw.
#[derive(Clone, Debug, Args)]
pub struct ApplyArgs {
    /// Playbook file, the name of one in playbooks/, or the file of a saved plan
    #[arg(value_name = "PLAYBOOK|PLAN")]
    pub subject: PathBuf,

    /// Value of a parameter; may be given several times, and not with a saved plan
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,

    /// Do not ask, and answer approvals in your name where the environment allows it
    #[arg(short, long)]
    pub yes: bool,

    /// Return as soon as the run has started
    #[arg(short, long)]
    pub detach: bool,
}

/// Runs the command.
///
/// # Errors
/// When the run cannot be started.
pub async fn run(session: &Session, args: &ApplyArgs) -> Result<u8, CliError> {
    let (id, client) = match saved::read(session, &args.subject)? {
        Some(plan) => start_saved(session, args, &plan).await?,
        None => start(session, args).await?,
    };
    if args.detach {
        if session.is_json() {
            session.json(&json!({ "schema": "cutover.started/1", "id": id }))?;
        } else {
            session.print(Tone::Plain, id.to_string())?;
            session.next(format!("cutover watch {}", short_id(id)));
        }
        return Ok(exit::OK);
    }
    session.say(format!("Started run {}", short_id(id)));
    follow::follow(session, &client, id, &Following { ends_on_question: true, patience: None, answers: !args.yes }).await
}

async fn start(session: &Session, args: &ApplyArgs) -> Result<(Uuid, Client), CliError> {
    let bundle = load::bundle(session, &PlaybookArgs { playbook: args.subject.clone(), vars: args.vars.clone() })?;
    let client = Client::connect(session).await?;
    let document = plan::ask(&client, &bundle).await?;
    if session.global.output == Format::Text {
        plan::show(session, &document, false)?;
    }
    if let Some(step) = document.steps.iter().find(|step| matches!(step.plan, ErasedPlan::Impossible(_))) {
        return Err(CliError::new(exit::REFUSED, format!("step {} will not work, so nothing was started", step.id)));
    }
    if let Some(proof) = document.proof.as_ref().filter(|proof| !proof.violations.is_empty()) {
        let count = counted(proof.violations.len(), "thing", "things");
        let hint =
            format!("`cutover check {} --mend` proposes an order; `accept:` in the playbook accepts by name", args.subject.display());
        return Err(CliError::new(exit::INVALID, format!("the playbook would break {count}, so nothing was started")).hint(hint));
    }
    confirm(session, args, &document.environment)?;
    let id = Uuid::now_v7();
    let body = json!({ "id": id, "bundle": bundle, "plan": document, "yes": args.yes });
    let _: Value = client.post("/api/runs", &body).await?;
    Ok((id, client))
}

async fn start_saved(session: &Session, args: &ApplyArgs, plan: &FromFile) -> Result<(Uuid, Client), CliError> {
    let environment = &plan.saved.environment;
    if !args.vars.is_empty() {
        return Err(CliError::new(exit::USAGE, "a saved plan has its values in it").hint("leave --var away, or plan again with it"));
    }
    if let Some(other) = session.global.env.as_ref().filter(|named| *named != environment) {
        return Err(CliError::new(exit::REFUSED, format!("the plan was saved for environment {environment}, not for {other}")));
    }
    let client = Client::connect(session).await?;
    if session.global.output == Format::Text {
        plan::show(session, &plan.saved.plan, false)?;
    }
    if !args.yes {
        // Why: nobody is asked about a plan that would be refused.
        let document = saved::check(&client, plan).await?;
        if !document.steps.is_empty() {
            return Err(saved::stale(session, &document));
        }
    }
    confirm(session, args, environment)?;
    let id = Uuid::now_v7();
    let request = StartSavedRequest { id, saved: plan.json.clone(), yes: args.yes };
    match client.post::<Value>("/api/plans/start", &request).await {
        Ok(_) => Ok((id, client)),
        Err(error) => {
            let document = error.answer.as_ref().and_then(|answer| StaleDocument::deserialize(answer.get("stale")?).ok());
            Err(document.map_or(error, |document| saved::stale(session, &document)))
        }
    }
}

fn confirm(session: &Session, args: &ApplyArgs, environment: &str) -> Result<(), CliError> {
    if args.yes {
        return Ok(());
    }
    if !session.terminal.asks {
        return Err(CliError::new(exit::REFUSED, "nobody can be asked here, so nothing was started").hint("--yes starts without asking"));
    }
    session.terminal.talk(&Line::new(Tone::Plain, ""));
    if prompt::yes(&session.terminal, &format!("Run this in {environment}?")) {
        Ok(())
    } else {
        Err(CliError::new(exit::REFUSED, "nothing was started"))
    }
}
