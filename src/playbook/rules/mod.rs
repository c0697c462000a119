//! What the linter finds doubtful in a playbook that can be read. One rule, one file.

mod last_approval;
mod late_retry;
mod no_way_back;
mod same_step;
mod unused_parameter;

use super::codes::{self, Code};
use super::diagnostic::Diagnostics;
use super::document::Draft;

/// A rule as data; its severity and title are those of its code.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The code of what it finds.
    pub code: Code,
    check: fn(&Draft, &mut Diagnostics),
}

/// Every rule.
pub const RULES: &[Rule] = &[
    Rule { code: codes::UNUSED_PARAMETER, check: unused_parameter::check },
    Rule { code: codes::LAST_APPROVAL, check: last_approval::check },
    Rule { code: codes::NO_WAY_BACK, check: no_way_back::check },
    Rule { code: codes::LATE_RETRY, check: late_retry::check },
    Rule { code: codes::SAME_STEP, check: same_step::check },
];

/// Applies every rule.
pub(super) fn check(draft: &Draft, out: &mut Diagnostics) {
    for rule in RULES {
        (rule.check)(draft, out);
    }
}
