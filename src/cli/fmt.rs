//! `cutover fmt`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::exit::{self, CliError};
use super::sources::{self, Role};
use super::{Output, lint};
use crate::playbook::Diagnostics;
use crate::playbook::fmt::{self, FormatError};

/// Format playbooks and cutover.yaml
///
/// Changes the layout and nothing else: comments stay, and what a file says stays the same, which is verified before it is written.
#[derive(Clone, Debug, Args)]
pub struct FmtArgs {
    /// Files, or directories with playbooks
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Write nothing; exit with 1 when a file is not formatted
    #[arg(long)]
    pub check: bool,
}

/// Runs the command.
///
/// # Errors
/// When a path cannot be read or a file cannot be written.
pub fn run(args: &FmtArgs, out: &mut dyn Write, talk: &mut dyn Write, output: Output) -> Result<u8, CliError> {
    let mut mistakes = Diagnostics::default();
    let mut changed = Vec::new();
    let mut refused = false;
    for file in sources::gather(&args.paths)? {
        let source = match file.source {
            Ok(source) => source,
            Err(diagnostics) => {
                mistakes.extend(diagnostics);
                continue;
            }
        };
        match fmt::format(&source) {
            Ok(text) if *text == *source.text => {}
            Ok(text) => {
                if !args.check {
                    replace(&file.path, &text)?;
                }
                changed.push(source.name);
            }
            Err(FormatError::Invalid(diagnostics)) => {
                if file.role != Role::Environments {
                    mistakes.attach(&source.name, source.text);
                }
                mistakes.extend(diagnostics);
            }
            Err(error @ FormatError::Unsafe(_)) => {
                refused = true;
                writeln!(talk, "{}: {error}", source.name)?;
            }
        }
    }
    let verb = if args.check { "not formatted" } else { "formatted" };
    if output == Output::Json {
        let json = serde_json::json!({ "schema": "cutover.fmt/1", "changed": changed, "written": !args.check, "diagnostics": mistakes.iter().collect::<Vec<_>>() });
        writeln!(out, "{json:#}")?;
    } else {
        lint::show(&mistakes, out, output)?;
        for name in &changed {
            writeln!(out, "{verb}: {name}")?;
        }
    }
    Ok(match (mistakes.is_empty(), refused || (args.check && !changed.is_empty())) {
        (false, _) => exit::INVALID,
        (true, true) => exit::UNEXPECTED,
        (true, false) => exit::OK,
    })
}

/// Why: a file that is half written when the machine stops would be a playbook lost; a rename is whole or not at all.
fn replace(path: &Path, text: &str) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::new(exit::UNEXPECTED, format!("cannot write {}: {error}", path.display()));
    let target = path.canonicalize().map_err(failed)?;
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = target.with_file_name(name);
    let written = fs::write(&beside, text)
        .and_then(|()| fs::metadata(&target))
        .and_then(|metadata| fs::set_permissions(&beside, metadata.permissions()))
        .and_then(|()| fs::rename(&beside, &target));
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        failed(error)
    })
}
