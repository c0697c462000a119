//! Which records are old: those of one event in one version. What a record says of itself is read where the declaration says; a record
//! that does not say it is unknown, and never simply taken for new.

use std::borrow::Cow;
use std::str::FromStr;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::payload::{self, Found};
use super::place::{Place, Places};
use super::schemas::Schemas;
use super::wire::{self, SchemaKey};
use crate::ports::kafka::RecordRef;

/// Which records are old.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Old {
    /// Name of the event; records of other events are neutral.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Its version; every version when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Where a record says its name and its version.
    #[serde(default, skip_serializing_if = "Told::is_usual")]
    pub from: Told,
    /// The version of a record that says none. Left out, such a record is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent_version: Option<u32>,
    /// What a record is that cannot be read or does not say its name. Left out, it is unknown, and nothing is drained before every group
    /// has passed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<Unreadable>,
}

/// Where a record says what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Told {
    /// Its name; several places are tried in their order.
    pub name: Places,
    /// Its version.
    pub version: Places,
}

/// What a record is that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Unreadable {
    /// It is waited for like an old one.
    Old,
    /// It is none of ours.
    Neutral,
}

/// What a record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// A tombstone, or of another event.
    Neutral,
    /// Of the event, in another version.
    Other,
    /// Old.
    Old,
    /// Nobody can tell. Says why.
    Unknown(String),
    /// It can be told once the registry has said what this schema is.
    Asks(SchemaKey),
}

impl Default for Told {
    fn default() -> Self {
        let at = |name: &str| Places(vec![Place::Payload(vec![name.to_owned()])]);
        Self { name: at("event_name"), version: at("event_version") }
    }
}

impl Told {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// What a place says.
enum Said<'a> {
    Nothing,
    Text(Cow<'a, str>),
    Number(i128),
    /// Exactly what is asked for.
    Yes,
    /// Something else than what is asked for.
    No,
    Unclear(String),
    Asks(SchemaKey),
}

impl Old {
    /// The event as playbooks write it: `ExerciseChanged@0`, or `ExerciseChanged` for every version.
    #[must_use]
    pub fn label(&self) -> String {
        match self.version {
            Some(version) => format!("{}@{version}", self.name),
            None => self.name.clone(),
        }
    }

    /// Whether the registry must be asked.
    #[must_use]
    pub fn asks_registry(&self) -> bool {
        let asks = |places: &Places| places.0.iter().any(|place| matches!(place, Place::Schema(_)));
        asks(&self.from.name) || (self.version.is_some() && asks(&self.from.version))
    }

    /// Every record of a topic.
    #[must_use]
    pub fn everything(topic: &str) -> Self {
        let from = Told { name: Places(vec![Place::Topic]), ..Told::default() };
        Self { name: topic.to_owned(), version: None, from, absent_version: None, unreadable: None }
    }

    fn is_whole_topic(&self) -> bool {
        self.from.name.0 == [Place::Topic] && (self.version.is_none() || self.from.version.0 == [Place::Topic])
    }

    /// What a record of this topic is.
    #[must_use]
    pub fn classify(&self, topic: &str, record: &RecordRef<'_>, schemas: &Schemas) -> Class {
        if record.value.is_none() {
            // Why: a tombstone takes a key away and carries no event, whatever its headers say. Where the topic alone says what its records
            // are, it is one of them.
            return if self.is_whole_topic() { Class::Old } else { Class::Neutral };
        }
        match self.named(topic, record, schemas) {
            Ok(true) => {}
            Ok(false) => return Class::Neutral,
            Err(class) => return self.fallback(class),
        }
        let Some(version) = self.version else { return Class::Old };
        match self.versioned(version, topic, record, schemas) {
            Ok(true) => Class::Old,
            Ok(false) => Class::Other,
            Err(class) => class,
        }
    }

    /// What is declared for a record that does not say its name.
    fn fallback(&self, class: Class) -> Class {
        match (class, self.unreadable) {
            (Class::Unknown(_), Some(Unreadable::Old)) => Class::Old,
            (Class::Unknown(_), Some(Unreadable::Neutral)) => Class::Neutral,
            (class, _) => class,
        }
    }

