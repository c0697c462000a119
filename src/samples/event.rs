//! Events as they travel: one envelope, plain JSON, and the schema that an exercise's event keeps to.

use chrono::{DateTime, SubsecRound, Utc};
use jsonschema::Validator;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::error::SampleError;

/// Topic of the state events of exercises, keyed by exercise id.
pub const EXERCISE_TOPIC: &str = "datarep.exercise";

/// Topic of business events about attempts.
pub const ATTEMPT_TOPIC: &str = "domain.candidate_attempt";

/// Topic of notices that exercises have changed, keyed by exercise id.
pub const NOTICE_TOPIC: &str = "datarep.exercise_notice";

const EXERCISE_SCHEMA: &str = include_str!("../../playbooks/schemas/exercise_changed.v0.json");

/// The envelope.
#[expect(clippy::struct_field_names, reason = "the names are those of the travelling form")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event<P> {
    /// Together with `produced_at` names the event for ever.
    pub event_id: String,
    /// What happened.
    pub event_name: String,
    /// Version of the payload's form.
    pub event_version: i64,
    /// When it happened, to the microsecond.
    pub produced_at: DateTime<Utc>,
    /// What there is to know.
    pub payload: P,
}

impl<P> Event<P> {
    /// A new event of version 0, now.
    pub fn new(name: &str, payload: P) -> Self {
        // Why: databases keep microseconds, and the time is half of the event's name.
        let produced_at = Utc::now().trunc_subsecs(6);
        Self { event_id: Uuid::now_v7().to_string(), event_name: name.to_owned(), event_version: 0, produced_at, payload }
    }
}

/// An exercise as it now is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExerciseChanged {
    /// The exercise.
    pub id: String,
    /// Its title; left out only by a release that breaks the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Grows by one with every change of this exercise.
    pub version: i64,
}

impl ExerciseChanged {
    /// The event's name.
    pub const NAME: &'static str = "ExerciseChanged";
}

/// A candidate is credited for an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BonusAdded {
    /// The attempt, by the id of the request that made it.
    pub attempt: Uuid,
    /// Who is credited.
    pub candidate: String,
    /// For which exercise.
    pub exercise_id: String,
    /// How much, in points.
    pub amount: i64,
}

impl BonusAdded {
    /// The event's name.
    pub const NAME: &'static str = "BonusAdded";
}

/// A manager is assigned to review an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManagerAssigned {
    /// The attempt.
    pub attempt_id: String,
    /// Who reviews it from now on.
    pub manager: String,
    /// Grows by one with every assignment to this attempt.
    pub number: i64,
}

impl ManagerAssigned {
    /// The event's name.
    pub const NAME: &'static str = "ManagerAssigned";
}

/// An exercise has changed; what it now is, its owner says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExerciseTouched {
    /// The exercise.
    pub id: String,
    /// The version that the change made.
    pub version: i64,
}

impl ExerciseTouched {
    /// The event's name.
    pub const NAME: &'static str = "ExerciseTouched";
}

/// Reads events of exercises, and refuses what breaks their schema.
pub struct ExerciseEvents(Validator);

impl ExerciseEvents {
    /// Compiles the schema.
    pub fn new() -> Result<Self, SampleError> {
        let defect = |error: String| SampleError::Defect(format!("schema of {}: {error}", ExerciseChanged::NAME));
        let schema: Value = serde_json::from_str(EXERCISE_SCHEMA).map_err(|error| defect(error.to_string()))?;
        Ok(Self(jsonschema::validator_for(&schema).map_err(|error| defect(error.to_string()))?))
    }

    /// The event in these bytes, or why it is none.
    pub fn read(&self, bytes: &[u8]) -> Result<Event<ExerciseChanged>, String> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("no JSON: {error}"))?;
        if let Some(error) = self.0.iter_errors(&value).next() {
            return Err(format!("{}: {error}", error.instance_path()));
        }
        serde_json::from_value(value).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(title: Option<&str>) -> Vec<u8> {
        let payload = ExerciseChanged { id: "ex-1".to_owned(), title: title.map(str::to_owned), version: 3 };
        serde_json::to_vec(&Event::new(ExerciseChanged::NAME, payload)).unwrap()
    }

    #[test]
    fn our_own_event_keeps_to_the_schema_and_comes_back() {
        let read = ExerciseEvents::new().unwrap().read(&event(Some("Sorting"))).unwrap();
        assert_eq!((read.payload.version, read.payload.title.as_deref(), read.event_version), (3, Some("Sorting"), 0));
        assert_eq!(serde_json::to_vec(&read).unwrap(), serde_json::to_vec(&read.clone()).unwrap());
    }

    #[test]
    fn what_breaks_the_schema_is_refused_with_its_place() {
        let events = ExerciseEvents::new().unwrap();
        let told = events.read(&event(None)).unwrap_err();
        assert!(told.contains("/payload") && told.contains("title"), "{told}");
        assert!(events.read(b"{").unwrap_err().contains("no JSON"));
        let other = String::from_utf8(event(Some("x"))).unwrap().replace("ExerciseChanged", "ExerciseGone");
        assert!(events.read(other.as_bytes()).is_err());
    }
}
