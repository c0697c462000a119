//! `GET /runs/{id}/way-back`: what a revert would do now, and the form that orders it.

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use super::super::App;
use super::super::guard::Caller;
use super::super::input::Found;
use super::super::look::look;
use super::super::problem::Problem;
use super::frame::Frame;
use super::page;
use super::words::Mark;
use crate::driver;
use crate::engine::table::{Rule, rule};
use crate::engine::{BackAction, BackStep, Command, PlannedStep};
use crate::report::plan::{step_text, summary};
use crate::report::proof::verdict;
use crate::report::words::short_id;
use crate::step::Proof;

#[derive(Template)]
#[template(path = "way_back.html")]
struct WayBackPage {
    frame: Frame,
    id: String,
    short: String,
    playbook: String,
    environment: String,
    mark: Mark,
    rows: Vec<Row>,
    /// How many steps of it do what.
    summary: String,
    /// Why it could not be planned on the world as it is.
    problem: Option<String>,
    /// The step that destroyed something for good.
    no_return: Option<String>,
    /// What is proven of it, and what it would break.
    proof: Vec<String>,
    /// What happens, when the run takes the order now.
    taken: Option<&'static str>,
    /// Why not, otherwise.
    refused: &'static str,
    operates: bool,
}

struct Row {
    number: usize,
    of: String,
    what: String,
    detail: String,
    /// Whether the detail is a step's body.
    code: bool,
}

/// What a revert would do.
pub(in crate::web) async fn way_back(State(app): State<App>, Found(row): Found, caller: Caller) -> Result<Html<String>, Problem> {
    let seen = look(&app, &row).await?;
    let (plan, problem) = match driver::plan_way_back(&seen, app.store.now().await?).await {
        Ok(plan) => (Some(plan), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let rows = match &plan {
        Some(plan) => plan.steps.iter().enumerate().map(planned).collect(),
        None => driver::way_back(&seen.run, &seen.opened).iter().enumerate().map(line).collect(),
    };
    let (taken, refused) = match rule(seen.run.state(), Command::Revert) {
        Rule::Taken(text) => (Some(text), ""),
        Rule::Refused(text) => (None, text),
    };
    page(&WayBackPage {
        frame: Frame::new(&app, Some(&caller), &[&row.environment]),
        id: row.id.to_string(),
        short: short_id(row.id),
        mark: Mark::run(seen.run.state()),
        rows,
        summary: plan.as_ref().map(summary).unwrap_or_default(),
        problem,
        proof: plan.as_ref().and_then(|plan| plan.proof.as_ref()).map(told).unwrap_or_default(),
        no_return: plan.and_then(|plan| plan.no_return),
        taken,
        refused,
        operates: caller.may_operate(),
        playbook: row.playbook,
        environment: row.environment,
    })
}

fn told(proof: &Proof) -> Vec<String> {
    let broken = proof.violations.iter().map(|violation| format!("{}: {}", violation.name(), violation.story));
    std::iter::once(format!("Proof: {}", verdict(proof).text)).chain(broken).collect()
}

fn planned((at, step): (usize, &PlannedStep)) -> Row {
    let what = if step.kind.is_empty() { "stays".to_owned() } else { step.kind.clone() };
    Row { number: at + 1, of: step.of.clone().unwrap_or_default(), what, detail: step_text(step), code: false }
}

fn line((at, step): (usize, &BackStep)) -> Row {
    let code = matches!(step.action, BackAction::Step { .. });
    let (what, detail) = match &step.action {
        BackAction::Step { kind, body } => (kind.clone(), body.to_string()),
        BackAction::Kept(why) => ("stays".to_owned(), why.clone()),
        BackAction::Impossible(why) => ("cannot be taken back".to_owned(), why.clone()),
    };
    Row { number: at + 1, of: step.of.clone(), what, detail, code }
}
