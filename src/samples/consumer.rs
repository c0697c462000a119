//! Consuming at least once: a record is handled to its end, then its offset is stored, and stored offsets are committed a little
//! later. What is handed out twice is the handler's to recognise.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::message::{BorrowedMessage, Message};

use super::error::SampleError;
use super::runtime::{Ending, Metrics};
use super::surroundings::Surroundings;

/// The first pause after the database refused, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// A record as handlers see it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

impl Record {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
        }
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// Its effect is stored.
    Stored,
    /// It had been handled before.
    Duplicate,
    /// It is not for this service.
    Ignored,
    /// It cannot be understood and was put aside.
    PutAside,
}

/// Why a record could not be handled now.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Trouble(String);

impl Trouble {
    pub fn new(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::new(error)
    }
}

/// What is done with records.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Handles one record in one transaction. Trouble is tried again.
    async fn handle(&self, record: &Record) -> Result<Handled, Trouble>;
}

/// A consumer of `topic` in `group`.
pub fn consumer(surroundings: &Surroundings, group: &str, topic: &str) -> Result<StreamConsumer, SampleError> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &surroundings.bootstrap).set("group.id", group);
    config.set("client.id", format!("{} {}", surroundings.service.as_str(), surroundings.release));
    config.set("auto.offset.reset", "earliest").set("isolation.level", "read_committed");
    config.set("enable.auto.commit", "true").set("auto.commit.interval.ms", "200").set("enable.auto.offset.store", "false");
    config.set("session.timeout.ms", "6000").set("heartbeat.interval.ms", "1000").set("reconnect.backoff.max.ms", "1000");
    // Why: a release may be there before its topic.
    config.set("topic.metadata.refresh.interval.ms", "2000").set("allow.auto.create.topics", "false");
    let consumer: StreamConsumer = config.create()?;
    consumer.subscribe(&[topic])?;
    Ok(consumer)
}

/// Consumes until the end is said, commits what was handled and leaves the group.
pub async fn consume(consumer: StreamConsumer, handler: impl Handler, metrics: Metrics, mut ending: Ending) {
    loop {
        let received = tokio::select! {
            biased;
            () = ending.said() => break,
            received = consumer.recv() => received,
        };
        let message = match received {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(%error, "waiting for records");
                ending.pause(PAUSES.0).await;
                continue;
            }
        };
        if !handle(&handler, &Record::of(&message), &metrics, &mut ending).await {
            break;
        }
        if let Err(error) = consumer.store_offset_from_message(&message) {
            // Why: the partition has just gone to another member, which is handed the record again.
            tracing::debug!(%error, "an offset is not ours any more");
        }
    }
    put_down(consumer).await;
}

/// Commits what is stored and leaves the group.
async fn put_down(consumer: StreamConsumer) {
    let (done, heard) = tokio::sync::oneshot::channel();
    // Why a thread of its own: both steps wait for the broker, and a process that ends must not wait for a broker that is gone.
    std::thread::spawn(move || {
        if let Err(error) = consumer.commit_consumer_state(CommitMode::Sync) {
            tracing::debug!(%error, "nothing was committed at the end");
        }
        drop(consumer);
        let _ = done.send(());
    });
    let _ = heard.await;
}

/// Handles one record, again and again while there is trouble; `false` when the end came first.
async fn handle(handler: &impl Handler, record: &Record, metrics: &Metrics, ending: &mut Ending) -> bool {
    let mut pause = PAUSES.0;
    loop {
        match handler.handle(record).await {
            Ok(outcome) => {
                match outcome {
                    Handled::Stored => metrics.consumed(&record.topic),
                    Handled::Duplicate => metrics.duplicate(&record.topic),
                    Handled::PutAside => metrics.failed(&record.topic),
                    Handled::Ignored => {}
                }
                return true;
            }
            Err(error) => tracing::warn!(%error, partition = record.partition, offset = record.offset, "a record is tried again"),
        }
        if !ending.pause(pause).await {
            return false;
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}
