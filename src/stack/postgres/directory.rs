//! Whose a Postgres directory is at the moment: the lock file that the server keeps in it, and when that file is a dead one's.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::stack::files::{self, FileError};
use crate::stack::process::{Account, Identity};

/// Where the databases of root's data directories lie, for the user that runs them cannot reach into root's own directories.
const ROOTS: &str = "/var/lib/cutover";

/// The directory outside of `data` that holds its databases when we are root; `None` for everybody else. Its name comes from the
/// data directory's path, so that it can be found when only that is known.
pub(in crate::stack) fn root_directory(data: &Path) -> Option<PathBuf> {
    use std::fmt::Write;
    if !Account::is_root() {
        return None;
    }
    let digest = Sha256::digest(data.as_os_str().as_encoded_bytes());
    let mut name = String::new();
    for byte in digest.iter().take(8) {
        let _ = write!(name, "{byte:02x}");
    }
    Some(Path::new(ROOTS).join(name))
}

/// The server that works on this directory, as its lock file says and the process itself confirms.
pub(super) fn server_of(directory: &Path) -> Option<Identity> {
    let identity = Identity::of(locked_by(directory)?)?;
    works_in(&identity, directory).then_some(identity)
}

/// Removes a lock file whose number now belongs to a process that is no server of this directory; Postgres itself would refuse to
/// start. One whose process has gone is left to Postgres, which then also looks for what else is left of that server.
pub(super) fn clear_stale_lock(directory: &Path) -> Result<(), FileError> {
    let Some(stranger) = locked_by(directory).and_then(Identity::of) else { return Ok(()) };
    if works_in(&stranger, directory) || somebody_is_left_in(directory) {
        return Ok(());
    }
    files::remove(&directory.join("postmaster.pid"))
}

fn locked_by(directory: &Path) -> Option<u32> {
    let text = fs::read_to_string(directory.join("postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// Makes the directory that holds a database. Root's lies where `account` can reach it, and is given to it.
pub(super) fn make(directory: &Path, account: Option<&Account>) -> Result<(), FileError> {
    let Some(account) = account else { return files::create_private_dir(directory) };
    for (above, mode) in [(directory.parent().and_then(Path::parent), 0o755), (directory.parent(), 0o711), (Some(directory), 0o700)] {
        let Some(above) = above else { continue };
        if !above.is_dir() {
            let made = fs::DirBuilder::new().recursive(true).mode(mode).create(above);
            made.map_err(|error| FileError::new("create", above, error))?;
        }
    }
    give(directory, Some(account))
}

/// Gives a file or directory to the account that the server runs as.
pub(super) fn give(path: &Path, account: Option<&Account>) -> Result<(), FileError> {
    let Some(account) = account else { return Ok(()) };
    chown(path, Some(account.uid), Some(account.gid)).map_err(|error| FileError::new("give away", path, error))
}

/// Whether the process was started on this directory: we name it on the command line, which every user may read, unlike the
/// directory that a process works in.
fn works_in(identity: &Identity, directory: &Path) -> bool {
    command_line(identity.pid).is_some_and(|line| line.iter().any(|argument| argument == directory.as_os_str().as_encoded_bytes()))
}

#[cfg(target_os = "linux")]
fn command_line(pid: u32) -> Option<Vec<Vec<u8>>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(line.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect())
}

#[cfg(not(target_os = "linux"))]
fn command_line(pid: u32) -> Option<Vec<Vec<u8>>> {
    let output = std::process::Command::new("ps").args(["-ww", "-o", "command=", "-p", &pid.to_string()]).output().ok()?;
    Some(output.stdout.split(u8::is_ascii_whitespace).map(<[u8]>::to_vec).collect())
}

/// Whether a server's helper process is left in the directory. Those are known only by where they work, as far as we may see it.
#[cfg(target_os = "linux")]
fn somebody_is_left_in(directory: &Path) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.filter_map(|entry| fs::read_link(entry.path().join("cwd")).ok()).any(|cwd| cwd == directory)
}

#[cfg(not(target_os = "linux"))]
fn somebody_is_left_in(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_of_a_process_that_is_no_server_is_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let lock = directory.path().join("postmaster.pid");
        fs::write(&lock, format!("{}\n{}\n", std::process::id(), directory.path().display())).unwrap();
        assert_eq!(server_of(directory.path()), None);
        clear_stale_lock(directory.path()).unwrap();
        assert!(!lock.exists());
    }

    #[test]
    fn a_lock_file_of_a_dead_process_is_left_to_postgres() {
        let directory = tempfile::tempdir().unwrap();
        let lock = directory.path().join("postmaster.pid");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        fs::write(&lock, format!("{}\n", child.id())).unwrap();
        clear_stale_lock(directory.path()).unwrap();
        assert!(lock.exists());
    }

    #[test]
    fn a_process_that_was_started_on_the_directory_is_its_server() {
        let directory = tempfile::tempdir().unwrap();
        let mut command = std::process::Command::new("cat");
        let mut child = command.arg("-").arg(directory.path()).stdin(std::process::Stdio::piped()).spawn().unwrap();
        let lock = directory.path().join("postmaster.pid");
        fs::write(&lock, format!("{}\n", child.id())).unwrap();
        while server_of(directory.path()).is_none() {
            std::thread::yield_now();
        }
        assert_eq!(server_of(directory.path()).unwrap().pid, child.id());
        clear_stale_lock(directory.path()).unwrap();
        assert!(lock.exists());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(server_of(directory.path()), None);
    }

    #[test]
    fn a_lock_file_is_kept_while_a_helper_of_the_dead_server_works_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = fs::canonicalize(directory.path()).unwrap();
        let lock = path.join("postmaster.pid");
        let mut child = std::process::Command::new("sleep").arg("600").current_dir(&path).spawn().unwrap();
        fs::write(&lock, format!("{}\n", std::process::id())).unwrap();
        clear_stale_lock(&path).unwrap();
        assert!(!cfg!(target_os = "linux") || lock.exists());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
