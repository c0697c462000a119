//! `drain_topic`: waits until consumer groups have read everything that lay in a topic when the step began, and keeps the proof. The
//! judgement itself is in the room `drain`. What is produced later is not waited for: while producers live, the step proves no more
//! than "up to the barrier".

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::common::{look_at_topic, main_system, topic_id, topic_there};
use crate::drain::{self, Barrier, Verdict as Drain};
use crate::ports::kafka::Kafka;
use crate::step::{
    ActContext, Change, Claim, DrainGoal, EVERY_GROUP, Evidence, Fact, Facts, Kind, Move, Nature, OnUnknown, Operation, Plan, Receipt,
    Resource, Revert, Right, Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World,
};

/// How often the groups' commits are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How long a high watermark may trail behind a leader whose replicas are slow: Kafka's `replica.lag.time.max.ms`.
const REPLICAS_LAG: Duration = Duration::from_secs(30);

/// Waits until every record that lies in a topic when the step begins has been read by every one of these groups.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrainTopic {
    /// Name of the Kafka cluster in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub cluster: String,
    /// Name of the topic.
    #[schemars(extend("format" = "topic-name"))]
    pub topic: String,
    /// The consumer groups that must have read everything.
    #[schemars(length(min = 1, max = 100))]
    pub groups: Vec<String>,
    /// Whether a way back that comes past this step waits in the same way, for what the steps behind it have let produce.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub both_ways: bool,
}

/// Which topic is drained.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Draining {
    topic: String,
    replication: u16,
}

/// The acts of a drain: both look and change nothing but the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainAct {
    /// Take the barrier of this topic.
    Barrier(String),
    /// Take it again; the larger one counts.
    Again(Vec<String>),
}

impl fmt::Display for DrainAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Barrier(topic) => write!(f, "note where {topic} ends"),
            Self::Again(groups) => write!(f, "note it once more, and wait until {} have read everything before it", groups.join(", ")),
        }
    }
}

/// Values of the receipts.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Taken {
    barrier: Barrier,
    /// Groups on the topic that the step does not name.
    undeclared: Vec<String>,
}

impl DrainTopic {
    fn resource(&self) -> Resource {
        Resource::topic(&self.cluster, &self.topic)
    }

    async fn undeclared(&self, kafka: &dyn Kafka) -> Result<Vec<String>, StepError> {
        let found = kafka.groups_on(&self.topic).await?;
        Ok(found.into_iter().filter(|group| !self.groups.contains(group)).collect())
    }
}

