//! An `approval` as the last step: somebody is asked, and whatever the answer, nothing comes after it.

use super::super::codes;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::document::Draft;

pub(super) fn check(draft: &Draft, out: &mut Diagnostics) {
    if let Some(last) = draft.playbook.steps.last()
        && last.kind.name == "approval"
    {
        let diagnostic = Diagnostic::new(codes::LAST_APPROVAL, &draft.file, last.place, "nothing follows this approval");
        out.push(diagnostic.help("put it before the step that it is about, or use `confirm` to record that something was done"));
    }
}
