//! `cutover apply`.

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::Client;
use super::exit::{self, CliError};
use super::follow::{self, Following};
use super::load::{self, PlaybookArgs};
use super::plan;
use super::session::{Format, Session};
use crate::report::words::short_id;
use crate::report::{Line, Tone};
use crate::step::ErasedPlan;
use crate::ui::prompt;

/// Plan a playbook, ask, run it and watch
///
/// The run belongs to the server: it goes on when this command ends. Ctrl-C leaves it running and says how to watch it again.
#[derive(Clone, Debug, Args)]
pub struct ApplyArgs {
    /// Which playbook, with which values.
    #[command(flatten)]
    pub playbook: PlaybookArgs,

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
    let bundle = load::bundle(session, &args.playbook)?;
    let client = Client::connect(session).await?;
    let document = plan::ask(&client, &bundle).await?;
    if session.global.output == Format::Text {
        plan::show(session, &document, false)?;
    }
    if let Some(step) = document.steps.iter().find(|step| matches!(step.plan, ErasedPlan::Impossible(_))) {
        return Err(CliError::new(exit::REFUSED, format!("step {} will not work, so nothing was started", step.id)));
    }
    confirm(session, args, &document.environment)?;
    let id = Uuid::now_v7();
    let body = json!({ "id": id, "bundle": bundle, "plan": document, "yes": args.yes });
    let _: Value = client.post("/api/runs", &body).await?;
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

fn confirm(session: &Session, args: &ApplyArgs, environment: &str) -> Result<(), CliError> {
    if args.yes {
        return Ok(());
    }
    if !session.terminal.asks {
        return Err(CliError::new(exit::REFUSED, "nobody can be asked here, so nothing was started").hint("--yes starts without asking"));
    }
    session.terminal.talk(&Line { tone: Tone::Plain, text: String::new() });
    if prompt::yes(&session.terminal, &format!("Run this in {environment}?")) {
        Ok(())
    } else {
        Err(CliError::new(exit::REFUSED, "nothing was started"))
    }
}
