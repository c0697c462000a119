//! Ends this very process with SIGKILL at a chosen journal write, so that tests can show what a crash there does.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::store::journal::Batch;

/// On which side of a journal write the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Before the statement is sent.
    Before,
    /// After it is committed, before anything that waited for it begins.
    Committed,
    /// After an act that waited for it has happened, before its result is recorded.
    Acted,
}

/// Where the process ends, written `before:3`, or `before:3:drained` for the third write about the step `drained`.
#[derive(Debug)]
pub struct CrashPoint {
    side: Side,
    write: u64,
    step: Option<String>,
    written: AtomicU64,
}

impl FromStr for CrashPoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a crash point such as before:1, committed:2 or acted:1:STEP");
        let (side, write) = text.split_once(':').ok_or_else(wrong)?;
        let (write, step) = write.split_once(':').map_or((write, None), |(write, step)| (write, Some(step.to_owned())));
        let side = match side {
            "before" => Side::Before,
            "committed" => Side::Committed,
            "acted" => Side::Acted,
            _ => return Err(wrong()),
        };
        Ok(Self { side, write: write.parse().map_err(|_| wrong())?, step, written: AtomicU64::new(0) })
    }
}

impl CrashPoint {
    /// Whether a batch is one of those that count.
    pub(super) fn counts(&self, batch: &Batch) -> bool {
        let about = |step: &str| batch.entries.iter().any(|entry| entry.body.get("step").and_then(Value::as_str) == Some(step));
        !batch.entries.is_empty() && self.step.as_deref().is_none_or(about)
    }

    /// Called before each write that counts.
    pub(super) fn before_write(&self) {
        let count = self.written.fetch_add(1, Ordering::SeqCst) + 1;
        if self.side == Side::Before && count == self.write {
            die();
        }
    }

    /// Called after each such write.
    pub(super) fn after_write(&self) {
        if self.side == Side::Committed && self.written.load(Ordering::SeqCst) == self.write {
            die();
        }
    }

    /// Called after each act.
    pub(super) fn after_act(&self) {
        if self.side == Side::Acted && self.written.load(Ordering::SeqCst) == self.write {
            die();
        }
    }
}

fn die() {
    // Why: only SIGKILL leaves no chance to tidy up, which is what a crash is. Should it be refused, nothing was tested, and the
    // harness notices that the process lives.
    let _ = kill(Pid::this(), Signal::SIGKILL);
}
