//! The data directory: where it is, that it is ours, private and writable, and where in it things lie.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::{self, FileError, TEMPORARY};
use super::process::Identity;

/// The format that this build writes.
const FORMAT: u32 = 1;

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Not writable, full, or unreadable.
    #[error(transparent)]
    File(#[from] FileError),
    /// A later cutover wrote it.
    #[error("the data directory {} was written by a newer cutover (format {found}, this one knows {FORMAT})", directory.display())]
    Newer {
        /// Which directory.
        directory: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It has a `version` file that is not ours.
    #[error("{} does not say a format number", version.display())]
    NoNumber {
        /// The file.
        version: PathBuf,
    },
    /// It holds other things.
    #[error("{} is no data directory of cutover's: it holds other files and no `version` file", directory.display())]
    Foreign {
        /// Which directory.
        directory: PathBuf,
    },
    /// There is a file where the directory should be.
    #[error("{} is not a directory", directory.display())]
    NotADirectory {
        /// Its path.
        directory: PathBuf,
    },
}

impl DataDirError {
    /// What the person in front of the machine can do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::File(error) => format!("{}; or name another data directory with --data", error.hint()),
            Self::Newer { .. } => "use the newer cutover, or name another data directory with --data".to_owned(),
            Self::NoNumber { version } => format!("write {FORMAT} into {} if the directory is cutover's", version.display()),
            Self::Foreign { .. } | Self::NotADirectory { .. } => "name an empty or a new directory with --data".to_owned(),
        }
    }
}

/// A data directory that can be used. Everything in it is private to the user (0700).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
}

/// The server that a data directory belongs to at the moment, as `server.json` says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFile {
    /// Process number of the server.
    pub pid: u32,
    /// When it started, as in [`Identity`].
    pub started: String,
    /// Where it answers, for instance `http://127.0.0.1:7070`.
    pub url: String,
    /// The version of its binary.
    pub version: String,
}

impl ServerFile {
    /// The server's process.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity { pid: self.pid, started: self.started.clone() }
    }
}

impl DataDir {
    /// Where the data directory is: `named` (from `--data` or `CUTOVER_DATA`), else `.cutover` beside the nearest `cutover.yaml`
    /// in `from` or above it, else `.cutover` in `from`. Nothing is created.
    #[must_use]
    pub fn locate(named: Option<&Path>, from: &Path) -> PathBuf {
        if let Some(named) = named.filter(|path| !path.as_os_str().is_empty()) {
            return from.join(named);
        }
        let home = from.ancestors().find(|directory| directory.join("cutover.yaml").is_file());
        home.unwrap_or(from).join(".cutover")
    }

