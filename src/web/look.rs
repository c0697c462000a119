//! A look at a run for whoever shows it.

use super::App;
use super::problem::Problem;
use crate::driver::{self, Seen};
use crate::store::runs::RunRow;

/// Looks at a run that was found a moment ago.
pub(super) async fn look(app: &App, row: &RunRow) -> Result<Seen, Problem> {
    let missing = || Problem::not_found(format!("there is no run {}", row.id));
    let mut seen = driver::look(&app.store, app.worlds.as_ref(), row.id).await?.ok_or_else(missing)?;
    if seen.run.state().is_end() != seen.row.ended_at.is_some() {
        // Why: the row is read before the journal, and the run ended or turned back in between; by now the row says so as well.
        seen.row = app.store.run(row.id).await?.ok_or_else(missing)?;
    }
    Ok(seen)
}
