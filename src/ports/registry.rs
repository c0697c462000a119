//! What cutover asks of a schema registry that speaks Confluent's HTTP API.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PortError;

/// The language that a schema is written in; the words are the registry's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SchemaFormat {
    /// JSON Schema.
    #[default]
    Json,
    /// Apache Avro.
    Avro,
    /// Protocol Buffers.
    Protobuf,
}

impl fmt::Display for SchemaFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "JSON",
            Self::Avro => "AVRO",
            Self::Protobuf => "PROTOBUF",
        })
    }
}

/// Which changes of a subject the registry accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Compatibility {
    /// Anything goes.
    None,
    /// New readers read data of the last version.
    Backward,
    /// New readers read data of every version.
    BackwardTransitive,
    /// Readers of the last version read new data.
    Forward,
    /// Readers of every version read new data.
    ForwardTransitive,
    /// Both, against the last version.
    Full,
    /// Both, against every version.
    FullTransitive,
}

impl Compatibility {
    /// The registry's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Backward => "BACKWARD",
            Self::BackwardTransitive => "BACKWARD_TRANSITIVE",
            Self::Forward => "FORWARD",
            Self::ForwardTransitive => "FORWARD_TRANSITIVE",
            Self::Full => "FULL",
            Self::FullTransitive => "FULL_TRANSITIVE",
        }
    }
}

impl fmt::Display for Compatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Compatibility {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::None, Self::Backward, Self::BackwardTransitive, Self::Forward, Self::ForwardTransitive, Self::Full, Self::FullTransitive]
            .into_iter()
            .find(|level| level.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a compatibility level"))
    }
}

/// A schema of another subject that a schema refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SchemaReference {
    /// The name under which it is referred to: what stands in `$ref`, the full name of an Avro type, or the path of an import.
    pub name: String,
    /// The subject that holds it.
    pub subject: String,
    /// Its version there.
    pub version: i64,
}

/// A schema to be registered or looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSchema {
    /// Its language.
    pub format: SchemaFormat,
    /// Its text.
    pub text: String,
    /// The schemas that it refers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<SchemaReference>,
}

/// A version of a subject as the registry holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaVersion {
    /// The global id that records carry; ids may have gaps. `None` in a view of the future.
    pub id: Option<i64>,
    /// The version number within the subject; `None` in a view of the future.
    pub version: Option<i64>,
    /// Its language.
    pub format: SchemaFormat,
    /// Its text as the registry returns it.
    pub text: String,
}

/// Where a schema lies: one may lie under several subjects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SchemaPlace {
    /// The subject.
    pub subject: String,
    /// The version number within it.
    pub version: i64,
}

/// The registry's own answer to "may this schema follow?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompatibilityAnswer {
    /// Whether it may.
    pub compatible: bool,
    /// The reasons that the registry gave, in its words.
    pub reasons: Vec<String>,
}

/// One schema registry. Every method is safe to call again after an unknown outcome.
#[async_trait]
pub trait Registry: Send + Sync {
    /// Asks for something cheap, to see that it answers and lets us in.
    async fn ping(&self) -> Result<(), PortError>;

    /// All subjects, sorted, soft-deleted ones left out.
    async fn subjects(&self) -> Result<Vec<String>, PortError>;

    /// The newest version of a subject, or `None` when the subject does not exist.
    async fn latest(&self, subject: &str) -> Result<Option<SchemaVersion>, PortError>;

    /// The version of the subject that is this very schema, if any.
    async fn lookup(&self, subject: &str, schema: &NewSchema) -> Result<Option<SchemaVersion>, PortError>;

    /// Asks whether the schema may follow the versions that are there, at the level in force.
    async fn check(&self, subject: &str, schema: &NewSchema) -> Result<CompatibilityAnswer, PortError>;

    /// Registers the schema. The same schema again is fine. `Invalid` when it is not compatible or not a schema; `Conflict` on a race.
    async fn register(&self, subject: &str, schema: &NewSchema) -> Result<SchemaVersion, PortError>;

    /// The subject's own level, or `None` when it follows the registry's default.
    async fn level(&self, subject: &str) -> Result<Option<Compatibility>, PortError>;

    /// The registry's default level.
    async fn default_level(&self) -> Result<Compatibility, PortError>;

    /// Sets the subject's own level, or with `None` removes it so that the default is in force.
    async fn set_level(&self, subject: &str, level: Option<Compatibility>) -> Result<(), PortError>;

    /// Where the schema with this id lies, soft-deleted versions included where the registry tells them; nowhere when there is none.
    async fn places_of_id(&self, id: u32) -> Result<Vec<SchemaPlace>, PortError>;

    /// Where the schema with this global name lies; nowhere when there is none, or when the registry has no such names.
    async fn places_of_guid(&self, guid: &str) -> Result<Vec<SchemaPlace>, PortError>;

    /// A version of a subject, one that is deleted softly included; `None` when there is none, or none any more.
    async fn version(&self, subject: &str, version: i64) -> Result<Option<SchemaVersion>, PortError>;

    /// Deletes one version for good: its id is forgotten, unless the same schema lies elsewhere. Deleting what is not there is fine.
    async fn erase_version(&self, subject: &str, version: i64) -> Result<(), PortError>;

    /// Deletes one version, softly. Deleting what is not there is fine.
    async fn delete_version(&self, subject: &str, version: i64) -> Result<(), PortError>;
}
