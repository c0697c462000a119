//! What a step needs and leaves, in the vocabulary of the whole-plan proof.

use serde::Serialize;

/// One fact about the systems. A step *needs* it or *leaves* it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The topic (`cluster/topic`) exists.
    Topic(String),
    /// The topic does not exist.
    NoTopic(String),
    /// The subject (`registry/subject`) has a version with the schema in this file.
    Schema {
        /// `registry/subject`.
        subject: String,
        /// File that holds the schema's text.
        file: String,
    },
    /// The flag serves this variant wherever targeting does not decide; `None` is the default in the code.
    Flag {
        /// Flag name.
        flag: String,
        /// Variant name.
        variant: Option<String>,
    },
}

/// The facts of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Must hold when the step begins.
    pub needs: Vec<Fact>,
    /// Hold when the step is verified.
    pub leaves: Vec<Fact>,
}
