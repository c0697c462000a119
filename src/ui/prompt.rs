//! Questions on the terminal. The answer that is meant by just pressing Enter is always the one that changes nothing.

use std::io::{BufRead, Write};

use super::Terminal;

/// Asks a yes-or-no question. No is the default, and the answer when nobody can be asked.
#[must_use]
pub fn yes(terminal: &Terminal, question: &str) -> bool {
    matches!(line(terminal, &format!("{question} [y/N] ")).as_deref(), Some("y" | "Y" | "yes"))
}

/// Asks for a line of text; `None` when nobody can be asked or nothing was typed.
#[must_use]
pub fn line(terminal: &Terminal, question: &str) -> Option<String> {
    if !terminal.asks {
        return None;
    }
    let mut err = std::io::stderr().lock();
    write!(err, "{question}").and_then(|()| err.flush()).ok()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).ok()?;
    let answer = answer.trim();
    (!answer.is_empty()).then(|| answer.to_owned())
}
