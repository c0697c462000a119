//! `GET /runs/{id}`: one run, whole.

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use serde::Deserialize;

use super::super::guard::Caller;
use super::super::input::{Found, Params};
use super::super::look::look;
use super::super::problem::Problem;
use super::super::{App, now};
use super::frame::{Frame, Live};
use super::page;
use super::parts::{RunParts, Viewer, journal_row};
use crate::engine::RunState;
use crate::report::proof;
use crate::report::words::{counted, grouped, short_id};

/// Journal entries that are shown at first.
const USUAL: i64 = 200;

/// Most journal entries on a page.
const MOST: i64 = 20_000;

/// What is shown besides the run.
#[derive(Deserialize)]
pub(in crate::web) struct Shown {
    /// Number of an order's row in the inbox, whose answer is shown.
    said: Option<i64>,
    /// `all` shows the journal from its beginning.
    journal: Option<String>,
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    frame: Frame,
    id: String,
    short: String,
    link: Option<String>,
    parts: RunParts,
    said: Option<Said>,
    journal: Vec<String>,
    hidden: Option<String>,
    /// What is proven of the plan, and what may break by name.
    proof: Option<Proven>,
}

struct Proven {
    verdict: String,
    accepted: Vec<String>,
}

/// What a run answered.
struct Said {
    taken: bool,
    text: String,
}

/// One run.
pub(in crate::web) async fn run(
    State(app): State<App>,
    Found(row): Found,
    caller: Caller,
    Params(shown): Params<Shown>,
) -> Result<Html<String>, Problem> {
    let seen = look(&app, &row).await?;
    let parts = RunParts::new(&seen.row, &seen.run, seen.plan.as_ref(), &Viewer::new(&caller), now())?;
    let proof = seen.plan.as_ref().and_then(|plan| plan.proof.as_ref()).map(|proof| Proven {
        verdict: proof::verdict(proof).text,
        accepted: proof.accepted.iter().map(|gap| format!("{}, because {}", gap.name(), gap.reason)).collect(),
    });
    let seq = seen.run.seq();
    let after = if shown.journal.as_deref() == Some("all") { seq - MOST } else { seq - USUAL }.max(0);
    let entries = app.store.journal(row.id, after, seq - after).await?;
    let journal = entries.iter().map(|entry| journal_row(entry).map(|(_, html)| html)).collect::<Result<_, _>>()?;
    let hidden = usize::try_from(after).ok().filter(|hidden| *hidden > 0);
    let state = seen.run.state();
    let live = Live {
        address: format!("/runs/{}/live", row.id),
        after: seq,
        reload: !state.is_end() && (!state.needs_person() || state == RunState::Held),
    };
    page(&RunPage {
        frame: Frame::new(&app, Some(&caller), &[&row.environment]).live(live),
        id: row.id.to_string(),
        short: short_id(row.id),
        link: row.link,
        parts,
        said: said(&app, shown.said).await?,
        proof,
        journal,
        hidden: hidden
            .map(|hidden| format!("{} before", if hidden == 1 { counted(1, "entry", "") } else { format!("{} entries", grouped(hidden)) })),
    })
}

async fn said(app: &App, inbox: Option<i64>) -> Result<Option<Said>, Problem> {
    let Some(inbox) = inbox else { return Ok(None) };
    // Why: the text comes from the database by its number, so no link can put words into a run's mouth.
    Ok(Some(match app.store.answer(inbox).await {
        Ok(Some(answer)) => Said { taken: answer.taken, text: answer.text },
        Ok(None) => Said { taken: true, text: "the order waits in the inbox; no controller has answered yet".to_owned() },
        Err(error) if error.is_passing() => return Err(error.into()),
        Err(_) => return Ok(None),
    }))
}
