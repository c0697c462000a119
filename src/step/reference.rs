//! A step that another step names by its id and whose body it uses.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Id of an earlier step of the same playbook. Kind and body are put in when the playbook is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepRef {
    /// The step's id.
    pub id: String,
    /// The step's kind; empty until it was filled in.
    pub kind: String,
    /// The step's body as JSON; `null` until it was filled in.
    pub body: Arc<Value>,
    /// The texts of the files that its body names, by path.
    pub texts: BTreeMap<String, Arc<str>>,
}

impl StepRef {
    /// A text field of the named step's body.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field).and_then(Value::as_str)
    }

    /// The text of the file that a field of the named step's body names.
    #[must_use]
    pub fn file(&self, field: &str) -> Option<&str> {
        self.texts.get(self.text(field)?).map(AsRef::as_ref)
    }

    /// Puts in what the named step is. Of `files`, those count that its body names.
    pub fn fill(&mut self, kind: &str, body: Arc<Value>, files: &BTreeMap<String, Arc<str>>) {
        kind.clone_into(&mut self.kind);
        let named = |path: &String| body.as_object().is_some_and(|body| body.values().any(|value| value.as_str() == Some(path)));
        self.texts = files.iter().filter(|(path, _)| named(path)).map(|(path, text)| (path.clone(), Arc::clone(text))).collect();
        self.body = body;
    }
}

impl Serialize for StepRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.id)
    }
}

impl<'de> Deserialize<'de> for StepRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { id: String::deserialize(deserializer)?, ..Self::default() })
    }
}

impl JsonSchema for StepRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StepRef".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "format": "step-id" })
    }
}
