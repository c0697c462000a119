//! Documents of the topic itself, tried with the schema that is to be registered.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::common::main_system;
use crate::drain::content;
use crate::ports::kafka::Position;
use crate::schemas::samples::{Tried, try_all};
use crate::step::{StepError, World};

/// How long reading may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which documents are tried.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// Name of the Kafka cluster in `cutover.yaml` that holds the topic.
    #[serde(default = "main_system")]
    pub cluster: String,
    /// How many of the newest records of each partition are read.
    #[serde(default = "some")]
    #[schemars(range(min = 1, max = 10_000))]
    pub last: u32,
}

fn some() -> u32 {
    100
}

/// Reads the newest records of a topic and tries them; `None` when there is no such topic. What is told holds no value of a document.
pub(super) async fn tried(world: &World, samples: &Samples, topic: &str, schema: &str) -> Result<Option<Tried>, StepError> {
    let kafka = world.kafka(&samples.cluster)?;
    if kafka.topic(topic).await?.is_none() {
        return Ok(None);
    }
    let ends = kafka.ends(topic).await?;
    let range = |partition: i32, start: i64, end: i64| {
        let from = start.max(end - i64::from(samples.last));
        (Position { partition, offset: from }, end)
    };
    let ranges: Vec<_> =
        ends.iter().map(|ends| range(ends.partition, ends.start, ends.end)).filter(|(from, to)| from.offset < *to).collect();
    let records = if ranges.is_empty() { Vec::new() } else { kafka.read(topic, &ranges, PATIENCE).await? };
    let documents = records.iter().filter_map(|record| record.value.as_deref()).enumerate();
    let documents = documents.map(|(at, value)| (at + 1, serde_json::from_slice(content(value)).map_err(|error| error.to_string())));
    let Ok(schema) = serde_json::from_str(schema) else { return Ok(None) };
    Ok(try_all(&schema, documents, true).ok())
}

/// Why the documents stand in the way; `None` when they do not.
pub(super) fn refusal(tried: &Tried, topic: &str) -> Option<String> {
    let first = tried.refused.first()?;
    let place = if first.path.is_empty() { "the whole document".to_owned() } else { first.path.clone() };
    Some(format!(
        "the schema takes {} of {} documents that were read from {topic}; the first that it refuses is number {}, at {place}: {}",
        tried.taken, tried.documents, first.line, first.message
    ))
}