    /// Creates the directory if it is not there, checks that it is ours and writable, and closes it to other users.
    ///
    /// # Errors
    /// When it cannot be written, holds other things, or was written by a newer cutover.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        files::create_private_dir(path).map_err(|error| match error {
            FileError::Io { source, .. } if matches!(source.kind(), ErrorKind::AlreadyExists | ErrorKind::NotADirectory) => {
                DataDirError::NotADirectory { directory: path.to_owned() }
            }
            other => other.into(),
        })?;
        let root = fs::canonicalize(path).map_err(|error| FileError::new("open", path, error))?;
        let directory = Self { root };
        match directory.format()? {
            Some(FORMAT) => files::check_writable(&directory.root)?,
            Some(found) => return Err(DataDirError::Newer { directory: directory.root, found }),
            None if directory.is_empty()? => {
                files::write_private(&directory.version(), format!("{FORMAT}\n").as_bytes())?;
                // Why: the directory often lies in a repository, and it holds passwords.
                files::write_private(&directory.root.join(".gitignore"), b"*\n")?;
            }
            None => return Err(DataDirError::Foreign { directory: directory.root }),
        }
        let closed = fs::set_permissions(&directory.root, Permissions::from_mode(0o700));
        closed.map_err(|error| FileError::new("close to other users", &directory.root, error))?;
        Ok(directory)
    }

    /// As [`Self::open`] when the directory is there; `None`, and nothing created, when it is not.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_existing(path: &Path) -> Result<Option<Self>, DataDirError> {
        if path.exists() { Self::open(path).map(Some) } else { Ok(None) }
    }

    /// The directory itself, as an absolute path without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// What the local stack says of itself.
    #[must_use]
    pub fn stack_file(&self) -> PathBuf {
        self.root.join("stack.json")
    }

    /// Where the local stack's parts keep their data and logs.
    #[must_use]
    pub fn stack(&self) -> PathBuf {
        self.root.join("stack")
    }

    /// Where the private Postgres and its keeper keep what they need.
    #[must_use]
    pub fn keeper(&self) -> PathBuf {
        self.root.join("keeper")
    }

    /// The server that belongs to this directory.
    #[must_use]
    pub fn server_file(&self) -> PathBuf {
        self.root.join("server.json")
    }

    /// The token that the command line shows to the server.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.root.join("token")
    }

    /// The token that services show to the server: it reads flag documents and reports which revision is used, and nothing else.
    #[must_use]
    pub fn flags_token_file(&self) -> PathBuf {
        self.root.join("token.flags")
    }

    /// The log of one of our processes, for instance `serve`.
    #[must_use]
    pub fn log(&self, of: &str) -> PathBuf {
        self.root.join(format!("{of}.log"))
    }

    /// Reads `server.json`; `None` when there is none.
    ///
    /// # Errors
    /// When it cannot be read or holds something else.
    pub fn read_server(&self) -> Result<Option<ServerFile>, FileError> {
        files::read_json(&self.server_file())
    }

    /// Replaces `server.json` whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_server(&self, server: &ServerFile) -> Result<(), FileError> {
        files::write_json(&self.server_file(), server)
    }

    fn version(&self) -> PathBuf {
        self.root.join("version")
    }

    fn format(&self) -> Result<Option<u32>, DataDirError> {
        let version = self.version();
        match fs::read_to_string(&version) {
            Ok(text) => text.trim().parse().map(Some).map_err(|_| DataDirError::NoNumber { version }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(DataDirError::NoNumber { version }),
            Err(error) => Err(FileError::new("read", &version, error).into()),
        }
    }

    /// Whether nothing is in it but what another `open` at this moment, or one that was cut short, has put there.
    fn is_empty(&self) -> Result<bool, FileError> {
        let entries = fs::read_dir(&self.root).map_err(|error| FileError::new("read", &self.root, error))?;
        let ours = |name: &OsStr| name == "version" || name == ".gitignore" || name.to_string_lossy().starts_with(TEMPORARY);
        Ok(entries.flatten().all(|entry| ours(&entry.file_name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_lies_beside_the_nearest_cutover_yaml() {
        let tree = tempfile::tempdir().unwrap();
        let below = tree.path().join("team/service");
        fs::create_dir_all(&below).unwrap();
        assert_eq!(DataDir::locate(None, &below), below.join(".cutover"));
        fs::write(tree.path().join("cutover.yaml"), "").unwrap();
        assert_eq!(DataDir::locate(None, &below), tree.path().join(".cutover"));
        assert_eq!(DataDir::locate(Some(Path::new("elsewhere")), &below), below.join("elsewhere"));
        assert_eq!(DataDir::locate(Some(Path::new("/abs")), &below), Path::new("/abs"));
        assert_eq!(DataDir::locate(Some(Path::new("")), &below), tree.path().join(".cutover"));
    }

    #[test]
    fn an_opened_directory_is_private_and_opens_again() {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().join("new/.cutover");
        assert_eq!(DataDir::open_existing(&path).unwrap(), None);
        let first = DataDir::open(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        assert_eq!(DataDir::open(&path).unwrap(), first);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_newer_directory_is_refused_with_a_sentence() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("version"), "2\n").unwrap();
        let error = DataDir::open(tree.path()).unwrap_err();
        assert!(error.to_string().ends_with("was written by a newer cutover (format 2, this one knows 1)"), "{error}");
        fs::write(tree.path().join("version"), "one\n").unwrap();
        assert!(matches!(DataDir::open(tree.path()), Err(DataDirError::NoNumber { .. })));
    }

    #[test]
    fn a_directory_with_other_things_is_neither_used_nor_closed() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("thesis.tex"), "").unwrap();
        fs::set_permissions(tree.path(), Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(DataDir::open(tree.path()), Err(DataDirError::Foreign { .. })));
        assert_eq!(fs::metadata(tree.path()).unwrap().permissions().mode() & 0o777, 0o755);
        assert!(matches!(DataDir::open(&tree.path().join("thesis.tex")), Err(DataDirError::NotADirectory { .. })));
    }

    #[test]
    fn an_open_that_was_cut_short_is_finished_by_the_next() {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join(format!("{TEMPORARY}12-0")), "").unwrap();
        DataDir::open(tree.path()).unwrap();
    }

    #[test]
    fn the_server_file_reads_back() {
        let tree = tempfile::tempdir().unwrap();
        let directory = DataDir::open(tree.path()).unwrap();
        assert_eq!(directory.read_server().unwrap(), None);
        let Identity { pid, started } = Identity::own();
        let server = ServerFile { pid, started, url: "http://127.0.0.1:7070".to_owned(), version: "0.1.0".to_owned() };
        directory.write_server(&server).unwrap();
        assert_eq!(directory.read_server().unwrap().unwrap(), server);
        assert!(server.identity().is_alive());
    }
}
