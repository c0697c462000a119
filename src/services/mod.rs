//! What a team declares of its services: links between them, events, and what each release calls, serves, produces, handles, reads and
//! writes, each under the flag variant on which it depends. Owns the document, its defaults, and the questions that steps ask of it.
//! Knows no step, and nothing of places in a file: whoever reads the YAML maps the pointers of [`Complaint`]s to them.

mod check;
mod names;
mod resolve;
mod start;
mod written;

use std::time::Duration;

pub use check::Complaint;
pub use names::{Condition, EventRef};
pub use resolve::{Producer, Release, Service, Services};
pub use start::{ColumnStart, Start};
pub use written::{
    ColumnUse, Handling, Link, Order, Produced, Use, Way, Ways, Written, WrittenEvent, WrittenFlag, WrittenRelease, WrittenService,
};

/// The file's usual name.
pub const FILE: &str = "services.yaml";

/// How long a producer may still deliver what it has taken on, when its service does not say: librdkafka's own default.
pub const DELIVERY_TIMEOUT: Duration = Duration::from_mins(5);
