//! `cutover schema`.

use std::io::Write;

use clap::{Args, ValueEnum};

use super::Output;
use super::exit::{self, CliError};
use crate::playbook::{Catalogue, schema};

/// Print the JSON Schema of a playbook, of cutover.yaml or of a file of services
///
/// For editors: `cutover schema playbook > playbook.schema.json`, then `# yaml-language-server: $schema=playbook.schema.json` as the
/// first line of a playbook.
#[derive(Clone, Debug, Args)]
pub struct SchemaArgs {
    /// Of what
    #[arg(value_enum, default_value_t = Subject::Playbook)]
    pub subject: Subject,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// A playbook
    Playbook,
    /// cutover.yaml
    Environment,
    /// A file of services
    Services,
}

/// Runs the command. A schema is JSON in every form of output.
///
/// # Errors
/// When the schema cannot be written.
pub fn run(args: &SchemaArgs, out: &mut dyn Write, _: &mut dyn Write, _: Output) -> Result<u8, CliError> {
    let schema = match args.subject {
        Subject::Playbook => schema::playbook(&Catalogue::BUILT_IN),
        Subject::Environment => schema::environment(),
        Subject::Services => schema::services(),
    };
    writeln!(out, "{schema:#}")?;
    Ok(exit::OK)
}
