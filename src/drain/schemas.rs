//! What a registry has said of the schemas that records name. One schema may lie under several subjects, and in several versions of one.

use std::collections::BTreeMap;

use super::old::Answer;
use super::wire::SchemaKey;
use crate::ports::PortError;
use crate::ports::registry::{Registry, SchemaPlace};

/// Answers of a registry, which never change: a schema keeps its number for ever.
#[derive(Clone, Debug, Default)]
pub struct Schemas(BTreeMap<SchemaKey, Vec<SchemaPlace>>);

impl Schemas {
    /// Asks the registry about a schema.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ask(&mut self, registry: &dyn Registry, key: SchemaKey) -> Result<(), PortError> {
        let places = match key {
            SchemaKey::Id(id) => registry.places_of_id(id).await?,
            SchemaKey::Guid(guid) => registry.places_of_guid(&uuid::Uuid::from_u128(guid).to_string()).await?,
        };
        self.0.insert(key, places);
        Ok(())
    }

    /// Whether the schema lies under this subject, or under the one that the usual strategies make of this name and topic.
    pub(super) fn subject(&self, key: SchemaKey, subject: &str, topic: &str) -> Answer {
        let Some(places) = self.0.get(&key) else { return Answer::NotAsked };
        if places.is_empty() {
            return nowhere(key);
        }
        let wanted = names(subject, topic);
        if places.iter().any(|place| wanted.contains(&place.subject)) { Answer::Yes } else { Answer::No }
    }

    /// Whether the schema is this version of its subject.
    pub(super) fn version(&self, key: SchemaKey, subject: Option<&str>, name: &str, topic: &str, version: u32) -> Answer {
        let Some(places) = self.0.get(&key) else { return Answer::NotAsked };
        if places.is_empty() {
            return nowhere(key);
        }
        let mut wanted = names(subject.unwrap_or(name), topic);
        if subject.is_none() {
            wanted.push(format!("{topic}-value"));
        }
        let ours: Vec<_> = places.iter().filter(|place| wanted.contains(&place.subject)).collect();
        // Why: with the topic's own subjects none of them, a single one can only be what is meant.
        let ours = if ours.is_empty() && subject.is_none() { places.iter().collect() } else { ours };
        let is = |place: &&SchemaPlace| place.version == i64::from(version);
        match (ours.iter().copied().any(|place| is(&place)), ours.iter().copied().all(|place| is(&place))) {
            (false, _) => Answer::No,
            (true, true) => Answer::Yes,
            (true, false) => {
                let all: Vec<_> = ours.iter().map(|one| format!("{} version {}", one.subject, one.version)).collect();
                Answer::Unclear(format!("its schema {key} is {} at once; name one as `schema:SUBJECT`", all.join(" and ")))
            }
        }
    }
}

fn names(subject: &str, topic: &str) -> Vec<String> {
    vec![subject.to_owned(), format!("{subject}-value"), format!("{topic}-{subject}")]
}

fn nowhere(key: SchemaKey) -> Answer {
    Answer::Unclear(format!("its schema {key} is not in the registry"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemas(places: &[(&str, i64)]) -> Schemas {
        let place = |(subject, version): &(&str, i64)| SchemaPlace { subject: (*subject).to_owned(), version: *version };
        Schemas(BTreeMap::from([(SchemaKey::Id(7), places.iter().map(place).collect())]))
    }

    #[test]
    fn a_schema_is_the_version_that_its_subject_says() {
        let said = |places: &[(&str, i64)], subject: Option<&str>, version| match schemas(places).version(
            SchemaKey::Id(7),
            subject,
            "E",
            "t",
            version,
        ) {
            Answer::Yes => "yes",
            Answer::No => "no",
            Answer::NotAsked => "not asked",
            Answer::Unclear(_) => "unclear",
        };
        assert_eq!(said(&[("t-value", 1)], None, 1), "yes");
        assert_eq!(said(&[("t-value", 1)], None, 2), "no");
        assert_eq!(said(&[("odd", 1)], None, 1), "yes", "the only one");
        assert_eq!(said(&[("t-value", 1), ("other", 2)], None, 1), "yes", "somebody else's subject");
        assert_eq!(said(&[("t-value", 1), ("t-E", 2)], None, 1), "unclear");
        assert_eq!(said(&[("t-value", 1), ("t-E", 2)], Some("E"), 2), "yes");
        assert_eq!(said(&[("t-value", 1), ("t-value", 2)], None, 1), "unclear");
        assert_eq!(said(&[], None, 1), "unclear", "deleted for good");
        assert!(matches!(Schemas::default().version(SchemaKey::Id(7), None, "E", "t", 1), Answer::NotAsked));
    }
}
