//! What is known of the world while planning: what was seen, overlaid with what earlier steps will leave.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Resource;

/// Resource to state. `null` means "looked, and it is not there"; a resource that is missing was not looked at.
/// A state is one of the plain values in `ports`, kept as JSON so that a new kind needs no change here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    seen: BTreeMap<String, Value>,
}

impl View {
    /// Writes down what a resource is, or will be.
    pub fn put<T: Serialize>(&mut self, resource: &Resource, state: &T) {
        self.put_aspect(resource, "", state);
    }

    /// Writes down one aspect of a resource that is looked at apart from the rest, for instance a subject's compatibility level.
    pub fn put_aspect<T: Serialize>(&mut self, resource: &Resource, aspect: &str, state: &T) {
        self.seen.insert(key(resource, aspect), serde_json::to_value(state).unwrap_or(Value::Null));
    }

    /// What the resource is: `None` when nobody looked (or it is of another type), `Some(None)` when it is not there.
    #[must_use]
    pub fn get<T: DeserializeOwned>(&self, resource: &Resource) -> Option<Option<T>> {
        self.aspect(resource, "")
    }

    /// What one aspect of the resource is; see [`View::get`].
    #[must_use]
    pub fn aspect<T: DeserializeOwned>(&self, resource: &Resource, aspect: &str) -> Option<Option<T>> {
        let value = self.seen.get(&key(resource, aspect))?;
        if value.is_null() { Some(None) } else { serde_json::from_value(value.clone()).ok().map(Some) }
    }

    /// Strikes out one aspect of a resource (`""` for the resource itself): a step changes it, and into what only the run will show.
    pub fn forget(&mut self, resource: &Resource, aspect: &str) {
        self.seen.remove(&key(resource, aspect));
    }

    /// Adds what another view saw; where both saw something, `other` wins.
    pub fn merge(&mut self, other: Self) {
        self.seen.extend(other.seen);
    }

    /// Adds what another view saw of things that this view knows nothing of.
    pub fn fill(&mut self, other: Self) {
        for (key, value) in other.seen {
            self.seen.entry(key).or_insert(value);
        }
    }
}

fn key(resource: &Resource, aspect: &str) -> String {
    if aspect.is_empty() { resource.to_string() } else { format!("{resource}#{aspect}") }
}
