//! What a run wants done.

use super::command::Answer;
use super::entry::JournalEntry;

/// Something to do. Effects are carried out in order; [`Effect::Act`] only once every entry recorded before it is durable.
#[expect(clippy::large_enum_variant, reason = "most effects are entries, and they are moved once")]
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Write the entry.
    Record(JournalEntry),
    /// Look at the present step and plan it.
    Plan(u64),
    /// Look whether the present act has happened.
    Stand(u64),
    /// Do the present act.
    Act(u64),
    /// Tell the act of this ticket that its position is saved, once it is durable.
    CursorSaved(u64),
    /// Look whether the act that was done last has settled.
    Settle(u64),
    /// Look at these guards of the present step, beside whatever else is under way.
    Watch(u64, Vec<usize>),
    /// Look whether the present step's goal holds.
    Verify(u64),
    /// Put the way back together.
    PlanBack(u64),
    /// Answer the inbox row.
    Answer(i64, Answer),
}

impl Effect {
    /// The ticket with which it is answered.
    #[must_use]
    pub fn ticket(&self) -> Option<u64> {
        match self {
            Self::Record(_) | Self::Answer(..) => None,
            Self::Plan(ticket)
            | Self::Stand(ticket)
            | Self::Act(ticket)
            | Self::CursorSaved(ticket)
            | Self::Settle(ticket)
            | Self::Watch(ticket, _)
            | Self::Verify(ticket)
            | Self::PlanBack(ticket) => Some(*ticket),
        }
    }
}
