//! A file that a step names by its path and uses by its content.

use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Path of a file beside the playbook. The content is put in when the playbook is read, and travels with the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileRef {
    /// Relative to the playbook's directory, with `/` between parts.
    pub path: String,
    /// The text of the file; empty until it was filled in.
    pub text: Arc<str>,
}

impl Serialize for FileRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.path)
    }
}

impl<'de> Deserialize<'de> for FileRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { path: String::deserialize(deserializer)?, text: Arc::from("") })
    }
}

impl JsonSchema for FileRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FileRef".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "format": "file" })
    }
}
