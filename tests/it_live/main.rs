//! The rows under traffic, as a person plays them: `cutover demo` on the whole local stack, with controllers killed, guards that trip and
//! services that misbehave. What counts is the ledger's own reading of the raw data.

mod bad;
mod effects;
#[path = "../foreseen/mod.rs"]
mod foreseen;
mod guarded;
mod losing;
mod played;
mod rows;
mod stage;
