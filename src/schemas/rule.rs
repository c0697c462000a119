//! The rules by which a change of a schema is judged. A rule bears the name that Confluent's registry gives to the change, so that it can be
//! looked up there; the rules that only this house has say in their name what they are about.

use clap::ValueEnum;
use serde::Serialize;

/// What a finding means for the registry, and for the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// The registry lets it pass, and yet a document may be refused by a validator.
    Unsafe,
    /// The registry refuses it.
    Refused,
}

/// One place at which what the writer may write need not be what the reader takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where, as a pointer into the schema: `#/properties/title`.
    pub path: String,
    /// The rule, by its name.
    pub rule: &'static str,
    /// What it means.
    pub weight: Weight,
    /// The sentence for a person.
    pub message: String,
}

/// Rules that the registry's lenient policy lets pass.
const LENIENT: [&str; 6] = [
    "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL",
    "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL",
    "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    "ADDITIONAL_PROPERTIES_NARROWED",
    "ADDITIONAL_PROPERTIES_REMOVED",
];

/// Which rules for JSON Schema are in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// A document that would be refused is possible: incompatible.
    #[default]
    Strict,
    /// What is optional may come and go in an open object, as if nobody had ever used its name for something else.
    Lenient,
}

impl Policy {
    /// What a rule that the strict policy refuses weighs here.
    #[must_use]
    pub fn weight(self, rule: &str) -> Weight {
        if self == Self::Lenient && LENIENT.contains(&rule) { Weight::Unsafe } else { Weight::Refused }
    }
}
