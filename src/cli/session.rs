//! What every command gets: where the data directory is, how to answer, and the terminal.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Output;
use super::exit::{self, CliError};
use crate::report::{Line, Tone};
use crate::stack::DataDir;
use crate::ui::{Color, Terminal};

/// In which form a command answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// One JSON document per line and event (`apply`, `watch`, `log`).
    Jsonl,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Data directory; `.cutover` beside the nearest cutover.yaml when it is left out
    #[arg(long, global = true, env = "CUTOVER_DATA", value_name = "DIR", help_heading = "Global options")]
    pub data: Option<PathBuf>,

    /// Environment of cutover.yaml
    #[arg(long, global = true, env = "CUTOVER_ENV", value_name = "NAME", help_heading = "Global options")]
    pub env: Option<String>,

    /// Address of a server; the data directory's own one when it is left out. Its token is taken from `CUTOVER_TOKEN`
    #[arg(long, global = true, env = "CUTOVER_SERVER", value_name = "URL", help_heading = "Global options")]
    pub server: Option<String>,

    /// Form of the answer on standard output
    #[arg(short, long, global = true, env = "CUTOVER_OUTPUT", value_enum, default_value_t, help_heading = "Global options")]
    pub output: Format,

    /// Never ask
    #[arg(long, global = true, env = "CUTOVER_NO_INPUT", help_heading = "Global options")]
    pub no_input: bool,

    /// When to use colours
    #[arg(long, global = true, env = "CUTOVER_COLOR", value_enum, default_value_t, help_heading = "Global options")]
    pub color: Color,

    /// Say less
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,

    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
}

/// A command's surroundings.
#[derive(Clone, Debug)]
pub struct Session {
    /// Options of every command.
    pub global: Global,
    /// The terminal.
    pub terminal: Terminal,
    /// The present directory.
    pub here: PathBuf,
}

impl Session {
    /// Looks around.
    #[must_use]
    pub fn new(global: Global) -> Self {
        let terminal = Terminal::look(global.color, global.no_input, global.quiet);
        Self { terminal, here: std::env::current_dir().unwrap_or_default(), global }
    }

    /// Where the data directory is; nothing is created.
    #[must_use]
    pub fn data_path(&self) -> PathBuf {
        DataDir::locate(self.global.data.as_deref(), &self.here)
    }

    /// The data directory, created if it is not there.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn data(&self) -> Result<DataDir, CliError> {
        Ok(DataDir::open(&self.data_path())?)
    }

    /// The form in which the offline commands answer.
    #[must_use]
    pub fn form(&self) -> Output {
        match self.global.output {
            Format::Json | Format::Jsonl => Output::Json,
            Format::Text if self.terminal.out => Output::Terminal { color: self.terminal.colors_data(), width: self.terminal.width() },
            Format::Text => Output::Text,
        }
    }

    /// Whether the answer is for programs.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.global.output != Format::Text
    }

    /// Writes a JSON document to standard output.
    ///
    /// # Errors
    /// When standard output is gone.
    pub fn json(&self, value: &impl serde::Serialize) -> Result<(), CliError> {
        let text = match self.global.output {
            Format::Jsonl => serde_json::to_string(value),
            Format::Json | Format::Text => serde_json::to_string_pretty(value),
        };
        let text = text.map_err(|error| CliError::new(exit::UNEXPECTED, error.to_string()))?;
        Ok(self.terminal.write(&format!("{text}\n"))?)
    }

    /// Writes a line to standard output.
    ///
    /// # Errors
    /// When standard output is gone.
    pub fn print(&self, tone: Tone, text: impl Into<String>) -> Result<(), CliError> {
        Ok(self.terminal.print(&Line { tone, text: text.into() })?)
    }

    /// Writes a line to standard output, unless the answer is for programs.
    ///
    /// # Errors
    /// When standard output is gone.
    pub fn print_text(&self, tone: Tone, text: impl Into<String>) -> Result<(), CliError> {
        if self.is_json() { Ok(()) } else { self.print(tone, text) }
    }

    /// Says something on standard error.
    pub fn say(&self, text: impl Into<String>) {
        self.terminal.say(Tone::Plain, text);
    }

    /// Says what to do next, on standard error.
    pub fn next(&self, command: impl AsRef<str>) {
        self.terminal.say(Tone::Dim, format!("next: {}", command.as_ref()));
    }

    /// Who works here, for the journal.
    #[must_use]
    pub fn by() -> String {
        let name = ["CUTOVER_BY", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        let user = || nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name);
        name.or_else(user).unwrap_or_else(|| format!("uid {}", nix::unistd::getuid()))
    }
}
