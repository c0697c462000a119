//! Why the local parts or the private Postgres are not up, in sentences for the person in front of the machine.

use std::path::{Path, PathBuf};

use crate::store::StoreError;

use super::datadir::DataDirError;
use super::files::{FileError, tail};
use super::process::ProcessError;

/// How many lines of a part's log an error shows.
const SHOWN: usize = 15;

/// Something that has to be installed by the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// What it is, for instance `Java 17 or later`.
    pub what: &'static str,
    /// What it is needed for.
    pub by: &'static str,
    /// The packages as Debian and Ubuntu name them.
    pub apt: &'static str,
    /// The formulae as Homebrew names them.
    pub brew: &'static str,
}

/// Java, for the broker and the registry.
pub const JAVA: Need =
    Need { what: "Java 17 or later (`java`)", by: "Kafka and the schema registry", apt: "openjdk-17-jdk-headless", brew: "openjdk@17" };
/// Maven, for fetching them.
pub const MAVEN: Need = Need { what: "Maven (`mvn`)", by: "fetching what is not installed", apt: "maven", brew: "maven" };
/// Postgres' server programs.
pub const POSTGRES: Need =
    Need { what: "PostgreSQL 14 or later (`initdb`, `postgres`)", by: "the databases", apt: "postgresql", brew: "postgresql@17" };

/// A need that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What is missing.
    pub need: Need,
    /// What is there instead, if anything.
    pub found: Option<String>,
}

/// A failure of this room.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// Something has to be installed first.
    #[error("{}", each_lack(.0))]
    Missing(Vec<Lack>),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A file of ours cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A process cannot be started or ended.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Maven did not bring what was asked for.
    #[error("cannot fetch {what}: {reason}\n{}", quoted(log, tail))]
    Fetch {
        /// Name and version.
        what: String,
        /// What went wrong.
        reason: String,
        /// Maven's own words.
        log: PathBuf,
        /// The end of them.
        tail: String,
    },
    /// A part ended while it was starting.
    #[error("{part} ended while it was starting\n{}", quoted(log, tail))]
    Died {
        /// `kafka`, `registry`, …
        part: &'static str,
        /// Its log.
        log: PathBuf,
        /// The end of it.
        tail: String,
    },
    /// A part runs and does not answer.
    #[error("{part} does not answer at {address} after {seconds} s: {reason}\n{}", quoted(log, tail))]
    NoAnswer {
        /// `kafka`, `registry`, …
        part: &'static str,
        /// Where it was asked.
        address: String,
        /// How long we waited.
        seconds: u64,
        /// What the last try said.
        reason: String,
        /// Its log.
        log: PathBuf,
        /// The end of it.
        tail: String,
    },
    /// The disk is full, as a part's log says.
    #[error("no space left on the disk that holds {}, says {part}", directory.display())]
    DiskFull {
        /// `postgres`, …
        part: &'static str,
        /// Where it writes.
        directory: PathBuf,
    },
    /// No port of the range is free.
    #[error("no free port between 20000 and 32000 on 127.0.0.1")]
    NoPort,
    /// The database was made by a Postgres that is not installed.
    #[error("the database in {} was made by PostgreSQL {made_by}; installed here: {installed}", directory.display())]
    PostgresVersion {
        /// The database's directory.
        directory: PathBuf,
        /// The major version that made it.
        made_by: u32,
        /// The major versions that are here.
        installed: String,
    },
    /// Root cannot run Postgres, and there is nobody else to run it.
    #[error("PostgreSQL refuses to run as root, and there is no user `postgres` to run it instead")]
    NoPostgresUser,
    /// The database belongs to another user.
    #[error("the database in {} belongs to another user", directory.display())]
    ForeignDatabase {
        /// The database's directory.
        directory: PathBuf,
    },
    /// A program of Postgres' failed.
    #[error("{program} failed: {output}")]
    PostgresTool {
        /// `initdb`, …
        program: String,
        /// What it printed.
        output: String,
    },
    /// The keeper of the private Postgres gave up; the sentence is its own.
    #[error("{sentence}")]
    Keeper {
        /// What it said.
        sentence: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// There is no services file.
    #[error("there is no services file {}", file.display())]
    NoServices {
        /// Where it was looked for.
        file: PathBuf,
    },
    /// The services file has a mistake.
    #[error("{}: {mistake}", file.display())]
    Services {
        /// The file.
        file: PathBuf,
        /// What is wrong in it, with the place.
        mistake: String,
    },
    /// A supervisor keeps this data directory's services already.
    #[error("a supervisor keeps the services of this data directory already (process {pid})")]
    Supervised {
        /// Its process.
        pid: u32,
    },
    /// The supervisor of this data directory keeps something else than is asked for.
    #[error("the supervisor of this data directory (process {pid}) keeps {keeps}")]
    SupervisesOther {
        /// Its process.
        pid: u32,
        /// What it keeps.
        keeps: String,
    },
    /// Another data directory's supervisor keeps the same workloads.
    #[error("another supervisor keeps {workloads}: {name}")]
    OtherSupervisor {
        /// The workloads.
        workloads: String,
        /// Machine and data directory of the other one.
        name: String,
    },
    /// The stack's Postgres refuses what makes the services' databases.
    #[error("the stack's Postgres does not let us {doing}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// The state database cannot be used.
    #[error(transparent)]
    State(#[from] StoreError),
    /// The keeper neither came up nor gave up.
    #[error("the private Postgres did not come up within {seconds} s; its logs are {} and {}", keeper.display(), postgres.display())]
    KeeperSilent {
        /// How long we waited.
        seconds: u64,
        /// The keeper's log.
        keeper: PathBuf,
        /// Postgres' log.
        postgres: PathBuf,
    },
}

impl StackError {
    /// What the person in front of the machine can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing(lacks) => {
                let each = |name: fn(&Need) -> &'static str| lacks.iter().map(|lack| name(&lack.need)).collect::<Vec<_>>().join(" ");
                Some(format!("install it: `apt-get install {}` or `brew install {}`", each(|need| need.apt), each(|need| need.brew)))
            }
            Self::DataDir(error) => Some(error.hint()),
            Self::File(error) | Self::Process(ProcessError::Log(error)) => Some(error.hint()),
            Self::Fetch { .. } => {
                Some("look at the network, or at the mirror and proxy in ~/.m2/settings.xml, and run the same command again".to_owned())
            }
            Self::DiskFull { directory, .. } => {
                Some(format!("make room on the disk of {}, and run the same command again", directory.display()))
            }
            Self::PostgresVersion { made_by, directory, .. } => Some(format!(
                "install that version: `apt-get install postgresql-{made_by}` or `brew install postgresql@{made_by}`; or move {} away to begin anew",
                directory.display()
            )),
            Self::NoPostgresUser => Some("create it: `useradd --system postgres`; or run cutover as an ordinary user".to_owned()),
            Self::ForeignDatabase { directory } => {
                Some(format!("run cutover as the user who owns {}, or name another data directory with --data", directory.display()))
            }
            Self::Keeper { hint, .. } => hint.clone(),
            Self::NoServices { .. } => Some("write one beside cutover.yaml, or name another one with --services".to_owned()),
            Self::Services { .. } => {
                Some("`services: {hiring: {command: [\"./hiring\", \"--release={release}\"]}}` is the form".to_owned())
            }
            Self::Supervised { .. } | Self::SupervisesOther { .. } => {
                Some("`cutover supervise --stop` ends it and its services".to_owned())
            }
            Self::OtherSupervisor { .. } => Some("end that one first, or name another environment with --env".to_owned()),
            _ => None,
        }
    }

    pub(super) fn missing(need: Need, found: Option<String>) -> Self {
        Self::Missing(vec![Lack { need, found }])
    }

    /// The end of a part that ended while it was starting: a full disk when its log says so.
    pub(super) fn died(part: &'static str, log: &Path, directory: &Path) -> Self {
        let tail = tail(log, SHOWN);
        if tail.contains("No space left on device") {
            return Self::DiskFull { part, directory: directory.to_owned() };
        }
        Self::Died { part, log: log.to_owned(), tail }
    }

    pub(super) fn no_answer(part: &'static str, address: impl Into<String>, seconds: u64, reason: impl Into<String>, log: &Path) -> Self {
        let (address, reason) = (address.into(), reason.into());
        Self::NoAnswer { part, address, seconds, reason, log: log.to_owned(), tail: tail(log, SHOWN) }
    }

    pub(super) fn fetch(what: &str, reason: impl Into<String>, log: &Path) -> Self {
        Self::Fetch { what: what.to_owned(), reason: reason.into(), log: log.to_owned(), tail: tail(log, SHOWN) }
    }
}

