//! The database's time, carried on by this process's monotonic clock: controllers on machines whose clocks differ agree on it.

use std::sync::RwLock;
use std::time::Instant;

use chrono::{DateTime, Duration, Utc};

use crate::ports::Clock;

/// The database's time.
#[derive(Debug)]
pub struct LeaseClock {
    set: RwLock<(DateTime<Utc>, Instant)>,
}

impl LeaseClock {
    /// A clock that was told the database's time just now.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { set: RwLock::new((now, Instant::now())) }
    }

    /// Sets the clock. It never goes back: a jump of the database's clock is caught up with.
    pub fn set(&self, now: DateTime<Utc>) {
        let now = now.max(self.now());
        if let Ok(mut set) = self.set.write() {
            *set = (now, Instant::now());
        }
    }
}

impl Clock for LeaseClock {
    fn now(&self) -> DateTime<Utc> {
        let (at, since) = self.set.read().map_or_else(|poisoned| *poisoned.into_inner(), |set| *set);
        at + Duration::from_std(since.elapsed()).unwrap_or(Duration::zero())
    }
}
