//! Producers and transactions as the brokers know them, and what keeps a producer from writing. What the brokers answer is sorted here.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::direct::{Direct, SECURITY_DISABLED, Said};
use super::fault::{Class, class};
use super::ffi::AdminError;
use super::topics::{CATCHING_UP, PAUSE, SHOWING};
use super::{CHANGING, KafkaCluster, READING, Shared};
use crate::ports::PortError;
use crate::ports::kafka::{Position, ProducerState, TransactionState, WriteFence};

impl Shared {
    pub(super) fn producers(&self, topic: &str) -> Result<Vec<ProducerState>, PortError> {
        self.tell(&format!("asking who produces to topic `{topic}`"), READING, |direct| direct.producers(topic))
    }

    pub(super) fn transactions(&self, producers: &[i64]) -> Result<Vec<TransactionState>, PortError> {
        self.tell("asking which transactions are open", READING, |direct| direct.transactions(producers))
    }

    pub(super) fn fence_transaction(&self, id: &str) -> Result<(), PortError> {
        self.tell(&format!("ending the transaction `{id}`"), CHANGING, |direct| direct.fence_transaction(id))
    }

    pub(super) fn has_fence(&self, fence: &WriteFence) -> Result<Option<bool>, PortError> {
        let doing = format!("looking whether {fence}");
        let give_up = Instant::now() + CATCHING_UP;
        loop {
            let Some(said) = self.fence_told(&doing, fence)? else { return Ok(None) };
            match said.split_first() {
                Some((first, rest)) if rest.iter().all(|other| other == first) => return Ok(Some(*first)),
                _ if Instant::now() >= give_up => return Err(self.unreachable(format!("{doing}: the brokers do not agree about it yet"))),
                _ => thread::sleep(PAUSE),
            }
        }
    }

    /// What each broker says about a rule; `None` without an authorizer.
    fn fence_told(&self, doing: &str, fence: &WriteFence) -> Result<Option<Vec<bool>>, PortError> {
        self.tell(doing, READING, |direct| match direct.has_fence(fence) {
            Ok(said) => Ok(Some(said)),
            Err(Said::No(refusal)) if refusal.code == SECURITY_DISABLED => Ok(None),
            Err(said) => Err(said),
        })
    }

    pub(super) fn add_fence(&self, fence: &WriteFence) -> Result<(), PortError> {
        let doing = format!("adding the rule that {fence}");
        self.tell(&doing, CHANGING, |direct| direct.add_fence(fence))?;
        self.wait_for_fence(&doing, fence, true)
    }

    pub(super) fn remove_fence(&self, fence: &WriteFence) -> Result<(), PortError> {
        let doing = format!("removing the rule that {fence}");
        self.tell(&doing, CHANGING, |direct| direct.remove_fence(fence))?;
        self.wait_for_fence(&doing, fence, false)
    }

    /// Waits until every broker shows the rule, or none does: the controller acknowledges before they know.
    fn wait_for_fence(&self, doing: &str, fence: &WriteFence, there: bool) -> Result<(), PortError> {
        let give_up = Instant::now() + SHOWING;
        while !self.fence_told(doing, fence)?.is_none_or(|said| said.iter().all(|one| *one == there)) {
            if Instant::now() >= give_up {
                return Err(self.not_shown(doing));
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Asks on a connection of our own; what passes by itself is tried again for a while.
    fn tell<T>(&self, doing: &str, patience: Duration, ask: impl Fn(&Direct) -> Result<T, Said>) -> Result<T, PortError> {
        let direct = self.direct.as_ref().map_err(|why| self.invalid(format!("{doing}: {why}")))?;
        let end = Instant::now() + patience;
        loop {
            match ask(direct) {
                Ok(found) => return Ok(found),
                Err(Said::No(refusal)) if class(refusal.code.into()) == Class::Passing && Instant::now() < end => thread::sleep(PAUSE),
                Err(Said::No(refusal)) => {
                    return Err(self.fault(doing, AdminError { code: refusal.code.into(), text: refusal.text }));
                }
                Err(Said::Nothing(error)) => return Err(self.unreachable(self.redactor.scrub(&format!("{doing}: {error}")))),
            }
        }
    }
}

impl KafkaCluster {
    pub(super) async fn delete_records_before(&self, topic: &str, before: &[Position]) -> Result<(), PortError> {
        let doing = format!("deleting records of topic `{topic}`");
        let fault = |error: &rdkafka::error::KafkaError| self.shared.client_fault(&doing, error);
        let mut list = TopicPartitionList::new();
        for at in before {
            list.add_partition_offset(topic, at.partition, Offset::Offset(at.offset)).map_err(|error| fault(&error))?;
        }
        let admin: AdminClient<DefaultClientContext> = self.shared.config.create().map_err(|error| fault(&error))?;
        let options = AdminOptions::new().request_timeout(Some(CHANGING)).operation_timeout(Some(CHANGING));
        let answer = admin.delete_records(&list, &options).await;
        super::retire(admin);
        let answer = answer.map_err(|error| fault(&error))?;
        answer.elements().iter().try_for_each(|element| element.error().map_err(|error| fault(&error)))
    }
}
