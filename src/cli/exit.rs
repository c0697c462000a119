//! What a command says to the shell, and the error that ends one. `cutover help exit-codes` prints this table.

pub use crate::stack::error::chain;

/// Done, or nothing to do.
pub const OK: u8 = 0;
/// Something that should not happen; also what `fmt --check` says when a file is not formatted.
pub const UNEXPECTED: u8 = 1;
/// Only with `--detailed-exitcode`: there are changes.
pub const CHANGES: u8 = 2;
/// The command line is wrong.
pub const USAGE: u8 = 64;
/// The playbook is not valid.
pub const INVALID: u8 = 65;
/// A system cannot be reached.
pub const UNREACHABLE: u8 = 69;
/// Not finished: waiting, asking, paused or timed out.
pub const UNFINISHED: u8 = 75;
/// Refused: rights, an unconfirmed question, a resource that another run holds.
pub const REFUSED: u8 = 77;
/// The configuration is not valid.
pub const CONFIG: u8 = 78;
/// The plan is stale.
pub const STALE: u8 = 103;
/// A drain cannot be judged, or records are lost: a person must look.
pub const UNKNOWN: u8 = 104;
/// Interrupted; the run goes on.
pub const INTERRUPTED: u8 = 130;

/// The table for people.
pub const TABLE: &str = "\
  0   done, or nothing to do
  1   something unexpected
  2   only with --detailed-exitcode: there are changes
 64   the command line is wrong
 65   the playbook is not valid
 69   a system cannot be reached
 75   not finished: waiting, asking, paused or timed out
 77   refused: rights, an unconfirmed question, or a resource that another run holds
 78   the configuration is not valid
100   a step failed or the run was stopped; the world is as planned up to it
101   the run was taken back
102   the way back failed; a person must look
103   the plan is stale
104   `drain` only: nobody can tell, or records are lost; a person must look
130   interrupted; the run goes on
";

/// Why a command ended early.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// One of the numbers of this file.
    pub exit: u8,
    /// What happened.
    pub message: String,
    /// How to go on.
    pub hint: Option<String>,
    /// What a server answered beside its message.
    pub answer: Option<Box<serde_json::Value>>,
}

impl CliError {
    /// An error with that number.
    pub fn new(exit: u8, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None, answer: None }
    }

    /// Says how to go on.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::new(UNEXPECTED, format!("cannot write the answer: {error}"))
    }
}

impl From<crate::stack::StackError> for CliError {
    fn from(error: crate::stack::StackError) -> Self {
        let message = chain(&error);
        let hint = error.hint();
        Self { exit: CONFIG, message, hint, answer: None }
    }
}

impl From<crate::stack::datadir::DataDirError> for CliError {
    fn from(error: crate::stack::datadir::DataDirError) -> Self {
        let (message, hint) = (chain(&error), error.hint());
        Self { exit: CONFIG, message, hint: Some(hint), answer: None }
    }
}

impl From<crate::stack::files::FileError> for CliError {
    fn from(error: crate::stack::files::FileError) -> Self {
        let (message, hint) = (chain(&error), error.hint());
        Self { exit: CONFIG, message, hint: Some(hint), answer: None }
    }
}

impl From<crate::store::StoreError> for CliError {
    fn from(error: crate::store::StoreError) -> Self {
        let exit = if error.is_passing() { UNREACHABLE } else { CONFIG };
        Self::new(exit, chain(&error))
    }
}
