//! The drain on real brokers: the facts that make "lag 0" the wrong question, each with the plain answer printed beside ours; bad luck of every
//! kind; producers and groups under traffic; and the command.

mod bad;
mod brokers;
mod command;
mod facts;
mod ground;
#[path = "../ground/reaped.rs"]
mod reaped;
mod replicas;
mod schemas;
mod traffic;
