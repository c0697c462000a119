//! A parameter that no step asks for: a slip in a `${name}`, or a left-over that readers take for meaningful.

use super::super::codes;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::document::Draft;

pub(super) fn check(draft: &Draft, out: &mut Diagnostics) {
    for (name, param) in &draft.params.by_name {
        if !draft.params.used.contains(name) {
            let diagnostic =
                Diagnostic::new(codes::UNUSED_PARAMETER, &draft.file, param.place, format!("no step uses the parameter `{name}`"));
            out.push(diagnostic.help(format!("take it away, or write `${{{name}}}` where it belongs")));
        }
    }
}
