//! What a command says to the shell, and the error that ends one.

/// Done, or nothing to do.
pub const OK: u8 = 0;
/// Something that should not happen; also what `fmt --check` says when a file is not formatted.
pub const UNEXPECTED: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 64;
/// The playbook is not valid.
pub const INVALID: u8 = 65;
/// The configuration is not valid.
pub const CONFIG: u8 = 78;

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
}

impl CliError {
    /// An error with that number.
    pub fn new(exit: u8, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
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
