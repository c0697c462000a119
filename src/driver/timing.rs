//! The loop's rhythms, as parts of the lease or in fixed lengths.

use std::time::Duration;

/// How often the database is looked at when nothing pokes.
pub(super) const POLL: Duration = Duration::from_millis(500);

/// How long a result that nothing waits for may stay unwritten, so that it shares a statement with the next intent.
pub(super) const SOFT_WRITE: Duration = Duration::from_millis(4);

/// A run that wants to be looked at within this time stays in memory.
pub(super) const STAY: Duration = Duration::from_secs(2);

/// A run whose guards are to be looked at within this time stays in memory.
pub(super) const STAY_WATCHING: Duration = Duration::from_mins(1);

/// Longest time that one look of a guard may take; every provider has shorter limits of its own.
pub(super) const LOOK: Duration = Duration::from_secs(20);

/// Most runs in memory at once, besides those whose guards keep them there; the others wait for their turn as rows.
pub(super) const MOST_ACTIVE: usize = 512;

/// Most entries in one statement.
pub(super) const MOST_ENTRIES: usize = 4000;

/// How often a run may be loaded at the same place of its journal before it is taken out of service.
pub(super) const MOST_LOADS: i16 = 3;

/// How long a hand-over waits for acts that are under way.
pub(super) const HAND_OVER: Duration = Duration::from_secs(10);

/// A lease of 5 s is renewed every 1.5 s.
pub(super) fn renew_every(lease: Duration) -> Duration {
    lease * 3 / 10
}

/// How long a controller trusts a lease: a fifth less than the database does.
pub(super) fn trust(lease: Duration) -> Duration {
    lease * 4 / 5
}
