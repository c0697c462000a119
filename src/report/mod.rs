//! Plans, runs and journal entries as documents for people and programs. It renders and decides nothing, and prints nothing itself.

pub mod event;
pub mod plan;
pub mod run;
pub mod words;

pub use event::EventDocument;
pub use plan::{Line, Tone};
pub use run::{ActDocument, GuardDocument, RunDocument, StepDocument};
