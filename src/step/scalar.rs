//! Scalars with a notation of their own. Each says its JSON Schema `format`, and [`FORMATS`] holds the check behind every format,
//! so that the linter, the editor and serde accept exactly the same text.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Any value for people: text as it is, everything else as JSON.
#[must_use]
pub fn worded(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Why a text does not fit a format, as a sentence that says what would.
pub type FormatCheck = fn(&str) -> Result<(), String>;

/// Every format of our own, by the name that schemas give it.
pub const FORMATS: &[(&str, FormatCheck)] = &[
    ("span", |text| text.parse::<Span>().map(|_| ())),
    ("share", |text| text.parse::<Share>().map(|_| ())),
    ("topic-name", check_topic_name),
    ("flag-name", check_flag_name),
    ("file", check_file),
    ("secret-ref", |text| text.parse::<crate::ports::settings::SecretRef>().map(|_| ())),
    ("http-url", check_http_url),
    ("service-name", check_service_name),
    ("release", check_release),
    ("dotted-release", |text| text.parse::<DottedRelease>().map(|_| ())),
    ("url-path", check_url_path),
    ("database-url", check_database_url),
    ("database-table", check_database_table),
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

/// A release whose parts are numbers, as in `1.10`: compared number by number, and a part that is left out is 0.
#[derive(Clone, Debug)]
pub struct DottedRelease {
    text: String,
    parts: Vec<u64>,
}

impl FromStr for DottedRelease {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        let parts: Option<Vec<u64>> = text.split('.').map(part).collect();
        let wrong =
            || format!("`{text}` cannot be compared: write numbers with dots between them, for instance \"1.5\" or \"2.10.3\", in quotes");
        Ok(Self { text: text.to_owned(), parts: parts.ok_or_else(wrong)? })
    }
}

impl fmt::Display for DottedRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Ord for DottedRelease {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let longer = self.parts.len().max(other.parts.len());
        let part = |release: &Self, at: usize| release.parts.get(at).copied().unwrap_or_default();
        (0..longer).map(|at| part(self, at).cmp(&part(other, at))).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    }
}

impl PartialOrd for DottedRelease {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for DottedRelease {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for DottedRelease {}

/// A share of all keys, written as a percentage from `0.001%` to `100%`. Kept in parts per 100,000, so that nothing is ever rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// Everybody.
    pub const ALL: Self = Self(100_000);

    /// How many parts of 100,000 it is.
    #[must_use]
    pub fn parts(self) -> u32 {
        self.0
    }

    /// That many parts of 100,000; `None` for no part at all and for more than everybody.
    #[must_use]
    pub fn of_parts(parts: u32) -> Option<Self> {
        (1..=Self::ALL.0).contains(&parts).then_some(Self(parts))
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a share; write a percentage such as 0.1%, 10% or 100%");
        let number = text.strip_suffix('%').ok_or_else(wrong)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(wrong());
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 3 {
            return Err(format!("`{text}` is finer than 0.001%, the least step between shares"));
        }
        let thousandths: u32 = format!("{fraction:0<3}").parse().map_err(|_| wrong())?;
        let parts = whole.parse::<u32>().ok().and_then(|whole| whole.checked_mul(1000)).and_then(|parts| parts.checked_add(thousandths));
        match parts.map(|parts| (parts, Self::of_parts(parts))) {
            Some((_, Some(share))) => Ok(share),
            Some((0, None)) => Err(format!("`{text}` is nobody; the least share is 0.001%")),
            _ => Err(format!("`{text}` is more than everybody; the greatest share is 100%")),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 1000, self.0 % 1000) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, thousandths) => write!(f, "{whole}.{}%", format!("{thousandths:03}").trim_end_matches('0')),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Share {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Share".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "share", "examples": ["0.1%", "1%", "10%", "50%", "100%"] })
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

fn check_service_name(text: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(legal) {
        Ok(())
    } else {
        Err(format!("`{text}` cannot be a service's name: use 1 to 64 letters, digits, `-` and `_`"))
    }
}

fn check_release(text: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+');
    if !text.is_empty() && text.len() <= 64 && text.bytes().all(legal) {
        Ok(())
    } else {
        Err(format!("`{text}` cannot be a release: use 1 to 64 letters, digits, `.`, `_`, `-` and `+`, in quotes"))
    }
}

fn check_url_path(text: &str) -> Result<(), String> {
    if text.starts_with('/') && !text.starts_with("//") && !text.contains(char::is_whitespace) {
        Ok(())
    } else {
        Err(format!("`{text}` is not a path; it begins with one slash, as in /api/v0/exercise"))
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

fn check_database_url(text: &str) -> Result<(), String> {
    // Why: what stands before an `@` may hold a password, so the message never repeats the text.
    let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    let Some(rest) = rest else {
        return Err("an address of a database begins with postgres:// and reads postgres://user@host:port/database".to_owned());
    };
    let (before, after) = rest.split_once('@').unwrap_or(("", rest));
    if before.contains(':') || after.contains("password=") {
        return Err("an address carries no password; use `password: env:NAME`".to_owned());
    }
    let place = after.split('?').next().unwrap_or_default();
    match place.split_once('/') {
        Some((host, database)) if !host.is_empty() && !database.is_empty() => Ok(()),
        _ => Err("an address of a database names host and database: postgres://user@host:port/database".to_owned()),
    }
}

fn check_database_table(text: &str) -> Result<(), String> {
    let parts: Vec<&str> = text.split('.').collect();
    if matches!(parts.len(), 2 | 3) && parts.iter().all(|part| !part.is_empty()) {
        Ok(())
    } else {
        Err(format!("`{text}` is not a table; write `database.table`, or `database.schema.table`"))
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
    fn releases_compare_number_by_number() {
        let release = |text: &str| text.parse::<DottedRelease>().expect("a release");
        assert!(release("1.10") > release("1.9"));
        assert!(release("2") > release("1.99.99"));
        assert_eq!(release("1.5"), release("1.5.0"));
        assert_eq!(release("1.5.0").to_string(), "1.5.0");
        for text in ["", "1.", ".5", "1.5-rc1", "v1.5", "1..5", "+1", "99999999999999999999"] {
            assert!(text.parse::<DottedRelease>().is_err(), "{text}");
        }
    }

    #[test]
    fn shares_read_back_as_written_and_are_whole_parts() {
        for (text, parts) in [("0.001%", 1), ("0.1%", 100), ("0.125%", 125), ("1%", 1_000), ("33.333%", 33_333), ("100%", 100_000)] {
            let share: Share = text.parse().expect("a share");
            assert_eq!((share.parts(), share.to_string().as_str()), (parts, text));
        }
        assert_eq!("10.500%".parse::<Share>().unwrap().to_string(), "10.5%");
        assert_eq!("100.0%".parse::<Share>(), Ok(Share::ALL));
    }

    #[test]
    fn what_is_no_share_is_refused_with_a_sentence() {
        let why = |text: &str| text.parse::<Share>().unwrap_err();
        for text in ["", "%", "10", "ten%", "-1%", "+1%", "1.%", ".5%", "1,5%", "1 %", "1e1%", "99999999999%%"] {
            assert!(why(text).ends_with("write a percentage such as 0.1%, 10% or 100%"), "{text}");
        }
        assert!(why("0%").contains("nobody") && why("0.000%").contains("nobody"));
        assert!(why("0.0001%").contains("finer than 0.001%"));
        for text in ["100.001%", "101%", "4294968%", "99999999999999999999%"] {
            assert!(why(text).contains("more than everybody"), "{text}");
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
