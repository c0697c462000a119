//! Three small services for playbooks to work on, the traffic that is kept on them, and the ledger that counts afterwards what became
//! of every request. `exercises` owns exercises, `hiring` takes attempts at them, `bonuses` credits candidates. They are ordinary
//! services: they know the controller only as the place that flags come from.

pub mod error;
pub mod gate;
pub mod ledger;
pub mod release;
pub mod surroundings;
pub mod traffic;

mod bonuses;
mod consumer;
mod event;
mod exercises;
mod flags;
mod handled;
mod hiring;
mod outbox;
mod problem;
mod runtime;

pub use error::SampleError;
pub use release::Release;
pub use runtime::{ByHand, run};
pub use surroundings::Service;
