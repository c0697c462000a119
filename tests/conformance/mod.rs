//! What every implementation of a port promises, as functions over the trait alone. They run on the world in memory and on real
//! servers: a promise that only one of them keeps fails here.

pub mod database;
pub mod flags;
pub mod http;
pub mod kafka;
pub mod metrics;
pub mod registry;
pub mod workloads;

use uuid::Uuid;

/// A name that no other test and no earlier run has used.
pub fn fresh(stem: &str) -> String {
    format!("{stem}-{}", Uuid::new_v4().simple())
}
