//! Real parts on this machine: the data directory, the local Kafka, registry, Postgres and Prometheus, the private Postgres that holds
//! cutover's own state, and the supervisor of services. Owns which processes of ours run on this machine; knows no step, no playbook
//! and no run.

pub mod datadir;
pub mod error;
mod fetch;
pub mod files;
pub mod keeper;
pub mod local;
pub mod lock;
pub mod port;
pub mod postgres;
pub mod process;
pub mod progress;
pub mod reaper;
pub mod supervisor;

pub use datadir::{DataDir, ServerFile};
pub use error::StackError;
pub use progress::Progress;
