//! `catch_up`: waits until a consumer group has read a snapshot, on every partition up to the last record that the snapshot itself
//! had acknowledged. Only then a copy that the group feeds may be relied on.
//!
//! On a compacted topic that is not enough: a record of the snapshot may be gone before the group comes to it, and what replaced it lies
//! behind the goal. So there the group must also pass the end that the topic had when it reached the goal.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::common::{look_at_topic, topic_id, topic_there};
use super::publish_snapshot::acknowledged;
use crate::drain::{self, Barrier, Last, Mark, Topic, Verdict as Drain};
use crate::step::{
    ActContext, Change, Claim, Evidence, Fact, Facts, Kind, Move, Nature, OnUnknown, Operation, Plan, Receipt, Resource, Revert, Right,
    Risk, Standing, StepError, StepKind, StepRef, SystemKind, Verdict, View, World,
};

/// How often a group's commits are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Waits until a consumer group has read everything that a snapshot published.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CatchUp {
    /// Name of the consumer group.
    #[schemars(length(min = 1, max = 249))]
    pub group: String,
    /// Id of the `publish_snapshot` step.
    pub of: StepRef,
    /// Name of the Kafka cluster in `cutover.yaml`; the snapshot's when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// Up to where the group must read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Goal {
    topic: String,
    group: String,
}

/// The acts: they fix goals, so that what is produced later does not move them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUpAct {
    /// The end of the snapshot.
    FixGoal(Goal),
    /// What has replaced records of the snapshot meanwhile, where the topic is compacted.
    FixReplaced(Goal),
}

impl fmt::Display for CatchUpAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FixGoal(Goal { topic, group }) => write!(f, "wait until group {group} has read the snapshot in {topic}"),
            Self::FixReplaced(Goal { group, .. }) => {
                write!(f, "if the topic is compacted, wait until {group} has read what replaced records of it")
            }
        }
    }
}

impl CatchUp {
    fn cluster(&self) -> &str {
        self.cluster.as_deref().or_else(|| self.of.text("cluster")).unwrap_or("main")
    }

    fn topic(&self) -> &str {
        self.of.text("topic").unwrap_or_default()
    }

    fn resource(&self) -> Resource {
        Resource::topic(self.cluster(), self.topic())
    }

    /// The snapshot's own acknowledged offsets.
    async fn fix_goal(&self, context: &ActContext, change: &Goal) -> Result<Receipt, StepError> {
        let kafka = context.world.kafka(self.cluster())?;
        let snapshot = context.earlier.get(&self.of.id).map(|receipts| acknowledged(receipts)).filter(|found| found.topic.is_some());
        let barrier = match snapshot {
            Some(found) => {
                let now = kafka.topic(&change.topic).await?;
                let partitions = now.map(|topic| topic.partitions).unwrap_or_default();
                let mark =
                    |(partition, (_, last)): (&i32, &(i64, i64))| Mark { partition: *partition, end: last + 1, last: Last::At(*last) };
                Barrier { topic: Topic { id: found.topic, partitions }, marks: found.offsets.iter().map(mark).collect() }
            }
            // Why: a snapshot that a person skipped leaves no offsets; everything that lies there now is the safe side.
            None => drain::take_barrier(kafka.as_ref(), &change.topic, None).await?,
        };
        Ok(self.goal(&barrier))
    }

    /// The end of a compacted topic now; of any other topic the goal as it was, for nothing in it is replaced.
    async fn fix_replaced(&self, context: &ActContext, change: &Goal) -> Result<Receipt, StepError> {
        let kafka = context.world.kafka(self.cluster())?;
        let first = context.receipts.first().map(Self::barrier).transpose()?.unwrap_or_default();
        let compacted = kafka.topic(&change.topic).await?.is_some_and(|topic| topic.is_compacted());
        if !compacted {
            return Ok(self.goal(&first));
        }
        let barrier = drain::take_barrier(kafka.as_ref(), &change.topic, Some(&first)).await?;
        Ok(self.goal(&drain::known_last(kafka.as_ref(), &change.topic, barrier).await?))
    }

    fn goal(&self, barrier: &Barrier) -> Receipt {
        let ends: BTreeMap<_, _> = barrier.marks.iter().map(|mark| (mark.partition, mark.end)).collect();
        Receipt::with(format!("group {} must pass {}", self.group, offsets(&ends)), barrier)
    }

    fn barrier(receipt: &Receipt) -> Result<Barrier, StepError> {
        serde_json::from_value(receipt.data.clone()).map_err(StepError::broken)
    }

