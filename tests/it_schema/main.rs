//! Schemas: the rules on a table of pairs and on random ones, what real registries say of the same pairs, and broken texts mended.

#[path = "../support/mod.rs"]
mod support;

mod avro;
mod broken;
mod command;
mod facts;
mod invent;
mod pairs;
mod random;
mod registry;
mod steps;
mod wide;
