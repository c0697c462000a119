//! Plans, runs and journal entries as documents for people and programs. It renders and decides nothing, and prints nothing itself.

mod content;
pub mod document;
mod escape;
pub mod event;
mod form;
pub mod plan;
pub mod proof;
pub mod run;
pub mod runbook;
mod shorten;
pub mod stale;
mod steps;
mod template;
mod touches;
pub mod words;

pub use content::ReportSource;
pub use document::ReportDocument;
pub use event::EventDocument;
pub use form::Form;
pub use plan::{Line, Tone};
pub use run::{ActDocument, GuardDocument, RunDocument, StepDocument};
pub use shorten::MOST as MOST_MARKDOWN;
pub use stale::{StaleDocument, StaleLine};
pub use template::{OwnTemplate, TemplateMistake, Written};
