//! What the driver tells a run.

use serde_json::Value;

use super::command::Order;
use super::entry::BackStep;
use crate::step::{ErasedPlan, Reading, Receipt, Standing, StepError, Verdict};

/// Something happened. A ticket is the number of the effect that it answers; an answer to a ticket that is no longer out is ignored.
#[derive(Clone, Debug)]
pub enum Event {
    /// The run was loaded, fresh or after a crash: go on from where the journal ends.
    Loaded,
    /// The time that [`super::Run::wake_at`] named has come.
    Woke,
    /// A step was looked at and planned.
    Planned(u64, Result<ErasedPlan, StepError>),
    /// It was looked whether an act had happened.
    Stood(u64, Result<Standing, StepError>),
    /// An act ended.
    Acted(u64, Result<Receipt, StepError>),
    /// An act wants its position saved.
    Cursor(u64, Value),
    /// It was looked whether an act has settled.
    Settled(u64, Result<Verdict, StepError>),
    /// Guards were looked at, each by its index.
    Watched(u64, Vec<(usize, Reading)>),
    /// A goal was looked at.
    Verified(u64, Result<Verdict, StepError>),
    /// The way back was put together.
    BackPlanned(u64, Vec<BackStep>),
    /// A person said something; the number is the inbox row's.
    Ordered(i64, Order),
    /// The run brought controllers down; take it out of service.
    Quarantine(String),
}
