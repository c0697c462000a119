//! What several kinds share: names of systems, settings as text, and how a topic is looked at.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::ports::kafka::TopicState;
use crate::ports::workloads::Instance;
use crate::step::{ByHand, KNOWN_LATER, Plan, Resource, StepError, SystemKind, View, World, variable};

/// Aspect of a topic in a view: how many offsets it has ever given out, over all partitions. 0 means that it never held a record.
pub(super) const HELD: &str = "held";

/// Header that names the run, the step and the event; what makes a second sending recognisable.
pub(super) const EVENT_HEADER: &str = "cutover-event";

/// The system that is meant when a step names none.
pub(super) fn main_system() -> String {
    "main".to_owned()
}

/// Waits inside an act. `false` says that there is nothing to wait by: a world in memory has a time of its own, which only its owner moves.
pub(super) async fn pause(time: Duration) -> bool {
    let timed = tokio::runtime::Handle::try_current().is_ok();
    if timed {
        tokio::time::sleep(time).await;
    }
    timed
}

/// Looks at a topic: its state, and whether it ever held a record.
pub(super) async fn look_at_topic(world: &World, cluster: &str, topic: &str) -> Result<View, StepError> {
    let kafka = world.kafka(cluster)?;
    let resource = Resource::topic(cluster, topic);
    let mut view = View::default();
    let state = kafka.topic(topic).await?;
    let held = match state {
        Some(_) => Some(kafka.ends(topic).await?.iter().map(|ends| ends.end).sum::<i64>()),
        None => None,
    };
    view.put(&resource, &state);
    view.put_aspect(&resource, HELD, &held);
    Ok(view)
}

/// A topic by a name that no other topic ever has.
pub(super) fn topic_life(topic: &Resource, id: &str) -> String {
    format!("{topic} with id {id}")
}

/// One of Kafka's own tools, pointed at a cluster.
pub(super) fn kafka_tool(tool: &str, cluster: &str) -> String {
    format!("{tool} --bootstrap-server \"${}\"", variable(SystemKind::Kafka, cluster))
}

/// Command that puts a row into one of cutover's own tables, which outlive the controller. `sql` may name psql's variable `environment`.
pub(super) fn state_sql(sql: &str) -> String {
    format!("psql \"$CUTOVER_DATABASE_URL\" -v ON_ERROR_STOP=1 -v environment=\"$ENVIRONMENT\" << 'SQL'\n{sql};\nSQL")
}

/// How a person asks for instances of a service.
pub(super) fn ask_by_hand(told: ByHand, workloads: &str, service: &str, release: &str, instances: u32) -> ByHand {
    let (name, service) = (format!(":'environment' || {}", literal(&format!("/{workloads}"))), literal(service));
    let insert = format!(
        "insert into cutover.workload (workloads, service, revision, key, release, instances)\n\
         select {name}, {service}, coalesce(max(revision), 0) + 1, 'by-hand-' || clock_timestamp(), {}, {instances}\n\
         from cutover.workload where workloads = {name} and service = {service}",
        literal(release)
    );
    let running = format!("select instance, release, state, reason from cutover.instance where workloads = {name} and service = {service}");
    told.say(
        "If something else than `cutover supervise` runs the service, use its own tool. The supervisor keeps to the newest row of this \
         table, also without a controller:",
    )
    .run(state_sql(&insert))
    .say("What runs:")
    .run(state_sql(&running))
}

/// A text as a literal of SQL.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The topic that a step reads and does not make, as it was looked at; else the plan that says why it cannot be read.
pub(super) fn topic_there<C>(view: &View, cluster: &str, topic: &str) -> Result<TopicState, Plan<C>> {
    match view.get::<TopicState>(&Resource::topic(cluster, topic)) {
        None => Err(Plan::CannotPreview(format!("topic {topic} was not looked at"))),
        Some(None) => Err(Plan::Impossible(format!("topic {topic} is not there"))),
        Some(Some(state)) => Ok(state),
    }
}

/// A topic's id for a binding: a topic that an earlier step makes gets its id only then.
pub(super) fn topic_id(topic: &TopicState) -> String {
    topic.id.clone().unwrap_or_else(|| KNOWN_LATER.to_owned())
}

/// Aspect of a service in a view: its instances.
pub(super) const INSTANCES: &str = "instances";

/// Aspect of a service in a view: the services that can be run beside it, with their usual numbers of instances.
pub(super) const SERVICES: &str = "services";

/// Looks at a service: what should run of it, what does, and what else could.
pub(super) async fn look_at_service(world: &World, workloads: &str, service: &str) -> Result<View, StepError> {
    let runner = world.workloads(workloads)?;
    let resource = Resource::service(workloads, service);
    let mut view = View::default();
    view.put(&resource, &runner.desired(service).await?);
    view.put_aspect(&resource, INSTANCES, &runner.instances(Some(service)).await?);
    view.put_aspect(&resource, SERVICES, &runner.services().await?);
    Ok(view)
}

/// Aspect of no service in particular: what earlier steps of the plan deploy.
const DEPLOYED: &str = "deployed";

/// Writes down that a step will deploy something: a service makes its own tables when it starts.
pub(super) fn note_deployed(view: &mut View, what: &str) {
    let nobody = Resource::service("", "");
    let mut all = view.aspect::<Vec<String>>(&nobody, DEPLOYED).flatten().unwrap_or_default();
    all.push(what.to_owned());
    view.put_aspect(&nobody, DEPLOYED, &all);
}

/// What earlier steps of the plan deploy.
pub(super) fn deployed(view: &View) -> Vec<String> {
    view.aspect(&Resource::service("", ""), DEPLOYED).flatten().unwrap_or_default()
}

/// The instances for people: `hiring-1.5-a1 (1.5, starting)`, one after the other.
pub(super) fn instances_text<'a>(instances: impl IntoIterator<Item = &'a Instance>) -> String {
    let one = |instance: &Instance| format!("{} ({}, {})", instance.instance, instance.release, instance.state.as_str());
    instances.into_iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A number of instances for people.
pub(super) fn instances_count(count: usize) -> String {
    if count == 1 { "1 instance".to_owned() } else { format!("{count} instances") }
}

/// A setting's value: written as text, number or boolean, kept as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigValue(pub String);

impl<'de> Deserialize<'de> for ConfigValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            serde_json::Value::Number(number) => Ok(Self(number.to_string())),
            serde_json::Value::Bool(flag) => Ok(Self(flag.to_string())),
            _ => Err(serde::de::Error::custom("a setting is a text, a number or true/false")),
        }
    }
}

impl JsonSchema for ConfigValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ConfigValue".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// What a step on a way back does with a thing that is in use by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IfUsed {
    /// Stop the run.
    #[default]
    Refuse,
    /// Leave it where it is and say why.
    Keep,
}
