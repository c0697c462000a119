//! Whose a Postgres directory is at the moment: the lock file that the server keeps in it, and when that file is a dead one's.

use std::fs::{self, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
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

/// Removes a lock file whose number belongs to a process that is no server of this directory, or to what is left of a dead one;
/// Postgres itself would refuse to start. One whose process has gone without a trace is left to Postgres, which looks for what
/// else is left of that server. `false` when something is, and the server must not be started yet.
pub(super) fn clear_stale_lock(directory: &Path) -> Result<bool, FileError> {
    let Some(pid) = locked_by(directory) else { return Ok(true) };
    let traceless = i32::try_from(pid).is_ok_and(|pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH));
    if traceless || server_of(directory).is_some() {
        return Ok(true);
    }
    if memory_is_in_use(directory) {
        return Ok(false);
    }
    files::remove(&directory.join("postmaster.pid"))?;
    Ok(true)
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
            // Why: set again after the making, which the user's mask narrows.
            let made = fs::DirBuilder::new().recursive(true).mode(mode).create(above);
            let made = made.and_then(|()| fs::set_permissions(above, Permissions::from_mode(mode)));
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

/// Whether processes of the server that wrote the lock file still hold its shared memory, which the file names by key and number
/// in its seventh line.
#[cfg(target_os = "linux")]
fn memory_is_in_use(directory: &Path) -> bool {
    let lock = fs::read_to_string(directory.join("postmaster.pid")).unwrap_or_default();
    let Some(number) = lock.lines().nth(6).and_then(|line| line.split_ascii_whitespace().nth(1)) else { return false };
    attached(&fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default(), number)
}

/// Reads the kernel's table of shared memory: number and attached processes are columns 2 and 7.
#[cfg(target_os = "linux")]
fn attached(table: &str, number: &str) -> bool {
    let mut rows = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    rows.any(|row| row.get(1) == Some(&number) && row.get(6).is_some_and(|attached| *attached != "0"))
}

#[cfg(not(target_os = "linux"))]
fn memory_is_in_use(_: &Path) -> bool {
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
        assert!(clear_stale_lock(directory.path()).unwrap());
        assert!(!lock.exists());
    }

    #[test]
    fn a_lock_file_of_a_dead_process_is_left_to_postgres() {
        let directory = tempfile::tempdir().unwrap();
        let lock = directory.path().join("postmaster.pid");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        fs::write(&lock, format!("{}\n", child.id())).unwrap();
        assert!(clear_stale_lock(directory.path()).unwrap());
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
        assert!(clear_stale_lock(directory.path()).unwrap());
        assert!(lock.exists());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(server_of(directory.path()), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_dead_server_left_in_memory_is_seen() {
        let table = "       key      shmid perms       size  cpid  lpid nattch   uid\n  7537481          3   600         56  6582  6830      4   101\n\
                     0          5   600         56  6582  6830      0   101\n";
        assert!(attached(table, "3"));
        assert!(!attached(table, "5"));
        assert!(!attached(table, "7"));
    }

    #[test]
    fn a_lock_file_of_what_is_left_of_a_dead_server_is_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let lock = directory.path().join("postmaster.pid");
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while Identity::of(child.id()).is_some() {
            std::thread::yield_now();
        }
        fs::write(&lock, format!("{}\n", child.id())).unwrap();
        assert!(clear_stale_lock(directory.path()).unwrap());
        assert!(!lock.exists());
        child.wait().unwrap();
    }
}
