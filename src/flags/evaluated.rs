//! Who may still evaluate a flag: a pure comparison of what services report with what the workloads say runs. Silence is never taken
//! for a no.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Serialize;

use super::acknowledge::{FORGOTTEN, Running};
use crate::ports::flags::Listener;

/// Most instances that a sentence names.
const NAMED: usize = 3;

/// Whether a flag may be evaluated by anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluated {
    /// Somebody says that it may.
    Yes,
    /// Somebody runs who does not say.
    Unknown,
    /// Nobody is there who could say so.
    Unheard,
    /// Everybody who runs says that it does not.
    No,
}

/// The instances by what they say of a flag, each as `service release (instance)`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evaluators {
    /// These may evaluate it.
    pub evaluate: Vec<String>,
    /// These run, and nobody knows.
    pub unknown: Vec<String>,
    /// These never do.
    pub free: Vec<String>,
}

/// Sorts everybody who runs, and who ran a moment ago and is known to no workloads.
#[must_use]
pub fn evaluators(flag: &str, listeners: &[Listener], running: &Running) -> Evaluators {
    let mut found = Evaluators::default();
    let reports: BTreeMap<_, _> = listeners.iter().map(|listener| ((&listener.service, &listener.instance), listener)).collect();
    for instance in &running.instances {
        let report = reports.get(&(&instance.service, &instance.instance)).copied();
        found.sort(flag, format!("{} {} ({})", instance.service, instance.release, instance.instance), report);
    }
    let runs: BTreeSet<_> = running.instances.iter().map(|instance| (&instance.service, &instance.instance)).collect();
    for (name, report) in reports {
        // Why not the others: an instance of a service that the workloads run, and that is not among those that run, is gone.
        if !runs.contains(&name) && !running.services.contains(&report.service) && report.age <= FORGOTTEN {
            found.sort(flag, format!("{} {} ({})", report.service, report.release, report.instance), Some(report));
        }
    }
    found
}

impl Evaluators {
    /// Why the age does not matter: what a process may evaluate does not change as long as it lives.
    fn sort(&mut self, flag: &str, who: String, report: Option<&Listener>) {
        let place = match report.and_then(|report| report.flags.as_ref()) {
            None => &mut self.unknown,
            Some(flags) if flags.contains(flag) => &mut self.evaluate,
            Some(_) => &mut self.free,
        };
        place.push(who);
    }

    /// See [`Evaluated`].
    #[must_use]
    pub fn evaluated(&self) -> Evaluated {
        match (self.evaluate.is_empty(), self.unknown.is_empty(), self.free.is_empty()) {
            (false, _, _) => Evaluated::Yes,
            (true, false, _) => Evaluated::Unknown,
            (true, true, true) => Evaluated::Unheard,
            (true, true, false) => Evaluated::No,
        }
    }

    /// How it stands, in one line.
    #[must_use]
    pub fn line(&self) -> String {
        match self.evaluated() {
            Evaluated::Yes => format!("{} may still evaluate it", named(&self.evaluate)),
            Evaluated::Unknown => format!("{} did not say which flags are evaluated there", named(&self.unknown)),
            Evaluated::Unheard => "no service has reported which flags it evaluates".to_owned(),
            Evaluated::No if self.free.len() == 1 => "evaluated by nobody, says the 1 instance that runs".to_owned(),
            Evaluated::No => format!("evaluated by nobody, say the {} instances that run", self.free.len()),
        }
    }
}

fn named(who: &[String]) -> String {
    let mut text = who.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = who.len().saturating_sub(NAMED);
    if more > 0 {
        let _ = write!(text, ", and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ports::workloads::{Instance, InstanceState};

    fn report(instance: &str, flags: Option<&[&str]>, age: u64) -> Listener {
        Listener {
            service: instance.split_once('-').unwrap().0.to_owned(),
            instance: instance.to_owned(),
            release: "1.5".to_owned(),
            revision: 1,
            oldest: 1,
            flags: flags.map(|flags| flags.iter().map(|flag| (*flag).to_owned()).collect()),
            age: Duration::from_secs(age),
        }
    }

    fn running(instances: &[&str]) -> Running {
        let one = |name: &&str| Instance {
            service: name.split_once('-').unwrap().0.to_owned(),
            instance: (*name).to_owned(),
            release: "1.5".to_owned(),
            state: InstanceState::Ready,
            reason: String::new(),
        };
        let instances: Vec<_> = instances.iter().map(one).collect();
        Running { services: instances.iter().map(|one| one.service.clone()).collect(), instances }
    }

    fn found(listeners: &[Listener], running: &Running) -> (Evaluated, String) {
        let found = evaluators("read", listeners, running);
        (found.evaluated(), found.line())
    }

    #[test]
    fn one_who_may_evaluate_it_is_enough() {
        let reports = [report("a-1", Some(&["read", "other"]), 99), report("a-2", Some(&["other"]), 0), report("a-3", None, 0)];
        let (evaluated, line) = found(&reports, &running(&["a-1", "a-2", "a-3"]));
        assert_eq!((evaluated, line.as_str()), (Evaluated::Yes, "a 1.5 (a-1) may still evaluate it"));
        assert_eq!(found(&[report("b-1", Some(&["read"]), 60)], &Running::default()).0, Evaluated::Yes, "known to no workloads");
    }

    #[test]
    fn who_does_not_say_is_unknown() {
        let free = report("a-2", Some(&[]), 0);
        for reports in [vec![free.clone()], vec![free.clone(), report("a-1", None, 0)]] {
            let (evaluated, line) = found(&reports, &running(&["a-1", "a-2"]));
            assert_eq!((evaluated, line.as_str()), (Evaluated::Unknown, "a 1.5 (a-1) did not say which flags are evaluated there"));
        }
        assert_eq!(found(&[], &Running::default()).0, Evaluated::Unheard);
        assert_eq!(found(&[report("b-1", Some(&["read"]), 61)], &Running::default()).0, Evaluated::Unheard);
    }

    #[test]
    fn who_is_gone_does_not_count() {
        let reports = [report("a-1", Some(&["read"]), 0), report("a-2", Some(&["other"]), 500)];
        let (evaluated, line) = found(&reports, &running(&["a-2"]));
        assert_eq!((evaluated, line.as_str()), (Evaluated::No, "evaluated by nobody, says the 1 instance that runs"));
    }
}
