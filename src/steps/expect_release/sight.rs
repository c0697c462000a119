//! What was seen of a service's releases, and what is missing from what is expected. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::ExpectRelease;
use crate::ports::kafka::GroupState;
use crate::ports::workloads::InstanceState;
use crate::step::scalar::DottedRelease;

/// An instance that has sent no heartbeat for so long is silent; it sends one every second.
const SILENT: Duration = Duration::from_secs(10);

/// The state of a consumer group whose members all have their partitions.
const STABLE: &str = "Stable";

/// What is known of one instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The release that it was started as, by the workloads.
    pub release: Option<String>,
    /// How far it is, by the workloads.
    pub state: Option<InstanceState>,
    /// Why it fails, by the workloads.
    pub reason: String,
    /// The release that it says it is.
    pub said: Option<String>,
    /// How long ago it said so.
    pub silent: Option<Duration>,
}

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Sight {
    pub known: BTreeMap<String, Known>,
    /// Whether anything that runs services was asked.
    pub supervised: bool,
    /// Whether a flag store was asked that hears heartbeats.
    pub heard: bool,
    /// The consumer group, when the coordinator knows it.
    pub group: Option<GroupState>,
    /// The version that the service tells, when it was asked for, or why it tells none.
    pub version: Option<Result<String, String>>,
}

impl Known {
    /// Whether its process is gone, although its last heartbeat did not say goodbye.
    fn is_gone(&self, supervised: bool) -> bool {
        supervised && self.state.is_none() && self.silent.is_some_and(|silent| silent >= SILENT)
    }

    /// The older one of what it was started as and what it says.
    fn releases(&self) -> impl Iterator<Item = &String> {
        self.release.iter().chain(&self.said)
    }
}

impl Sight {
    /// What is not yet as it is expected; empty when all of it is.
    pub(super) fn missing(&self, step: &ExpectRelease, least: &DottedRelease) -> Vec<String> {
        let mut missing = Vec::new();
        let mut fit = 0_u32;
        for (name, known) in self.present() {
            match self.lacks(step, least, known) {
                Some(lack) => missing.push(format!("{name} {lack}")),
                None if known.state == Some(InstanceState::Stopping) => {}
                None => fit += 1,
            }
        }
        let wanted = step.instances.unwrap_or(1);
        if !self.supervised && !self.heard {
            if self.version.is_none() {
                let mend = "name `version_url`, or add `workloads` to the environment";
                missing.push(format!(
                    "nobody can tell which releases of {} run: there are neither workloads nor heartbeats; {mend}",
                    step.service
                ));
            }
        } else if fit < wanted && missing.is_empty() {
            missing.push(match (fit, self.heard && step.heartbeats) {
                (0, true) => format!("no instance of {} is known, neither running nor by a heartbeat", step.service),
                (0, false) => format!("no instance of {} is known", step.service),
                _ => format!("{fit} of {wanted} instances run"),
            });
        }
        if let Some(group) = &step.group {
            missing.extend(group_lacks(group, self.group.as_ref()));
        }
        match &self.version {
            Some(Ok(version)) if !is_at_least(version, least) => missing.push(format!("it tells version {version}")),
            Some(Err(why)) => missing.push(why.clone()),
            _ => {}
        }
        missing
    }

    /// What proves it: a line and the figures.
    pub(super) fn evidence(&self) -> (String, Value) {
        let name = |(name, known): (&String, &Known)| match known.releases().next() {
            Some(release) => format!("{name} ({release})"),
            None => name.clone(),
        };
        let names: Vec<_> = self.present().map(name).collect();
        let mut line = if names.is_empty() { "no instance is known by name".to_owned() } else { names.join(", ") };
        if let Some(Ok(version)) = &self.version {
            line = format!("{line}; it tells version {version}");
        }
        if let Some(group) = &self.group {
            line = format!("{line}; its group has {} and is {}", members(group.members), group.state.to_lowercase());
        }
        let one = |(name, known): (&String, &Known)| json!({ "instance": name, "release": known.release, "heartbeat": known.said, "state": known.state });
        let data = json!({
            "instances": self.present().map(one).collect::<Vec<_>>(),
            "by": { "workloads": self.supervised, "heartbeats": self.heard, "version": self.version.is_some() },
            "group": self.group,
        });
        (line, data)
    }

    fn present(&self) -> impl Iterator<Item = (&String, &Known)> {
        self.known.iter().filter(|(_, known)| !known.is_gone(self.supervised))
    }

    /// What is wrong with one instance.
    fn lacks(&self, step: &ExpectRelease, least: &DottedRelease, known: &Known) -> Option<String> {
        if let Some(old) = known.releases().find(|release| !is_at_least(release, least)) {
            let by = match known.state {
                Some(state) if known.release.as_ref() == Some(old) => format!(" ({})", state.as_str()),
                Some(_) => format!(" by its own word, although it was started as {}", known.release.as_deref().unwrap_or_default()),
                None => String::new(),
            };
            let uncertain = if old.parse::<DottedRelease>().is_err() { ", which cannot be compared" } else { "" };
            return Some(format!("still runs {old}{by}{uncertain}"));
        }
        match known.state {
            Some(InstanceState::Starting) => return Some("does not serve yet".to_owned()),
            Some(InstanceState::Failing) => return Some(format!("fails: {}", known.reason)),
            Some(InstanceState::Stopping) => return None,
            Some(InstanceState::Ready) | None => {}
        }
        if !step.heartbeats || !self.heard {
            return None;
        }
        match known.silent {
            None => Some("has sent no heartbeat".to_owned()),
            Some(silent) if silent >= SILENT => Some(format!("has been silent for more than {} s", SILENT.as_secs())),
            Some(_) => None,
        }
    }
}

