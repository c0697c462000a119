//! Who has taken notice of a revision of the flag document: a pure comparison of what services report with what the workloads say runs.
//! Silence is never taken for a yes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use crate::ports::flags::Listener;
use crate::ports::workloads::Instance;

/// A report that is older says nothing about now: instances report every second.
pub const FRESH: Duration = Duration::from_secs(10);

/// After so long without a report an instance that no workloads know is taken for gone.
pub const FORGOTTEN: Duration = Duration::from_mins(1);

/// Most instances that a sentence names.
const NAMED: usize = 3;

/// What the workloads of an environment know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    /// Every process that runs or should run now.
    pub instances: Vec<Instance>,
    /// The services that they run, or were ever asked to run: an instance of one of these that is not in the list is gone.
    pub services: BTreeSet<String>,
}

/// One instance and what it last said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Heard {
    /// The service.
    pub service: String,
    /// Its process.
    pub instance: String,
    /// Its release.
    pub release: String,
    /// The oldest revision that it may still use; `None` when it never said.
    pub oldest: Option<i64>,
    /// How many seconds ago it said so; `None` when it never said.
    pub seconds_ago: Option<u64>,
}

/// Who says that a revision is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Nobody is there who could say so.
    Nobody,
    /// Everybody.
    Everybody,
    /// Not everybody.
    Missing,
}

/// Who uses a revision and who does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Acknowledgement {
    /// The revision.
    pub revision: i64,
    /// These use it, and nothing older.
    pub acknowledged: Vec<Heard>,
    /// These have just said that they may still use an older one.
    pub waiting: Vec<Heard>,
    /// These run, or ran a moment ago, and say nothing.
    pub silent: Vec<Heard>,
    /// These were not seen for [`FORGOTTEN`], used an older revision then, and are not waited for.
    pub dropped: Vec<Heard>,
}

/// Compares reports with what runs.
#[must_use]
pub fn acknowledgement(revision: i64, listeners: &[Listener], running: &Running) -> Acknowledgement {
    let mut found = Acknowledgement { revision, ..Acknowledgement::default() };
    let reports: BTreeMap<_, _> = listeners.iter().map(|listener| ((&listener.service, &listener.instance), listener)).collect();
    for instance in &running.instances {
        match reports.get(&(&instance.service, &instance.instance)) {
            Some(report) => found.sort(report),
            None => found.silent.push(Heard {
                service: instance.service.clone(),
                instance: instance.instance.clone(),
                release: instance.release.clone(),
                oldest: None,
                seconds_ago: None,
            }),
        }
    }
    let runs: BTreeSet<_> = running.instances.iter().map(|instance| (&instance.service, &instance.instance)).collect();
    for (name, report) in reports {
        if runs.contains(&name) || running.services.contains(&report.service) {
            continue;
        }
        if report.age <= FORGOTTEN {
            found.sort(report);
        } else if report.oldest < revision {
            found.dropped.push(Heard::from(report));
        }
    }
    found
}

impl Acknowledgement {
    /// Why the age does not matter to those who have acknowledged: a process never goes back to an older revision.
    fn sort(&mut self, report: &Listener) {
        let place = if report.oldest >= self.revision {
            &mut self.acknowledged
        } else if report.age <= FRESH {
            &mut self.waiting
        } else {
            &mut self.silent
        };
        place.push(Heard::from(report));
    }

    /// See [`Notice`].
    #[must_use]
    pub fn notice(&self) -> Notice {
        match (self.waiting.is_empty() && self.silent.is_empty(), self.acknowledged.is_empty()) {
            (false, _) => Notice::Missing,
            (true, true) => Notice::Nobody,
            (true, false) => Notice::Everybody,
        }
    }

    /// How it stands, in one line: who is missing, who has acknowledged, who is no longer waited for.
    #[must_use]
    pub fn line(&self) -> String {
        let revision = self.revision;
        let mut line = match self.notice() {
            Notice::Nobody => "unacknowledged: no service has reported the revision it uses".to_owned(),
            Notice::Everybody => format!("acknowledged by {}", instances(self.acknowledged.len())),
            Notice::Missing => {
                let all = self.acknowledged.len() + self.waiting.len() + self.silent.len();
                let missing = self.waiting.iter().chain(&self.silent);
                format!("{} of {} use revision {revision}; not yet: {}", self.acknowledged.len(), instances(all), sentence(missing))
            }
        };
        if !self.dropped.is_empty() {
            let _ = write!(line, "; no longer waited for: {}", sentence(self.dropped.iter()));
        }
        line
    }

    /// Those who have acknowledged, each as `service/instance release`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.acknowledged.iter().map(|heard| format!("{}/{} {}", heard.service, heard.instance, heard.release)).collect()
    }
}

impl From<&Listener> for Heard {
    fn from(listener: &Listener) -> Self {
        Self {
            service: listener.service.clone(),
            instance: listener.instance.clone(),
            release: listener.release.clone(),
            oldest: Some(listener.oldest),
            seconds_ago: Some(listener.age.as_secs()),
        }
    }
}

fn instances(count: usize) -> String {
    if count == 1 { "1 instance".to_owned() } else { format!("{count} instances") }
}

