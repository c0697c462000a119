//! The sample services on real Kafka and Postgres, with sockets handed over as a supervisor does: both ways under traffic, deploys in
//! the middle, and a ledger that sees what is right and what is wrong.

mod support;

#[path = "it_samples/flags.rs"]
mod flags;
#[path = "it_samples/ground.rs"]
mod ground;
#[path = "it_samples/once.rs"]
mod once;
#[path = "it_samples/order.rs"]
mod order;
#[path = "it_samples/releases.rs"]
mod releases;
#[path = "it_samples/ways.rs"]
mod ways;
