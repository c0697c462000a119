//! The releases of the sample services: which ways each one knows. Owns the truth that `playbooks/services.yaml` declares; knows no
//! service's insides.

use std::fmt;
use std::str::FromStr;

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
}

const FAULTS: [(&str, Fault); 6] = [
    ("broken-read", Fault::BrokenRead),
    ("crash", Fault::Crash),
    ("mute", Fault::Mute),
    ("old", Fault::Old),
    ("bad-schema", Fault::BadSchema),
    ("stays", Fault::Stays),
];

const OLDEST: u8 = 4;
const NEWEST: u8 = 8;

/// A release: `1.4` (calls only), `1.5` (both ways), `1.6` (events only), `1.7` (both ways again), `1.8` (calls only), or one of them
/// with a fault, as in `1.5-mute`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    name: String,
    minor: u8,
    fault: Option<Fault>,
}

impl FromStr for Release {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let (number, fault) = name.split_once('-').map_or((name, None), |(number, fault)| (number, Some(fault)));
        let minor = number.strip_prefix("1.").and_then(|minor| minor.parse().ok()).filter(|minor| (OLDEST..=NEWEST).contains(minor));
        let known = fault.map(|fault| FAULTS.iter().find(|(word, _)| *word == fault).map(|(_, fault)| *fault));
        match (minor, known) {
            (Some(minor), None) => Ok(Self { name: name.to_owned(), minor, fault: None }),
            (Some(minor), Some(Some(fault))) => Ok(Self { name: name.to_owned(), minor, fault: Some(fault) }),
            _ => {
                let words: Vec<&str> = FAULTS.iter().map(|(word, _)| *word).collect();
                let words = words.join(", ");
                Err(format!(
                    "there is no release `{name}`; there are 1.{OLDEST} to 1.{NEWEST}, each also with a fault: {words}, as in 1.5-mute"
                ))
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
        self.minor != 6
    }

    /// Whether exercises publishes state events; flag `exercise-events`.
    #[must_use]
    pub fn publishes(&self) -> Choice {
        self.new_way()
    }

    /// Whether hiring takes an exercise from its own copy; flag `exercise-read`.
    #[must_use]
    pub fn reads_copy(&self) -> Choice {
        self.new_way()
    }

    /// Whether hiring consumes state events into its copy.
    #[must_use]
    pub fn keeps_copy(&self) -> bool {
        (5..=7).contains(&self.minor)
    }

    /// Whether hiring sends bonuses as events; flag `bonus-transport`.
    #[must_use]
    pub fn sends_bonus_events(&self) -> Choice {
        if matches!(self.minor, 5 | 7) { Choice::ByFlag } else { Choice::Never }
    }

    /// Whether bonuses consumes events, besides its endpoint.
    #[must_use]
    pub fn takes_bonus_events(&self) -> bool {
        (5..=7).contains(&self.minor)
    }

    fn new_way(&self) -> Choice {
        match self.minor {
            5 | 7 => Choice::ByFlag,
            6 => Choice::Always,
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
    }

    #[test]
    fn a_fault_is_part_of_the_name_and_only_one_of_them_lies_about_it() {
        let mute: Release = "1.5-mute".parse().unwrap();
        assert!(mute.has(Fault::Mute) && mute.says() == "1.5-mute" && mute.publishes() == Choice::ByFlag);
        assert_eq!("1.5-old".parse::<Release>().unwrap().says(), "1.4");
    }

    #[test]
    fn what_is_no_release_is_answered_with_what_there_is() {
        for wrong in ["", "1.3", "1.9", "2.5", "1.5-", "1.5-nothing", "1.5-mute-old"] {
            let told = wrong.parse::<Release>().unwrap_err();
            assert!(told.contains("broken-read") && told.contains("1.4 to 1.8"), "{told}");
        }
    }
}
