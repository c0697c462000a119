//! A `retry` whose waits alone take longer than the step's `timeout`: its last tries never come.

use super::super::codes;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::document::Draft;
use crate::step::scalar::Span;

pub(super) fn check(draft: &Draft, out: &mut Diagnostics) {
    for step in &draft.playbook.steps {
        let (Some(retry), Some(timeout)) = (step.options.retry, step.options.timeout) else {
            continue;
        };
        let waits = retry.delay.0.saturating_mul(retry.attempts.saturating_sub(1));
        if waits >= timeout.0 {
            let message = format!("step `{}` waits {} between its tries and may take only {timeout} in all", step.id, Span(waits));
            out.push(Diagnostic::new(codes::LATE_RETRY, &draft.file, step.place, message).help("make `timeout` longer or `retry` shorter"));
        }
    }
}
