//! `cutover lint`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Output;
use super::exit::{self, CliError};
use super::sources::{self, Role};
use crate::playbook::environment::Config;
use crate::playbook::{self, Diagnostics, Directory};

/// Check playbooks without touching any system
///
/// Reports every mistake at once, with its place and how to mend it. A directory stands for all playbooks in it and below. Exits
/// with 65 when there is an error; a warning alone is no error. `cutover explain CODE` says more about a code.
#[derive(Clone, Debug, Args)]
pub struct LintArgs {
    /// Playbooks, files of services, `cutover.yaml`, or directories with playbooks
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Value of a parameter; may be given several times
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub vars: Vec<(String, String)>,
}

/// Reads `name=value`.
///
/// # Errors
/// When there is no `=` or nothing before it.
pub fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

/// Runs the command.
///
/// # Errors
/// When a path cannot be read or holds no playbook.
pub fn run(args: &LintArgs, out: &mut dyn Write, talk: &mut dyn Write, output: Output) -> Result<u8, CliError> {
    let vars: BTreeMap<String, String> = args.vars.iter().cloned().collect();
    let found = sources::gather(&args.paths)?;
    let count = found.len();
    let mut all = Diagnostics::default();
    for file in found {
        all.extend(match (file.source, file.role) {
            (Err(diagnostics), _) => diagnostics,
            (Ok(source), Role::Playbook) => playbook::lint(&source, &vars, &Directory::of(&file.path)),
            (Ok(source), Role::Services) => playbook::services::read(&source).err().unwrap_or_default(),
            (Ok(source), Role::Environments) => Config::read(&source.name, &source.text).err().unwrap_or_default(),
        });
    }
    show(&all, out, output)?;
    if output != Output::Json {
        let errors = all.errors();
        let warnings = all.len() - errors;
        writeln!(talk, "{}, {}, {}", counted(count, "file"), counted(errors, "error"), counted(warnings, "warning"))?;
        if let Some(first) = all.iter().next() {
            writeln!(talk, "hint: cutover explain {} says more", first.code)?;
        }
    }
    Ok(if all.errors() > 0 { exit::INVALID } else { exit::OK })
}

/// Writes diagnostics in the form that was asked for.
///
/// # Errors
/// When they cannot be written.
pub fn show(diagnostics: &Diagnostics, out: &mut dyn Write, output: Output) -> Result<(), CliError> {
    match output {
        Output::Text => write!(out, "{}", diagnostics.plain())?,
        Output::Terminal { color, width } => write!(out, "{}", diagnostics.graphical(color, width.into()))?,
        Output::Json => {
            let json = serde_json::to_string_pretty(diagnostics).map_err(|error| CliError::new(exit::UNEXPECTED, error.to_string()))?;
            writeln!(out, "{json}")?;
        }
    }
    Ok(())
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
