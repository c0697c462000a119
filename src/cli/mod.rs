//! The commands, one file each. They may import every other room, and nobody imports them.

pub mod exit;
pub mod explain;
pub mod fmt;
pub mod init;
pub mod lint;
pub mod schema;
pub mod stack;
pub mod steps;

mod sources;

/// In which form a command answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Lines for people and pipes.
    #[default]
    Text,
    /// For people at a terminal: with excerpts of files.
    Terminal {
        /// Whether colours may be used.
        color: bool,
        /// Columns of the terminal.
        width: u16,
    },
    /// One JSON document.
    Json,
}
