//! The files that `lint` and `fmt` are asked about.

use std::fs;
use std::path::{Path, PathBuf};

use super::exit::{self, CliError};
use crate::playbook::{Diagnostics, Source, environment};

/// What a YAML file of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It has a `playbook:` key.
    Playbook,
    /// It has an `environments:` key.
    Environments,
    /// It has a `services:` key and is no playbook.
    Services,
}

/// A file that was found, with its text or what is wrong with its bytes.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) role: Role,
    pub(super) source: Result<Source, Diagnostics>,
}

/// The files behind the paths: a file stands for itself, a directory for every YAML file of ours in it and below.
pub(super) fn gather(paths: &[PathBuf]) -> Result<Vec<Found>, CliError> {
    let mut found = Vec::new();
    for path in paths {
        let metadata =
            fs::metadata(path).map_err(|error| CliError::new(exit::USAGE, format!("cannot read {}: {error}", path.display())))?;
        if metadata.is_dir() {
            let before = found.len();
            walk(path, &mut found)?;
            if found.len() == before {
                let error = CliError::new(exit::USAGE, format!("there is no playbook in {}", path.display()));
                return Err(error.hint("a playbook is a .yaml file with a `playbook:` key"));
            }
        } else {
            let bytes = load(path)?;
            found.push(one(path, role(path, &bytes).unwrap_or(Role::Playbook), bytes));
        }
    }
    Ok(found)
}

fn walk(directory: &Path, found: &mut Vec<Found>) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::new(exit::USAGE, format!("cannot read {}: {error}", directory.display()));
    let mut entries: Vec<PathBuf> = fs::read_dir(directory).map_err(failed)?.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        // Why: a link to a directory above would be walked for ever.
        if hidden || (path.is_symlink() && path.is_dir()) {
            continue;
        }
        if path.is_dir() {
            walk(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            let bytes = load(&path)?;
            if let Some(role) = role(&path, &bytes) {
                found.push(one(&path, role, bytes));
            }
        }
    }
    Ok(())
}

fn load(path: &Path) -> Result<Vec<u8>, CliError> {
    fs::read(path).map_err(|error| CliError::new(exit::USAGE, format!("cannot read {}: {error}", path.display())))
}

fn one(path: &Path, role: Role, bytes: Vec<u8>) -> Found {
    let name = path.to_string_lossy();
    let name = name.strip_prefix("./").unwrap_or(&name);
    Found { path: path.to_owned(), role, source: Source::from_bytes(name, bytes) }
}

/// By the lines, so that a file that is not YAML is still known for what it was meant to be.
fn role(path: &Path, bytes: &[u8]) -> Option<Role> {
    if path.file_name().is_some_and(|name| name == environment::FILE) {
        return Some(Role::Environments);
    }
    let has = |key: &[u8]| bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(key));
    if has(b"playbook:") {
        Some(Role::Playbook)
    } else if has(b"environments:") {
        Some(Role::Environments)
    } else if has(b"services:") {
        Some(Role::Services)
    } else {
        None
    }
}
