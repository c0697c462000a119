//! Files that other processes read while we write them: replaced whole, private from their first byte.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rand::distr::{Alphanumeric, SampleString};
use serde::{Serialize, de::DeserializeOwned};

/// How temporary names begin, so that what a killed process left is recognised.
pub const TEMPORARY: &str = ".new-";

static NEXT: AtomicU64 = AtomicU64::new(0);

/// A file operation that failed, with the path that it was about.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The disk is full.
    #[error("no space left on the disk that holds {path}")]
    Full {
        /// What was to be written.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// Any other failure.
    #[error("cannot {action} {path}")]
    Io {
        /// `write`, `read`, `create`, …
        action: &'static str,
        /// What it was about.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file holds something else than what we write there.
    #[error("{path} does not read as a file of cutover's")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the reader stumbled over.
        source: serde_json::Error,
    },
}

impl FileError {
    /// Sorts an operating system's error.
    #[must_use]
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::Io { action, path, source },
        }
    }

    /// What the person in front of the machine can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Full { path, .. } => format!("make room on the disk of {}", path.display()),
            Self::Io { source, path, .. } => match source.kind() {
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    format!("{} must be writable for the user who runs cutover", path.display())
                }
                _ => "see what the operating system says about that path".to_owned(),
            },
            Self::Unreadable { path, .. } => format!("move {} away; it is written anew", path.display()),
        }
    }
}

/// Creates a directory and those above it; the ones that it creates are private to the user (0700).
///
/// # Errors
/// When the operating system refuses.
pub fn create_private_dir(path: &Path) -> Result<(), FileError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| FileError::new("create", path, error))
}

/// Replaces the file at `path` whole: a reader sees the old content or the new one, also after a crash. Mode 0600.
///
/// # Errors
/// When the operating system refuses.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_file_name(format!("{TEMPORARY}{}-{number}", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    })();
    written.map_err(|error| {
        let _ = std::fs::remove_file(&temporary);
        FileError::new("write", path, error)
    })
}

/// Writes something into the directory and removes it again.
///
/// # Errors
/// When the operating system refuses, or the disk is full.
pub fn check_writable(directory: &Path) -> Result<(), FileError> {
    let temporary = directory.join(format!("{TEMPORARY}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    let written = std::fs::write(&temporary, "cutover\n").map_err(|error| FileError::new("write", directory, error));
    let _ = std::fs::remove_file(&temporary);
    written
}

/// [`write_private`] of a value as JSON.
///
/// # Errors
/// When the operating system refuses.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|source| FileError::Unreadable { path: path.to_owned(), source })?;
    text.push(b'\n');
    write_private(path, &text)
}

/// Reads a JSON file; `None` when there is no such file.
///
/// # Errors
/// When it cannot be read or holds something else.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|source| FileError::Unreadable { path: path.to_owned(), source }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::new("read", path, error)),
    }
}

/// Removes a file or a whole directory; that it is not there is fine.
///
/// # Errors
/// When the operating system refuses.
pub fn remove(path: &Path) -> Result<(), FileError> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(FileError::new("remove", path, error)),
        _ => Ok(()),
    }
}

/// The last `lines` lines of a log, at most 64 KiB of it; empty when it cannot be read.
#[must_use]
pub fn tail(path: &Path, lines: usize) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(64 * 1024)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let all: Vec<&str> = text.trim_end().lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

/// A password that needs no escaping in an address: 32 letters and digits from the operating system's generator.
#[must_use]
pub fn password() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), 32)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_written_file_is_private_and_leaves_no_temporary_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret.json");
        write_json(&path, &vec!["first"]).unwrap();
        write_json(&path, &vec!["second"]).unwrap();
        assert_eq!(read_json::<Vec<String>>(&path).unwrap(), Some(vec!["second".to_owned()]));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_file_is_none_and_a_broken_one_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stack.json");
        assert_eq!(read_json::<Vec<String>>(&path).unwrap(), None);
        std::fs::write(&path, "{").unwrap();
        let error = read_json::<Vec<String>>(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("{} does not read as a file of cutover's", path.display()));
    }

    #[test]
    fn the_tail_of_a_log_is_its_last_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, "one\ntwo\nthree\n\n").unwrap();
        assert_eq!(tail(&path, 2), "two\nthree");
        assert_eq!(tail(&path, 9), "one\ntwo\nthree");
        assert_eq!(tail(&directory.path().join("none"), 9), "");
    }

    #[test]
    fn a_full_disk_is_told_apart() {
        let error = FileError::new("write", Path::new("/data/x"), io::Error::from(ErrorKind::StorageFull));
        assert_eq!(error.to_string(), "no space left on the disk that holds /data/x");
        assert!(error.hint().contains("make room"));
    }
}
