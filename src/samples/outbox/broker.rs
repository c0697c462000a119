//! Carries parcels to Kafka: an idempotent producer, all replicas, ten seconds.

use async_trait::async_trait;
use futures_util::future::join_all;
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::Transport;
use super::relay::{Carrier, Parcel};
use crate::samples::error::SampleError;
use crate::samples::surroundings::Surroundings;

/// A producer.
pub struct Broker(FutureProducer);

impl Broker {
    /// Makes the producer; it connects when it is needed.
    pub fn new(surroundings: &Surroundings) -> Result<Self, SampleError> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &surroundings.bootstrap);
        config.set("client.id", format!("{} {}", surroundings.service.as_str(), surroundings.release));
        config.set("enable.idempotence", "true").set("acks", "all").set("message.timeout.ms", "10000").set("linger.ms", "0");
        config.set("allow.auto.create.topics", "false").set("reconnect.backoff.max.ms", "1000");
        // Why: a snapshot of the table is produced by others, and a key must have one partition whoever produces it.
        config.set("partitioner", "murmur2_random");
        Ok(Self(config.create()?))
    }
}

#[async_trait]
impl Carrier for Broker {
    fn transport(&self) -> Transport {
        Transport::Events
    }

    async fn carry(&self, parcels: &[Parcel]) -> Vec<Result<(), String>> {
        let sent = parcels.iter().map(|parcel| {
            let record = FutureRecord::to(&parcel.destination).key(&parcel.key).payload(&parcel.body);
            let delivery = self.0.send_result(record).map_err(|(error, _)| error.to_string());
            async move {
                match delivery?.await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err((error, _))) => Err(error.to_string()),
                    Err(_) => Err("the producer has gone".to_owned()),
                }
            }
        });
        // Why: collected first, so that all are on their way before the first is waited for.
        let sent: Vec<_> = sent.collect();
        join_all(sent).await
    }
}
