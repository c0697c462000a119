//! The state database: runs, journal, leases, inbox, wake-ups, locks, saved plans, flag revisions and who reads them, and workloads, in Postgres. It
//! owns every SQL statement on cutover's own tables and decides nothing about runs.

mod error;
pub mod flags;
pub mod heartbeats;
pub mod inbox;
pub mod journal;
pub mod leases;
pub mod locks;
mod migrate;
pub mod plans;
mod pool;
pub mod runs;
pub mod wakes;
pub mod workloads;

pub use error::StoreError;
pub use pool::{Store, StoreOptions};

/// Number of shards; fixed by the first migration.
pub const SHARDS: i16 = 256;

/// The shard of a run.
#[must_use]
pub fn shard_of(run: uuid::Uuid) -> i16 {
    // Why: the last byte of a version 7 id is random, so runs of one second spread evenly.
    i16::from(run.as_bytes()[15])
}
