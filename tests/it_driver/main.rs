//! The driver on a real Postgres: runs go on whatever happens to controllers, connections, the database, and other runs.

mod bench;
mod beside;
mod controllers;
#[path = "../ground/mod.rs"]
mod ground;
mod guards;
mod orders;
mod outages;
mod trouble;
mod watched;
mod wire;
