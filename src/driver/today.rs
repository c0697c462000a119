//! Asks live systems where a plan begins: which releases run, what flags serve, which topics and schemas are there. Owns the asking;
//! what it means for the proof is the proof's matter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};

use crate::playbook::environment::Environment;
use crate::ports::flags::Flags;
use crate::ports::kafka::Kafka;
use crate::ports::registry::Registry;
use crate::ports::workloads::Workloads;
use crate::services::Services;
use crate::step::{StepError, Today, TopicToday, World};
use crate::steps::register_schema::described_event;

/// Asks, all at once. Changes nothing. A system that does not answer, or cannot be had, is named among the unasked: the plan's own steps
/// say whether that matters to them.
pub(super) async fn today(services: &Services, environment: &Environment, world: &World) -> Today {
    let mut asked: Vec<(String, BoxFuture<'_, Result<Today, StepError>>)> = Vec::new();
    for name in environment.workloads.keys() {
        asked.push((format!("workloads {name}"), async { live(services, world.workloads(name)?).await }.boxed()));
    }
    for name in world.flag_stores() {
        asked.push((format!("flags {name}"), async { served(services, world.flags(name)?).await }.boxed()));
    }
    for name in environment.kafka.keys() {
        asked.push((format!("kafka {name}"), async { topics(services, world.kafka(name)?).await }.boxed()));
    }
    for name in environment.registry.keys() {
        asked.push((format!("registry {name}"), async { schemas(services, world.registry(name)?).await }.boxed()));
    }
    let (names, asked): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
    let mut today = Today::default();
    for (name, answer) in names.into_iter().zip(join_all(asked).await) {
        match answer {
            Ok(part) => today.join(part),
            Err(error) => today.unasked.push(format!("{name} ({error})")),
        }
    }
    today
}

async fn live(services: &Services, workloads: Arc<dyn Workloads>) -> Result<Today, StepError> {
    let mut today = Today::default();
    let known = workloads.services().await?;
    for name in services.services.keys().filter(|name| known.as_ref().is_none_or(|known| known.contains_key(*name))) {
        today.releases.entry(name.clone()).or_default();
    }
    for instance in workloads.instances(None).await? {
        if services.services.contains_key(&instance.service) {
            today.releases.entry(instance.service).or_default().insert(instance.release);
        }
    }
    Ok(today)
}

async fn served(services: &Services, flags: Arc<dyn Flags>) -> Result<Today, StepError> {
    let mut today = Today::default();
    for name in services.flags() {
        let Some(flag) = flags.flag(name).await? else { continue };
        let served = today.flags.entry(name.to_owned()).or_default();
        match flag.default_variant.filter(|_| flag.enabled) {
            // Why all: whom targeting gives which variant is between the flag and its keys.
            Some(_) if flag.targeting.is_some() => served.extend(flag.variants.into_keys()),
            Some(variant) => {
                served.insert(variant);
            }
            None => served.extend(services.defaults.get(name).cloned()),
        }
    }
    Ok(today)
}

async fn topics(services: &Services, kafka: Arc<dyn Kafka>) -> Result<Today, StepError> {
    let mut today = Today::default();
    let names: BTreeSet<&String> = services.events.values().map(|event| &event.topic).collect();
    let looks = names.iter().map(|name| topic(name, kafka.as_ref()));
    for (name, found) in names.iter().zip(join_all(looks).await) {
        today.topics.insert((*name).clone(), found?);
    }
    Ok(today)
}

async fn topic(name: &str, kafka: &dyn Kafka) -> Result<TopicToday, StepError> {
    let Some(state) = kafka.topic(name).await? else { return Ok(TopicToday::Missing) };
    let ends = kafka.ends(name).await?;
    let holds = ends.iter().any(|ends| ends.start < ends.end);
    let known = if holds { kafka.groups_on(name).await? } else { Vec::new() };
    let mut groups = BTreeMap::new();
    for group in known {
        let committed: BTreeMap<i32, i64> =
            kafka.committed(&group, name).await?.into_iter().map(|position| (position.partition, position.offset)).collect();
        let read = |partition: i32| committed.get(&partition).copied().unwrap_or_default();
        let all = ends.iter().all(|ends| ends.start == ends.end || read(ends.partition) >= ends.end);
        groups.insert(group, all);
    }
    Ok(TopicToday::There { compacted: state.is_compacted(), holds, groups })
}

async fn schemas(services: &Services, registry: Arc<dyn Registry>) -> Result<Today, StepError> {
    let mut today = Today::default();
    let subjects: BTreeSet<String> = services.events.values().map(|event| format!("{}-value", event.topic)).collect();
    for newest in join_all(subjects.iter().map(|subject| registry.latest(subject))).await {
        today.schemas.extend(newest?.and_then(|version| described_event(&version.text)));
    }
    Ok(today)
}
