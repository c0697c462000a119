//! The logs of instances: bounded in size while they are written, and in number when their instances are gone. An instance writes its
//! log itself, so that it does not depend on the supervisor's life.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

use crate::stack::files::{FileError, create_private_dir};

/// A log that grows beyond this is begun anew; what it held is kept once as `….log.1`.
const LARGEST: u64 = 8 * 1024 * 1024;

/// How many logs of instances that are gone are kept, per service.
const KEPT: usize = 20;

/// Opens the log of a new instance.
pub(super) fn open(path: &Path) -> Result<File, FileError> {
    if let Some(parent) = path.parent() {
        create_private_dir(parent)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(|error| FileError::new("write", path, error))
}

/// Cuts down a log that has grown too large. Its writer appends, so it goes on at the new end; lines that it writes in this very
/// moment may be lost.
pub(super) fn bound(path: &Path) {
    let large = fs::metadata(path).is_ok_and(|metadata| metadata.len() > LARGEST);
    if large && fs::copy(path, path.with_extension("log.1")).is_ok() {
        // Why: a log that cannot be cut is tried again at the next look.
        let _ = OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(0));
    }
}

/// Removes the oldest logs of instances that are gone.
pub(super) fn clear(directory: &Path, living: &BTreeSet<String>) {
    let stem = |path: &Path| path.file_name().map(|name| name.to_string_lossy().split(".log").next().unwrap_or_default().to_owned());
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut gone: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| stem(path).is_some_and(|name| !living.contains(&name)))
        .map(|path| (fs::metadata(&path).and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH), path))
        .collect();
    gone.sort();
    for (_, path) in gone.iter().rev().skip(KEPT) {
        // Why: one that stays does no harm, and the next look tries again.
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_large_log_is_begun_anew_and_its_writer_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hiring/hiring-1.5-ab.log");
        let mut log = open(&path).unwrap();
        log.write_all(&vec![b'x'; usize::try_from(LARGEST).unwrap() + 1]).unwrap();
        bound(&path);
        log.write_all(b"after\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
        assert!(fs::metadata(path.with_extension("log.1")).unwrap().len() > LARGEST);
    }

    #[test]
    fn only_the_newest_logs_of_the_gone_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..KEPT + 5 {
            fs::write(directory.path().join(format!("hiring-{number:02}.log")), "").unwrap();
        }
        clear(directory.path(), &BTreeSet::from(["hiring-00".to_owned()]));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), KEPT + 1);
        assert!(directory.path().join("hiring-00.log").exists(), "its instance lives");
    }
}
