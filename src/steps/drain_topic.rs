//! `drain_topic`: waits until consumer groups have read everything that counts in a topic, and keeps the proof. The judgement itself is in
//! the room `drain`. Without `old` every record counts; with it those of one event in one version, which a scan finds.
//!
//! What is produced later is not waited for: while producers live, the step proves no more than "up to the barrier". With `quiet` it also
//! sees that nothing old came for so long.

mod by_version;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::by_version::{ByVersion, Looking};
use super::common::{look_at_topic, main_system, topic_id, topic_there};
use crate::drain::{self, Barrier, Goal, Old, Reset, Verdict as Drain};
use crate::ports::kafka::Kafka;
use crate::step::scalar::Span;
use crate::step::{
    ActContext, Change, Claim, DrainGoal, EVERY_GROUP, Evidence, Fact, Facts, Kind, Length, Move, Nature, OnUnknown, Operation, Plan,
    Receipt, Resource, Revert, Right, Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World,
};

/// How often the groups' commits are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Waits until every record that counts has been read by every one of these groups: all that lie in the topic when the step begins, or with
/// `old` those of one event in one version.
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
    /// Which records count; every record when it is left out. Other groups that are found on the topic must have read them, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Old>,
    /// With `old`: `consumed` when the groups have read what counts, `absent` when moreover none of it lies in the topic any more.
    #[serde(default, skip_serializing_if = "Goal::is_consumed")]
    pub goal: Goal,
    /// With `old`: groups on the topic that nobody need wait for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except_groups: Vec<String>,
    /// With `old`: where a group begins that has committed nothing, as its services are configured; no broker tells. Left out, such a group
    /// keeps the step waiting where something old lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<Reset>,
    /// With `old`: for how long nothing old must come after the barrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Span>,
    /// With `old`: the most records that are read each second while old ones are looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub scan_rate: Option<u32>,
    /// With `old`: topics into which services put aside what they could not handle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retries: Vec<RetryTopic>,
    /// With `old`: tables that hold messages, such as an outbox or failed messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<MessageTable>,
    /// Name of the registry in `cutover.yaml`, where a record names its schema only.
    #[serde(default = "main_system", skip_serializing_if = "is_main")]
    pub registry: String,
    /// Whether a way back that comes past this step waits in the same way, for what the steps behind it have let produce.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub both_ways: bool,
}

/// A topic into which services put aside what they could not handle: a retry topic or a dead-letter topic.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryTopic {
    /// Name of the topic.
    #[schemars(extend("format" = "topic-name"))]
    pub topic: String,
    /// The groups that must have read what is old in it; without any, nothing old may lie in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// A table that holds messages.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageTable {
    /// Name of the database in `cutover.yaml`.
    pub database: String,
    /// The table, `table` or `schema.table`.
    #[schemars(extend("format" = "database-table"))]
    pub table: String,
    /// What the columns of a row hold that is an old message and still to be handled; there must be no such row.
    #[schemars(extend("minProperties" = 1))]
    pub rows: serde_json::Map<String, Value>,
}

/// Which topic is drained.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Draining {
    topic: String,
    replication: u16,
    /// What is looked for, where not every record counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<ByVersion>,
}

fn is_main(name: &str) -> bool {
    name == main_system()
}

/// The acts of a drain: all of them look and change nothing but the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainAct {
    /// Take the barrier of this topic.
    Barrier(String),
    /// Take it again; the larger one counts.
    Again(Vec<String>),
    /// Look where what counts lies before it.
    Index(Looking),
    /// Look as far as it goes by now, and let so much time pass.
    Quiet(Span),
    /// Look whether something old came meanwhile.
    Sweep(String),
}

impl fmt::Display for DrainAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Barrier(topic) => write!(f, "note where {topic} ends"),
            Self::Index(looking) => write!(f, "{looking}"),
            Self::Quiet(quiet) => write!(f, "look on to the end, and let {quiet} pass"),
            Self::Sweep(label) => write!(f, "look whether {label} came meanwhile"),
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
        summary: "waits until groups have read what lay in a topic when the step began: everything, or one version of an event",
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
  - id: old-drained
    drain_topic:
      topic: datarep.exercise
      groups: [probe]
      old: {name: ExerciseChanged, version: 0, absent_version: 0}
