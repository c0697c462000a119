//! A schema registry in memory. Ids have gaps, as real ones have; what may follow what is in `compatibility`.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::compatibility::complaints;
use super::faults::{Faults, Host};
use crate::ports::PortError;
use crate::ports::registry::{Compatibility, CompatibilityAnswer, NewSchema, Registry, SchemaFormat, SchemaPlace, SchemaVersion};

/// From one id to the next.
const GAP: i64 = 3;

/// Subjects in memory. Targets for faults are subjects.
#[derive(Debug)]
pub struct SimRegistry {
    host: Host,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    default: Compatibility,
    levels: BTreeMap<String, Compatibility>,
    subjects: BTreeMap<String, BTreeMap<i64, Version>>,
    /// The same content has the same id in every subject.
    ids: BTreeMap<String, i64>,
    last_id: i64,
}

#[derive(Clone, Debug)]
struct Version {
    id: i64,
    format: SchemaFormat,
    text: String,
    content: String,
    deleted: bool,
}

impl SimRegistry {
    /// An empty registry whose default is BACKWARD.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let state = State {
            default: Compatibility::Backward,
            levels: BTreeMap::new(),
            subjects: BTreeMap::new(),
            ids: BTreeMap::new(),
            last_id: 0,
        };
        Self { host: Host::new("registry", name), state: Mutex::new(state) }
    }

    /// From now on calls fail as `faults` says.
    pub fn set_faults(&self, faults: Faults) {
        self.host.set_faults(faults);
    }

    /// Sets the default level.
    pub fn set_default_level(&self, level: Compatibility) {
        self.lock().default = level;
    }

    /// Subjects with their versions, and levels, to be compared with another world's. Ids are numbered in order, without the gaps.
    #[must_use]
    pub fn snapshot(&self) -> Value {
        let state = self.lock();
        let mut ids = state.subjects.values().flat_map(|versions| versions.values().map(|version| version.id)).collect::<Vec<_>>();
        ids.sort_unstable();
        ids.dedup();
        let subjects = state.subjects.iter().map(|(subject, versions)| {
            let versions = versions.iter().map(|(number, version)| {
                let id = ids.binary_search(&version.id).map_or(0, |index| index + 1);
                let Version { format, text, deleted, .. } = version;
                json!({ "version": number, "id": id, "format": format, "text": text, "deleted": deleted })
            });
            (subject.clone(), Value::Array(versions.collect()))
        });
        let subjects = subjects.collect::<serde_json::Map<_, _>>();
        json!({ "default": state.default, "levels": state.levels, "subjects": subjects })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What makes two schemas the same: white space does not count.
    fn content(&self, schema: &NewSchema) -> Result<String, PortError> {
        let text = match schema.format {
            SchemaFormat::Json | SchemaFormat::Avro => {
                let value: Value =
                    serde_json::from_str(&schema.text).map_err(|error| self.host.invalid(format!("the schema is not JSON: {error}")))?;
                value.to_string()
            }
            SchemaFormat::Protobuf => schema.text.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        Ok(format!("{} {text}", schema.format))
    }

    fn enter(&self, subject: &str, schema: &NewSchema) -> Result<SchemaVersion, PortError> {
        let content = self.content(schema)?;
        let mut state = self.lock();
        if let Some(found) = state.find(subject, &content) {
            return Ok(found);
        }
        let complaints = state.complaints(subject, schema);
        if !complaints.is_empty() {
            return Err(self.host.invalid(format!("the schema may not follow: {}", complaints.join("; "))));
        }
        let id = state.id_of(&content);
        let versions = state.subjects.entry(subject.to_owned()).or_default();
        let number = versions.keys().next_back().map_or(1, |last| last + 1);
        let version = Version { id, format: schema.format, text: schema.text.clone(), content, deleted: false };
        let shown = version.shown(number);
        versions.insert(number, version);
        Ok(shown)
    }
}

impl Version {
    fn shown(&self, number: i64) -> SchemaVersion {
        SchemaVersion { id: Some(self.id), version: Some(number), format: self.format, text: self.text.clone() }
    }
}

impl State {
    fn live(&self, subject: &str) -> impl DoubleEndedIterator<Item = (i64, &Version)> {
        let versions = self.subjects.get(subject).into_iter().flatten();
        versions.filter(|(_, version)| !version.deleted).map(|(number, version)| (*number, version))
    }

    fn find(&self, subject: &str, content: &str) -> Option<SchemaVersion> {
        self.live(subject).find(|(_, version)| version.content == content).map(|(number, version)| version.shown(number))
    }

    fn id_of(&mut self, content: &str) -> i64 {
        if let Some(id) = self.ids.get(content) {
            return *id;
        }
        self.last_id += GAP;
        self.ids.insert(content.to_owned(), self.last_id);
        self.last_id
    }

    fn complaints(&self, subject: &str, schema: &NewSchema) -> Vec<String> {
        let level = self.levels.get(subject).copied().unwrap_or(self.default);
        if level != Compatibility::None && self.live(subject).any(|(_, version)| version.format != schema.format) {
            return vec!["the subject holds schemas of another language".to_owned()];
        }
        let earlier = self.live(subject).map(|(_, version)| version.text.as_str()).collect::<Vec<_>>();
        match schema.format {
            SchemaFormat::Json => complaints(level, &schema.text, &earlier),
            SchemaFormat::Avro | SchemaFormat::Protobuf if level == Compatibility::None || earlier.is_empty() => Vec::new(),
            SchemaFormat::Avro | SchemaFormat::Protobuf => {
                vec!["the simulated registry lets only the very same Avro or Protobuf schema follow".to_owned()]
            }
        }
    }
}

#[async_trait]
impl Registry for SimRegistry {
    async fn ping(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn subjects(&self) -> Result<Vec<String>, PortError> {
        let state = self.lock();
        Ok(state.subjects.keys().filter(|subject| state.live(subject).next().is_some()).cloned().collect())
    }

    async fn latest(&self, subject: &str) -> Result<Option<SchemaVersion>, PortError> {
        Ok(self.lock().live(subject).next_back().map(|(number, version)| version.shown(number)))
    }

    async fn lookup(&self, subject: &str, schema: &NewSchema) -> Result<Option<SchemaVersion>, PortError> {
        let content = self.content(schema)?;
        Ok(self.lock().find(subject, &content))
    }

    async fn check(&self, subject: &str, schema: &NewSchema) -> Result<CompatibilityAnswer, PortError> {
        let content = self.content(schema)?;
        let state = self.lock();
        let reasons = if state.find(subject, &content).is_some() { Vec::new() } else { state.complaints(subject, schema) };
        Ok(CompatibilityAnswer { compatible: reasons.is_empty(), reasons })
    }

    async fn register(&self, subject: &str, schema: &NewSchema) -> Result<SchemaVersion, PortError> {
        self.host.change("register", subject, || self.enter(subject, schema))
    }

    async fn level(&self, subject: &str) -> Result<Option<Compatibility>, PortError> {
        Ok(self.lock().levels.get(subject).copied())
    }

    async fn default_level(&self) -> Result<Compatibility, PortError> {
        Ok(self.lock().default)
    }

    async fn set_level(&self, subject: &str, level: Option<Compatibility>) -> Result<(), PortError> {
        self.host.change("set_level", subject, || {
            let mut state = self.lock();
            match level {
                Some(level) => state.levels.insert(subject.to_owned(), level),
                None => state.levels.remove(subject),
            };
            Ok(())
        })
    }

    async fn places_of_id(&self, id: u32) -> Result<Vec<SchemaPlace>, PortError> {
        let state = self.lock();
        let all =
            state.subjects.iter().flat_map(|(subject, versions)| versions.iter().map(move |(number, version)| (subject, number, version)));
        let ours = all.filter(|(.., version)| version.id == i64::from(id));
        Ok(ours.map(|(subject, number, _)| SchemaPlace { subject: subject.clone(), version: *number }).collect())
    }

    async fn places_of_guid(&self, _: &str) -> Result<Vec<SchemaPlace>, PortError> {
        Ok(Vec::new())
    }

    async fn version(&self, subject: &str, version: i64) -> Result<Option<SchemaVersion>, PortError> {
        Ok(self.lock().subjects.get(subject).and_then(|versions| versions.get(&version)).map(|found| found.shown(version)))
    }

    async fn erase_version(&self, subject: &str, version: i64) -> Result<(), PortError> {
        self.host.change("erase_version", subject, || {
            if let Some(versions) = self.lock().subjects.get_mut(subject) {
                versions.remove(&version);
            }
            Ok(())
        })
    }

    async fn delete_version(&self, subject: &str, version: i64) -> Result<(), PortError> {
        self.host.change("delete_version", subject, || {
            if let Some(version) = self.lock().subjects.get_mut(subject).and_then(|versions| versions.get_mut(&version)) {
                version.deleted = true;
            }
            Ok(())
        })
    }
}
