//! `cutover` makes a risky change to an event-driven system a program. Rooms, each importing only from the ones above it:
//! the test `architecture` holds the table.

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

pub mod ports;

pub mod step;

pub mod flags;

pub mod schemas;

pub mod guards;
pub mod services;

pub mod drain;

pub mod steps;

pub mod playbook;

pub mod check;

pub mod engine;

pub mod store;

pub mod adapters;

pub mod driver;

pub mod report;

pub mod ui;

pub mod stack;

pub mod samples;

pub mod sim;

pub mod web;

pub mod cli;
