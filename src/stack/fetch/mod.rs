//! Fetches Kafka, the registry and, where none is installed, Postgres through Maven, so that the user's own mirror, proxy and credentials
//! hold, and Maven's own check of what it brings. What is in the cache is whole: it is put together beside its place and then renamed.

mod cache;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::stack::error::{MAVEN, StackError};
use crate::stack::files::{self, FileError, TEMPORARY};
use crate::stack::lock::FileLock;
use crate::stack::process::Account;
use crate::stack::progress::Teller;

const KAFKA_VERSION: &str = "4.3.0";
const REGISTRY_VERSION: &str = "2.6.13.Final";
const POSTGRES_VERSION: &str = "17.6.0";

/// What root's Postgres runs from: its user cannot reach into root's own cache.
const ROOTS: &str = "/var/lib/cutover/programs";

/// Where Postgres is published for this machine; nothing where it is not.
const PLATFORM: Option<&str> = if cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
    Some("linux-amd64")
} else if cfg!(all(target_os = "linux", target_arch = "aarch64", target_env = "gnu")) {
    Some("linux-arm64v8")
} else if cfg!(all(target_os = "macos", target_arch = "aarch64")) {
    Some("darwin-arm64v8")
} else if cfg!(all(target_os = "macos", target_arch = "x86_64")) {
    Some("darwin-amd64")
} else {
    None
};

/// Something that Maven fetches.
pub(in crate::stack) struct Artifact {
    /// Short name, for file names.
    slug: &'static str,
    /// As people call it.
    name: &'static str,
    /// Its version.
    pub version: &'static str,
    size: &'static str,
    pom: &'static str,
    goal: &'static str,
    /// A file that a whole fetch has.
    witness: &'static str,
    /// Whether what Maven brings is an archive in an archive.
    packed: bool,
    /// Whether another user than ours runs it when we are root.
    shared: bool,
}

pub(in crate::stack) const KAFKA: Artifact = Artifact {
    slug: "kafka",
    name: "Apache Kafka",
    version: KAFKA_VERSION,
    size: "54 MB",
    pom: include_str!("kafka.pom.xml"),
    goal: "dependency:copy-dependencies",
    witness: "kafka_2.13-4.3.0.jar",
    packed: false,
    shared: false,
};

pub(in crate::stack) const REGISTRY: Artifact = Artifact {
    slug: "registry",
    name: "Apicurio Registry",
    version: REGISTRY_VERSION,
    size: "142 MB",
    pom: include_str!("registry.pom.xml"),
    goal: "dependency:unpack-dependencies",
    witness: "apicurio-registry-app-2.6.13.Final-runner.jar",
    packed: false,
    shared: false,
};

const POSTGRES: Artifact = Artifact {
    slug: "postgres",
    name: "PostgreSQL",
    version: POSTGRES_VERSION,
    size: "15 MB",
    pom: include_str!("postgres.pom.xml"),
    goal: "dependency:unpack-dependencies",
    witness: "bin/initdb",
    packed: true,
    shared: true,
};

/// Postgres, where it is published for this machine.
pub(in crate::stack) const fn postgres() -> Option<&'static Artifact> {
    if PLATFORM.is_some() { Some(&POSTGRES) } else { None }
}

// Why: Maven's own store does not stand two at once well, and one after the other is told better.
static TURN: Mutex<()> = Mutex::const_new(());

impl Artifact {
    /// The directory that holds it, after fetching it if it was not there.
    pub async fn obtain(&self, teller: &Teller) -> Result<PathBuf, StackError> {
        self.obtain_into(&self.cache(), teller).await
    }

    /// Where it is, if it is there.
    pub fn place(&self) -> Option<PathBuf> {
        Some(self.cache().join(self.directory_name())).filter(|place| place.is_dir())
    }

    fn cache(&self) -> PathBuf {
        if self.shared && Account::is_root() { PathBuf::from(ROOTS) } else { cache::directory() }
    }

    async fn obtain_into(&self, cache: &Path, teller: &Teller) -> Result<PathBuf, StackError> {
        let place = cache.join(self.directory_name());
        if place.is_dir() {
            return Ok(place);
        }
        let _turn = TURN.lock().await;
        let lock = cache.join("lock");
        let _lock = FileLock::take(&lock, || teller.tell("Waiting", format!("for another fetch into {}", cache.display()))).await?;
        if place.is_dir() {
            return Ok(place);
        }
        clear_leavings(cache);
        teller.tell("Fetching", format!("{} {} ({}, once)", self.name, self.version, self.size));
        let work = cache.join(format!("{TEMPORARY}{}-{}", self.slug, std::process::id()));
        let done = self.fetch(cache, &work, &place).await;
        let _ = files::remove(&work);
        done.map(|()| place)
    }

