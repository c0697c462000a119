//! Where open runs stand, kept for a moment: many browsers look at the same list, and each open run costs a replay of its journal.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, broadcast};
use uuid::Uuid;

use super::super::App;
use super::super::problem::Problem;
use crate::driver::look;
use crate::engine::RunState;
use crate::report::RunDocument;
use crate::store::runs::RunRow;

/// Most open runs whose present step is shown.
pub(super) const MOST_LOOKED_AT: usize = 50;

/// Most rows of recent runs.
pub(super) const PAGE: i64 = 50;

/// How long a look is good for when nothing tells of a change: another controller may drive the run.
const GOOD: Duration = Duration::from_secs(3);

/// Where an open run stands.
#[derive(Clone)]
pub(super) struct Stand {
    pub(super) over: usize,
    pub(super) steps: usize,
    pub(super) id: String,
    pub(super) line: String,
}

/// Rows of the list.
pub(super) struct Rows {
    pub(super) needs: Vec<(RunRow, Option<Stand>)>,
    pub(super) running: Vec<(RunRow, Option<Stand>)>,
    /// How many more of the two groups there are than are shown.
    pub(super) unseen: [usize; 2],
    pub(super) recent: Vec<RunRow>,
    /// The last row that was looked at, when there may be older ones.
    pub(super) older: Option<chrono::DateTime<chrono::Utc>>,
}

/// Looks that were taken.
pub(in crate::web) struct Board {
    known: Mutex<Known>,
}

struct Known {
    moved: broadcast::Receiver<Uuid>,
    stands: HashMap<Uuid, (String, Instant, Stand)>,
}

impl Board {
    pub(in crate::web) fn new(moved: broadcast::Receiver<Uuid>) -> Self {
        Self { known: Mutex::new(Known { moved, stands: HashMap::new() }) }
    }

    /// Reads the list.
    pub(super) async fn rows(&self, app: &App, before: Option<chrono::DateTime<chrono::Utc>>) -> Result<Rows, Problem> {
        let newest = app.store.runs(None, None, before, PAGE).await?;
        let full = i64::try_from(newest.len()).is_ok_and(|count| count >= PAGE);
        let older = newest.last().filter(|_| full).map(|row| row.started_at);
        let recent = newest.into_iter().filter(|row| state(row).is_none_or(RunState::is_end)).collect();
        if before.is_some() {
            return Ok(Rows { needs: Vec::new(), running: Vec::new(), unseen: [0, 0], recent, older });
        }
        let counts = app.store.run_counts().await?;
        let (needs, needs_unseen) = open(app, &counts, MOST_LOOKED_AT, RunState::needs_person).await?;
        let moving = |state: RunState| !state.is_end() && !state.needs_person();
        let (running, running_unseen) = open(app, &counts, MOST_LOOKED_AT - needs.len(), moving).await?;
        let mut known = self.known.lock().await;
        known.forget_moved();
        let (needs, running) = (known.stands(app, needs).await?, known.stands(app, running).await?);
        known.stands.retain(|id, _| needs.iter().chain(&running).any(|(row, _)| row.id == *id));
        Ok(Rows { needs, running, unseen: [needs_unseen, running_unseen], recent, older })
    }
}

/// Open runs of some states, the newest first, and how many more there are.
async fn open(
    app: &App,
    counts: &[(String, i64)],
    most: usize,
    wanted: impl Fn(RunState) -> bool,
) -> Result<(Vec<RunRow>, usize), Problem> {
    let (mut rows, mut all) = (Vec::new(), 0);
    for (word, count) in counts.iter().filter(|(word, _)| word.parse().is_ok_and(&wanted)) {
        all += usize::try_from(*count).unwrap_or_default();
        rows.extend(app.store.runs(Some(word), None, None, i64::try_from(most).unwrap_or(PAGE)).await?);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.started_at));
    rows.truncate(most);
    let unseen = all.saturating_sub(rows.len());
    Ok((rows, unseen))
}

impl Known {
    fn forget_moved(&mut self) {
        loop {
            match self.moved.try_recv() {
                Ok(run) => {
                    self.stands.remove(&run);
                }
                Err(broadcast::error::TryRecvError::Lagged(_)) => self.stands.clear(),
                Err(_) => return,
            }
        }
    }

    async fn stands(&mut self, app: &App, rows: Vec<RunRow>) -> Result<Vec<(RunRow, Option<Stand>)>, Problem> {
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let kept = self.stands.get(&row.id).filter(|(state, at, _)| *state == row.state && at.elapsed() < GOOD);
            let stand = match kept {
                Some((_, _, stand)) => Some(stand.clone()),
                // Why: one run that does not read back must not take the list away.
                None => look(&app.store, app.worlds.as_ref(), row.id).await.ok().flatten().map(|seen| {
                    let document = RunDocument::new(&seen.row, &seen.run, seen.plan.as_ref());
                    let stand = stand(&document);
                    self.stands.insert(row.id, (row.state.clone(), Instant::now(), stand.clone()));
                    stand
                }),
            };
            all.push((row, stand));
        }
        Ok(all)
    }
}

fn stand(document: &RunDocument) -> Stand {
    let (over, steps) = document.progress();
    let present = document.present_step();
    Stand {
        over,
        steps,
        id: present.map(|step| step.id.clone()).unwrap_or_default(),
        line: present.map(|step| step.line.clone()).unwrap_or_default(),
    }
}

fn state(row: &RunRow) -> Option<RunState> {
    row.state.parse().ok()
}
