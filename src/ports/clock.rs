//! The only source of wall time, handed in so that a simulated world can own it.

use chrono::{DateTime, Utc};

/// Tells the time. Rooms below `driver` never ask the operating system.
pub trait Clock: Send + Sync {
    /// The present instant, in UTC.
    fn now(&self) -> DateTime<Utc>;
}
