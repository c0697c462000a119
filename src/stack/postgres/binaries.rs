//! Where Postgres' server programs are. Distributions keep them off the search path, one directory per major version. Where there are
//! none that fit, they are fetched.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stack::error::{POSTGRES, StackError};
use crate::stack::fetch;
use crate::stack::progress::Teller;

/// Directories to look in instead of the usual ones, as in a search path; empty when none shall be found.
const VARIABLE: &str = "CUTOVER_POSTGRES_PATH";

/// The oldest major version that cutover is used with.
const OLDEST: u32 = 14;

/// The server programs of one installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// The directory that holds `initdb` and `postgres`.
    pub directory: PathBuf,
    /// Major version.
    pub major: u32,
}

impl Binaries {
    /// The installations of this machine, the preferred one first: the search path's, then the highest version, then what was fetched
    /// earlier.
    #[must_use]
    pub fn installed() -> Vec<Self> {
        let fetched = fetch::postgres().and_then(fetch::Artifact::place).and_then(|place| Self::in_directory(&place.join("bin")));
        match std::env::var_os(VARIABLE) {
            Some(named) => std::env::split_paths(&named).filter_map(|directory| Self::in_directory(&directory)).chain(fetched).collect(),
            None => Self::of_system().into_iter().chain(fetched).collect(),
        }
    }

    /// The programs for this database: installed ones, else fetched ones.
    ///
    /// # Errors
    /// As [`Self::choose`] where they cannot be fetched, and when fetching fails.
    pub(in crate::stack) async fn provide(database: &Path, teller: &Teller) -> Result<Self, StackError> {
        let found = Self::choose(&Self::installed(), database);
        match (found, fetch::postgres()) {
            (Err(_), Some(artifact)) if Self::can_be_fetched(database) => {
                artifact.obtain(teller).await?;
                Self::choose(&Self::installed(), database)
            }
            (found, _) => found,
        }
    }

    /// Whether what can be fetched for this machine fits the database.
    pub(in crate::stack) fn can_be_fetched(database: &Path) -> bool {
        let major = |artifact: &fetch::Artifact| artifact.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        fetch::postgres().is_some_and(|artifact| made_by(database).is_none_or(|made_by| Some(made_by) == major(artifact)))
    }

    fn of_system() -> Vec<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut found: Vec<Self> = std::env::split_paths(&path).filter_map(|directory| Self::in_directory(&directory)).collect();
        let mut others: Vec<Self> = usual_directories().iter().filter_map(|directory| Self::in_directory(directory)).collect();
        others.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
        found.extend(others);
        found
    }

    /// Chooses among `installed`: for an existing database the version that made it, else the first that is not too old.
    ///
    /// # Errors
    /// When there is none, or not the one that made the database.
    pub fn choose(installed: &[Self], database: &Path) -> Result<Self, StackError> {
        let versions = || {
            let mut majors: Vec<u32> = installed.iter().map(|binaries| binaries.major).collect();
            majors.sort_unstable();
            majors.dedup();
            majors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let made_by = made_by(database);
        let fitting = match made_by {
            Some(major) => installed.iter().find(|binaries| binaries.major == major),
            None => installed.iter().find(|binaries| binaries.major >= OLDEST),
        };
        match (fitting, made_by) {
            (Some(binaries), _) => Ok(binaries.clone()),
            (None, Some(made_by)) if !installed.is_empty() => {
                Err(StackError::PostgresVersion { directory: database.to_owned(), made_by, installed: versions() })
            }
            _ => Err(StackError::missing(POSTGRES, (!installed.is_empty()).then(|| format!("PostgreSQL {}", versions())))),
        }
    }

    /// One of the programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn in_directory(directory: &Path) -> Option<Self> {
        if !directory.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(directory.join("postgres")).arg("--version").output().ok()?;
        let major = major(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { directory: directory.to_owned(), major })
    }
}

/// The major version that made a database, if there is one.
fn made_by(database: &Path) -> Option<u32> {
    std::fs::read_to_string(database.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Where packages put the programs: Debian and Ubuntu, Red Hat's and Homebrew's two or three roots.
fn usual_directories() -> Vec<PathBuf> {
    let each = |root: &str, prefix: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix)).map(|entry| entry.path().join("bin")).collect()
    };
    let roots = [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql"),
        ("/usr/local/opt", "postgresql"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql"),
    ];
    roots.into_iter().flat_map(|(root, prefix)| each(root, prefix)).collect()
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; a development version says `18devel`.
fn major(said: &str) -> Option<u32> {
    let version = said.split_ascii_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(major: u32) -> Binaries {
        Binaries { directory: format!("/usr/lib/postgresql/{major}/bin").into(), major }
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 18devel\n"), Some(18));
        assert_eq!(major(""), None);
    }

    #[test]
    fn a_new_database_gets_the_preferred_version_and_an_old_one_its_own() {
        let database = tempfile::tempdir().unwrap();
        let installed = [at(13), at(17), at(16)];
        assert_eq!(Binaries::choose(&installed, database.path()).unwrap(), at(17));
        std::fs::write(database.path().join("PG_VERSION"), "16\n").unwrap();
        assert_eq!(Binaries::choose(&installed, database.path()).unwrap(), at(16));
    }

    #[test]
    fn a_database_of_a_version_that_is_not_here_is_refused_with_the_way_out() {
        let database = tempfile::tempdir().unwrap();
        std::fs::write(database.path().join("PG_VERSION"), "18\n").unwrap();
        let error = Binaries::choose(&[at(17), at(16), at(17)], database.path()).unwrap_err();
        let said = format!("the database in {} was made by PostgreSQL 18; installed here: 16, 17", database.path().display());
        assert_eq!(error.to_string(), said);
        assert!(error.hint().unwrap().starts_with("install that version: `apt-get install postgresql-18`"));
    }

    #[test]
    fn no_or_only_too_old_programs_are_a_need() {
        let database = tempfile::tempdir().unwrap();
        let error = Binaries::choose(&[], database.path()).unwrap_err();
        let said = "PostgreSQL 14 or later (`initdb`, `postgres`) is needed for the databases and is not installed";
        assert_eq!(error.to_string(), said);
        let error = Binaries::choose(&[at(12)], database.path()).unwrap_err();
        assert_eq!(error.to_string(), format!("{said} (found: PostgreSQL 12)"));
    }
}