fn sentence<'a>(heard: impl Iterator<Item = &'a Heard> + Clone) -> String {
    let one = |heard: &Heard| {
        let Heard { service, instance, release, .. } = heard;
        let said = match (heard.oldest, heard.seconds_ago) {
            (Some(_), Some(ago)) if ago > FRESH.as_secs() => format!("not seen for {ago} s"),
            (Some(oldest), _) => format!("at revision {oldest}"),
            (None, _) => "has reported nothing".to_owned(),
        };
        format!("{service} {release} ({instance}) {said}")
    };
    let mut named = heard.clone().take(NAMED).map(one).collect::<Vec<_>>().join(", ");
    let more = heard.count().saturating_sub(NAMED);
    if more > 0 {
        let _ = write!(named, ", and {more} more");
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::workloads::InstanceState;

    fn report(instance: &str, oldest: i64, age: u64) -> Listener {
        let (service, _) = instance.split_once('-').unwrap();
        Listener {
            service: service.to_owned(),
            instance: instance.to_owned(),
            release: "1.5".to_owned(),
            revision: 12,
            oldest,
            flags: None,
            age: Duration::from_secs(age),
        }
    }

    fn running(instances: &[&str], stopped: &[&str]) -> Running {
        let service = |instance: &str| instance.split_once('-').unwrap().0.to_owned();
        let instance = |name: &&str| Instance {
            service: service(name),
            instance: (*name).to_owned(),
            release: "1.5".to_owned(),
            state: InstanceState::Ready,
            reason: String::new(),
        };
        let services = instances.iter().map(|name| service(name)).chain(stopped.iter().map(|name| (*name).to_owned())).collect();
        Running { instances: instances.iter().map(instance).collect(), services }
    }

    fn found(listeners: &[Listener], running: &Running) -> (Notice, String) {
        let found = acknowledgement(12, listeners, running);
        (found.notice(), found.line())
    }

    #[test]
    fn silence_is_no_acknowledgement() {
        let (notice, line) = found(&[], &Running::default());
        assert_eq!((notice, line.as_str()), (Notice::Nobody, "unacknowledged: no service has reported the revision it uses"));
        let (notice, line) = found(&[report("hiring-1", 11, 61)], &Running::default());
        assert_eq!(notice, Notice::Nobody);
        assert!(line.ends_with("no longer waited for: hiring 1.5 (hiring-1) not seen for 61 s"), "{line}");
    }

    #[test]
    fn everybody_must_have_left_the_old_revision() {
        let all = running(&["hiring-1", "hiring-2"], &[]);
        let (notice, line) = found(&[report("hiring-1", 12, 0), report("hiring-2", 11, 1)], &all);
        assert_eq!(notice, Notice::Missing);
        assert_eq!(line, "1 of 2 instances use revision 12; not yet: hiring 1.5 (hiring-2) at revision 11");
        let (notice, line) = found(&[report("hiring-1", 12, 0), report("hiring-2", 13, 1)], &all);
        assert_eq!((notice, line.as_str()), (Notice::Everybody, "acknowledged by 2 instances"));
    }

    #[test]
    fn what_runs_and_reports_nothing_is_waited_for() {
        let (notice, line) = found(&[report("hiring-1", 12, 0)], &running(&["hiring-1", "hiring-2"], &[]));
        assert_eq!(notice, Notice::Missing);
        assert!(line.contains("hiring 1.5 (hiring-2) has reported nothing"), "{line}");
        let (notice, _) = found(&[], &running(&["hiring-1"], &[]));
        assert_eq!(notice, Notice::Missing, "an instance that says nothing is there all the same");
        let long_ago = running(&["hiring-1"], &[]);
        let (notice, line) = found(&[report("hiring-1", 11, 3600)], &long_ago);
        assert_eq!(notice, Notice::Missing, "the workloads say that it runs");
        assert!(line.contains("not seen for 3600 s"), "{line}");
    }

    #[test]
    fn what_the_workloads_know_to_be_gone_does_not_count() {
        let other = running(&["hiring-2"], &["bonuses"]);
        let reports = [report("hiring-1", 11, 1), report("bonuses-1", 11, 1), report("hiring-2", 12, 1)];
        assert_eq!(found(&reports, &other).0, Notice::Everybody);
        let outside = [report("elsewhere-1", 11, 1), report("hiring-2", 12, 1)];
        assert_eq!(found(&outside, &other).0, Notice::Missing, "these workloads know nothing of that service");
    }

    #[test]
    fn without_workloads_an_instance_is_dropped_after_a_minute_and_that_is_said() {
        let reports = |age| [report("hiring-1", 11, age), report("hiring-2", 12, 0)];
        let none = Running::default();
        assert_eq!(found(&reports(10), &none).0, Notice::Missing);
        assert_eq!(acknowledgement(12, &reports(10), &none).waiting.len(), 1);
        assert_eq!(acknowledgement(12, &reports(11), &none).silent.len(), 1);
        assert_eq!(found(&reports(60), &none).0, Notice::Missing);
        let (notice, line) = found(&reports(61), &none);
        assert_eq!(notice, Notice::Everybody);
        assert_eq!(line, "acknowledged by 1 instance; no longer waited for: hiring 1.5 (hiring-1) not seen for 61 s");
    }

    #[test]
    fn a_crowd_is_not_named_one_by_one() {
        let reports: Vec<_> = (0..9).map(|number| report(&format!("hiring-{number}"), 11, 0)).collect();
        assert!(found(&reports, &Running::default()).1.ends_with("hiring 1.5 (hiring-2) at revision 11, and 6 more"));
    }
}
