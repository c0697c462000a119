//! What is wrong with a file, where, and how to mend it: plain data with three written forms. Nothing here prints.

mod graphical;

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codes::Code;
use super::tree::Place;

/// Whether the file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is.
    Error,
    /// It is not, but somebody should look.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// A row of [`super::codes::ALL`].
    pub code: String,
    /// Whether the file is refused.
    pub severity: Severity,
    /// The file as it was named to us.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Length in characters on that line, where it is known.
    #[serde(skip)]
    pub length: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake at a place.
    pub fn new(code: Code, file: &str, place: Place, message: impl Into<String>) -> Self {
        Self {
            code: code.name.to_owned(),
            severity: code.severity,
            file: file.to_owned(),
            line: place.line,
            column: place.column,
            length: (place.length > 0).then_some(place.length),
            message: message.into(),
            help: None,
        }
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}[{}]: {}", self.file, self.line, self.column, self.severity, self.code, self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// All mistakes that were found in one pass, in the order of the files' text. Its JSON form is `{"diagnostics": […]}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostics {
    diagnostics: Vec<Diagnostic>,
    /// Text of the files, for excerpts. A file that may hold secrets is never put in.
    #[serde(skip)]
    sources: BTreeMap<String, Arc<str>>,
}

impl Diagnostics {
    /// Adds one at its place.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        fn key(one: &Diagnostic) -> (&str, u32, u32) {
            (&one.file, one.line, one.column)
        }
        if self.diagnostics.last().is_none_or(|last| key(last) <= key(&diagnostic)) {
            self.diagnostics.push(diagnostic);
            return;
        }
        let at = self.diagnostics.partition_point(|one| key(one) <= key(&diagnostic));
        self.diagnostics.insert(at, diagnostic);
    }

    /// Makes a file's text known, so that [`Self::graphical`] can show excerpts of it.
    pub fn attach(&mut self, file: &str, text: Arc<str>) {
        self.sources.insert(file.to_owned(), text);
    }

    /// Takes over all of `other`.
    pub fn extend(&mut self, other: Self) {
        self.sources.extend(other.sources);
        for diagnostic in other.diagnostics {
            self.push(diagnostic);
        }
    }

    /// In the order of the files' text.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// How many refuse the file.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|one| one.severity == Severity::Error).count()
    }

    /// One or two lines for each: `file:line:column: error[C0104]: message`, then `help: …`.
    #[must_use]
    pub fn plain(&self) -> String {
        self.diagnostics.iter().fold(String::new(), |mut text, one| {
            let _ = writeln!(text, "{one}");
            text
        })
    }

    /// For a terminal: with an excerpt of the file and a pointer into it.
    #[must_use]
    pub fn graphical(&self, color: bool, width: usize) -> String {
        graphical::render(&self.diagnostics, &self.sources, color, width)
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.diagnostics.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::super::codes;
    use super::*;

    fn at(line: u32, column: u32, length: u32) -> Place {
        Place { line, column, length }
    }

    fn two() -> Diagnostics {
        let mut all = Diagnostics::default();
        all.attach("p.yaml", Arc::from("steps:\n  - create_topic: {partitions: viele}\n"));
        all.push(
            Diagnostic::new(codes::WRONG_TYPE, "p.yaml", at(2, 32, 5), "`partitions` must be a whole number, not text").help("write 3"),
        );
        all.push(Diagnostic::new(codes::UNUSED_PARAMETER, "p.yaml", at(1, 1, 5), "a warning"));
        all
    }

    #[test]
    fn they_stand_in_the_order_of_the_text_in_all_three_forms() {
        insta::assert_snapshot!(two().plain(), @r"
        p.yaml:1:1: warning[C0401]: a warning
        p.yaml:2:32: error[C0104]: `partitions` must be a whole number, not text
          help: write 3
        ");
        insta::assert_snapshot!(serde_json::to_string(&two()).expect("JSON"), @r#"{"diagnostics":[{"code":"C0401","severity":"warning","file":"p.yaml","line":1,"column":1,"message":"a warning","help":null},{"code":"C0104","severity":"error","file":"p.yaml","line":2,"column":32,"message":"`partitions` must be a whole number, not text","help":"write 3"}]}"#);
        insta::assert_snapshot!(two().graphical(false, 80), @r"
         ⚠ warning[C0401]: a warning
          ╭─[p.yaml:1:1]
        1 │ steps:
          · ─────
        2 │   - create_topic: {partitions: viele}
          ╰────

         × error[C0104]: `partitions` must be a whole number, not text
          ╭─[p.yaml:2:32]
        1 │ steps:
        2 │   - create_topic: {partitions: viele}
          ·                                ─────
          ╰────
         help: write 3
        ");
    }
}