    async fn fetch(&self, cache: &Path, work: &Path, place: &Path) -> Result<(), StackError> {
        let what = format!("{} {}", self.name, self.version);
        files::create_private_dir(work)?;
        if self.shared {
            open_to_all(&[cache, work])?;
        }
        let pom = work.join("pom.xml");
        files::write_private(&pom, self.pom.as_bytes())?;
        let content = work.join("content");
        let log = cache.join(format!("fetch-{}.log", self.slug));
        let output = File::create(&log).map_err(|error| FileError::new("write", &log, error))?;
        let errors = output.try_clone().map_err(|error| FileError::new("write", &log, error))?;
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-f"]).arg(&pom).arg(self.goal).arg("-DincludeScope=runtime");
        maven.args(PLATFORM.map(|platform| format!("-Dcutover.platform={platform}")));
        maven.arg(format!("-DoutputDirectory={}", content.display())).arg(format!("-DmarkersDirectory={}", work.join("markers").display()));
        maven.current_dir(work).stdin(Stdio::null()).stdout(output).stderr(errors).kill_on_drop(true);
        let status = match maven.status().await {
            Ok(status) => status,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(StackError::missing(MAVEN, None)),
            Err(error) => return Err(StackError::fetch(&what, format!("mvn does not start: {error}"), &log)),
        };
        if !status.success() {
            return Err(StackError::fetch(&what, format!("mvn ended with {status}"), &log));
        }
        let content = if self.packed { unpack(&what, &content, &work.join("unpacked"), &log).await? } else { content };
        if self.shared {
            open_to_all(&[&content])?;
        }
        if !content.join(self.witness).is_file() {
            return Err(StackError::fetch(&what, format!("mvn brought no {}", self.witness), &log));
        }
        sync_tree(&content).map_err(|error| FileError::new("write", &content, error))?;
        Ok(fs::rename(&content, place).map_err(|error| FileError::new("create", place, error))?)
    }

    /// Whether it is in the cache.
    pub fn is_there(&self) -> bool {
        self.place().is_some()
    }

    /// With a mark of what is asked for, so that a later build that asks for something else does not take this.
    fn directory_name(&self) -> String {
        let mark: Vec<String> = Sha256::digest(self.pom).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{}", self.slug, self.version, mark.concat())
    }
}

/// Unpacks the one archive that lies in what Maven brought.
async fn unpack(what: &str, content: &Path, into: &Path, log: &Path) -> Result<PathBuf, StackError> {
    let entries = fs::read_dir(content).into_iter().flatten().flatten().map(|entry| entry.path());
    let archive = entries.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "txz"));
    let archive = archive.ok_or_else(|| StackError::fetch(what, "mvn brought no archive of it".to_owned(), log))?;
    fs::create_dir(into).map_err(|error| FileError::new("create", into, error))?;
    let output = Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(into).stdin(Stdio::null()).output().await;
    match output {
        Ok(output) if output.status.success() => Ok(into.to_owned()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(StackError::fetch(what, format!("`tar` cannot unpack it ({said}); it needs `xz`, package xz-utils"), log))
        }
        Err(error) => Err(StackError::fetch(what, format!("`tar` does not start: {error}"), log)),
    }
}

/// Lets the user that runs it look into these directories.
fn open_to_all(directories: &[&Path]) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt;
    for directory in directories {
        let opened = fs::set_permissions(directory, fs::Permissions::from_mode(0o755));
        opened.map_err(|error| FileError::new("open", directory, error))?;
    }
    Ok(())
}

/// Whether `mvn` is on the search path.
pub(in crate::stack) fn has_maven() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join("mvn").is_file())
}

/// Removes what fetches that were cut short have left. A Maven that outlived one may still write there; that is nobody's place.
fn clear_leavings(cache: &Path) {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY)) {
        let _ = files::remove(&entry.path());
    }
}

/// Puts a tree on the disk before its name says that it is whole.
fn sync_tree(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::progress::{Silent, listen};

    #[tokio::test]
    async fn what_is_there_is_taken_and_what_a_cut_short_fetch_left_is_not() {
        let cache = tempfile::tempdir().unwrap();
        let left = cache.path().join(format!("{TEMPORARY}kafka-1"));
        fs::create_dir_all(left.join("content")).unwrap();
        fs::create_dir_all(cache.path().join(KAFKA.directory_name())).unwrap();
        let found = listen(&mut Silent, |teller| async move { KAFKA.obtain_into(cache.path(), &teller).await.unwrap() }).await;
        assert!(found.ends_with(KAFKA.directory_name()));
        clear_leavings(left.parent().unwrap());
        assert!(!left.exists());
    }

    #[test]
    fn the_versions_that_are_told_are_the_ones_that_are_fetched() {
        assert!(KAFKA.pom.contains(&format!("<version>{}</version>", KAFKA.version)) && KAFKA.witness.contains(KAFKA.version));
        assert!(REGISTRY.pom.contains(&format!("<version>{}</version>", REGISTRY.version)) && REGISTRY.witness.contains(REGISTRY.version));
        assert!(POSTGRES.pom.contains(&format!("<version>{}</version>", POSTGRES.version)));
    }
}