/// An error with everything that it came from, in one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn each_lack(lacks: &[Lack]) -> String {
    let one = |Lack { need, found }: &Lack| {
        let found = found.as_deref().map(|found| format!(" (found: {found})")).unwrap_or_default();
        format!("{} is needed for {} and is not installed{found}", need.what, need.by)
    };
    lacks.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn quoted(log: &Path, tail: &str) -> String {
    let mut text = String::new();
    for line in tail.lines() {
        text.push_str("  | ");
        text.push_str(line);
        text.push('\n');
    }
    text + "  its log is " + &log.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_command_that_installs_it() {
        let mut lacks = vec![Lack { need: JAVA, found: Some("Java 11 at /usr/bin/java".to_owned()) }];
        let error = StackError::Missing(lacks.clone());
        let java =
            "Java 17 or later (`java`) is needed for Kafka and the schema registry and is not installed (found: Java 11 at /usr/bin/java)";
        assert_eq!(error.to_string(), java);
        assert_eq!(error.hint().unwrap(), "install it: `apt-get install openjdk-17-jdk-headless` or `brew install openjdk@17`");
        lacks.push(Lack { need: MAVEN, found: None });
        let error = StackError::Missing(lacks);
        let maven = "Maven (`mvn`) is needed for fetching what is not installed and is not installed";
        assert_eq!(error.to_string(), format!("{java}; {maven}"));
        let hint = "install it: `apt-get install openjdk-17-jdk-headless maven` or `brew install openjdk@17 maven`";
        assert_eq!(error.hint().unwrap(), hint);
    }

    #[test]
    fn a_part_that_died_shows_the_end_of_its_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("broker.log");
        std::fs::write(&log, "INFO starting\nERROR no such listener\n").unwrap();
        let shown = StackError::died("kafka", &log, directory.path()).to_string();
        let expected =
            format!("kafka ended while it was starting\n  | INFO starting\n  | ERROR no such listener\n  its log is {}", log.display());
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_full_disk_is_read_from_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("postgres.log");
        std::fs::write(&log, "FATAL: could not write lock file \"postmaster.pid\": No space left on device\n").unwrap();
        assert!(matches!(StackError::died("postgres", &log, directory.path()), StackError::DiskFull { .. }));
    }
}
