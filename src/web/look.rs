//! A look at a run for whoever shows it.

use super::App;
use super::problem::Problem;
use crate::driver::{self, Seen};
use crate::store::runs::RunRow;

/// Looks at a run that was found a moment ago.
pub(super) async fn look(app: &App, row: &RunRow) -> Result<Seen, Problem> {
    let missing = || Problem::not_found(format!("there is no run {}", row.id));
    driver::look(&app.store, app.worlds.as_ref(), row.id).await?.ok_or_else(missing)
}
