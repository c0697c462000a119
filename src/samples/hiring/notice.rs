//! Feeds the copy of exercises from notices that say only that something changed: the owner is asked what it now is.

use std::sync::Arc;

use async_trait::async_trait;

use super::copy::{apply, put_aside};
use super::exercise::called;
use crate::samples::consumer::{Handled, Handler, Record, Trouble};
use crate::samples::event::{Event, ExerciseTouched};
use crate::samples::problem::NO_EXERCISE;
use crate::samples::runtime::Base;

/// The handler of notices.
pub struct Asking {
    base: Arc<Base>,
    /// Base address of exercises.
    exercises: String,
}

impl Asking {
    /// A handler that asks `exercises`, a base address.
    pub fn new(base: Arc<Base>, exercises: String) -> Self {
        Self { base, exercises }
    }
}

#[async_trait]
impl Handler for Asking {
    async fn handle(&self, record: &Record) -> Result<Handled, Trouble> {
        // Why: a tombstone takes a key out of a compacted topic; exercises are never deleted here.
        let Some(value) = &record.value else { return Ok(Handled::Ignored) };
        let event: Event<ExerciseTouched> = match serde_json::from_slice(value) {
            Ok(event) => event,
            Err(error) => return Ok(put_aside(&self.base.pool, record, &error.to_string()).await?),
        };
        match called(&self.base.http, &self.exercises, &event.payload.id).await {
            Ok(seen) => {
                let ExerciseTouched { id, version } = &event.payload;
                Ok(apply(&self.base.pool, record, &event, (id, *version), &seen).await?)
            }
            // Why: the owner itself says that there is no such exercise, and asking again would hold up all others for ever.
            Err(problem) if problem.is(NO_EXERCISE) => Ok(Handled::Ignored),
            Err(problem) => Err(Trouble::new(problem)),
        }
    }
}
