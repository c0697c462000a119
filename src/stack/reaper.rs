//! For tests: a child that outlives the test process just long enough to end what that one started, however it died. It waits on
//! the read end of a pipe whose only write end the test process holds.

use std::io::{self, BufRead, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use futures_util::future::join_all;

use super::error::StackError;
use super::local::Ending;
use super::process::Identity;
use super::progress::Silent;
use super::{DataDir, files, keeper, local, supervisor};

/// The test process' end of the pipe. When it is dropped, or the process dies in any way, the child ends everything that it was
/// told about.
#[derive(Debug)]
pub struct Reaper {
    pipe: Option<ChildStdin>,
    child: Child,
}

impl Reaper {
    /// Starts `cutover reaper` from the program at `program`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        // Why: in a group of its own, or Ctrl-C would end it together with the tests that it cleans up after.
        command.arg("reaper").stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        let mut child = command.spawn()?;
        Ok(Self { pipe: child.stdin.take(), child })
    }

    /// At the end: the local stack of this data directory.
    ///
    /// # Errors
    /// When the reaper has gone.
    pub fn watch_stack(&mut self, data: &Path) -> io::Result<()> {
        self.tell(&format!("stack {}", data.display()))
    }

    /// At the end: the private Postgres of this data directory, with its keeper.
    ///
    /// # Errors
    /// When the reaper has gone.
    pub fn watch_keeper(&mut self, data: &Path) -> io::Result<()> {
        self.tell(&format!("keeper {}", data.display()))
    }

    /// At the end: the supervisor of this data directory, with every instance.
    ///
    /// # Errors
    /// When the reaper has gone.
    pub fn watch_supervisor(&mut self, data: &Path) -> io::Result<()> {
        self.tell(&format!("supervisor {}", data.display()))
    }

    /// At the end: this process and its group.
    ///
    /// # Errors
    /// When the reaper has gone.
    pub fn watch_pid(&mut self, process: &Identity) -> io::Result<()> {
        self.tell(&format!("pid {} {}", process.pid, process.started))
    }

    /// At the very end: removes the directory. Only for one that the test made; with `watch_stack` and `watch_keeper` it must stay
    /// until those have read what is in it, so the test does not remove it itself.
    ///
    /// # Errors
    /// When the reaper has gone.
    pub fn remove_directory(&mut self, directory: &Path) -> io::Result<()> {
        self.tell(&format!("remove {}", directory.display()))
    }

    /// Has everything ended now, and waits for it.
    ///
    /// # Errors
    /// When something could not be ended; the reaper has said what.
    pub fn finish(mut self) -> io::Result<()> {
        drop(self.pipe.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("the reaper ended with {status}"))) }
    }

    fn tell(&mut self, line: &str) -> io::Result<()> {
        let pipe = self.pipe.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        pipe.write_all(format!("{line}\n").as_bytes())?;
        pipe.flush()
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // Why: a test that ends should find nothing left; one that is killed does not come here, and then nobody waits.
        let _ = self.child.wait();
    }
}

/// One thing to be ended.
#[derive(Debug, PartialEq, Eq)]
enum Charge {
    Stack(PathBuf),
    Keeper(PathBuf),
    Supervisor(PathBuf),
    Process(Identity),
    Directory(PathBuf),
}

impl Charge {
    fn read(line: &str) -> Option<Self> {
        let (kind, rest) = line.split_once(' ')?;
        match kind {
            "stack" => Some(Self::Stack(rest.into())),
            "keeper" => Some(Self::Keeper(rest.into())),
            "supervisor" => Some(Self::Supervisor(rest.into())),
            "remove" => Some(Self::Directory(rest.into())),
            "pid" => {
                let (pid, started) = rest.split_once(' ')?;
                Some(Self::Process(Identity { pid: pid.parse().ok()?, started: started.to_owned() }))
            }
            _ => None,
        }
    }

    async fn end(&self) -> Result<(), StackError> {
        match self {
            Self::Stack(path) => match DataDir::open_existing(path)? {
                Some(data) => local::down(&data, Ending::Kill, true, &mut Silent).await,
                None => Ok(()),
            },
            Self::Keeper(path) => match DataDir::open_existing(path)? {
                Some(data) => keeper::wipe(&data).await,
                None => Ok(()),
            },
            Self::Supervisor(path) => match DataDir::open_existing(path)? {
                Some(data) => supervisor::stop(&data, Ending::Kill).await.map(drop),
                None => Ok(()),
            },
            Self::Process(identity) => Ok(identity.kill().await?),
            Self::Directory(path) => Ok(files::remove(path)?),
        }
    }
}

/// What `cutover reaper` does: reads its charges from `input`, and when that ends, ends them. Processes go first, for they may start
/// what comes after, and directories last. Answers what could not be ended.
pub async fn run(input: impl BufRead) -> Vec<StackError> {
    // Why: nothing else goes on in this process while it reads, so it may block.
    let charges: Vec<Charge> = input.lines().map_while(Result::ok).filter_map(|line| Charge::read(&line)).collect();
    let rank = |charge: &Charge| match charge {
        Charge::Process(_) | Charge::Supervisor(_) => 0,
        Charge::Stack(_) | Charge::Keeper(_) => 1,
        Charge::Directory(_) => 2,
    };
    let mut errors = Vec::new();
    for stage in 0..=2 {
        let ended = join_all(charges.iter().filter(|charge| rank(charge) == stage).map(Charge::end)).await;
        errors.extend(ended.into_iter().filter_map(Result::err));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::process::Program;

    #[tokio::test]
    async fn charges_are_ended_when_the_pipe_closes() {
        let directory = tempfile::tempdir().unwrap();
        let kept = directory.path().join("kept");
        std::fs::create_dir(&kept).unwrap();
        let sleeper = Program::new("/bin/sh", directory.path().join("log")).args(["-c", "exec sleep 600"]).start().unwrap();
        let told = format!("remove {}\npid {} {}\nnonsense\n", kept.display(), sleeper.pid, sleeper.started);
        let errors = run(told.as_bytes()).await;
        assert!(errors.is_empty(), "{errors:?}");
        assert!(!sleeper.is_alive());
        assert!(!kept.exists());
    }

    #[test]
    fn lines_are_read_with_blanks_in_paths() {
        assert_eq!(Charge::read("stack /tmp/a b"), Some(Charge::Stack("/tmp/a b".into())));
        let process = Identity { pid: 7, started: "Mon Jan  1 00:00:00 2026".to_owned() };
        assert_eq!(Charge::read("pid 7 Mon Jan  1 00:00:00 2026"), Some(Charge::Process(process)));
        assert_eq!(Charge::read("pid seven x"), None);
        assert_eq!(Charge::read("stop"), None);
    }
}