    fn named(&self, topic: &str, record: &RecordRef<'_>, schemas: &Schemas) -> Result<bool, Class> {
        let mut unclear = None;
        for place in &self.from.name.0 {
            match place.say(record, |key, subject| schemas.subject(key, subject.unwrap_or(&self.name), topic)) {
                Said::Nothing => {}
                Said::Text(text) => return Ok(text == self.name),
                Said::Yes => return Ok(true),
                Said::No => return Ok(false),
                Said::Number(number) => return Ok(number.to_string() == self.name),
                Said::Unclear(why) => unclear = unclear.or(Some(why)),
                Said::Asks(key) => return Err(Class::Asks(key)),
            }
        }
        Err(Class::Unknown(unclear.unwrap_or_else(|| format!("it says no name at {}", self.from.name))))
    }

    fn versioned(&self, version: u32, topic: &str, record: &RecordRef<'_>, schemas: &Schemas) -> Result<bool, Class> {
        let mut unclear = None;
        for place in &self.from.version.0 {
            match place.say(record, |key, subject| schemas.version(key, subject, &self.name, topic, version)) {
                Said::Nothing => {}
                Said::Number(number) => return Ok(number == i128::from(version)),
                Said::Yes => return Ok(true),
                Said::No => return Ok(false),
                // Why: `v0`, say, may well be what is meant by 0. Whoever writes it must say so.
                Said::Text(text) => match text.trim().parse::<i128>() {
                    Ok(number) => return Ok(number == i128::from(version)),
                    Err(_) => unclear = unclear.or(Some(format!("its version `{text}` at {place} is no whole number"))),
                },
                Said::Unclear(why) => unclear = unclear.or(Some(why)),
                Said::Asks(key) => return Err(Class::Asks(key)),
            }
        }
        match (unclear, self.absent_version) {
            (Some(why), _) => Err(Class::Unknown(why)),
            (None, Some(absent)) => Ok(absent == version),
            (None, None) => {
                Err(Class::Unknown(format!("it says no version at {}, and `absent_version` is not declared", self.from.version)))
            }
        }
    }
}

/// What the registry says of a schema.
pub(super) enum Answer {
    /// It is what is asked for.
    Yes,
    /// It is something else.
    No,
    /// Nobody has asked it yet.
    NotAsked,
    /// It does not know, or says two things. Says why.
    Unclear(String),
}

impl Place {
    fn say<'a>(&'a self, record: &RecordRef<'a>, registry: impl Fn(SchemaKey, Option<&'a str>) -> Answer) -> Said<'a> {
        match self {
            Self::Topic => Said::Yes,
            Self::Header(name) => match record.header(name) {
                None => Said::Nothing,
                Some(bytes) => match std::str::from_utf8(bytes) {
                    Ok(text) => Said::Text(Cow::Borrowed(text)),
                    Err(_) => Said::Unclear(format!("its {self} is no text")),
                },
            },
            Self::Payload(pointer) => match payload::find(wire::content(record.value.unwrap_or_default()), pointer) {
                Ok(Found::Absent) => Said::Nothing,
                Ok(Found::Text(text)) => Said::Text(text),
                Ok(Found::Number(number)) => Said::Number(number),
                Ok(Found::Other) => Said::Unclear(format!("what lies at {self} is neither a text nor a whole number")),
                // Why not the reader's words: they quote the payload, which may be personal.
                Err(_) => Said::Unclear("its value is no JSON".to_owned()),
            },
            Self::Schema(subject) => match wire::schema(record) {
                None => Said::Nothing,
                Some(key) => match registry(key, subject.as_deref()) {
                    Answer::Yes => Said::Yes,
                    Answer::No => Said::No,
                    Answer::NotAsked => Said::Asks(key),
                    Answer::Unclear(why) => Said::Unclear(why),
                },
            },
        }
    }
}

