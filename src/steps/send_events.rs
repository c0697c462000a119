//! `send_events`: produces a few events that the playbook writes out, and waits until a consumer group has seen them. The synthetic
//! events that prove a new path before real ones take it. After a crash the topic is read from the journaled offsets before anything
//! is sent again.

mod events;
mod seen;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::events::{encode, find_sent};
use self::seen::check_seen;
use super::common::{EVENT_HEADER, HELD, look_at_topic, main_system, topic_id};
use crate::ports::kafka::{Position, TopicState};
use crate::ports::registry::{SchemaFormat, SchemaVersion};
use crate::step::scalar::Span;
use crate::step::{
    ActContext, Change, Claim, Effect, Fact, Facts, Kind, Length, Mark, Move, Nature, OnUnknown, Operation, Plan, Receipt, Resource,
    Revert, Right, Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World,
};

/// Produces the events that are written out here, once, and waits until a consumer group has seen them.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendEvents {
    /// Name of the Kafka cluster in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub cluster: String,
    /// Name of the topic.
    #[schemars(extend("format" = "topic-name"))]
    pub topic: String,
    /// The events, in the order in which they are sent.
    #[schemars(length(min = 1, max = 1000))]
    pub events: Vec<Event>,
    /// Schema that every event must fit before the first one is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SubjectRef>,
    /// Fields that are filled in when an event is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
    /// The consumer group that must have seen the events before the step is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<SeenBy>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Record key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Record value, sent as JSON; `null` is a tombstone.
    pub value: Value,
    /// Record headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// A subject of a registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectRef {
    /// Name of the schema registry in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub registry: String,
    /// The subject; its newest version counts.
    #[schemars(length(min = 1, max = 400))]
    pub subject: String,
}

/// Where in the value something is filled in, as JSON pointers such as `/event_id`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// Gets an id that is the same whenever this step of this run sends the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^/."))]
    pub event_id: Option<String>,
    /// Gets the time at which the step began, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^/."))]
    pub produced_at: Option<String>,
}

/// The group that must have seen the events.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenBy {
    /// Name of the consumer group.
    #[schemars(length(min = 1, max = 249))]
    pub group: String,
    /// `true` when no service consumes in that group yet and cutover itself is to join it, read the events and commit.
    #[serde(default)]
    pub join: bool,
    /// How long the group may take, one minute when it is left out.
    #[serde(default = "minute")]
    pub within: Span,
}

fn minute() -> Span {
    Span(Duration::from_mins(1))
}

/// What is to be sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sending {
    topic: String,
    count: usize,
}

/// The one act.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Send {
    topic: String,
    count: usize,
}

impl fmt::Display for Send {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "send {} to {}", events::counted(self.count), self.topic)
    }
}

/// Where the partitions ended before the first event was sent: saved before sending, read from after a crash.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cursor {
    from: Vec<Position>,
}

impl SendEvents {
    fn resource(&self) -> Resource {
        Resource::topic(&self.cluster, &self.topic)
    }

    /// What in the events does not fit the schema in the view, if that can be told.
    fn misfits(&self, view: &View) -> Result<(), String> {
        let Some(schema) = &self.schema else { return Ok(()) };
        let found = view.get::<SchemaVersion>(&Resource::subject(&schema.registry, &schema.subject)).flatten();
        match found {
            None => Err(format!("subject {} has no version to check the events against", schema.subject)),
            Some(found) if found.format != SchemaFormat::Json => {
                Err(format!("{} is {}; events written in a playbook are checked against JSON Schema only", schema.subject, found.format))
            }
            Some(found) => {
                events::check(&self.events, &found.text, self.stamp.as_ref()).map_err(|why| format!("{why} (schema {})", schema.subject))
            }
        }
    }
}

