//! Who uses the private Postgres: one file per user, with the process that it stands for. A file whose process has gone is nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::stack::files::{self, FileError};
use crate::stack::process::Identity;

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Keeps the private Postgres up until it is dropped.
#[derive(Debug)]
#[must_use = "the lease ends when it is dropped"]
pub struct Lease {
    path: PathBuf,
}

impl Lease {
    pub(super) fn take(servers: &Path) -> Result<Self, FileError> {
        files::create_private_dir(servers)?;
        let own = Identity::own();
        let path = servers.join(format!("{}-{}", own.pid, NEXT.fetch_add(1, Ordering::Relaxed)));
        files::write_json(&path, &own)?;
        Ok(Self { path })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Why: when the directory has gone, so has the lease.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether any process that took a lease still lives. Clears away the leases of those that do not.
pub(super) fn any(servers: &Path) -> bool {
    let entries = fs::read_dir(servers).into_iter().flatten().flatten();
    let mut living = false;
    for path in entries.map(|entry| entry.path()) {
        match files::read_json::<Identity>(&path) {
            Ok(Some(identity)) if identity.is_alive() => living = true,
            // Why: a temporary file that is being written may not read yet.
            Ok(None) => (),
            Err(_) if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(files::TEMPORARY)) => (),
            _ => drop(fs::remove_file(&path)),
        }
    }
    living
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lives_as_long_as_its_process_and_no_longer_than_itself() {
        let servers = tempfile::tempdir().unwrap();
        assert!(!any(servers.path()));
        let first = Lease::take(servers.path()).unwrap();
        let second = Lease::take(servers.path()).unwrap();
        drop(first);
        assert!(any(servers.path()));
        drop(second);
        assert!(!any(servers.path()));
    }

    #[test]
    fn a_lease_of_a_process_that_has_gone_is_cleared_away() {
        let servers = tempfile::tempdir().unwrap();
        let gone = Identity { started: "before".to_owned(), ..Identity::own() };
        files::write_json(&servers.path().join("7-0"), &gone).unwrap();
        fs::write(servers.path().join("8-0"), "no lease").unwrap();
        assert!(!any(servers.path()));
        assert_eq!(fs::read_dir(servers.path()).unwrap().count(), 0);
    }
}