    /// Whether the group has passed the goal of this receipt.
    async fn passed(&self, context: &ActContext, receipt: &Receipt) -> Result<Verdict, StepError> {
        let barrier = Self::barrier(receipt)?;
        let kafka = context.world.kafka(self.cluster())?;
        let sight = drain::look(kafka.as_ref(), self.topic(), &barrier, std::slice::from_ref(&self.group)).await?;
        let goal = format!("group {} has read the snapshot in {}", self.group, self.topic());
        Ok(match drain::judge(&barrier, &sight) {
            Drain::Drained => {
                let committed = sight.groups.first().map(|group| group.committed.clone()).unwrap_or_default();
                let passed: BTreeMap<_, _> = barrier.marks.iter().map(|mark| (mark.partition, mark.end)).collect();
                let line = format!("group {} has passed {} of {}", self.group, offsets(&passed), self.topic());
                Verdict::Holds(Evidence::with(line, &json!({ "goal": barrier, "committed": committed })))
            }
            broken @ (Drain::Lost(_) | Drain::Changed(_)) => Verdict::Broken(broken.words()),
            Drain::Unknown(left) => {
                let first = left.first().map(|left| left.partition).unwrap_or_default();
                let now = format!("group {} has committed nothing in partition {first} yet", self.group);
                Verdict::NotYet { now, goal, again_in: LOOK_AGAIN }
            }
            waiting => Verdict::NotYet { now: waiting.words(), goal, again_in: LOOK_AGAIN },
        })
    }
}

impl StepKind for CatchUp {
    const KIND: Kind = Kind {
        name: "catch_up",
        summary: "waits until a consumer group has read everything that a snapshot published",
        nature: Nature::Once,
        risk: Risk::Safe,
        needs: &[SystemKind::Kafka],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-catch-up
steps:
  - id: topic
    create_topic: {topic: datarep.exercise, partitions: 1}
  - id: schema
    register_schema: {subject: datarep.exercise-value, file: schemas/exercise_state.v0.json}
  - id: snapshot
    publish_snapshot: {from: exercises.exercise, topic: datarep.exercise, schema: schema}
  - id: probe
    send_events:
      topic: datarep.exercise
      events:
        - {key: probe, value: {event_name: Probe}}
      seen_by: {group: probe, join: true}
  - id: caught-up
    catch_up: {group: probe, of: snapshot}
",
    };
    type Change = Goal;
    type Act = CatchUpAct;

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::read(self.resource()), Claim::read(Resource::group(self.cluster(), &self.group))]
    }

    fn references(&mut self) -> Vec<(&mut StepRef, &'static [&'static str])> {
        vec![(&mut self.of, &["publish_snapshot"])]
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        look_at_topic(world, self.cluster(), self.topic()).await
    }

    fn plan(&self, view: &View) -> Plan<Goal> {
        let topic = match topic_there(view, self.cluster(), self.topic()) {
            Ok(topic) => topic,
            Err(plan) => return plan,
        };
        let change = Goal { topic: self.topic().to_owned(), group: self.group.clone() };
        Plan::Change(Change { change, effects: Vec::new(), binding: json!({ "topic": topic_id(&topic) }) })
    }

    fn leave(&self, _: &Goal, _: &mut View) {}

    fn acts(&self, change: &Goal) -> Vec<CatchUpAct> {
        vec![CatchUpAct::FixGoal(change.clone()), CatchUpAct::FixReplaced(change.clone())]
    }

    async fn standing(&self, _: &ActContext, _: &Goal, _: &CatchUpAct) -> Result<Standing, StepError> {
        // Why: the goal of a snapshot is the same at every look, and any other end asks for more when it is taken later, never for less.
        Ok(Standing::Before)
    }

    async fn act(&self, context: &ActContext, change: &Goal, act: &CatchUpAct) -> Result<Receipt, StepError> {
        match act {
            CatchUpAct::FixGoal(_) => self.fix_goal(context, change).await,
            CatchUpAct::FixReplaced(_) => self.fix_replaced(context, change).await,
        }
    }

    const SETTLES: bool = true;

    async fn settle(&self, context: &ActContext, _: &Goal, _: &CatchUpAct, receipt: &Receipt) -> Result<Verdict, StepError> {
        self.passed(context, receipt).await
    }

    async fn verify(&self, context: &ActContext, _: Option<&Goal>) -> Result<Verdict, StepError> {
        match context.receipts.last() {
            Some(receipt) => self.passed(context, receipt).await,
            None => Ok(Verdict::Broken("there is no goal to wait for".to_owned())),
        }
    }

    fn revert(&self, _: &Goal, _: &[Receipt]) -> Revert {
        Revert::Nothing
    }

    fn rights(&self) -> Vec<Right> {
        let topic = self.resource();
        let group = Resource::group(self.cluster(), &self.group);
        [Right::look(&topic), Right::all(&topic, [Operation::Read]), Right::all(&group, [Operation::Describe])].concat()
    }

    fn moves(&self) -> Vec<Move> {
        vec![Move::CatchUp { group: self.group.clone(), topic: self.topic().to_owned() }]
    }

    fn facts(&self) -> Facts {
        Facts { needs: vec![Fact::Topic(format!("{}/{}", self.cluster(), self.topic()))], leaves: Vec::new() }
    }
}

/// `offset 120 in partition 0, 88 in partition 2`.
fn offsets(ends: &BTreeMap<i32, i64>) -> String {
    if ends.is_empty() {
        return "nothing: the snapshot has no records".to_owned();
    }
    let parts = ends.iter().map(|(partition, end)| format!("{end} in partition {partition}")).collect::<Vec<_>>().join(", ");
    format!("offset {parts}")
}
