//! What the outside can do, as traits and plain values. A port knows no step, no playbook and no store; `adapters/` implements
//! each port on the real thing, `sim/` in memory, and one conformance suite runs on both.

pub mod access;
pub mod clock;
pub mod database;
pub mod error;
pub mod flags;
pub mod http;
pub mod kafka;
pub mod metrics;
pub mod registry;
pub mod settings;
pub mod workloads;

pub use clock::Clock;
pub use error::{PortError, SystemRef};
