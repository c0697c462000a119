//! `cutover explain`.

use std::io::Write;

use clap::Args;
use serde_json::json;

use super::Output;
use super::exit::{self, CliError};
use crate::playbook::codes;

/// Say what a code means, with an example and how to mend it
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// For instance C0104
    #[arg(value_name = "CODE")]
    pub code: String,
}

/// Runs the command.
///
/// # Errors
/// When there is no such code.
pub fn run(args: &ExplainArgs, out: &mut dyn Write, _: &mut dyn Write, output: Output) -> Result<u8, CliError> {
    let Some(code) = codes::find(&args.code) else {
        let first = codes::ALL.first().map_or("", |code| code.name);
        let last = codes::ALL.last().map_or("", |code| code.name);
        return Err(
            CliError::new(exit::USAGE, format!("there is no code `{}`", args.code)).hint(format!("codes run from {first} to {last}"))
        );
    };
    match output {
        Output::Json => {
            let json =
                json!({ "schema": "cutover.code/1", "code": code.name, "severity": code.severity, "title": code.title, "page": code.page });
            writeln!(out, "{json:#}")?;
        }
        Output::Text | Output::Terminal { .. } => write!(out, "{}", code.page)?,
    }
    Ok(exit::OK)
}
