//! Scalars with a notation of their own. Each says its JSON Schema `format`, and [`FORMATS`] holds the check behind every format,
//! so that the linter, the editor and serde accept exactly the same text.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text does not fit a format, as a sentence that says what would.
pub type FormatCheck = fn(&str) -> Result<(), String>;

/// Every format of our own, by the name that schemas give it.
pub const FORMATS: &[(&str, FormatCheck)] = &[
    ("span", |text| text.parse::<Span>().map(|_| ())),
    ("topic-name", check_topic_name),
    ("flag-name", check_flag_name),
    ("file", check_file),
    ("secret-ref", |text| text.parse::<crate::ports::settings::SecretRef>().map(|_| ())),
    ("http-url", check_http_url),
    ("event", check_event),
    ("condition", check_condition),
];

/// A length of time, written `300ms`, `10s`, `5m`, `2h` or `7d`; parts may be joined as in `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a length of time; write for instance 300ms, 10s, 5m, 2h or 1h30m");
        let mut rest = text;
        let mut millis: u64 = 0;
        if text.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, tail) = tail.split_at(letters);
            let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor).ok_or_else(wrong)?;
            let number: u64 = number.parse().map_err(|_| wrong())?;
            millis = number.checked_mul(factor).and_then(|part| millis.checked_add(part)).ok_or_else(wrong)?;
            rest = tail;
        }
        // Why: later arithmetic adds spans to instants; a century is far from any overflow there and longer than any playbook.
        if millis > 100 * 365 * 86_400_000 {
            return Err(format!("`{text}` is longer than a hundred years"));
        }
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in UNITS {
            let count = millis / factor;
            if count > 0 {
                write!(f, "{count}{unit}")?;
                millis %= factor;
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "span", "examples": ["300ms", "10s", "5m", "2h"] })
    }
}

fn check_topic_name(text: &str) -> Result<(), String> {
    // Source: Kafka's own rule in org.apache.kafka.common.internals.Topic.
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if text.is_empty() || text.len() > 249 || matches!(text, "." | "..") {
        return Err(format!("`{text}` cannot be a topic name: it must have 1 to 249 characters and not be `.` or `..`"));
    }
    match text.bytes().position(|byte| !legal(byte)) {
        Some(at) => {
            let found = text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or(' ');
            Err(format!("`{text}` cannot be a topic name: `{found}` is not allowed, only letters, digits, `.`, `_` and `-` are"))
        }
        None => Ok(()),
    }
}

fn check_flag_name(text: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !text.is_empty() && text.len() <= 200 && text.bytes().all(legal) {
        Ok(())
    } else {
        Err(format!("`{text}` cannot be a flag name: use 1 to 200 letters, digits, `.`, `_` and `-`"))
    }
}

fn check_http_url(text: &str) -> Result<(), String> {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match host {
        Some(rest) if rest.split('/').next().is_some_and(|host| !host.is_empty() && !host.contains('@')) => Ok(()),
        Some(rest) if rest.contains('@') => Err("an address carries no user name or password; use `basic:`".to_owned()),
        _ => Err(format!("`{text}` is not an address that begins with http:// or https://")),
    }
}

fn check_event(text: &str) -> Result<(), String> {
    let (name, version) = text.split_once('@').unwrap_or((text, "0"));
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !name.is_empty() && name.bytes().all(legal) && version.parse::<u32>().is_ok() {
        Ok(())
    } else {
        Err(format!("`{text}` is not an event; write `Name` or `Name@version`, for instance ExerciseChanged@0"))
    }
}

fn check_condition(text: &str) -> Result<(), String> {
    match text.split_once('=') {
        Some((flag, variant)) if !flag.trim().is_empty() && !variant.trim().is_empty() => Ok(()),
        _ => Err(format!("`{text}` is not a condition; write `flag=variant`, for instance exercise-events=on")),
    }
}

fn check_file(text: &str) -> Result<(), String> {
    // Why: what is sent to the controller is exactly what lies beside the playbook, on every machine the same.
    if text.starts_with('/') || text.contains('\\') || text.split('/').any(|part| part == "..") {
        Err(format!("`{text}` must lie beside the playbook: no leading `/`, no `..`, no `\\`"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_back_as_written() {
        for text in ["300ms", "10s", "5m", "2h", "7d", "1h30m", "0s"] {
            let span: Span = text.parse().expect("a span");
            assert_eq!(span.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "10", "s", "1y", "-1s", "1.5h", "99999999999999999999d", "40000d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn topic_names_follow_kafka() {
        assert!(check_topic_name("datarep.exercise").is_ok());
        assert!(check_topic_name("datarep/exercise").is_err());
        assert!(check_topic_name("..").is_err());
        assert!(check_topic_name(&"x".repeat(250)).is_err());
    }
}
