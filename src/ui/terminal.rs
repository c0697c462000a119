//! What standard output and standard error are, and how to write to them. Data goes to standard output, talk to standard error.

use std::io::{IsTerminal, Write};

use crate::report::{Line, Tone};

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The terminal as this process finds it.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact about a stream or a wish of the user, and they are independent")]
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Whether standard output is a terminal.
    pub out: bool,
    /// Whether standard error is a terminal.
    pub err: bool,
    /// Whether a person can be asked.
    pub asks: bool,
    /// Whether to say less.
    pub quiet: bool,
    color_out: bool,
    color_err: bool,
}

impl Terminal {
    /// Looks at the streams and the environment.
    #[must_use]
    pub fn look(color: Color, no_input: bool, quiet: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let paints = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => set("CLICOLOR_FORCE") || (terminal && !dumb && !set("NO_COLOR")),
        };
        Self {
            out,
            err: err && !dumb,
            asks: !no_input && err && std::io::stdin().is_terminal() && !set("CI"),
            quiet,
            color_out: paints(out),
            color_err: paints(err),
        }
    }

    /// Columns of the terminal.
    #[must_use]
    pub fn width(&self) -> u16 {
        if self.out || self.err { indicatif::TermLike::width(&indicatif_term()).clamp(40, 200) } else { 100 }
    }

    /// Whether data may be coloured.
    #[must_use]
    pub fn colors_data(&self) -> bool {
        self.color_out
    }

    /// Writes a line of data.
    ///
    /// # Errors
    /// When standard output is gone, for instance a closed pipe.
    pub fn print(&self, line: &Line) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", paint(line, self.color_out))
    }

    /// Writes text as data, as it is.
    ///
    /// # Errors
    /// As [`Terminal::print`].
    pub fn write(&self, text: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Says something beside the data. Nobody is helped by an error when nobody listens.
    pub fn talk(&self, line: &Line) {
        let _ = writeln!(std::io::stderr().lock(), "{}", paint(line, self.color_err));
    }

    /// Says something that `--quiet` leaves out.
    pub fn say(&self, tone: Tone, text: impl Into<String>) {
        if !self.quiet {
            self.talk(&Line { tone, text: text.into() });
        }
    }

    /// A line as it shows on standard error.
    #[must_use]
    pub fn painted(&self, line: &Line) -> String {
        paint(line, self.color_err)
    }
}

fn indicatif_term() -> impl indicatif::TermLike {
    console::Term::stderr()
}

fn paint(line: &Line, color: bool) -> String {
    let code = match line.tone {
        Tone::Plain => "",
        Tone::Good => "32",
        Tone::Warn => "33",
        Tone::Bad => "31",
        Tone::Dim => "2",
        Tone::Strong => "1",
    };
    if color && !code.is_empty() && !line.text.is_empty() { format!("\u{1b}[{code}m{}\u{1b}[0m", line.text) } else { line.text.clone() }
}
