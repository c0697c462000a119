//! Where a playbook begins: what the declarations alone cannot say of today.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a playbook begins. What is not said is taken from the declarations and from the playbook's own steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Take what is said here for true, whatever runs now: for a playbook that puts everything in its place before anybody uses it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_declared: bool,
    /// The release that each service runs; the oldest declared one when it is not said.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub releases: BTreeMap<String, String>,
    /// The variant that each flag serves; the default in the code when it is not said.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, String>,
    /// How columns are, as `service.table.column`, where the playbook's own steps do not tell.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnStart>,
    /// Versions of events that lie in their topic although nothing produces them any more, as `Name@version`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lies: Vec<String>,
    /// Topics, and versions of events as `Name@version`, that are not there although no step of the playbook creates them first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// How a column is at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnStart {
    /// It is not there.
    Absent,
    /// It may be null, and in some rows it is.
    Nullable,
    /// It may be null, and in no row it is.
    Filled,
    /// It must not be null.
    Required,
}
