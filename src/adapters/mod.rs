//! The ports on the real things: Kafka through librdkafka, schema registries, metrics and services through HTTP, databases through sqlx,
//! workloads through the state database. An adapter knows the wire and the other side's quirks; it knows no step, no plan and no journal.

pub mod database;
pub mod flags;
pub mod http;
pub mod kafka;
pub mod metrics;
pub mod registry;
pub mod secret;
mod trust;
pub mod workloads;
