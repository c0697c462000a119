//! The releases of the sample services: which ways each one knows. Owns the truth that `playbooks/services.yaml` declares; knows no
//! service's insides.

use std::fmt;
use std::str::FromStr;

use super::surroundings::Service;

/// Whether a release goes a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Never; it has no code for it.
    Never,
    /// The flag decides, request by request.
    ByFlag,
    /// Always; the other way is gone.
    Always,
}

/// What is wrong with a release that was made to go wrong, for tests of what must notice it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Reading from the copy ends in status 500.
    BrokenRead,
    /// The process ends with an error soon after it began to serve.
    Crash,
    /// It serves and never says which flags it uses.
    Mute,
    /// It says that it is release 1.4.
    Old,
    /// Its events have no title, which breaks their schema.
    BadSchema,
    /// It goes on after SIGTERM until a file `let-go` appears in its state directory.
    Stays,
    /// Managers who are assigned by a call wait in it until a file `let-go` appears in its state directory.
    StalledCalls,
    /// Managers who are assigned by an event wait in it until a file `let-go` appears in its state directory.
    StalledEvents,
}

const FAULTS: [(&str, Fault); 8] = [
    ("broken-read", Fault::BrokenRead),
    ("crash", Fault::Crash),
    ("mute", Fault::Mute),
    ("old", Fault::Old),
    ("bad-schema", Fault::BadSchema),
    ("stays", Fault::Stays),
    ("stalled-calls", Fault::StalledCalls),
    ("stalled-events", Fault::StalledEvents),
];

/// The releases that there are.
const NAMES: [&str; 13] = ["1.4", "1.5", "1.6", "1.7", "1.8", "2.0", "2.1", "2.2", "2.3", "2.4", "3.1", "3.2", "3.3"];

/// How exercises tells hiring of a manager who was assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assigns {
    /// By a call, always.
    ByCall,
    /// The flag decides: by a call, by an event, or not yet.
    ByFlag,
    /// By an event, always.
    ByEvent,
}

/// What the events of exercises say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// The exercise as it now is.
    State,
    /// Only that it changed.
    Notice,
}

/// A release. The line 1 moves the way to an exercise: `1.4` (calls only), `1.5` (both ways), `1.6` (events only), `1.7` (both ways
/// again), `1.8` (calls only). The line 2 moves in the same five steps, `2.0` to `2.4`, how a manager is assigned. The line 3 is as the
/// first with events that only say that something changed: `3.1` (both ways), `3.2` (no call but for what has changed), `3.3` (not even
/// that, which is a mistake). Each is there with a fault, too, as in `1.5-mute`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    name: String,
    line: u8,
    minor: u8,
    fault: Option<Fault>,
}

