//! The journal of one simulated run, with the fence of the real one: only the present epoch may write.

use crate::engine::command::Answer;
use crate::engine::{JournalEntry, Order};

/// An order with its answer, as the inbox holds it.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) id: i64,
    pub(super) order: Order,
    pub(super) answer: Option<Answer>,
}

/// What is durable.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    pub(super) epoch: u64,
    pub(super) entries: Vec<JournalEntry>,
    pub(super) inbox: Vec<Said>,
}

impl Book {
    /// Takes the run over; whoever had it before writes nothing any more.
    pub(super) fn take_over(&mut self) -> u64 {
        self.epoch += 1;
        self.epoch
    }

    /// Writes everything or, under an old epoch, nothing. An error says what a holder must never do.
    pub(super) fn write(&mut self, epoch: u64, entries: Vec<JournalEntry>, answers: Vec<(i64, Answer)>) -> Result<bool, String> {
        if epoch != self.epoch {
            return Ok(false);
        }
        for entry in entries {
            let next = i64::try_from(self.entries.len()).unwrap_or(i64::MAX) + 1;
            if entry.seq != next {
                return Err(format!("entry {} was written where {next} was due", entry.seq));
            }
            self.entries.push(entry);
        }
        for (id, answer) in answers {
            match self.inbox.iter_mut().find(|said| said.id == id) {
                Some(said) if said.answer.is_none() => said.answer = Some(answer),
                _ => return Err(format!("order {id} was answered twice")),
            }
        }
        Ok(true)
    }

    /// Puts an order into the inbox.
    pub(super) fn say(&mut self, order: Order) {
        let id = i64::try_from(self.inbox.len()).unwrap_or(i64::MAX) + 1;
        self.inbox.push(Said { id, order, answer: None });
    }

    /// Whether an order waits for its answer.
    pub(super) fn is_heard(&self) -> bool {
        self.inbox.iter().all(|said| said.answer.is_some())
    }
}
