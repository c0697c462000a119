//! Work on steps, done by hand: ports in memory answer at once, so a piece of work only ever stops to have its position saved.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use serde_json::Value;

use crate::driver::{Doing, Work};
use crate::engine::Event;
use crate::step::{Checkpoint, StepError};

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Empty,
    Asked(Value),
    Saved,
}

/// Where a piece of work leaves its position.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk(Arc<Mutex<Slot>>);

impl Desk {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The position that is to be saved, if any.
    pub(super) fn asked(&self) -> Option<Value> {
        match std::mem::take(&mut *self.slot()) {
            Slot::Asked(cursor) => Some(cursor),
            other => {
                *self.slot() = other;
                None
            }
        }
    }

    /// Says that it is durable.
    pub(super) fn saved(&self) {
        *self.slot() = Slot::Saved;
    }
}

#[async_trait]
impl Checkpoint for Desk {
    async fn save(&self, cursor: Value) -> Result<(), StepError> {
        *self.slot() = Slot::Asked(cursor);
        poll_fn(|_| {
            let saved = matches!(*self.slot(), Slot::Saved);
            if saved { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        *self.slot() = Slot::Empty;
        Ok(())
    }
}

/// A piece of work under way.
pub(super) struct Task(Pin<Box<dyn Future<Output = Event> + Send>>);

impl Task {
    pub(super) fn new(work: Work, doing: Doing, ticket: u64) -> Self {
        Self(Box::pin(async move { work.carry_out(doing, ticket).await }))
    }

    /// What came of it; `None` when it waits for its position to be saved.
    pub(super) fn go_on(&mut self) -> Option<Event> {
        match self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => Some(event),
            Poll::Pending => None,
        }
    }
}
