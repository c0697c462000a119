//! Puts the way back together: asks each step that may have changed something for the ordinary steps that take it back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::perform::words;
use super::source::Opened;
use crate::engine::{BackAction, BackStep, Run};
use crate::step::{Revert, StepError};

/// The lines of a way back, newest step first. A step that cannot say how is told as one that cannot be taken back.
#[must_use]
pub fn way_back(run: &Run, opened: &Opened) -> Vec<BackStep> {
    let mut lines = Vec::new();
    for (definition, record) in run.to_take_back() {
        let step = opened.playbook.steps.iter().find(|step| step.id == definition.id);
        let mut actions = Vec::new();
        for (change, receipts) in record.changes() {
            let revert = match step {
                // Why: this runs in the loop itself, which must outlive a kind's mistake.
                Some(step) => catch_unwind(AssertUnwindSafe(|| step.step.revert(&change.change, receipts)))
                    .unwrap_or_else(|panic| Err(StepError::Broken(format!("panic: {}", words(panic.as_ref()))))),
                None => Err(StepError::Broken(format!("the playbook has no step {}", definition.id))),
            };
            match revert {
                Ok(Revert::Steps(steps)) => {
                    actions.extend(steps.into_iter().map(|step| BackAction::Step { kind: step.kind, body: step.body }));
                }
                Ok(Revert::Nothing) => {}
                Ok(Revert::Kept(why)) => actions.push(BackAction::Kept(why)),
                Ok(Revert::Impossible(why)) => actions.push(BackAction::Impossible(why)),
                Err(error) => actions.push(BackAction::Impossible(error.to_string())),
            }
        }
        let several = actions.len() > 1;
        for (number, action) in actions.into_iter().enumerate() {
            let suffix = if several { format!("-{}", number + 1) } else { String::new() };
            let id = format!("revert-{}{suffix}", definition.id);
            let mut line = BackStep { id, of: definition.id.clone(), action, settles: false };
            // Why: a line that does nothing, or that does not read back, has nothing to settle.
            line.settles = opened.back_step(&line).is_ok_and(|step| step.settles());
            lines.push(line);
        }
    }
    lines
}
