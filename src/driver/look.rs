//! Looks at a run without driving it: replays its journal for whoever wants to show it.

use uuid::Uuid;

use super::source::{Opened, Worlds, definition};
use crate::engine::{PlanDocument, Run};
use crate::store::runs::RunRow;
use crate::store::{Store, StoreError};

/// A run as the journal says it is now.
pub struct Seen {
    /// Its row.
    pub row: RunRow,
    /// The run.
    pub run: Run,
    /// The plan with which it was started.
    pub plan: Option<PlanDocument>,
    /// Its playbook and outside.
    pub opened: Opened,
}

/// Looks at a run; `None` when there is none of that id.
///
/// # Errors
/// When the database does not answer, or the run does not read back.
pub async fn look(store: &Store, worlds: &dyn Worlds, id: Uuid) -> Result<Option<Seen>, StoreError> {
    let Some(first) = store.run(id).await? else { return Ok(None) };
    let damaged = |what: String| StoreError::Damaged(format!("run {id}: {what}"));
    let bundle = store.bundle(&first.bundle).await?.ok_or_else(|| damaged("its bundle is gone".to_owned()))?;
    let opened = Opened::read(bundle, worlds).map_err(|error| damaged(error.to_string()))?;
    let plan: Option<PlanDocument> = store.run_plan(id).await?.and_then(|plan| serde_json::from_value(plan).ok());
    let journal = store.journal(id, 0, i64::MAX).await?;
    let run = Run::replay(definition(&opened.playbook, plan.as_ref()), journal);
    // Why: the row is written in the journal's own statement, so one that is read after the journal is never behind it.
    let row = store.run(id).await?.unwrap_or(first);
    Ok(Some(Seen { row, run, plan, opened }))
}
