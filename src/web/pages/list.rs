//! `GET /`: what needs somebody, what moves, what was.

use askama::Template;
use axum::extract::State;
use axum::response::Html;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::super::guard::Caller;
use super::super::input::Params;
use super::super::problem::Problem;
use super::super::{App, now};
use super::board::{Rows, Stand};
use super::frame::{Frame, Live};
use super::words::{Lasted, Mark, When, iso};
use super::{page, part};
use crate::report::words::{counted, short_id};
use crate::store::runs::RunRow;

/// From where on.
#[derive(Deserialize)]
pub(in crate::web) struct Paging {
    before: Option<DateTime<Utc>>,
}

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage {
    frame: Frame,
    parts: ListParts,
    first: bool,
    older: Option<String>,
}

#[derive(Template)]
#[template(path = "parts/group.html")]
struct Group {
    id: &'static str,
    title: &'static str,
    none: &'static str,
    open: bool,
    rows: Vec<Row>,
    unseen: usize,
}

#[derive(Template)]
#[template(source = r#"<p id="sentence">{{ text }}</p>"#, ext = "html")]
struct Sentence {
    text: String,
}

#[derive(Template)]
#[template(path = "parts/empty.html")]
struct Empty {
    empty: bool,
}

struct Row {
    id: String,
    short: String,
    mark: Mark,
    playbook: String,
    link: Option<String>,
    environment: String,
    stand: Option<Stand>,
    by: String,
    since: When,
    took: Lasted,
}

/// The parts of the list that move.
pub(in crate::web) struct ListParts {
    sentence: String,
    needs: String,
    running: String,
    recent: String,
    /// What to do when there was never a run.
    empty: String,
}

impl ListParts {
    /// Looks at the runs and renders the parts, as of two instants: the second makes what is sent comparable over time.
    pub(in crate::web) async fn look(app: &App, now: DateTime<Utc>, fixed: DateTime<Utc>) -> Result<(Self, Self), Problem> {
        let rows = app.board.rows(app, None).await?;
        Ok((Self::new(&rows, now)?, Self::new(&rows, fixed)?))
    }

    fn new(rows: &Rows, now: DateTime<Utc>) -> Result<Self, Problem> {
        let open = |rows: &[(RunRow, Option<Stand>)]| rows.iter().map(|(run, stand)| row(run, stand.clone(), now)).collect();
        let [needs_unseen, running_unseen] = rows.unseen;
        let needs = Group {
            id: "needs",
            title: "Needs you",
            none: "Nothing waits for you.",
            open: true,
            rows: open(&rows.needs),
            unseen: needs_unseen,
        };
        let running = Group {
            id: "running",
            title: "Running",
            none: "Nothing moves.",
            open: true,
            rows: open(&rows.running),
            unseen: running_unseen,
        };
        let recent = Group {
            id: "recent",
            title: "Recent",
            none: "Nothing has ended yet.",
            open: false,
            rows: rows.recent.iter().map(|run| row(run, None, now)).collect(),
            unseen: 0,
        };
        let waiting = needs.rows.len() + needs.unseen;
        let needing = if waiting == 1 { "1 run needs you".to_owned() } else { format!("{} need you", counted(waiting, "run", "runs")) };
        let moving = running.rows.len() + running.unseen;
        let text = match (waiting, moving) {
            (0, 0) => "Nothing needs you and nothing moves".to_owned(),
            (0, _) => format!("Nothing needs you, {moving} running"),
            (_, 0) => needing,
            _ => format!("{needing}, {moving} running"),
        };
        let empty = waiting + moving == 0 && recent.rows.is_empty();
        Ok(Self {
            sentence: part(&Sentence { text })?,
            needs: part(&needs)?,
            running: part(&running)?,
            recent: part(&recent)?,
            empty: part(&Empty { empty })?,
        })
    }

    /// The parts with the ids of the elements that they are.
    pub(in crate::web) fn all(&self) -> [(&'static str, &str); 5] {
        [("sentence", &self.sentence), ("empty", &self.empty), ("needs", &self.needs), ("running", &self.running), ("recent", &self.recent)]
    }
}

fn row(run: &RunRow, stand: Option<Stand>, now: DateTime<Utc>) -> Row {
    Row {
        id: run.id.to_string(),
        short: short_id(run.id),
        mark: Mark::word(&run.state),
        playbook: run.playbook.clone(),
        link: run.link.clone(),
        environment: run.environment.clone(),
        stand,
        by: run.started_by.clone(),
        since: When::new(run.ended_at.unwrap_or(run.started_at), now),
        took: Lasted::new(Some(run.started_at), run.ended_at, now),
    }
}

/// The list of runs.
pub(in crate::web) async fn list(State(app): State<App>, caller: Caller, Params(paging): Params<Paging>) -> Result<Html<String>, Problem> {
    let rows = app.board.rows(&app, paging.before).await?;
    let open = rows.needs.iter().chain(&rows.running).map(|(row, _)| row);
    let environments: Vec<&str> = open.chain(&rows.recent).map(|row| row.environment.as_str()).collect();
    let frame = Frame::new(&app, Some(&caller), &environments);
    let first = paging.before.is_none();
    let frame = if first { frame.live(Live { address: "/live".to_owned(), after: 0, reload: true }) } else { frame };
    page(&ListPage { frame, parts: ListParts::new(&rows, now())?, first, older: rows.older.map(iso) })
}
