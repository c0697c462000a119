//! The engine of one run, without I/O: `Run::handle(now, event) -> Vec<Effect>`. It owns the truth about where a run stands, knows time
//! only as a parameter, and imports nothing but the step contract's values. Live handling and replay go through the same
//! [`Run::apply`], so the journal rebuilds exactly the run that wrote it.

pub mod command;
pub mod definition;
pub mod effect;
pub mod entry;
pub mod event;
pub mod guard;
pub mod plan;
pub mod record;
pub mod run;
pub mod stale;
pub mod state;
pub mod table;

mod ask;
mod back;
mod handle;
mod obey;
mod stage;
#[cfg(test)]
mod tests;
mod watch;

pub use command::{Command, Order};
pub use definition::{Approvals, Definition, OnFailure, Retry, StepDefinition};
pub use effect::Effect;
pub use entry::{BackAction, BackStep, Doing, Entry, How, JournalEntry, Scope};
pub use event::Event;
pub use guard::GuardDefinition;
pub use plan::{PlanDocument, PlannedStep};
pub use record::StepRecord;
pub use run::{Phase, Run};
pub use state::{RunState, StepState};
