//! The two notations of the file that are more than a word: `ExerciseChanged@0` and `exercise-events=on`.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An event by its name, and by its version when one is meant: `ExerciseChanged@0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventRef {
    /// Its name.
    pub name: String,
    /// Its version; `None` is every version.
    pub version: Option<u32>,
}

impl EventRef {
    /// Whether an event that is produced is one of those that are meant.
    #[must_use]
    pub fn covers(&self, produced: &Self) -> bool {
        self.name == produced.name && (self.version.is_none() || produced.version.is_none() || self.version == produced.version)
    }
}

impl FromStr for EventRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not an event; write `Name` or `Name@version`, for instance ExerciseChanged@0");
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
        if name.is_empty() || !name.chars().all(legal) {
            return Err(wrong());
        }
        Ok(Self { name: name.to_owned(), version })
    }
}

impl fmt::Display for EventRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "{}@{version}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A flag and the variant under which something happens: `exercise-events=on`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Condition {
    /// The flag.
    pub flag: String,
    /// Its variant.
    pub variant: String,
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((flag, variant)) if !flag.trim().is_empty() && !variant.trim().is_empty() => {
                Ok(Self { flag: flag.trim().to_owned(), variant: variant.trim().to_owned() })
            }
            _ => Err(format!("`{text}` is not a condition; write `flag=variant`, for instance exercise-events=on")),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.flag, self.variant)
    }
}

macro_rules! written_as_text {
    ($ty:ident, $format:literal, $example:literal) => {
        impl Serialize for $ty {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $ty {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $ty {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($ty).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "minLength": 1, "format": $format, "examples": [$example] })
            }
        }
    };
}

written_as_text!(EventRef, "event", "ExerciseChanged@0");
written_as_text!(Condition, "condition", "exercise-events=on");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_notations_read_back_as_written() {
        for text in ["ExerciseChanged@0", "ExerciseChanged", "billing.task_added@12"] {
            assert_eq!(text.parse::<EventRef>().expect("an event").to_string(), text);
        }
        for text in ["", "@1", "A@", "A@x", "A B", "A@-1"] {
            assert!(text.parse::<EventRef>().is_err(), "{text}");
        }
        assert_eq!("a=on".parse::<Condition>().expect("a condition").to_string(), "a=on");
        for text in ["", "a", "=on", "a="] {
            assert!(text.parse::<Condition>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_alone_covers_every_version() {
        let event = |text: &str| text.parse::<EventRef>().expect("an event");
        assert!(event("A").covers(&event("A@1")));
        assert!(event("A@1").covers(&event("A@1")) && event("A@1").covers(&event("A")));
        assert!(!event("A@0").covers(&event("A@1")) && !event("A").covers(&event("B@1")));
    }
}
