//! Feature flags as a subject: the flagd definition document, what a flag serves to whom, how a share of the keys is drawn, and who
//! has taken notice of a change or may still evaluate a flag. It knows no store, no step and no network.

pub mod acknowledge;
pub mod bucket;
pub mod document;
pub mod evaluated;
mod evaluation;
pub mod heartbeat;
pub mod rollout;
pub mod targeting;
#[cfg(test)]
mod tests;

pub use evaluation::{Document, Evaluation, EvaluationError, Reason};
pub use heartbeat::Heartbeat;
