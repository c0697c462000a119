//! `ledger.json`: where everything is that the ledger reads. Written by whoever starts the traffic, beside the traffic's file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::ports::settings::{DatabaseSettings, KafkaSettings};
use crate::samples::event::EXERCISE_TOPIC;
use crate::stack::files::{self, FileError};

/// The file's name.
pub const NAME: &str = "ledger.json";

/// Addresses; secrets are references.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// Name of the format.
    pub schema: String,
    /// The brokers.
    pub kafka: KafkaSettings,
    /// The topic of the state events of exercises.
    pub topic: String,
    /// The database of exercises.
    pub exercises: DatabaseSettings,
    /// The database of hiring.
    pub hiring: DatabaseSettings,
    /// The database of bonuses.
    pub bonuses: DatabaseSettings,
}

impl Whereabouts {
    /// Whereabouts in the present format, with the topic that the samples use.
    #[must_use]
    pub fn new(kafka: KafkaSettings, [exercises, hiring, bonuses]: [DatabaseSettings; 3]) -> Self {
        let (schema, topic) = ("cutover.ledger-places/1".to_owned(), EXERCISE_TOPIC.to_owned());
        Self { schema, kafka, topic, exercises, hiring, bonuses }
    }

    /// Writes the file into the traffic's directory.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, directory: &Path) -> Result<(), FileError> {
        files::create_private_dir(directory)?;
        files::write_json(&directory.join(NAME), self)
    }

    /// Reads it; `None` when there is none.
    ///
    /// # Errors
    /// When it holds something else.
    pub fn read(directory: &Path) -> Result<Option<Self>, FileError> {
        files::read_json(&directory.join(NAME))
    }
}
