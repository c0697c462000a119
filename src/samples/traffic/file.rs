//! `traffic.jsonl`: everything that was sent and every answer, one line each, written before it is acted on. Owns the form of the file;
//! a process that is killed loses at most its last line.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::stack::files::FileError;

/// The file's name in the directory of a traffic.
pub const NAME: &str = "traffic.jsonl";

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// Change an exercise, or make it.
    Change,
    /// Attempt an exercise.
    Attempt,
    /// Assign a manager to an attempt.
    Assign,
}

/// How a try ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Nobody took the connection.
    Refused,
    /// No answer in time.
    TimedOut,
    /// The connection broke off.
    Broken,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A traffic began.
    Began {
        /// When.
        at: DateTime<Utc>,
        /// What decides its mixture.
        seed: u64,
        /// Requests per second.
        rate: f64,
        /// How many exercises it works on.
        exercises: u32,
    },
    /// A request is about to be sent.
    Sent {
        /// When.
        at: DateTime<Utc>,
        /// Its id, the same in every try.
        request: Uuid,
        /// What it wants.
        doing: Doing,
        /// Of which exercise, or to which attempt.
        exercise: String,
        /// Which try this is, from 1.
        number: u32,
    },
    /// An answer came.
    Answered {
        /// When.
        at: DateTime<Utc>,
        /// To which request.
        request: Uuid,
        /// To which try.
        number: u32,
        /// HTTP status.
        status: u16,
        /// The version that was made or seen.
        version: Option<i64>,
    },
    /// No answer came.
    Failed {
        /// When.
        at: DateTime<Utc>,
        /// To which request.
        request: Uuid,
        /// To which try.
        number: u32,
        /// In which way.
        how: Failure,
        /// What the client said.
        reason: String,
    },
    /// A request is not tried any more.
    GivenUp {
        /// When.
        at: DateTime<Utc>,
        /// Which one.
        request: Uuid,
    },
    /// A traffic ended in order.
    Ended {
        /// When.
        at: DateTime<Utc>,
    },
}

/// The file while it is written.
#[derive(Debug)]
pub struct Book {
    file: Mutex<File>,
    path: PathBuf,
}

impl Book {
    /// Opens the file for more lines; those that are there stay.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn open(directory: &Path) -> Result<Self, FileError> {
        crate::stack::files::create_private_dir(directory)?;
        let path = directory.join(NAME);
        let file = OpenOptions::new().append(true).create(true).open(&path).map_err(|error| FileError::new("write", &path, error))?;
        let book = Self { file: Mutex::new(file), path };
        // Why: a line that a killed process left unfinished must not swallow the next one.
        let kept = std::fs::read(&book.path).map_err(|error| FileError::new("read", &book.path, error))?;
        if !kept.is_empty() && !kept.ends_with(b"\n") {
            book.append(b"\n")?;
        }
        Ok(book)
    }

    /// Writes one line; it is with the operating system when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, line: &Line) -> Result<(), FileError> {
        let mut text = serde_json::to_vec(line).map_err(|source| FileError::Unreadable { path: self.path.clone(), source })?;
        text.push(b'\n');
        self.append(&text)
    }

    fn append(&self, bytes: &[u8]) -> Result<(), FileError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(bytes).map_err(|error| FileError::new("write", &self.path, error))
    }
}

/// Reads a traffic's lines, and says how many of the file's lines are none.
///
/// # Errors
/// When there is no such file.
pub fn read(directory: &Path) -> Result<(Vec<Line>, usize), FileError> {
    let path = directory.join(NAME);
    let bytes = std::fs::read(&path).map_err(|error| FileError::new("read", &path, error))?;
    let mut broken = 0;
    let mut lines = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(line) => lines.push(line),
            Err(_) => broken += 1,
        }
    }
    Ok((lines, broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_and_one_that_was_cut_short_harms_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let line = |number| Line::Answered { at: Utc::now(), request: Uuid::nil(), number, status: 201, version: Some(3) };
        let book = Book::open(directory.path()).unwrap();
        book.write(&line(1)).unwrap();
        book.append(b"{\"answered\":{\"at\":").unwrap();
        drop(book);
        let book = Book::open(directory.path()).unwrap();
        book.write(&line(2)).unwrap();
        let (lines, broken) = read(directory.path()).unwrap();
        let numbers: Vec<u32> =
            lines.iter().filter_map(|line| if let Line::Answered { number, .. } = line { Some(*number) } else { None }).collect();
        assert_eq!((numbers, broken), (vec![1, 2], 1));
    }
}