",
    };
    type Change = Draining;
    type Act = DrainAct;

    fn resources(&self) -> Vec<Claim> {
        let groups = self.groups.iter().map(|group| Claim::read(Resource::group(&self.cluster, group)));
        let retries = self.retries.iter().map(|retry| Claim::read(Resource::topic(&self.cluster, &retry.topic)));
        let tables = self.tables.iter().map(|table| Claim::read(Resource::table(&table.database, &table.table)));
        std::iter::once(Claim::read(self.resource())).chain(groups).chain(retries).chain(tables).collect()
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
        let mut all: Vec<_> = self.groups.iter().enumerate().filter_map(wrong).collect();
        let alone = |field: &str, given: bool| {
            (given && self.old.is_none()).then(|| (format!("/{field}"), format!("`{field}` means something only with `old`")))
        };
        all.extend(alone("goal", self.goal == Goal::Absent));
        all.extend(alone("except_groups", !self.except_groups.is_empty()));
        all.extend(alone("reset", self.reset.is_some()));
        all.extend(alone("quiet", self.quiet.is_some()));
        all.extend(alone("scan_rate", self.scan_rate.is_some()));
        all.extend(alone("retries", !self.retries.is_empty()));
        all.extend(alone("tables", !self.tables.is_empty()));
        let both = (0..).zip(&self.except_groups).find(|(_, group)| self.groups.contains(group));
        all.extend(both.map(|(at, group): (usize, _)| (format!("/except_groups/{at}"), format!("group `{group}` is also waited for"))));
        all
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        let mut view = look_at_topic(world, &self.cluster, &self.topic).await?;
        self.preview(world, &mut view).await?;
        Ok(view)
    }

    fn plan(&self, view: &View) -> Plan<Draining> {
        let topic = match topic_there(view, &self.cluster, &self.topic) {
            Ok(topic) => topic,
            Err(plan) => return plan,
        };
        let by = match self.by_version(view) {
            Ok(by) => by,
            Err(why) => return Plan::Impossible(why),
        };
        let change = Draining { topic: self.topic.clone(), replication: topic.replication, by };
        Plan::Change(Change { change, effects: Vec::new(), binding: json!({ "topic": topic_id(&topic) }) })
    }

    fn lengths(&self, _: Option<&Draining>) -> Vec<Length> {
        self.quiet.map(|quiet| Length::at_least("nothing old must come", quiet)).into_iter().collect()
    }

    fn leave(&self, _: &Draining, _: &mut View) {}

    fn acts(&self, change: &Draining) -> Vec<DrainAct> {
        let mut acts = vec![DrainAct::Barrier(change.topic.clone()), DrainAct::Again(self.groups.clone())];
        if let Some(by) = &change.by {
            acts.push(DrainAct::Index(by.looking.clone()));
            if let Some(quiet) = by.quiet {
                acts.extend([DrainAct::Quiet(quiet), DrainAct::Sweep(by.looking.label.clone())]);
            }
        }
        acts
    }

    async fn standing(&self, _: &ActContext, _: &Draining, _: &DrainAct) -> Result<Standing, StepError> {
        // Why: a barrier that is taken again lies no earlier, so it proves no less.
        Ok(Standing::Before)
    }

    async fn act(&self, context: &ActContext, _: &Draining, act: &DrainAct) -> Result<Receipt, StepError> {
        match act {
            DrainAct::Index(_) => return self.index(context).await,
            DrainAct::Quiet(_) => return self.look_on(context).await,
            DrainAct::Sweep(_) => return self.sweep(context).await,
            DrainAct::Barrier(_) | DrainAct::Again(_) => {}
        }
        let kafka = context.world.kafka(&self.cluster)?;
        let before = context.receipts.first().map(|receipt| serde_json::from_value::<Taken>(receipt.data.clone())).transpose();
        let before = before.map_err(StepError::broken)?.filter(|_| matches!(act, DrainAct::Again(_)));
        let mut barrier = drain::take_barrier(kafka.as_ref(), &self.topic, before.as_ref().map(|taken| &taken.barrier)).await?;
        if before.is_some() && self.old.is_none() {
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
        match act {
            DrainAct::Again(_) if self.old.is_some() => return self.stable(context).await,
            DrainAct::Index(_) => return self.proven(context, LOOK_AGAIN).await,
            DrainAct::Quiet(quiet) => return Ok(by_version::quiet(rested, *quiet)),
            _ => {}
        }
        // Why: with one replica the high watermark is the end of the log.
        match drain::REPLICAS_LAG.checked_sub(rested) {
            Some(left) if change.replication > 1 && matches!(act, DrainAct::Barrier(_)) && !left.is_zero() => Ok(Verdict::NotYet {
                now: format!("the barrier was taken {} s ago", rested.as_secs()),
                goal: format!("{} s have passed, the longest that a high watermark trails behind", drain::REPLICAS_LAG.as_secs()),
                again_in: left,
            }),
            _ => Ok(Verdict::Holds(Evidence::said("taken"))),
        }
    }

    async fn verify(&self, context: &ActContext, _: Option<&Draining>) -> Result<Verdict, StepError> {
        if self.old.is_some() {
            return self.proven(context, LOOK_AGAIN).await;
        }
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
        let retries = self.retries.iter().map(|retry| Resource::topic(&self.cluster, &retry.topic));
        let retries = retries.flat_map(|topic| [Right::look(&topic), Right::all(&topic, [Operation::Read])].concat());
        let tables = self.tables.iter().flat_map(|table| Right::read_table(&table.database, &table.table));
        own.into_iter().chain(groups).chain(retries).chain(tables).collect()
    }

    fn moves(&self) -> Vec<Move> {
        let (topic, groups) = (self.topic.clone(), self.groups.clone());
        let goal = if self.goal == Goal::Absent { DrainGoal::Absent } else { DrainGoal::Consumed };
        vec![Move::Drain { topic, event: self.old.as_ref().map(Old::label), groups, goal }]
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

#[cfg(test)]
mod tests;
