//! `cutover.yaml` as it is written, before defaults and places.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Approvals;
use crate::ports::settings::{ApiSettings, DatabaseSettings, HttpSettings, KafkaSettings, WorkloadsSettings};

/// Where the systems of an environment come from when the file does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The local stack that `cutover stack up` starts.
    Stack,
}

/// A store of feature flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlagStore {
    /// The store that is a part of the controller.
    Builtin,
}

/// The settings file of a project: the environments that playbooks can run in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The environments by name.
    #[schemars(extend("minProperties" = 1))]
    pub environments: BTreeMap<String, WrittenEnvironment>,
    /// The environment that is meant when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// One environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenEnvironment {
    /// Takes the systems from somewhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Origin>,
    /// Who may approve; `other` when it is not said, and `self` in the environment that is called `local`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Approvals>,
    /// Kafka clusters by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kafka: BTreeMap<String, KafkaSettings>,
    /// Schema registries by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registry: BTreeMap<String, ApiSettings>,
    /// Flag stores by name.
    #[expect(clippy::zero_sized_map_values, reason = "there is one sort of store so far, and more will come")]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, FlagStore>,
    /// What runs the services, by name.
    #[expect(clippy::zero_sized_map_values, reason = "there is one sort so far, and more will come")]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub workloads: BTreeMap<String, WorkloadsSettings>,
    /// Databases by name, which is usually the service's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub database: BTreeMap<String, DatabaseSettings>,
    /// Services that are reached by HTTP, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub http: BTreeMap<String, HttpSettings>,
    /// Stores of metrics by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, ApiSettings>,
}
