//! What programs ask: JSON in, JSON out.

mod doctor;
mod events;
mod flags;
mod heartbeats;
mod login_codes;
mod orders;
mod plan;
pub(super) mod plans;
mod rights;
mod runs;
mod status;

pub(super) use doctor::doctor;
pub(super) use events::{events, heard};
pub(super) use flags::flags;
pub(super) use heartbeats::heartbeat;
pub(super) use login_codes::login_code;
pub(super) use orders::order;
pub(super) use plan::{plan, start};
pub(super) use rights::rights;
pub(super) use runs::{list, show, way_back};
pub(super) use status::{health, status};
