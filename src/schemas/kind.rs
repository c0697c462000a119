//! What registries judge otherwise than Confluent's rules say. Only what was seen on the real thing stands here; the whole list, pair by
//! pair, is on the page about schemas.

use clap::ValueEnum;
use serde::Serialize;

use super::rule::{Finding, Weight};

/// Whose rules are in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum RegistryKind {
    /// Confluent Schema Registry.
    #[default]
    Confluent,
    /// Apicurio Registry by its Confluent API.
    Apicurio,
    /// Karapace.
    Karapace,
}

/// Rules that let pass with Confluent what Apicurio refuses.
const APICURIO_REFUSES: [&str; 3] = [
    "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED",
    "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL",
    "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL",
];

impl RegistryKind {
    /// What a finding weighs with this registry.
    #[must_use]
    pub fn weight(self, finding: &Finding) -> Weight {
        match self {
            Self::Apicurio if APICURIO_REFUSES.contains(&finding.rule) => Weight::Refused,
            // Why: it does not look at `const` at all.
            Self::Karapace if finding.rule == "ENUM_ARRAY_CHANGED" && finding.path.ends_with("/const") => Weight::Unsafe,
            _ => finding.weight,
        }
    }
}