impl FromStr for Release {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let (number, fault) = name.split_once('-').map_or((name, None), |(number, fault)| (number, Some(fault)));
        let parts = number.split_once('.').and_then(|(line, minor)| Some((line.parse().ok()?, minor.parse().ok()?)));
        let parts = parts.filter(|_| NAMES.contains(&number));
        let known = fault.map(|fault| FAULTS.iter().find(|(word, _)| *word == fault).map(|(_, fault)| *fault));
        match (parts, known) {
            (Some((line, minor)), None) => Ok(Self { name: name.to_owned(), line, minor, fault: None }),
            (Some((line, minor)), Some(Some(fault))) => Ok(Self { name: name.to_owned(), line, minor, fault: Some(fault) }),
            _ => {
                let words: Vec<&str> = FAULTS.iter().map(|(word, _)| *word).collect();
                let (names, words) = (NAMES.join(", "), words.join(", "));
                Err(format!("there is no release `{name}`; there are {names}, each also with a fault: {words}, as in 1.5-mute"))
            }
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Release {
    /// What it says that it is.
    #[must_use]
    pub fn says(&self) -> &str {
        if self.has(Fault::Old) { "1.4" } else { &self.name }
    }

    /// Whether it was made to go wrong in this way.
    #[must_use]
    pub fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Whether exercises answers `GET /api/v0/exercise/{id}`.
    #[must_use]
    pub fn serves_exercise(&self) -> bool {
        !matches!((self.line, self.minor), (1, 6) | (3, 3))
    }

    /// Whether exercises publishes state events; flag `exercise-events`.
    #[must_use]
    pub fn publishes(&self) -> Choice {
        self.new_way()
    }

    /// What those events say.
    #[must_use]
    pub fn tells(&self) -> Tells {
        if self.line == 3 { Tells::Notice } else { Tells::State }
    }

    /// Whether hiring takes an exercise from its own copy; flag `exercise-read`.
    #[must_use]
    pub fn reads_copy(&self) -> Choice {
        self.new_way()
    }

    /// Whether hiring consumes state events into its copy.
    #[must_use]
    pub fn keeps_copy(&self) -> bool {
        self.new_way() != Choice::Never
    }

    /// Whether hiring sends bonuses as events; flag `bonus-transport`.
    #[must_use]
    pub fn sends_bonus_events(&self) -> Choice {
        match (self.line, self.minor) {
            (1, 5 | 7) => Choice::ByFlag,
            (2, _) => Choice::Always,
            _ => Choice::Never,
        }
    }

    /// Whether bonuses consumes events, besides its endpoint.
    #[must_use]
    pub fn takes_bonus_events(&self) -> bool {
        matches!((self.line, self.minor), (1, 5..=7) | (2, _))
    }

    /// How exercises tells hiring of a manager who was assigned; flag `manager-assignment`.
    #[must_use]
    pub fn assigns(&self) -> Assigns {
        match (self.line, self.minor) {
            (2, 1 | 3) => Assigns::ByFlag,
            (2, 2) => Assigns::ByEvent,
            _ => Assigns::ByCall,
        }
    }

    /// Whether hiring answers `POST /api/v0/assign_manager`.
    #[must_use]
    pub fn serves_assignments(&self) -> bool {
        (self.line, self.minor) != (2, 2)
    }

    /// Whether hiring consumes events of assigned managers.
    #[must_use]
    pub fn takes_assignments(&self) -> bool {
        matches!((self.line, self.minor), (2, 1..=3))
    }

    /// The flags that it may evaluate as that service.
    #[must_use]
    pub fn flags(&self, service: Service) -> &'static [&'static str] {
        match (service, self.line, self.minor) {
            (Service::Exercises, 1, 5 | 7) | (Service::Exercises, 3, 1) => &["exercise-events"],
            (Service::Exercises, 2, 1 | 3) => &["manager-assignment"],
            (Service::Hiring, 1, 5 | 7) => &["bonus-transport", "exercise-read"],
            (Service::Hiring, 3, 1) => &["exercise-read"],
            _ => &[],
        }
    }

    fn new_way(&self) -> Choice {
        match (self.line, self.minor) {
            (1, 5 | 7) | (3, 1) => Choice::ByFlag,
            (1, 6) | (3, 2 | 3) => Choice::Always,
            _ => Choice::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_release_knows_its_ways() {
        let ways = |name: &str| {
            let release: Release = name.parse().unwrap();
            (release.serves_exercise(), release.publishes(), release.keeps_copy())
        };
        assert_eq!(ways("1.4"), (true, Choice::Never, false));
        assert_eq!(ways("1.5"), (true, Choice::ByFlag, true));
        assert_eq!(ways("1.6"), (false, Choice::Always, true));
        assert_eq!(ways("1.7"), (true, Choice::ByFlag, true));
        assert_eq!(ways("1.8"), (true, Choice::Never, false));
        assert_eq!(ways("2.1"), (true, Choice::Never, false));
        assert_eq!(ways("3.1"), (true, Choice::ByFlag, true));
        assert_eq!(ways("3.2"), (true, Choice::Always, true));
    }

    #[test]
    fn a_manager_is_assigned_over_what_the_other_side_knows() {
        let ways = |name: &str| {
            let release: Release = name.parse().unwrap();
            (release.assigns(), release.serves_assignments(), release.takes_assignments())
        };
        assert_eq!(ways("1.5"), (Assigns::ByCall, true, false));
        assert_eq!(ways("2.0"), (Assigns::ByCall, true, false));
        assert_eq!(ways("2.1"), (Assigns::ByFlag, true, true));
        assert_eq!(ways("2.2"), (Assigns::ByEvent, false, true));
        assert_eq!(ways("2.3"), (Assigns::ByFlag, true, true));
        assert_eq!(ways("2.4"), (Assigns::ByCall, true, false));
    }

    #[test]
    fn what_it_says_of_its_flags_is_what_is_declared() {
        use crate::services::Services;
        for (text, lines) in [
            (include_str!("../../playbooks/services.yaml"), ["1.", "2."]),
            (include_str!("../../playbooks/services-notify.yaml"), ["1.", "3."]),
        ] {
            let services = Services::parse(text).unwrap();
            for (name, declared) in &services.services {
                let fits = |release: &&crate::services::Release| lines.iter().any(|line| release.name.starts_with(line));
                for release in declared.releases.iter().filter(fits) {
                    let told: Release = release.name.parse().unwrap();
                    let declared: Vec<_> = services.flags_of(name, &release.name).into_iter().collect();
                    assert_eq!(told.flags(name.parse().unwrap()), declared, "{name} {}", release.name);
                }
            }
        }
    }

    #[test]
    fn a_fault_is_part_of_the_name_and_only_one_of_them_lies_about_it() {
        let mute: Release = "1.5-mute".parse().unwrap();
        assert!(mute.has(Fault::Mute) && mute.says() == "1.5-mute" && mute.publishes() == Choice::ByFlag);
        assert_eq!("1.5-old".parse::<Release>().unwrap().says(), "1.4");
    }

    #[test]
    fn what_is_no_release_is_answered_with_what_there_is() {
        for wrong in ["", "1.3", "1.9", "2.5", "3.0", "1.05", "1.5-", "1.5-nothing", "1.5-mute-old"] {
            let told = wrong.parse::<Release>().unwrap_err();
            assert!(told.contains("broken-read") && told.contains("1.4, 1.5"), "{told}");
        }
    }
}
