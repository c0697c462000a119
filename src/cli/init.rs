//! `cutover init`.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::Output;
use super::exit::{self, CliError};
use crate::playbook::environment;

const SETTINGS: &str = "\
# Where the systems of each environment are. Secrets are references: env:NAME or file:PATH.
default: local
environments:
  # The local stack: real Kafka, schema registry and Postgres on this machine, started by `cutover stack up`.
  local:
    from: stack
    approvals: self
";

const PLAYBOOK: &str = "\
# The first playbook. `cutover steps list` shows what else a step can do.
playbook: first
description: says hello, and nothing else
params:
  name: {type: string, default: world, description: who is greeted}
steps:
  - id: hello
    note: {text: \"hello, ${name}\"}
";

/// Write cutover.yaml and a first playbook
///
/// Nothing that exists is overwritten.
#[derive(Clone, Debug, Args)]
pub struct InitArgs {
    /// Where to
    #[arg(default_value = ".", value_name = "DIR")]
    pub directory: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When one of the files exists already, in which case nothing is written, or cannot be written.
pub fn run(args: &InitArgs, out: &mut dyn Write, talk: &mut dyn Write, output: Output) -> Result<u8, CliError> {
    let files = [(args.directory.join(environment::FILE), SETTINGS), (args.directory.join("playbooks").join("first.yaml"), PLAYBOOK)];
    if let Some((taken, _)) = files.iter().find(|(path, _)| path.exists()) {
        return Err(exists(taken));
    }
    for (path, text) in &files {
        write(path, text)?;
    }
    let paths: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    if output == Output::Json {
        writeln!(out, "{:#}", json!({ "schema": "cutover.init/1", "written": paths }))?;
    } else {
        for path in &paths {
            writeln!(out, "wrote {path}")?;
        }
        if let Some(playbook) = paths.last() {
            writeln!(talk, "next: cutover lint {playbook}")?;
        }
    }
    Ok(exit::OK)
}

fn exists(path: &Path) -> CliError {
    CliError::new(exit::USAGE, format!("{} exists already", path.display())).hint("nothing was written; name another directory")
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => CliError::new(exit::UNEXPECTED, format!("cannot write {}: {error}", path.display())),
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}
