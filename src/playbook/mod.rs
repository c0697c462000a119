//! Playbooks: from YAML to a typed document in which everything knows its place, and every mistake in it at once. Parameters, lint,
//! environments, the bundle that travels to the server, the formatter and the JSON Schema live here. This room knows the step
//! kinds only through their catalogue, and nothing of runs.

pub mod bundle;
pub mod catalogue;
pub mod codes;
pub mod diagnostic;
pub mod document;
pub mod environment;
pub mod files;
pub mod fmt;
pub mod params;
mod rules;
pub mod schema;
pub mod services;
pub mod shape;
mod suggest;
pub mod tree;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use bundle::Bundle;
pub use catalogue::Catalogue;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use document::{Playbook, PlaybookGuard, PlaybookStep, Retry, StepOptions};
pub use files::{Carried, Directory, FileError, Files};
pub use rules::{RULES, Rule};
pub use suggest::nearest;

/// The text of a file and the name under which messages speak of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// A path, with `/` between parts.
    pub name: String,
    /// The text.
    pub text: Arc<str>,
}

impl Source {
    /// A source.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// A source from the bytes of a file.
    ///
    /// # Errors
    /// When they are not UTF-8 text, with the place of the first byte that is not.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, Diagnostics> {
        String::from_utf8(bytes).map(|text| Self::new(name, text)).map_err(|error| {
            let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            let good = String::from_utf8_lossy(good);
            let line = u32::try_from(good.matches('\n').count() + 1).unwrap_or(u32::MAX);
            let column = good.rsplit('\n').next().map_or(1, |last| last.chars().count() + 1);
            let place = tree::Place { line, column: u32::try_from(column).unwrap_or(u32::MAX), length: 0 };
            let mut out = Diagnostics::default();
            out.push(Diagnostic::new(codes::NOT_YAML, name, place, "the file is not UTF-8 text").help("save it as UTF-8"));
            out
        })
    }
}

/// Reads a playbook with the built-in catalogue. The diagnostics beside the playbook are warnings.
///
/// # Errors
/// All mistakes that one pass can find, warnings among them.
pub fn read(source: &Source, vars: &BTreeMap<String, String>, files: &dyn Files) -> Result<(Playbook, Diagnostics), Diagnostics> {
    read_with(source, vars, files, &Catalogue::BUILT_IN)
}

/// As [`read`], with another catalogue.
///
/// # Errors
/// See [`read`].
pub fn read_with(
    source: &Source,
    vars: &BTreeMap<String, String>,
    files: &dyn Files,
    catalogue: &Catalogue,
) -> Result<(Playbook, Diagnostics), Diagnostics> {
    let mut out = Diagnostics::default();
    out.attach(&source.name, Arc::clone(&source.text));
    let draft = document::read(&source.name, &source.text, vars, files, catalogue, &mut out);
    if let Some(draft) = &draft {
        rules::check(draft, &mut out);
    }
    match draft {
        Some(draft) if out.errors() == 0 => Ok((draft.playbook, out)),
        _ => Err(out),
    }
}

/// Everything that is wrong with a playbook or doubtful about it.
pub fn lint(source: &Source, vars: &BTreeMap<String, String>, files: &dyn Files) -> Diagnostics {
    match read(source, vars, files) {
        Ok((_, diagnostics)) | Err(diagnostics) => diagnostics,
    }
}
