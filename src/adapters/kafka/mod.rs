//! A Kafka cluster through librdkafka. Owns the connections to one cluster; the truth about topics, records and groups is the
//! cluster's alone, nothing is cached but the fact that it is the right cluster.

mod direct;
mod fault;
mod fences;
mod ffi;
mod group;
mod listener;
mod pool;
mod produce;
mod progress;
mod rights;
mod scan;
mod settings;
mod token;
mod topics;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, Producer};

use self::direct::Direct;
use self::ffi::{AdminError, Line};
use self::listener::{Listener, Trouble};
use self::pool::{Pool, retire};
use self::token::TokenSource;
use crate::adapters::secret::{Redactor, Secrets};
use crate::ports::access::{Access, Leave};
use crate::ports::kafka::{
    ClusterState, GroupState, Kafka, NewRecord, NewTopic, Pace, PartitionEnds, Position, ProducerState, See, StoredRecord, TopicState,
    TransactionState, WriteFence,
};
use crate::ports::settings::KafkaSettings;
use crate::ports::{PortError, SystemRef};
use crate::step::StepError;

/// How long a question may take.
const READING: Duration = Duration::from_secs(5);

/// How long a change may take once the cluster has shown that it is there.
const CHANGING: Duration = Duration::from_secs(20);

/// How long a new consumer waits at once for librdkafka to ask for a token.
const SERVING: Duration = Duration::from_millis(20);

/// How long librdkafka itself waits for a coordinator: for ever, as far as we are concerned.
const FAR_AWAY: Duration = Duration::from_hours(1);

/// A Kafka cluster. Clients are made when they are first needed.
pub struct KafkaCluster {
    shared: Arc<Shared>,
}

/// What blocking threads need, too.
struct Shared {
    system: SystemRef,
    config: ClientConfig,
    expected: Option<String>,
    redactor: Arc<Redactor>,
    /// For what librdkafka does not tell.
    direct: Result<Direct, String>,
    /// Where tokens come from, where the broker wants tokens.
    tokens: Option<Arc<TokenSource>>,
    /// Set once the cluster has shown the expected id.
    introduced: AtomicBool,
    trouble: Arc<Trouble>,
    /// The client for questions and topic changes. It never produces, so it needs no right to.
    admin: Mutex<Option<FutureProducer<Listener>>>,
    /// Idempotent producers that nobody uses at the moment.
    producers: Pool<(), FutureProducer<Listener>>,
    /// Clients for questions to coordinators that nobody uses at the moment.
    coordination: Pool<(), FutureProducer<Listener>>,
    /// Readers of a group's commits, by group, that nobody uses at the moment.
    readers: Pool<String, BaseConsumer<Listener>>,
}

impl KafkaCluster {
    /// Prepares for the cluster `name` of an environment; `setting` is where its address was set. Nothing is sent yet.
    ///
    /// # Errors
    /// [`StepError::NoSecret`] when a secret is missing, [`PortError::Invalid`] when the settings cannot be used.
    pub fn connect(name: &str, settings: &KafkaSettings, setting: &str, secrets: &dyn Secrets) -> Result<Arc<Self>, StepError> {
        let system =
            SystemRef { name: format!("kafka {name}"), address: settings.bootstrap.trim().to_owned(), setting: setting.to_owned() };
        let config = settings::base(settings, &system, secrets)?;
        let tokens = settings.sasl.as_ref().and_then(|sasl| sasl.token.as_ref());
        let tokens = tokens.map(|tokens| TokenSource::new(name, tokens, setting, secrets).map(Arc::new)).transpose()?;
        let invalid = |detail: String| StepError::Port(PortError::Invalid { system: system.clone(), detail });
        // Why no error here: librdkafka may well be at peace with a certificate that our own connection cannot use.
        let direct = Direct::new(settings, tokens.as_ref(), secrets, &invalid).map_err(|error| error.to_string());
        let shared = Shared {
            system,
            config,
            direct,
            tokens,
            redactor: secrets.redactor(),
            expected: settings.cluster_id.clone(),
            introduced: AtomicBool::new(false),
            trouble: Arc::default(),
            admin: Mutex::default(),
            producers: Pool::default(),
            coordination: Pool::default(),
            readers: Pool::default(),
        };
        Ok(Arc::new(Self { shared: Arc::new(shared) }))
    }

    /// Runs a blocking call on a thread that may block, after the cluster has shown that it is the right one.
    async fn block<T: Send + 'static>(&self, call: impl FnOnce(&Shared) -> Result<T, PortError> + Send + 'static) -> Result<T, PortError> {
        let shared = Arc::clone(&self.shared);
        let work = tokio::task::spawn_blocking(move || {
            shared.introduce()?;
            call(&shared)
        });
        match work.await {
            Ok(result) => result,
            Err(error) => Err(self.shared.invalid(format!("the call ended in a defect: {error}"))),
        }
    }
}

impl Shared {
    /// Makes sure, once, that the cluster is the one that the settings name.
    fn introduce(&self) -> Result<(), PortError> {
        if self.expected.is_none() || self.introduced.load(Ordering::Acquire) {
            return Ok(());
        }
        self.describe().map(drop)
    }

