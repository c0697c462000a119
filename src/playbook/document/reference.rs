//! A step that another step names.

use std::sync::Arc;

use super::super::codes;
use super::super::diagnostic::Diagnostic;
use super::super::shape::Located;
use super::super::suggest;
use super::file::pointer_of;
use super::read::Reading;
use crate::step::Step;

/// Fills in the steps that this one names. `false` when one of them cannot be meant, which was reported.
pub(super) fn fill(step: &mut dyn Step, located: &Located, reading: &mut Reading<'_>) -> bool {
    let mut fine = true;
    for (named, kinds) in step.references() {
        if let Some((_, kind, body)) = reading.above.iter().find(|(id, kind, _)| *id == named.id && kinds.contains(kind)) {
            named.fill(kind, Arc::clone(body), &reading.texts);
            continue;
        }
        fine = false;
        let place = located.value(&pointer_of(&named.id, &located.json, "").unwrap_or_default());
        let wanted = kinds.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(" or ");
        let message = match reading.above.iter().find(|(id, ..)| *id == named.id) {
            Some((id, kind, _)) => format!("step `{id}` is a `{kind}`, and a {wanted} is needed here"),
            None if reading.beside.contains(&named.id) => format!("step `{}` is in the same `parallel` block", named.id),
            None => format!("no step above is called `{}`", named.id),
        };
        let fitting: Vec<&str> = reading.above.iter().filter(|(_, kind, _)| kinds.contains(kind)).map(|(id, ..)| id.as_str()).collect();
        let help = if fitting.is_empty() {
            format!("put a {wanted} step above this one and name it here")
        } else {
            suggest::did_you_mean(&named.id, fitting, "above there are")
        };
        reading.out.push(Diagnostic::new(codes::NO_STEP, reading.file, place, message).help(help));
    }
    fine
}
