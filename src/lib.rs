//! `cutover` makes a risky change to an event-driven system a program. Rooms, each importing only from the ones above it:
//! the test `architecture` holds the table.

pub mod adapters;
pub mod ports;
pub mod sim;
pub mod step;
pub mod steps;
