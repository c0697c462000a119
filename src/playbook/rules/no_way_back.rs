//! `on_failure: revert_step` on a kind that destroys something for good: there is nothing to revert it to.

use super::super::codes;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::document::Draft;
use crate::step::{OnFailure, Risk};

pub(super) fn check(draft: &Draft, out: &mut Diagnostics) {
    for step in &draft.playbook.steps {
        if step.kind.risk == Risk::PointOfNoReturn && step.options.on_failure == OnFailure::RevertStep {
            let message = format!("step `{}` cannot be reverted when it fails: `{}` destroys something for good", step.id, step.kind.name);
            out.push(
                Diagnostic::new(codes::NO_WAY_BACK, &draft.file, step.place, message)
                    .help("use `on_failure: hold`, and revert by hand what is still there"),
            );
        }
    }
}
