//! Producing: every call has an idempotent producer of its own for as long as it lasts, so that giving up takes back what is still
//! unsent without touching anybody else's records.

use std::collections::VecDeque;
use std::sync::Arc;

use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode;

use super::ffi::AdminError;
use super::listener::Listener;
use super::pool::retire;
use super::{KafkaCluster, Shared, settings};
use crate::ports::PortError;
use crate::ports::kafka::{NewRecord, Position};

/// After how many records other tasks get their turn, and a caller that gave up is heard.
const BREATH: usize = 1_000;

/// A producer on loan. Given back when all went well; else what it has not sent is thrown away and it ends.
struct Lent {
    producer: Option<FutureProducer<Listener>>,
    shared: Arc<Shared>,
}

impl Lent {
    fn give_back(mut self) {
        if let Some(producer) = self.producer.take() {
            self.shared.producers.keep((), producer);
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(producer) = self.producer.take() {
            producer.purge(PurgeConfig::default().queue().inflight());
            retire(producer);
        }
    }
}

impl KafkaCluster {
    pub(super) async fn send(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>, PortError> {
        let shared = &self.shared;
        if let Some(header) = records.iter().flat_map(|record| &record.headers).find(|(name, _)| name.contains('\0')) {
            return Err(shared.invalid(format!("the header name `{}` has a zero byte in it", header.0.escape_debug())));
        }
        let name = topic.to_owned();
        // Why: a producer would wait for a topic that is not there until its records time out.
        self.block(move |shared| shared.describe_topic(&name)?.map(drop).ok_or_else(|| shared.no_topic(&name))).await?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let doing = format!("producing to topic `{topic}`");
        let producer = match shared.producers.take(&()) {
            Some(producer) => producer,
            None => shared.client(&doing, &settings::producer(&shared.config))?,
        };
        let lent = Lent { producer: Some(producer), shared: Arc::clone(shared) };
        let Some(producer) = &lent.producer else { return Ok(Vec::new()) };

        let mut waiting = VecDeque::with_capacity(records.len());
        let mut positions = Vec::with_capacity(records.len());
        for (number, record) in records.iter().enumerate() {
            if number % BREATH == 0 {
                tokio::task::yield_now().await;
            }
            let mut attempt = outgoing(topic, record);
            loop {
                match producer.send_result(attempt) {
                    Ok(delivery) => {
                        waiting.push_back(delivery);
                        break;
                    }
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                        attempt = back;
                        match waiting.pop_front() {
                            Some(delivery) => positions.push(delivered(shared, producer, &doing, delivery).await?),
                            None => tokio::task::yield_now().await,
                        }
                    }
                    Err((error, _)) => return Err(shared.client_fault(&doing, &error)),
                }
            }
        }
        for delivery in waiting {
            positions.push(delivered(shared, producer, &doing, delivery).await?);
        }
        shared.trouble.clear();
        lent.give_back();
        Ok(positions)
    }
}

async fn delivered(
    shared: &Shared,
    producer: &FutureProducer<Listener>,
    doing: &str,
    delivery: DeliveryFuture,
) -> Result<Position, PortError> {
    let error = match delivery.await {
        Ok(Ok(delivery)) => return Ok(Position { partition: delivery.partition, offset: delivery.offset }),
        Ok(Err((error, _))) => error,
        Err(_) => KafkaError::Canceled,
    };
    // Why: a producer that may not be idempotent here drops its records; the record's error then says no more than "dropped".
    Err(match producer.client().fatal_error() {
        Some((code, text)) => shared.fault(doing, AdminError { code: code as i32, text }),
        None => shared.client_fault(doing, &error),
    })
}

fn outgoing<'a>(topic: &'a str, record: &'a NewRecord) -> FutureRecord<'a, [u8], [u8]> {
    let mut outgoing = FutureRecord::to(topic);
    outgoing.key = record.key.as_deref();
    outgoing.payload = record.value.as_deref();
    if !record.headers.is_empty() {
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        outgoing.headers = Some(
            record.headers.iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value.as_slice()) })),
        );
    }
    outgoing
}