impl StepKind for SendEvents {
    const KIND: Kind = Kind {
        name: "send_events",
        summary: "produces events that the playbook writes out, and waits until a group has seen them",
        nature: Nature::Once,
        risk: Risk::Reversible,
        needs: &[SystemKind::Kafka],
        on_unknown: OnUnknown::Ask,
        example: "playbook: example-send-events
steps:
  - id: topic
    create_topic: {topic: datarep.exercise, partitions: 1}
  - id: probe
    send_events:
      topic: datarep.exercise
      events:
        - {key: \"17\", value: {event_name: ExerciseChanged, payload: {id: 17}}}
      stamp: {event_id: /event_id, produced_at: /produced_at}
      seen_by: {group: probe, join: true}
",
    };
    type Change = Sending;
    type Act = Send;

    fn resources(&self) -> Vec<Claim> {
        let mut claims = vec![Claim::write(self.resource())];
        claims.extend(self.seen_by.iter().map(|seen_by| Claim::read(Resource::group(&self.cluster, &seen_by.group))));
        claims.extend(self.schema.iter().map(|schema| Claim::read(Resource::subject(&schema.registry, &schema.subject))));
        claims
    }

    fn complaints(&self) -> Vec<(String, String)> {
        let keyless = |(at, event): (usize, &Event)| {
            let why = "a tombstone needs a key: it says that the thing with that key is gone".to_owned();
            (event.value.is_null() && event.key.is_none()).then(|| (format!("/events/{at}"), why))
        };
        self.events.iter().enumerate().filter_map(keyless).collect()
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        let mut view = look_at_topic(world, &self.cluster, &self.topic).await?;
        if let Some(schema) = &self.schema {
            let latest = world.registry(&schema.registry)?.latest(&schema.subject).await?;
            view.put(&Resource::subject(&schema.registry, &schema.subject), &latest);
        }
        Ok(view)
    }

    fn plan(&self, view: &View) -> Plan<Sending> {
        let topic = match view.get::<TopicState>(&self.resource()) {
            None => return Plan::CannotPreview(format!("topic {} was not looked at", self.topic)),
            Some(None) => return Plan::Impossible(format!("topic {} is not there; create it in an earlier step", self.topic)),
            Some(Some(topic)) => topic,
        };
        if let Err(why) = self.misfits(view) {
            return Plan::Impossible(why);
        }
        if topic.is_compacted() && self.events.iter().any(|event| event.key.is_none()) {
            return Plan::Impossible(format!("{} is compacted and takes no event without a key", self.topic));
        }
        let seen = self.seen_by.as_ref().map(|seen_by| format!(", seen by group {}", seen_by.group)).unwrap_or_default();
        let to = Some(format!("{}{seen}", events::counted(self.events.len())));
        let effects = vec![Effect { mark: Mark::Create, what: format!("events in {}", self.topic), from: None, to }];
        let binding = json!({ "topic": topic_id(&topic) });
        Plan::Change(Change { change: Sending { topic: self.topic.clone(), count: self.events.len() }, effects, binding })
    }

    fn lengths(&self, _: Option<&Sending>) -> Vec<Length> {
        let seen = |seen_by: &SeenBy| Length::at_most(format!("group {} sees the events", seen_by.group), seen_by.within);
        self.seen_by.iter().map(seen).collect()
    }

    fn leave(&self, change: &Sending, view: &mut View) {
        let held = view.aspect::<i64>(&self.resource(), HELD).flatten().unwrap_or_default();
        view.put_aspect(&self.resource(), HELD, &(held + i64::try_from(change.count).unwrap_or(i64::MAX)));
    }

    fn acts(&self, change: &Sending) -> Vec<Send> {
        vec![Send { topic: change.topic.clone(), count: change.count }]
    }

    async fn standing(&self, context: &ActContext, _: &Sending, _: &Send) -> Result<Standing, StepError> {
        let Some(cursor) = context.resume::<Cursor>()? else { return Ok(Standing::Before) };
        let sent = find_sent(context, self, &cursor.from).await?;
        // Why: some but not all is `Before` too: `act` looks again and sends only what is missing.
        Ok(if sent.len() == self.events.len() { Standing::After(events::receipt(&sent, &cursor.from)) } else { Standing::Before })
    }

    async fn act(&self, context: &ActContext, _: &Sending, _: &Send) -> Result<Receipt, StepError> {
        let kafka = context.world.kafka(&self.cluster)?;
        let (from, mut sent) = if let Some(cursor) = context.resume::<Cursor>()? {
            (cursor.from.clone(), find_sent(context, self, &cursor.from).await?)
        } else {
            let ends = kafka.ends(&self.topic).await?;
            let from: Vec<_> = ends.iter().map(|ends| Position { partition: ends.partition, offset: ends.end }).collect();
            context.save(&Cursor { from: from.clone() }).await?;
            (from, BTreeMap::new())
        };
        let missing: Vec<usize> = (0..self.events.len()).filter(|at| !sent.contains_key(at)).collect();
        let records: Vec<_> = missing.iter().filter_map(|at| Some(encode(context, self, *at, self.events.get(*at)?))).collect();
        let positions = kafka.produce(&self.topic, &records).await?;
        sent.extend(missing.into_iter().zip(positions));
        Ok(events::receipt(&sent, &from))
    }

    async fn verify(&self, context: &ActContext, _: Option<&Sending>) -> Result<Verdict, StepError> {
        check_seen(self, context).await
    }

    fn revert(&self, change: &Sending, _: &[Receipt]) -> Revert {
        Revert::Kept(format!(
            "{} stay in {}: consumers may have seen them (header {EVENT_HEADER})",
            events::counted(change.count),
            self.topic
        ))
    }

    fn rights(&self) -> Vec<Right> {
        let topic = Resource::topic(&self.cluster, &self.topic);
        // Why reading: after a crash the topic tells what was sent already.
        let mut rights = [Right::look(&topic), Right::all(&topic, [Operation::Write, Operation::Read])].concat();
        if let Some(schema) = &self.schema {
            rights.extend(Right::all(&Resource::subject(&schema.registry, &schema.subject), [Operation::Read]));
        }
        if let Some(seen_by) = &self.seen_by {
            let operation = if seen_by.join { Operation::Read } else { Operation::Describe };
            rights.extend(Right::all(&Resource::group(&self.cluster, &seen_by.group), [operation]));
        }
        rights
    }

    fn moves(&self) -> Vec<Move> {
        let named = |event: &Event| {
            let name = event.value.get("event_name").and_then(Value::as_str).unwrap_or_default();
            format!("{name}@{}", event.value.get("event_version").and_then(Value::as_u64).unwrap_or_default())
        };
        let mut events: Vec<String> = self.events.iter().map(named).collect();
        events.sort();
        events.dedup();
        vec![Move::Send { topic: self.topic.clone(), events }]
    }

    fn facts(&self) -> Facts {
        Facts { needs: vec![Fact::Topic(format!("{}/{}", self.cluster, self.topic))], leaves: Vec::new() }
    }
}
