//! One place of a service in which an instance runs, dies and runs again. Owns how soon a dead one is tried again and when it counts
//! as failing.

use std::time::Duration;

use tokio::time::Instant;

use super::health::Health;
use super::process::Running;
use super::record::Started;
use crate::ports::workloads::{Instance, InstanceState};
use crate::stack::process::Identity;
use crate::store::workloads::InstanceRow;

/// The wait after the first death; it doubles with every further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// An instance that lived at least so long did not die of its start.
const QUICK: Duration = Duration::from_secs(10);

/// After so many quick deaths in a row an instance is failing.
const DEATHS: u32 = 5;

/// How long an instance may take to finish what it has.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A place and what is in it.
#[derive(Debug)]
pub(super) struct Slot {
    pub service: String,
    pub instance: String,
    pub release: String,
    /// Port of its administration; 0 while there was none.
    pub port: u16,
    /// Whether an earlier supervisor started it, on a socket that is not ours.
    pub adopted: bool,
    pub running: Option<Running>,
    pub health: Option<Health>,
    /// When its process was started.
    pub begun: Instant,
    /// When it was told to end.
    pub told: Option<Instant>,
    /// Whether it was killed, because it did not end.
    pub killed: bool,
    deaths: u32,
    again_at: Option<Instant>,
    reason: String,
}

impl Slot {
    /// A place for a new instance.
    pub(super) fn new(service: &str, release: &str, now: Instant) -> Self {
        Self {
            service: service.to_owned(),
            instance: name(service, release),
            release: release.to_owned(),
            port: 0,
            adopted: false,
            running: None,
            health: None,
            begun: now,
            told: None,
            killed: false,
            deaths: 0,
            again_at: Some(now),
            reason: String::new(),
        }
    }

    /// A place for an instance that an earlier supervisor started and that lives.
    pub(super) fn adopted(started: &Started, process: Identity, health: Health, now: Instant) -> Self {
        let mut slot = Self::new(&started.service, &started.release, now);
        slot.instance.clone_from(&started.instance);
        slot.port = started.port;
        slot.adopted = true;
        slot.running = Some(Running::adopted(process));
        slot.health = Some(health);
        slot.again_at = None;
        slot
    }

    pub(super) fn state(&self) -> InstanceState {
        if self.told.is_some() {
            InstanceState::Stopping
        } else if self.is_ready() {
            InstanceState::Ready
        } else if self.deaths >= DEATHS {
            InstanceState::Failing
        } else {
            InstanceState::Starting
        }
    }

    /// Whether it serves.
    pub(super) fn is_ready(&self) -> bool {
        self.running.is_some() && self.health.as_ref().is_some_and(Health::is_ready)
    }

    /// Whether the next try is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.running.is_none() && self.told.is_none() && self.again_at.is_some_and(|at| at <= now)
    }

    /// When there is something to do without anybody's saying so.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.told {
            Some(told) => (!self.killed).then_some(told + PATIENCE),
            None => self.again_at.filter(|_| self.running.is_none()),
        }
    }

    /// A try begins, under a name of its own.
    pub(super) fn begin(&mut self, now: Instant) {
        if self.deaths > 0 {
            self.instance = name(&self.service, &self.release);
        }
        self.begun = now;
        self.again_at = None;
    }

    /// The process ended by itself, or could not be started at all.
    pub(super) fn died(&mut self, why: &str, now: Instant) {
        self.running = None;
        self.health = None;
        if now.duration_since(self.begun) >= QUICK {
            self.deaths = 0;
        }
        self.deaths += 1;
        let wait = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(self.deaths - 1)).min(LONGEST_WAIT);
        self.again_at = Some(now + wait);
        let times = if self.deaths == 1 { String::new() } else { format!(", {} times in a row", self.deaths) };
        self.reason = format!("{why}{times}");
    }

    /// For the record; `None` when there is no process and none is about to be.
    pub(super) fn started(&self) -> Started {
        Started {
            service: self.service.clone(),
            instance: self.instance.clone(),
            release: self.release.clone(),
            port: self.port,
            process: self.running.as_ref().map(|running| running.identity.clone()),
        }
    }

    /// For everybody.
    pub(super) fn row(&self) -> InstanceRow {
        let state = self.state();
        let process = self.running.as_ref().map(|running| &running.identity);
        InstanceRow {
            instance: Instance {
                service: self.service.clone(),
                instance: self.instance.clone(),
                release: self.release.clone(),
                state,
                reason: if state == InstanceState::Failing { self.reason.clone() } else { String::new() },
            },
            pid: process.map(|process| process.pid),
            started: process.map(|process| process.started.clone()),
            port: (self.port != 0).then_some(self.port),
        }
    }
}

/// A name that no other process ever had or will have.
fn name(service: &str, release: &str) -> String {
    use rand::distr::SampleString;
    let tail = rand::distr::Alphanumeric.sample_string(&mut rand::rng(), 6).to_ascii_lowercase();
    let release: String =
        release.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '_' }).collect();
    format!("{service}-{release}-{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaths_in_a_row_make_it_failing_and_waits_longer() {
        let mut now = Instant::now();
        let mut slot = Slot::new("hiring", "1.5", now);
        assert!(slot.is_due(now));
        let mut waits = Vec::new();
        for death in 1..=8 {
            slot.begin(now);
            now += Duration::from_secs(1);
            slot.died("exit code 3", now);
            assert_eq!(slot.state() == InstanceState::Failing, death >= 5, "death {death}");
            let wait = slot.next().unwrap() - now;
            assert!(!slot.is_due(now) && slot.is_due(now + wait));
            waits.push(wait.as_millis());
            now += wait;
        }
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(slot.row().instance.reason, "exit code 3, 8 times in a row");
    }

    #[test]
    fn a_long_life_is_forgiven() {
        let mut now = Instant::now();
        let mut slot = Slot::new("hiring", "1.5", now);
        for _ in 0..6 {
            slot.begin(now);
            slot.died("exit code 3", now);
        }
        slot.begin(now);
        now += QUICK;
        slot.died("signal 9", now);
        assert_eq!(slot.state(), InstanceState::Starting);
        assert_eq!(slot.next(), Some(now + FIRST_WAIT));
        assert_eq!(slot.row().instance.reason, "");
    }

    #[test]
    fn every_try_has_a_name_of_its_own() {
        let now = Instant::now();
        let mut slot = Slot::new("hiring", "1.5/x", now);
        let first = slot.instance.clone();
        assert!(first.starts_with("hiring-1.5_x-"), "{first}");
        slot.begin(now);
        assert_eq!(slot.instance, first);
        slot.died("signal 9", now);
        slot.begin(now);
        assert_ne!(slot.instance, first);
    }
}
