//! Whether consumer groups have read everything that counts in a topic before a barrier. Owns the judgements, which are made of plain
//! values alone, and the looks that bring them together. Knows no step and no run: a command may use it, too.
//!
//! "Lag 0" is not the question: transaction markers, aborted records, compaction and retention all make offsets without records. Where
//! every record counts ([`judge`]), it is the last record before the barrier that can still be read; where only the records of one event
//! in one version count ([`prove`]), it is the last one of those.

mod blockers;
mod index;
mod judge;
mod look;
mod old;
mod payload;
mod place;
mod proof;
mod schemas;
mod search;
mod watch;
mod wire;

pub use blockers::blockers;
pub use index::{Index, Scanned};
pub use judge::{Barrier, GroupSight, Last, Left, Mark, Sight, Topic, Verdict, judge, offset_in};
pub use look::{REPLICAS_LAG, known_last, look, take_barrier};
pub use old::{Class, Old, Told, Unreadable};
pub use place::{Place, Places};
pub use proof::{Goal, GroupProof, Known, PartitionProof, Proof, Reset, Terms, prove};
pub use schemas::Schemas;
pub use search::{Judged, Search, begin, extended, glance, readers};
pub use watch::{ABSENT_AGAIN, Behind, Speed, Watch};
pub use wire::{SchemaKey, content};
