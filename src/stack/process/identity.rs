//! Which process: its number and when it started, for numbers are used again.

use serde::{Deserialize, Serialize};

/// A process, told apart from every other that had or will have its number. Written to files and compared after a restart of
/// cutover or of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The process number.
    pub pid: u32,
    /// When it started, in the operating system's own terms: only ever compared, never read.
    pub started: String,
}

impl Identity {
    /// The process that has this number now; `None` when there is none or only what is left of a dead one.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        if pid == 0 || i32::try_from(pid).is_err() {
            return None;
        }
        let started = platform::started(pid)?;
        Some(Self { pid, started })
    }

    /// This process.
    #[must_use]
    pub fn own() -> Self {
        let pid = std::process::id();
        Self::of(pid).unwrap_or_else(|| Self { pid, started: String::new() })
    }

    /// Whether the process still runs. A process that ended and whose parent has not looked is dead.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        Self::of(self.pid).is_some_and(|now| now == *self)
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::fs;

    /// The start in clock ticks since boot, behind the name of the boot, for ticks repeat from boot to boot.
    pub(super) fn started(pid: u32) -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let ticks = ticks(&stat)?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Some(format!("{}:{ticks}", boot.get(..8).unwrap_or_default()))
    }

    /// Field 22 of `/proc/PID/stat`, unless the process is dead by field 3. Field 2 is the name in brackets, which may hold blanks
    /// and brackets itself.
    pub(super) fn ticks(stat: &str) -> Option<&str> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let (state, threads) = (fields.first()?, fields.get(17)?);
        // Why: when a large process is killed, its first thread is often gone while others still hold its files and ports.
        let dead = matches!(*state, "X" | "x") || (*state == "Z" && matches!(*threads, "0" | "1"));
        if dead { None } else { fields.get(19).copied() }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use std::process::Command;

    /// The start as `ps` prints it, to the second.
    pub(super) fn started(pid: u32) -> Option<String> {
        let pid = pid.to_string();
        let output = Command::new("ps").env("LC_ALL", "C").args(["-o", "stat=,lstart=", "-p", &pid]).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let (state, started) = text.trim().split_once(' ')?;
        (!state.starts_with('Z')).then(|| started.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself_and_not_another_start() {
        let own = Identity::own();
        assert!(own.is_alive());
        assert!(!Identity { started: "earlier".to_owned(), ..own }.is_alive());
        assert_eq!(Identity::of(0), None);
        assert_eq!(Identity::of(u32::MAX), None);
    }

    #[test]
    fn a_process_that_ended_is_dead_before_its_parent_looks() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while Identity::of(child.id()).is_some() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_with_brackets_does_not_move_the_fields() {
        let stat =
            |state: &str, threads: &str| format!("7 (a) Z b)) {state} 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 {threads} 21 4711 0");
        assert_eq!(platform::ticks(&stat("S", "1")), Some("4711"));
        assert_eq!(platform::ticks(&stat("Z", "1")), None);
        assert_eq!(platform::ticks(&stat("Z", "9")), Some("4711"));
        assert_eq!(platform::ticks("7 (a"), None);
    }
}