/// `PLACE=NAME`, or `PLACE=NAME,PLACE=VERSION`.
impl FromStr for Old {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!(
                "`{text}` does not say what is old; write PLACE=NAME,PLACE=VERSION, for instance payload:/event_name=ExerciseChanged,payload:/event_version=0"
            )
        };
        let cut = [",payload:", ",header:", ",schema", ",topic"].iter().filter_map(|next| text.rfind(next)).max();
        let (name, version) = cut.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])));
        let split = |part: &str| {
            let (place, value) = part.split_once('=').filter(|(_, value)| !value.is_empty()).ok_or_else(wrong)?;
            Ok::<_, String>((place.parse::<Place>()?, value.to_owned()))
        };
        let (place, name) = split(name)?;
        let mut from = Told { name: Places(vec![place]), ..Told::default() };
        let version = match version.map(split).transpose()? {
            Some((place, version)) => {
                from.version = Places(vec![place]);
                Some(version.parse().map_err(|_| format!("`{version}` is no version; write a whole number"))?)
            }
            None => None,
        };
        Ok(Self { name, version, from, absent_version: None, unreadable: None })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::ports::kafka::{Position, StoredRecord};

    fn old(body: serde_json::Value) -> Old {
        serde_json::from_value(body).expect("a declaration")
    }

    fn class(old: &Old, value: Option<&str>, headers: &[(&str, &[u8])]) -> Class {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
        let value = value.map(|value| value.as_bytes().to_vec());
        let stored = StoredRecord { at: Position { partition: 0, offset: 0 }, key: None, value, headers };
        old.classify("t", &stored.borrowed(), &Schemas::default())
    }

    #[test]
    fn a_record_is_old_by_name_and_version() {
        let declared = old(json!({ "name": "E", "version": 0 }));
        for (value, expected) in [
            (r#"{"event_name": "E", "event_version": 0}"#, Class::Old),
            (r#"{"event_name": "E", "event_version": "0"}"#, Class::Old),
            (r#"{"event_name": "E", "event_version": 0.0}"#, Class::Old),
            (r#"{"event_name": "E", "event_version": 1}"#, Class::Other),
            (r#"{"event_name": "F", "event_version": 0}"#, Class::Neutral),
            (r#"{"event_name": "F"}"#, Class::Neutral),
        ] {
            assert_eq!(class(&declared, Some(value), &[]), expected, "{value}");
        }
        assert_eq!(class(&declared, None, &[]), Class::Neutral, "a tombstone");
        for unclear in [
            r#"{"event_name": "E"}"#,
            r#"{"event_name": "E", "event_version": null}"#,
            r#"{"event_name": "E", "event_version": "v0"}"#,
            r#"{"event_name": "E", "event_version": true}"#,
            r#"{"event_version": 0}"#,
            "no JSON",
            "",
        ] {
            assert!(matches!(class(&declared, Some(unclear), &[]), Class::Unknown(_)), "{unclear}");
        }
        assert_eq!(class(&old(json!({ "name": "E" })), Some(r#"{"event_name": "E"}"#), &[]), Class::Old, "every version");
    }

    #[test]
    fn an_absent_version_and_what_cannot_be_read_are_what_is_declared() {
        let absent = old(json!({ "name": "E", "version": 0, "absent_version": 0 }));
        assert_eq!(class(&absent, Some(r#"{"event_name": "E"}"#), &[]), Class::Old);
        assert!(matches!(class(&absent, Some(r#"{"event_name": "E", "event_version": {}}"#), &[]), Class::Unknown(_)), "it is not absent");
        let absent = old(json!({ "name": "E", "version": 0, "absent_version": 1 }));
        assert_eq!(class(&absent, Some(r#"{"event_name": "E"}"#), &[]), Class::Other);
        for (word, expected) in [("old", Class::Old), ("neutral", Class::Neutral)] {
            let declared = old(json!({ "name": "E", "version": 0, "unreadable": word }));
            assert_eq!(class(&declared, Some("\u{1}"), &[]), expected);
            assert_eq!(class(&declared, Some("{}"), &[]), expected);
        }
    }

    #[test]
    fn places_are_tried_in_their_order() {
        let from = json!({ "name": ["header:event", "payload:/event_name"], "version": ["header:v", "payload:/event_version"] });
        let declared = old(json!({ "name": "E", "version": 0, "from": from }));
        assert_eq!(class(&declared, Some("not JSON"), &[("event", b"E"), ("v", b"0")]), Class::Old);
        assert_eq!(class(&declared, Some("not JSON"), &[("event", b"F")]), Class::Neutral);
        assert_eq!(class(&declared, Some(r#"{"event_name": "E", "event_version": 0}"#), &[("v", b"1")]), Class::Other);
        assert_eq!(class(&declared, Some(r#"{"event_name": "E", "event_version": 0}"#), &[("v", b"1"), ("v", b"0")]), Class::Old);
        assert!(matches!(class(&declared, Some("{}"), &[("event", b"E"), ("v", b"\xff")]), Class::Unknown(_)));
        let framed = "\u{0}\u{0}\u{0}\u{0}\u{7}{\"event_name\": \"E\", \"event_version\": 0}";
        assert_eq!(class(&old(json!({ "name": "E", "version": 0 })), Some(framed), &[]), Class::Old, "a schema's number in front");
        let by_schema = old(json!({ "name": "E", "version": 1, "from": { "name": "topic", "version": "schema" } }));
        assert_eq!(class(&by_schema, Some(framed), &[]), Class::Asks(SchemaKey::Id(7)));
        assert!(matches!(class(&by_schema, Some("{}"), &[]), Class::Unknown(_)));
        assert_eq!(
            class(&old(json!({ "name": "E", "version": 0, "from": { "name": "topic", "version": "topic" } })), Some(""), &[]),
            Class::Old
        );
    }

    #[test]
    fn a_declaration_comes_back_as_it_was_written() {
        for body in [
            json!({ "name": "E", "version": 0, "from": { "name": "payload:/a~1b/~0c", "version": ["header:v", "schema:t-value"] } }),
            json!({ "name": "E", "from": { "name": "topic", "version": "schema" }, "unreadable": "old" }),
            json!({ "name": "E" }),
        ] {
            assert_eq!(serde_json::to_value(old(body.clone())).unwrap(), body);
        }
    }

    #[test]
    fn a_line_says_what_is_old() {
        let read: Old = "payload:/event_name=E,payload:/event_version=0".parse().unwrap();
        assert_eq!(read, old(json!({ "name": "E", "version": 0 })));
        let read: Old = "header:event=a,b=c,schema:t-value=3".parse().unwrap();
        assert_eq!((read.name.as_str(), read.version), ("a,b=c", Some(3)));
        let read: Old = "topic=t".parse().unwrap();
        assert_eq!(read, Old::everything("t"));
        assert_eq!(class(&read, None, &[]), Class::Old, "a tombstone is a record of the topic");
        for (wrong, told) in [
            ("E@0", "PLACE=NAME"),
            ("payload:/v=E,header:v=x", "whole number"),
            ("payload:/v=", "PLACE"),
            ("payload:a.b=E", "/a/b"),
            ("", "PLACE"),
        ] {
            let error = wrong.parse::<Old>().unwrap_err();
            assert!(error.contains(told), "{wrong}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_line_of_any_kind_is_read_or_refused(line: String) {
            let _ = line.parse::<Old>();
        }

        #[test]
        fn bytes_of_any_kind_have_a_class(value: Option<Vec<u8>>, header: Option<Vec<u8>>) {
            let declared = old(json!({ "name": "E", "version": 0, "from": { "name": ["payload:/a/0/b", "topic"], "version": ["header:v", "schema"] } }));
            let headers = header.map(|header| ("v".to_owned(), header)).into_iter().collect();
            let stored = StoredRecord { at: Position { partition: 0, offset: 0 }, key: None, value, headers };
            let _ = declared.classify("t", &stored.borrowed(), &Schemas::default());
        }
    }
}
