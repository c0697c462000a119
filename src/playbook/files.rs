//! Where the files that steps name come from: a directory beside the playbook, or a bundle that carries them.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::tree::LARGEST;

/// Why a file cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// There is none.
    #[error("there is no file `{0}`")]
    Missing(String),
    /// It is there and cannot be used.
    #[error("`{path}` cannot be read: {why}")]
    Unusable {
        /// The path as the step names it.
        path: String,
        /// Why, without the path.
        why: String,
    },
}

/// Texts by their path relative to the playbook, with `/` between parts.
pub trait Files {
    /// The text of a file.
    ///
    /// # Errors
    /// When there is none, it is not UTF-8 text, it is larger than 1 MiB or it lies outside.
    fn text(&self, path: &str) -> Result<Arc<str>, FileError>;

    /// Paths that would have been right, for "did you mean".
    fn near(&self, path: &str) -> Vec<String>;
}

/// The directory in which the playbook lies.
#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// That directory itself.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory of a playbook's file.
    #[must_use]
    pub fn of(playbook: &Path) -> Self {
        match playbook.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => Self::new(parent),
            _ => Self::new("."),
        }
    }
}

impl Files for Directory {
    fn text(&self, path: &str) -> Result<Arc<str>, FileError> {
        let unusable = |why: String| FileError::Unusable { path: path.to_owned(), why };
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => FileError::Missing(path.to_owned()),
            _ => unusable(error.to_string()),
        };
        let root = self.0.canonicalize().map_err(failed)?;
        let found = self.0.join(path).canonicalize().map_err(failed)?;
        // Why: a link in a repository must not carry a file of this machine into a bundle.
        if !found.starts_with(&root) {
            return Err(unusable("it lies outside the playbook's directory".to_owned()));
        }
        let metadata = fs::metadata(&found).map_err(failed)?;
        if !metadata.is_file() {
            return Err(unusable("it is not a file".to_owned()));
        }
        if metadata.len() > LARGEST as u64 {
            return Err(unusable(format!("it has {} bytes, and at most {LARGEST} are read", metadata.len())));
        }
        String::from_utf8(fs::read(&found).map_err(failed)?).map(Arc::from).map_err(|_| unusable("it is not UTF-8 text".to_owned()))
    }

    fn near(&self, path: &str) -> Vec<String> {
        let parent = path.rsplit_once('/').map(|(parent, _)| parent);
        let listed = parent.map_or_else(|| self.0.clone(), |parent| self.0.join(parent));
        let entries = fs::read_dir(listed).into_iter().flatten().flatten().take(1_000);
        let names = entries.filter(|entry| entry.path().is_file()).filter_map(|entry| entry.file_name().into_string().ok());
        let mut paths: Vec<String> = names.map(|name| parent.map_or_else(|| name.clone(), |parent| format!("{parent}/{name}"))).collect();
        paths.sort();
        paths
    }
}

/// Files that travel with the playbook.
#[derive(Clone, Debug, Default)]
pub struct Carried(pub BTreeMap<String, Arc<str>>);

impl Files for Carried {
    fn text(&self, path: &str) -> Result<Arc<str>, FileError> {
        self.0.get(path).cloned().ok_or_else(|| FileError::Missing(path.to_owned()))
    }

    fn near(&self, _: &str) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}
