//! `cutover completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::exit::{self, CliError};
use super::session::Session;

/// Print the completion script of a shell
#[derive(Clone, Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// Runs the command.
///
/// # Errors
/// When standard output is gone.
pub fn run(session: &Session, args: &CompletionsArgs) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "cutover", &mut script);
    session.terminal.write(&String::from_utf8_lossy(&script))?;
    Ok(exit::OK)
}
