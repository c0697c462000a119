//! Whether consumer groups have read everything that lay in a topic before a barrier. Owns the judgement, which is made of plain values
//! alone, and the looks that bring them together. Knows no step and no run: a command may use it, too.
//!
//! "Lag 0" is not the question: transaction markers, aborted records, compaction and retention all make offsets without records. What
//! counts is the last record before the barrier that can still be read.

mod judge;
mod look;

pub use judge::{Barrier, GroupSight, Last, Left, Mark, Sight, Topic, Verdict, judge};
pub use look::{known_last, look, take_barrier};