    /// Asks the cluster who it is, and refuses the wrong one.
    fn describe(&self) -> Result<ClusterState, PortError> {
        let found = self.ask("asking who the cluster is", READING, ffi::describe_cluster)?;
        let id = found.id.unwrap_or_default();
        if let Some(expected) = self.expected.as_ref().filter(|expected| **expected != id) {
            return Err(PortError::Refused {
                system: self.system.clone(),
                detail: format!("this is cluster `{id}`, and the settings want `{expected}`; mend `bootstrap` or `cluster_id`"),
            });
        }
        self.introduced.store(true, Ordering::Release);
        Ok(ClusterState { id, brokers: found.brokers })
    }

    /// Runs one admin call and sorts its error.
    fn ask<T>(&self, doing: &str, patience: Duration, call: impl FnOnce(Line<'_>) -> Result<T, AdminError>) -> Result<T, PortError> {
        self.try_ask(doing, patience, call)?.map_err(|error| self.fault(doing, error))
    }

    /// Runs one admin call and leaves its error to the caller.
    fn try_ask<T>(
        &self,
        doing: &str,
        patience: Duration,
        call: impl FnOnce(Line<'_>) -> Result<T, AdminError>,
    ) -> Result<Result<T, AdminError>, PortError> {
        let admin = self.admin(doing)?;
        let begin = Instant::now();
        let hopeless = || self.trouble.is_hopeless_since(begin);
        let outcome = call(Line { client: admin.client().native_client(), patience, limit: patience, hopeless: &hopeless });
        self.note(&outcome);
        Ok(outcome)
    }

    /// An answer, even a bad one, ends the trouble with the connection. Says whether there was one.
    fn note<T>(&self, outcome: &Result<T, AdminError>) -> bool {
        let answered = outcome.as_ref().map_or_else(|error| error.code > 0, |_| true);
        if answered {
            self.trouble.clear();
        }
        answered
    }

    fn fault(&self, doing: &str, error: AdminError) -> PortError {
        let error = fault::telling(error, self.trouble.last());
        let error = AdminError { text: self.redactor.scrub(&error.text), ..error };
        // Why: librdkafka says of every certificate that it could not be verified, and never why.
        let advice = if error.code == fault::DISTRUST {
            self.direct.as_ref().ok().and_then(Direct::distrust)
        } else {
            fault::advice(&error).map(str::to_owned)
        };
        fault::port_error(&self.system, doing, error, advice)
    }

    fn client_fault(&self, doing: &str, error: &KafkaError) -> PortError {
        self.fault(doing, fault::flatten(error))
    }

    fn invalid(&self, detail: impl Into<String>) -> PortError {
        PortError::Invalid { system: self.system.clone(), detail: detail.into() }
    }

    fn unreachable(&self, detail: impl Into<String>) -> PortError {
        PortError::Unreachable { system: self.system.clone(), detail: detail.into() }
    }

    fn no_topic(&self, topic: &str) -> PortError {
        self.invalid(format!("there is no topic `{topic}`"))
    }

    fn listener(&self) -> Listener {
        Listener { trouble: Arc::clone(&self.trouble), tokens: self.tokens.clone(), served: Arc::default() }
    }

    fn admin(&self, doing: &str) -> Result<FutureProducer<Listener>, PortError> {
        let mut slot = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*slot {
            return Ok(client.clone());
        }
        let client = self.client(doing, &self.config)?;
        *slot = Some(client.clone());
        Ok(client)
    }

    fn client(&self, doing: &str, config: &ClientConfig) -> Result<FutureProducer<Listener>, PortError> {
        config.create_with_context(self.listener()).map_err(|error| self.client_fault(doing, &error))
    }

    fn consumer(&self, doing: &str, config: &ClientConfig) -> Result<BaseConsumer<Listener>, PortError> {
        let listener = self.listener();
        let served = Arc::clone(&listener.served);
        let consumer: BaseConsumer<Listener> = config.create_with_context(listener).map_err(|error| self.client_fault(doing, &error))?;
        // Why: a consumer asks for its token only while it is polled, and questions about commits are asked without polling.
        let end = Instant::now() + READING;
        while self.tokens.is_some() && !served.load(Ordering::Acquire) && Instant::now() < end {
            if let Some(Err(error)) = consumer.poll(SERVING) {
                return Err(self.client_fault(doing, &error));
            }
        }
        Ok(consumer)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let admin = self.admin.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        retire((admin, self.producers.empty(), self.coordination.empty(), self.readers.empty()));
    }
}

/// Tells a blocking loop that nobody waits for it any more.
struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// The guard for the caller's side and the flag for the loop.
    fn pair() -> (Self, Arc<AtomicBool>) {
        let flag = Arc::new(AtomicBool::new(false));
        (Self(Arc::clone(&flag)), flag)
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[async_trait]
impl Kafka for KafkaCluster {
    async fn cluster(&self) -> Result<ClusterState, PortError> {
        self.block(Shared::describe).await
    }

    async fn topics(&self) -> Result<Vec<String>, PortError> {
        self.block(Shared::topics).await
    }

    async fn topic(&self, name: &str) -> Result<Option<TopicState>, PortError> {
        let name = name.to_owned();
        self.block(move |shared| shared.topic(&name)).await
    }

    async fn create_topic(&self, topic: &NewTopic) -> Result<(), PortError> {
        let topic = topic.clone();
        self.block(move |shared| shared.create_topic(&topic)).await
    }

    async fn grow_topic(&self, name: &str, total: u32) -> Result<(), PortError> {
        let name = name.to_owned();
        self.block(move |shared| shared.grow_topic(&name, total)).await
    }

    async fn alter_topic(&self, name: &str, set: &BTreeMap<String, String>, unset: &[String]) -> Result<(), PortError> {
        let (name, set, unset) = (name.to_owned(), set.clone(), unset.to_vec());
        self.block(move |shared| shared.alter_topic(&name, &set, &unset)).await
    }

    async fn delete_topic(&self, name: &str, id: Option<&str>) -> Result<(), PortError> {
        let (name, id) = (name.to_owned(), id.map(str::to_owned));
        self.block(move |shared| shared.delete_topic(&name, id.as_deref())).await
    }

    async fn ends(&self, topic: &str) -> Result<Vec<PartitionEnds>, PortError> {
        let topic = topic.to_owned();
        self.block(move |shared| shared.ends(&topic)).await
    }

    async fn stable_ends(&self, topic: &str) -> Result<Vec<Position>, PortError> {
        let topic = topic.to_owned();
        self.block(move |shared| shared.stable_ends(&topic)).await
    }

    async fn produce(&self, topic: &str, records: &[NewRecord]) -> Result<Vec<Position>, PortError> {
        self.send(topic, records).await
    }

    async fn read(&self, topic: &str, ranges: &[(Position, i64)], patience: Duration) -> Result<Vec<StoredRecord>, PortError> {
        let (topic, ranges) = (topic.to_owned(), ranges.to_vec());
        let (_cancel, cancelled) = Cancel::pair();
        self.block(move |shared| shared.read(&topic, &ranges, patience, &cancelled)).await
    }

    async fn sift(&self, topic: &str, ranges: &[(Position, i64)], pace: Pace, mut see: See) -> Result<Vec<Position>, PortError> {
        let (topic, ranges) = (topic.to_owned(), ranges.to_vec());
        let (_cancel, cancelled) = Cancel::pair();
        self.block(move |shared| shared.sift(&topic, &ranges, pace, &cancelled, &mut see)).await
    }

    async fn consume(&self, topic: &str, group: &str, until: &[Position], patience: Duration) -> Result<Vec<StoredRecord>, PortError> {
        let (topic, group, until) = (topic.to_owned(), group.to_owned(), until.to_vec());
        let (_cancel, cancelled) = Cancel::pair();
        self.block(move |shared| shared.consume(&topic, &group, &until, patience, &cancelled)).await
    }

    async fn group(&self, group: &str) -> Result<Option<GroupState>, PortError> {
        let group = group.to_owned();
        self.block(move |shared| shared.group(&group)).await
    }

    async fn committed(&self, group: &str, topic: &str) -> Result<Vec<Position>, PortError> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.block(move |shared| shared.committed(&group, &topic)).await
    }

    async fn groups_on(&self, topic: &str) -> Result<Vec<String>, PortError> {
        let topic = topic.to_owned();
        self.block(move |shared| shared.groups_on(&topic)).await
    }

    async fn producers(&self, topic: &str) -> Result<Vec<ProducerState>, PortError> {
        let topic = topic.to_owned();
        self.block(move |shared| shared.producers(&topic)).await
    }

    async fn transactions(&self, producers: &[i64]) -> Result<Vec<TransactionState>, PortError> {
        let producers = producers.to_vec();
        self.block(move |shared| shared.transactions(&producers)).await
    }

    async fn fence_transaction(&self, id: &str) -> Result<(), PortError> {
        let id = id.to_owned();
        self.block(move |shared| shared.fence_transaction(&id)).await
    }

    async fn has_fence(&self, fence: &WriteFence) -> Result<Option<bool>, PortError> {
        let fence = fence.clone();
        self.block(move |shared| shared.has_fence(&fence)).await
    }

    async fn add_fence(&self, fence: &WriteFence) -> Result<(), PortError> {
        let fence = fence.clone();
        self.block(move |shared| shared.add_fence(&fence)).await
    }

    async fn remove_fence(&self, fence: &WriteFence) -> Result<(), PortError> {
        let fence = fence.clone();
        self.block(move |shared| shared.remove_fence(&fence)).await
    }

    async fn delete_before(&self, topic: &str, before: &[Position]) -> Result<(), PortError> {
        self.delete_records_before(topic, before).await
    }

    async fn allows(&self, asked: &[Access]) -> Result<Vec<Leave>, PortError> {
        let asked = asked.to_vec();
        self.block(move |shared| shared.allows(&asked)).await
    }
}
