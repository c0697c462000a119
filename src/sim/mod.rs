//! A world in memory that keeps the same contracts as the real one, for tests that kill and replay thousands of runs. One suite of
//! conformance tests runs on it and on real servers, so it cannot drift. No run of anybody ever meets it. `town` is apart from that: services in
//! memory as they are declared, on which plans are played to find where the proof is wrong.

mod book;
pub mod clock;
mod compatibility;
pub mod database;
pub mod faults;
pub mod flags;
mod hand;
pub mod http;
mod judge;
pub mod kafka;
pub mod metrics;
pub mod play;
pub mod registry;
mod stage;
mod topic;
pub mod town;
pub mod workloads;
pub mod world;

pub use clock::SimClock;
pub use database::SimDatabase;
pub use faults::{Call, Faults, Moment};
pub use flags::SimFlags;
pub use http::SimHttp;
pub use kafka::SimKafka;
pub use metrics::SimMetrics;
pub use play::{Accidents, Failure, Options, Outcome, Seed, check, play};
pub use registry::SimRegistry;
pub use workloads::SimWorkloads;
pub use world::SimWorld;