impl StepKind for DrainTopic {
    const KIND: Kind = Kind {
        name: "drain_topic",
        summary: "waits until groups have read everything that lay in a topic when the step began",
        nature: Nature::Once,
        risk: Risk::Safe,
        needs: &[SystemKind::Kafka],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-drain-topic
steps:
  - id: topic
    create_topic: {topic: datarep.exercise, partitions: 1}
  - id: last
    send_events:
      topic: datarep.exercise
      events:
        - {key: \"17\", value: {event_name: ExerciseChanged, payload: {id: 17}}}
      seen_by: {group: probe, join: true}
  - id: drained
    drain_topic: {topic: datarep.exercise, groups: [probe]}
",
    };
    type Change = Draining;
    type Act = DrainAct;

    fn resources(&self) -> Vec<Claim> {
        let groups = self.groups.iter().map(|group| Claim::read(Resource::group(&self.cluster, group)));
        std::iter::once(Claim::read(self.resource())).chain(groups).collect()
    }

    fn complaints(&self) -> Vec<(String, String)> {
        let mut known = BTreeSet::new();
        let wrong = |(at, group): (usize, &String)| {
            let why = if group.is_empty() {
                "a group must have a name".to_owned()
            } else if !known.insert(group.clone()) {
                format!("group `{group}` is named twice")
            } else {
                return None;
            };
            Some((format!("/groups/{at}"), why))
        };
        self.groups.iter().enumerate().filter_map(wrong).collect()
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        look_at_topic(world, &self.cluster, &self.topic).await
    }

    fn plan(&self, view: &View) -> Plan<Draining> {
        let topic = match topic_there(view, &self.cluster, &self.topic) {
            Ok(topic) => topic,
            Err(plan) => return plan,
        };
        let change = Draining { topic: self.topic.clone(), replication: topic.replication };
        Plan::Change(Change { change, effects: Vec::new(), binding: json!({ "topic": topic_id(&topic) }) })
    }

    fn leave(&self, _: &Draining, _: &mut View) {}

    fn acts(&self, change: &Draining) -> Vec<DrainAct> {
        vec![DrainAct::Barrier(change.topic.clone()), DrainAct::Again(self.groups.clone())]
    }

    async fn standing(&self, _: &ActContext, _: &Draining, _: &DrainAct) -> Result<Standing, StepError> {
        // Why: a barrier that is taken again lies no earlier, so it proves no less.
        Ok(Standing::Before)
    }

    async fn act(&self, context: &ActContext, _: &Draining, act: &DrainAct) -> Result<Receipt, StepError> {
        let kafka = context.world.kafka(&self.cluster)?;
        let before = context.receipts.first().map(|receipt| serde_json::from_value::<Taken>(receipt.data.clone())).transpose();
        let before = before.map_err(StepError::broken)?.filter(|_| matches!(act, DrainAct::Again(_)));
        let mut barrier = drain::take_barrier(kafka.as_ref(), &self.topic, before.as_ref().map(|taken| &taken.barrier)).await?;
        if before.is_some() {
            barrier = drain::known_last(kafka.as_ref(), &self.topic, barrier).await?;
        }
        let undeclared = self.undeclared(kafka.as_ref()).await?;
        let records: i64 = barrier.marks.iter().map(|mark| mark.end).sum();
        let line = format!("the barrier lies behind {records} offsets in {} partitions", barrier.marks.len());
        Ok(Receipt::with(line, &Taken { barrier, undeclared }))
    }

    const SETTLES: bool = true;

    async fn settle(&self, context: &ActContext, change: &Draining, act: &DrainAct, _: &Receipt) -> Result<Verdict, StepError> {
        let rested = (context.now - context.rests_since).to_std().unwrap_or_default();
        // Why: with one replica the high watermark is the end of the log.
        match REPLICAS_LAG.checked_sub(rested) {
            Some(left) if change.replication > 1 && matches!(act, DrainAct::Barrier(_)) && !left.is_zero() => Ok(Verdict::NotYet {
                now: format!("the barrier was taken {} s ago", rested.as_secs()),
                goal: format!("{} s have passed, the longest that a high watermark trails behind", REPLICAS_LAG.as_secs()),
                again_in: left,
            }),
            _ => Ok(Verdict::Holds(Evidence::said("taken"))),
        }
    }

    async fn verify(&self, context: &ActContext, _: Option<&Draining>) -> Result<Verdict, StepError> {
        let Some(receipt) = context.receipts.last() else { return Ok(Verdict::Broken("there is no barrier to wait for".to_owned())) };
        let taken: Taken = serde_json::from_value(receipt.data.clone()).map_err(StepError::broken)?;
        let kafka = context.world.kafka(&self.cluster)?;
        let sight = drain::look(kafka.as_ref(), &self.topic, &taken.barrier, &self.groups).await?;
        let found = drain::judge(&taken.barrier, &sight);
        Ok(match &found {
            Drain::Drained => {
                let mut undeclared: BTreeSet<String> = taken.undeclared.into_iter().collect();
                undeclared.extend(self.undeclared(kafka.as_ref()).await?);
                let committed: Vec<Value> =
                    sight.groups.iter().map(|group| json!({ "group": group.group, "committed": group.committed })).collect();
                let others = match undeclared.len() {
                    0 => String::new(),
                    _ => format!("; not asked for, and on the topic, too: {}", undeclared.iter().cloned().collect::<Vec<_>>().join(", ")),
                };
                let line = format!("{} read everything before {}{others}", list(&self.groups), ends(&taken.barrier));
                let data = json!({ "barrier": taken.barrier, "stable": sight.stable, "groups": committed, "undeclared": undeclared });
                Verdict::Holds(Evidence::with(line, &data))
            }
            Drain::Lost(_) | Drain::Changed(_) => Verdict::Broken(found.words()),
            _ => Verdict::NotYet {
                now: found.words(),
                goal: format!("{} read everything before {}", list(&self.groups), ends(&taken.barrier)),
                again_in: LOOK_AGAIN,
            },
        })
    }

    fn revert(&self, _: &Draining, _: &[Receipt]) -> Revert {
        if self.both_ways { Revert::step(Self::KIND.name, json!(self)) } else { Revert::Nothing }
    }

    fn rights(&self) -> Vec<Right> {
        let topic = self.resource();
        // Why every group: one that we may not see would be one that nobody waits for.
        let every = Resource::group(&self.cluster, EVERY_GROUP);
        let groups = self.groups.iter().flat_map(|group| Right::all(&Resource::group(&self.cluster, group), [Operation::Describe]));
        let own = [Right::look(&topic), Right::all(&topic, [Operation::Read]), Right::all(&every, [Operation::Describe])].concat();
        own.into_iter().chain(groups).collect()
    }

    fn moves(&self) -> Vec<Move> {
        let (topic, groups) = (self.topic.clone(), self.groups.clone());
        vec![Move::Drain { topic, event: None, groups, goal: DrainGoal::Consumed }]
    }

    fn facts(&self) -> Facts {
        Facts { needs: vec![Fact::Topic(format!("{}/{}", self.cluster, self.topic))], leaves: Vec::new() }
    }
}

fn list(groups: &[String]) -> String {
    let verb = if groups.len() == 1 { "has" } else { "have" };
    format!("{} {verb}", groups.join(", "))
}

/// `offset 120 of partition 0, 88 of partition 1`.
fn ends(barrier: &Barrier) -> String {
    let parts: Vec<_> = barrier.marks.iter().map(|mark| format!("{} of partition {}", mark.end, mark.partition)).collect();
    format!("offset {}", parts.join(", "))
}
