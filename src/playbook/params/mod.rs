//! The parameters of a playbook: how they are declared, which value each has, and how values get into the steps.

mod blanks;
mod declare;
mod substitute;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{Place, Value};

pub use blanks::report as report_blanks;
pub use declare::{Declaration, ParamType, read};
pub use substitute::substitute;

/// A declared parameter with the value that it has in this reading.
#[derive(Clone, Debug)]
pub struct Param {
    /// What the playbook says about it.
    pub declaration: Declaration,
    /// Where its name stands.
    pub place: Place,
    /// Its value; [`Value::Unknown`] when it has none, which was reported.
    pub value: Value,
}

/// All parameters of a playbook.
#[derive(Clone, Debug, Default)]
pub struct Params {
    /// By name.
    pub by_name: BTreeMap<String, Param>,
    /// The names that some step asked for.
    pub used: BTreeSet<String>,
    /// Names whose declaration could not be read: they exist, and nothing more is known of them.
    pub broken: BTreeSet<String>,
}

/// Whether a text holds a blank, which [`report_blanks`] reports.
#[must_use]
pub fn is_blank(text: &str) -> bool {
    blanks::find(text).is_some()
}

/// Whether the text can name a parameter: a letter, then letters, digits, `_` and `-`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}
