//! Two steps of a kind that makes something so, with the same body: the second can only find it done. Usually a copy that was not
//! changed.

use super::super::codes;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::document::Draft;
use crate::step::Nature;

pub(super) fn check(draft: &Draft, out: &mut Diagnostics) {
    let steps = &draft.playbook.steps;
    for (at, step) in steps.iter().enumerate().filter(|(_, step)| step.kind.nature == Nature::State) {
        let body = step.step.body();
        // Why: a step of another kind in between may have undone it; only a direct repetition is surely a copy.
        let Some(before) = at.checked_sub(1).and_then(|before| steps.get(before)) else {
            continue;
        };
        if before.kind.name == step.kind.name && before.step.body() == body {
            let message = format!("step `{}` does the same as step `{}`", step.id, before.id);
            out.push(
                Diagnostic::new(codes::SAME_STEP, &draft.file, step.place, message)
                    .help("take one of the two away, or change what was copied"),
            );
        }
    }
}
