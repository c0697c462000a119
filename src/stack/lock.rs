//! Locks between processes: an advisory lock on a file, which the kernel takes back when its holder dies in any way.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use super::files::{FileError, create_private_dir};

const POLL: Duration = Duration::from_millis(25);

/// An exclusive lock, held until it is dropped.
#[derive(Debug)]
pub struct FileLock(#[expect(dead_code, reason = "closing the file gives the lock back")] File);

impl FileLock {
    /// Takes the lock when it is free; `None` when somebody else holds it.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn try_take(path: &Path) -> Result<Option<Self>, FileError> {
        if let Some(parent) = path.parent() {
            create_private_dir(parent)?;
        }
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = options.map_err(|error| FileError::new("open", path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(FileError::new("lock", path, error)),
        }
    }

    /// Waits for the lock as long as it takes; `waiting` is called once if somebody else holds it.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub async fn take(path: &Path, waiting: impl FnOnce()) -> Result<Self, FileError> {
        let mut waiting = Some(waiting);
        loop {
            if let Some(lock) = Self::try_take(path)? {
                return Ok(lock);
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_holder_waits_for_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("below/lock");
        let first = FileLock::try_take(&path).unwrap().unwrap();
        assert!(FileLock::try_take(&path).unwrap().is_none());
        let (told, hears) = tokio::sync::oneshot::channel();
        let waiter = tokio::spawn({
            let path = path.clone();
            async move { FileLock::take(&path, || told.send(()).unwrap()).await.unwrap() }
        });
        hears.await.unwrap();
        drop(first);
        waiter.await.unwrap();
    }
}
