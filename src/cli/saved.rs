//! Saved plans on disk: written once, read with their seals, shown, and refused with their place.

use std::fs::{OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono::Utc;
use serde_json::{Value, json};

use super::client::Client;
use super::exit::{self, CliError};
use super::plan;
use super::session::Session;
use crate::driver::{SavedPlan, SavedPlanError, is_saved_plan};
use crate::playbook::Bundle;
use crate::report::words::relative;
use crate::report::{Line, StaleDocument, Tone};
use crate::web::documents::{CheckSavedRequest, SavedAnswer};

/// A saved plan and the file that it came from.
#[derive(Clone, Debug)]
pub struct FromFile {
    /// The plan.
    pub saved: SavedPlan,
    /// What the file holds, as it is sent.
    pub json: Value,
}

/// Has the server plan a bundle and keep the plan, and writes it to a file that is not there yet.
///
/// # Errors
/// When the server refuses, or the file cannot be written.
pub async fn save(session: &Session, client: &Client, bundle: &Bundle, file: &Path) -> Result<SavedPlan, CliError> {
    let path = session.here.join(file);
    if path.exists() {
        return Err(taken(file));
    }
    let answer: SavedAnswer = client.post("/api/plans", bundle).await?;
    let text = serde_json::to_string_pretty(&answer.saved).map_err(|error| CliError::new(exit::UNEXPECTED, error.to_string()))?;
    let cannot = |error: std::io::Error| CliError::new(exit::CONFIG, format!("cannot write {}: {error}", file.display()));
    let mut out = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(out) => out,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(taken(file)),
        Err(error) => return Err(cannot(error)),
    };
    out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).map_err(cannot)?;
    // Why: nobody changes it by mistake; whoever changes it on purpose is found out by the seals.
    out.set_permissions(Permissions::from_mode(0o444)).and_then(|()| out.sync_all()).map_err(cannot)?;
    Ok(answer.saved)
}

fn taken(file: &Path) -> CliError {
    CliError::new(exit::REFUSED, format!("{} is there already, and a saved plan is never written over", file.display()))
        .hint("choose another name, or remove the file")
}

/// The saved plan in a file; `None` when the file holds something else or is not there.
///
/// # Errors
/// When it is a saved plan that is refused.
pub fn read(session: &Session, file: &Path) -> Result<Option<FromFile>, CliError> {
    let path: PathBuf = session.here.join(file);
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
    if !is_saved_plan(&text) {
        return Ok(None);
    }
    let saved = SavedPlan::read(&text).map_err(|error| refused(file, &error))?;
    let json = serde_json::from_str(&text).map_err(|error| CliError::new(exit::INVALID, format!("{}: {error}", file.display())))?;
    Ok(Some(FromFile { saved, json }))
}

fn refused(file: &Path, error: &SavedPlanError) -> CliError {
    let code = match error {
        SavedPlanError::Changed(_) => exit::REFUSED,
        SavedPlanError::Newer { .. } => exit::CONFIG,
        SavedPlanError::NotJson { .. } | SavedPlanError::OtherSchema(_) | SavedPlanError::DoesNotRead { .. } => exit::INVALID,
    };
    CliError::new(code, format!("{}: {error}", file.display()))
}

/// How the plan differs from the world now.
///
/// # Errors
/// When the server cannot tell.
pub async fn check(client: &Client, plan: &FromFile) -> Result<StaleDocument, CliError> {
    client.post("/api/plans/check", &CheckSavedRequest { saved: plan.json.clone() }).await
}

/// A stale plan as an error: for programs on standard output, for people in its message.
#[must_use]
pub fn stale(session: &Session, document: &StaleDocument) -> CliError {
    if session.is_json() {
        // Why: programs read the answer on standard output; the error itself is then just the exit code.
        let _ = session.json(document);
        return CliError::new(exit::STALE, "");
    }
    let lines: Vec<String> = document.lines().into_iter().map(|line| line.text).collect();
    let message = format!("the plan is stale: the world is not what it foresaw, so nothing was started\n{}", lines.join("\n"));
    CliError::new(exit::STALE, message).hint("`cutover plan PLAYBOOK --save FILE` plans again")
}

/// Prints a saved plan, also one that is stale, and warns.
///
/// # Errors
/// When standard output is gone.
pub async fn show(session: &Session, plan: &FromFile, all: bool) -> Result<u8, CliError> {
    let found = match Client::running(session).await {
        Ok(Some(client)) => check(&client, plan).await.map_err(|error| error.message),
        Ok(None) => Err("no server runs that could look at the systems".to_owned()),
        Err(error) => Err(error.message),
    };
    if session.is_json() {
        let (stale, unknown) = match &found {
            Ok(document) => (Some(document), None),
            Err(why) => (None, Some(why)),
        };
        session.json(&json!({ "schema": "cutover.shown-plan/1", "saved": plan.saved, "stale": stale, "unknown": unknown }))?;
        return Ok(exit::OK);
    }
    let SavedPlan { id, saved_at, saved_by, program, .. } = &plan.saved;
    plan::show(session, &plan.saved.plan, all)?;
    session.print(Tone::Dim, format!("plan {id}, saved {} by {saved_by} with cutover {program}", relative(*saved_at, Utc::now())))?;
    match found {
        Ok(document) if document.steps.is_empty() => {}
        Ok(document) => {
            let text = "warning: this plan is stale; `apply` refuses it, because the world is not what it foresaw";
            session.terminal.talk(&Line::new(Tone::Warn, text));
            for line in document.lines() {
                session.terminal.talk(&line);
            }
        }
        Err(why) => session.terminal.talk(&Line::new(Tone::Warn, format!("warning: it may be stale: {why}"))),
    }
    Ok(exit::OK)
}