fn is_at_least(release: &str, least: &DottedRelease) -> bool {
    release.parse::<DottedRelease>().is_ok_and(|release| release >= *least)
}

fn group_lacks(name: &str, group: Option<&GroupState>) -> Option<String> {
    match group {
        None => Some(format!("group {name} is not known to the cluster")),
        Some(group) if group.members == 0 => Some(format!("group {name} has no members")),
        Some(group) if group.state != STABLE => Some(format!("group {name} is {}", group.state)),
        Some(_) => None,
    }
}

fn members(count: u32) -> String {
    if count == 1 { "1 member".to_owned() } else { format!("{count} members") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(body: &Value) -> ExpectRelease {
        let mut whole = json!({ "service": "hiring", "at_least": "1.5" });
        for (key, value) in body.as_object().into_iter().flatten() {
            whole[key.as_str()] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    fn runs(release: &str, state: InstanceState) -> Known {
        Known { release: Some(release.to_owned()), state: Some(state), ..Known::default() }
    }

    fn says(release: &str, silent: u64) -> Known {
        Known { said: Some(release.to_owned()), silent: Some(Duration::from_secs(silent)), ..Known::default() }
    }

    fn both(release: &str, said: &str) -> Known {
        Known { release: Some(release.to_owned()), state: Some(InstanceState::Ready), ..says(said, 0) }
    }

    fn sight(known: &[(&str, Known)]) -> Sight {
        let known = known.iter().map(|(name, known)| ((*name).to_owned(), known.clone())).collect();
        Sight { known, supervised: true, heard: true, group: None, version: None }
    }

    fn missing(step: &ExpectRelease, sight: &Sight) -> String {
        sight.missing(step, &step.at_least.parse().unwrap()).join("; ")
    }

    #[test]
    fn every_instance_must_run_the_release_and_say_so() {
        let step = step(&json!({}));
        let rest = ("a", both("1.6", "1.6"));
        assert_eq!(missing(&step, &sight(std::slice::from_ref(&rest))), "");
        for (known, said) in [
            (runs("1.4", InstanceState::Stopping), "b still runs 1.4 (stopping)"),
            (both("1.5", "1.4"), "b still runs 1.4 by its own word, although it was started as 1.5"),
            (says("1.4", 0), "b still runs 1.4"),
            (runs("1.5-rc1", InstanceState::Ready), "b still runs 1.5-rc1 (ready), which cannot be compared"),
            (runs("1.5", InstanceState::Starting), "b does not serve yet"),
            (runs("1.5", InstanceState::Ready), "b has sent no heartbeat"),
            (Known { reason: "exit code 3".to_owned(), ..runs("1.5", InstanceState::Failing) }, "b fails: exit code 3"),
            (Known { silent: Some(Duration::from_secs(11)), ..both("1.5", "1.5") }, "b has been silent for more than 10 s"),
            (says("1.4", 11), ""),
            (runs("1.5", InstanceState::Stopping), ""),
        ] {
            assert_eq!(missing(&step, &sight(&[rest.clone(), ("b", known)])), said);
        }
    }

    #[test]
    fn without_workloads_a_silent_old_instance_is_not_taken_for_gone() {
        let seen = Sight { supervised: false, ..sight(&[("a", says("1.5", 0)), ("b", says("1.4", 600))]) };
        assert_eq!(missing(&step(&json!({})), &seen), "b still runs 1.4");
    }

    #[test]
    fn nothing_known_is_not_enough() {
        assert_eq!(missing(&step(&json!({})), &sight(&[])), "no instance of hiring is known, neither running nor by a heartbeat");
        let one = sight(&[("a", runs("1.5", InstanceState::Ready))]);
        assert_eq!(missing(&step(&json!({ "instances": 2, "heartbeats": false })), &one), "1 of 2 instances run");
        let nobody = Sight::default();
        assert!(missing(&step(&json!({})), &nobody).starts_with("nobody can tell which releases of hiring run"));
        let told = |version: &str| Sight { version: Some(Ok(version.to_owned())), ..Sight::default() };
        assert_eq!(missing(&step(&json!({})), &told("1.10")), "");
        assert_eq!(missing(&step(&json!({})), &told("1.4.9")), "it tells version 1.4.9");
    }

    #[test]
    fn a_group_must_be_stable_and_have_members() {
        let step = step(&json!({ "group": "hiring-exercises" }));
        let with = |state: &str, members| {
            let group = Some(GroupState { state: state.to_owned(), members, topics: Vec::new() });
            Sight { group, ..sight(&[("a", both("1.5", "1.5"))]) }
        };
        assert_eq!(missing(&step, &with("Stable", 2)), "");
        assert_eq!(missing(&step, &with("PreparingRebalance", 2)), "group hiring-exercises is PreparingRebalance");
        assert_eq!(missing(&step, &with("Empty", 0)), "group hiring-exercises has no members");
        let unknown = Sight { group: None, ..sight(&[("a", both("1.5", "1.5"))]) };
        assert_eq!(missing(&step, &unknown), "group hiring-exercises is not known to the cluster");
        assert_eq!(with("Stable", 2).evidence().0, "a (1.5); its group has 2 members and is stable");
    }
}
