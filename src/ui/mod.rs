//! The only room that prints: what the terminal can do, colours, prompts and the moving line of a run.

pub mod progress;
pub mod prompt;
pub mod terminal;

pub use terminal::{Color, Terminal};
