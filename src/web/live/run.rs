//! `GET /runs/{id}/live`.

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use serde::Deserialize;
use tokio::sync::broadcast;
use tokio::time::sleep;
use uuid::Uuid;

use super::super::api::heard;
use super::super::guard::Caller;
use super::super::input::{Found, Params};
use super::super::look::look;
use super::super::pages::{RunParts, Viewer, journal_row};
use super::super::problem::Problem;
use super::super::{App, now};
use super::{Feed, Sent, fixed, fragment, live, resync};
use crate::driver::{Seen, definition};
use crate::engine::{JournalEntry, Run};
use crate::store::runs::RunRow;

/// How often the journal is looked at when nothing tells of a change, since another controller may drive the run.
const LOOK: Duration = Duration::from_secs(1);

/// Shortest time between two changes of a page.
const PAUSE: Duration = Duration::from_millis(120);

/// A page that misses more entries than this reads itself anew.
const MOST_MISSED: usize = 200;

/// From where on.
#[derive(Deserialize)]
pub(in crate::web) struct Since {
    #[serde(default)]
    after: i64,
}

/// The live stream of a run's page.
pub(in crate::web) async fn run(
    State(app): State<App>,
    Found(row): Found,
    caller: Caller,
    headers: HeaderMap,
    Params(since): Params<Since>,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
    let mut feed = RunFeed {
        moved: app.moved.subscribe(),
        app: App::clone(&app),
        row,
        viewer: Viewer::new(&caller),
        sent: Sent::default(),
        seq: last.unwrap_or(since.after).max(0),
    };
    let mut queue = VecDeque::new();
    feed.resume(&mut queue).await?;
    live(&app, feed, queue)
}

struct RunFeed {
    app: App,
    row: RunRow,
    viewer: Viewer,
    moved: broadcast::Receiver<Uuid>,
    sent: Sent,
    /// The last journal entry that the page knows.
    seq: i64,
}

impl Feed for RunFeed {
    async fn rest(&mut self) {
        tokio::select! {
            () = heard(&mut self.moved, self.row.id) => sleep(PAUSE).await,
            () = sleep(LOOK) => {}
        }
    }

    async fn refresh(&mut self, queue: &mut VecDeque<Event>) -> Result<(), Problem> {
        if self.app.store.journal(self.row.id, self.seq, 1).await?.is_empty() {
            return Ok(());
        }
        let seen = look(&self.app, &self.row).await?;
        self.send(&seen, queue).await
    }
}

impl RunFeed {
    /// Works out what the page has, from the journal up to the entry that it knows, and queues what it misses.
    async fn resume(&mut self, queue: &mut VecDeque<Event>) -> Result<(), Problem> {
        let seen = look(&self.app, &self.row).await?;
        let (known, now) = (self.seq, seen.run.seq());
        let missed = usize::try_from(now - known).unwrap_or(usize::MAX);
        if known > now || (known > 0 && missed > MOST_MISSED) {
            self.note(&seen, &seen.run)?;
            self.begin_anew(now, queue);
        } else if known == now {
            self.note(&seen, &seen.run)?;
        } else if known > 0 {
            let before = self.app.store.journal(self.row.id, 0, known).await?;
            let run = Run::replay(definition(&seen.opened.playbook, seen.plan.as_ref()), before);
            self.note(&seen, &run)?;
        }
        if known < now && queue.is_empty() {
            self.send(&seen, queue).await?;
        }
        Ok(())
    }

    /// Queues every part that changed and the journal's new rows. Only the last of them carries the number, so that a stream that
    /// breaks off in between is taken up before all of them.
    async fn send(&mut self, seen: &Seen, queue: &mut VecDeque<Event>) -> Result<(), Problem> {
        let to = seen.run.seq();
        let from = if self.seq == 0 { (to - i64::try_from(MOST_MISSED).unwrap_or(0)).max(0) } else { self.seq };
        let entries: Vec<JournalEntry> = self.app.store.journal(self.row.id, from, to - from).await?;
        let new = self.note(seen, &seen.run)?;
        if entries.len() > MOST_MISSED {
            self.begin_anew(to, queue);
            return Ok(());
        }
        let parts = RunParts::new(&seen.row, &seen.run, seen.plan.as_ref(), &self.viewer, now())?;
        let mut fragments: Vec<Event> =
            parts.all().filter(|(id, _)| new.iter().any(|new| new == id)).map(|(id, html)| fragment(id, html)).collect();
        for entry in &entries {
            fragments.push(fragment("journal-rows", &journal_row(entry)?.1));
        }
        if let Some(last) = fragments.pop() {
            fragments.push(last.id(to.to_string()));
        }
        queue.extend(fragments);
        self.seq = to;
        Ok(())
    }

    fn begin_anew(&mut self, seq: i64, queue: &mut VecDeque<Event>) {
        queue.push_back(resync().id(seq.to_string()));
        self.seq = seq;
    }

    /// Notes the parts of a run as those that the page has; the ids of the ones that are new to it.
    fn note(&mut self, seen: &Seen, run: &Run) -> Result<Vec<String>, Problem> {
        let mut row = seen.row.clone();
        row.ended_at = row.ended_at.filter(|_| run.state().is_end());
        let parts = RunParts::new(&row, run, seen.plan.as_ref(), &self.viewer, fixed())?;
        Ok(parts.all().filter(|(id, html)| self.sent.is_new(id, html)).map(|(id, _)| id.to_owned()).collect())
    }
}
