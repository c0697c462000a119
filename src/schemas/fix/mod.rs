//! Schemas that were pasted from somewhere and are no JSON: what is wrong at which place, and the text that was most likely meant. The text
//! keeps its lines and spaces as far as it can.

mod keywords;
mod reader;
mod scalar;

use serde::Serialize;

use self::reader::Reader;
use super::document::Unreadable;

/// One thing that is wrong, or that would better be otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What was done about it.
    pub mended: String,
    /// Whether the text cannot be read as it is; else it is advice.
    pub broken: bool,
}

/// What a text should have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mended {
    /// The corrected text.
    pub text: String,
    /// What was wrong, in the order of the text.
    pub flaws: Vec<Flaw>,
}

impl Mended {
    /// Whether nothing was wrong.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.flaws.is_empty()
    }
}

/// Finds out what a text should have been, if it was meant as a JSON Schema.
///
/// # Errors
/// [`Unreadable`] with the place at which nobody can tell what was meant.
pub fn mend(text: &str) -> Result<Mended, Unreadable> {
    let (text, mut flaws) = Reader::new(text).read()?;
    flaws.sort_by_key(|flaw| (flaw.line, flaw.column));
    // Why: whatever is proposed can be read.
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(_) => Ok(Mended { text, flaws }),
        Err(error) => Err(Unreadable { line: error.line().max(1), column: error.column().max(1), message: error.to_string() }),
    }
}
