//! Fetches Kafka and the registry through Maven, so that the user's own mirror, proxy and credentials hold. What is in the cache is
//! whole: it is put together beside its place and then renamed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::sync::Mutex;

use super::{cache, record};
use crate::stack::error::{MAVEN, StackError};
use crate::stack::files::{self, FileError, TEMPORARY};
use crate::stack::lock::FileLock;
use crate::stack::progress::Teller;

/// Something that Maven fetches.
pub(super) struct Artifact {
    /// Short name, for file names.
    slug: &'static str,
    /// As people call it.
    name: &'static str,
    version: &'static str,
    size: &'static str,
    pom: &'static str,
    goal: &'static str,
    /// A file that a whole fetch has.
    witness: &'static str,
}

pub(super) const KAFKA: Artifact = Artifact {
    slug: "kafka",
    name: "Apache Kafka",
    version: record::KAFKA,
    size: "54 MB",
    pom: include_str!("kafka.pom.xml"),
    goal: "dependency:copy-dependencies",
    witness: "kafka_2.13-4.3.0.jar",
};

pub(super) const REGISTRY: Artifact = Artifact {
    slug: "registry",
    name: "Apicurio Registry",
    version: record::REGISTRY,
    size: "142 MB",
    pom: include_str!("registry.pom.xml"),
    goal: "dependency:unpack-dependencies",
    witness: "apicurio-registry-app-2.6.13.Final-runner.jar",
};

// Why: Maven's own store does not stand two at once well, and one after the other is told better.
static TURN: Mutex<()> = Mutex::const_new(());

impl Artifact {
    /// The directory that holds it, after fetching it if it was not there.
    pub(super) async fn obtain(&self, teller: &Teller) -> Result<PathBuf, StackError> {
        self.obtain_into(&cache::directory(), teller).await
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
        let pom = work.join("pom.xml");
        files::write_private(&pom, self.pom.as_bytes())?;
        let content = work.join("content");
        let log = cache.join(format!("fetch-{}.log", self.slug));
        let output = File::create(&log).map_err(|error| FileError::new("write", &log, error))?;
        let errors = output.try_clone().map_err(|error| FileError::new("write", &log, error))?;
        let mut maven = Command::new("mvn");
        maven.args(["-q", "-B", "-f"]).arg(&pom).arg(self.goal).arg("-DincludeScope=runtime");
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
        if !content.join(self.witness).is_file() {
            return Err(StackError::fetch(&what, format!("mvn brought no {}", self.witness), &log));
        }
        sync_tree(&content).map_err(|error| FileError::new("write", &content, error))?;
        Ok(fs::rename(&content, place).map_err(|error| FileError::new("create", place, error))?)
    }

    /// Whether it is in the cache.
    pub(super) fn is_there(&self) -> bool {
        cache::directory().join(self.directory_name()).is_dir()
    }

    /// With a mark of what is asked for, so that a later build that asks for something else does not take this.
    fn directory_name(&self) -> String {
        let mark: Vec<String> = Sha256::digest(self.pom).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-{}", self.slug, self.version, mark.concat())
    }
}

/// Whether `mvn` is on the search path.
pub(super) fn has_maven() -> bool {
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
    }
}
