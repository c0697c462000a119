//! `drop_topic`: deletes a topic for good, in the order in which nobody is hurt who can still say so: everything in it is read and nobody reads
//! it, then a time in which nobody may write to it and somebody who still needs it complains, then the topic that was looked at and no other
//! one of that name. There is no way back.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::common::{kafka_tool, look_at_topic, main_system, topic_id, topic_life};
use super::fence_producers::look_at_fences;
use crate::drain::{self, Barrier};
use crate::ports::kafka::{Kafka, TopicState, WriteFence};
use crate::step::scalar::Span;
use crate::step::{
    ActContext, ByHand, Change, Claim, EVERY_GROUP, Effect, Evidence, Fact, Facts, Kind, Length, Life, Mark, Move, Nature, OnUnknown,
    Operation, Plan, Receipt, Resource, Revert, Right, Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World, quote,
};

/// How often readers are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// For how long nobody writes to a topic before it goes, when the step does not say it.
const SILENCE: Duration = Duration::from_mins(10);

/// Everybody, in a rule.
const EVERYBODY: &str = "User:*";

/// Aspect of the topic in a view: whether everybody is kept from writing to it; `None` on a cluster on which rules mean nothing.
const CLOSED: &str = "closed";

/// Deletes a topic for good, once everything in it is read, nobody reads it any more, and nobody has missed it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DropTopic {
    /// Name of the Kafka cluster in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub cluster: String,
    /// Name of the topic.
    #[schemars(extend("format" = "topic-name"))]
    pub topic: String,
    /// Groups on the topic that need not have read everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except_groups: Vec<String>,
    /// For how long nobody may write to it before it goes; where the cluster has an authorizer, a rule keeps everybody from it.
    #[serde(default = "silence")]
    pub silence: Span,
}

fn silence() -> Span {
    Span(SILENCE)
}

/// The topic as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dropping {
    before: TopicState,
    /// The rule that the step adds, where it means something and is not there already.
    rule: Option<WriteFence>,
    silence: Span,
}

/// The acts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropAct {
    /// Note where it ends, and wait until everything is read and nobody reads.
    Close(String),
    /// Keep everybody from writing, and wait.
    Silence(Option<WriteFence>, Span),
    /// Delete this very topic.
    Delete(String, Option<String>),
}

impl fmt::Display for DropAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close(topic) => write!(f, "wait until everything in {topic} is read and nobody reads it any more"),
            Self::Silence(Some(rule), silence) => write!(f, "add the rule that {rule}, and let {silence} pass"),
            Self::Silence(None, silence) => write!(f, "let {silence} pass in which nobody writes"),
            Self::Delete(topic, _) => write!(f, "delete topic {topic} for good"),
        }
    }
}

/// Values of the first receipts.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Closed {
    barrier: Barrier,
}

impl DropTopic {
    fn resource(&self) -> Resource {
        Resource::topic(&self.cluster, &self.topic)
    }

    fn rule(&self) -> WriteFence {
        WriteFence { topic: self.topic.clone(), principal: EVERYBODY.to_owned() }
    }

    /// What still stands in the way.
    async fn in_the_way(&self, kafka: &dyn Kafka, barrier: &Barrier) -> Result<Option<(bool, String)>, StepError> {
        let groups = drain::readers(kafka, &self.topic, &[], &[]).await?;
        for group in &groups {
            // Why not the members alone: a group may live on with another topic.
            if kafka.group(group).await?.is_some_and(|found| found.topics.contains(&self.topic)) {
                return Ok(Some((false, format!("group {group} has members that read it; stop its services"))));
            }
        }
        let waited: Vec<_> = groups.into_iter().filter(|group| !self.except_groups.contains(group)).collect();
        // A topic that no group reads has nobody who could miss what lies in it; only an open transaction is waited for then.
        let found = drain::judge(barrier, &drain::look(kafka, &self.topic, barrier, &waited).await?);
        let stuck = matches!(found, drain::Verdict::Lost(_) | drain::Verdict::Changed(_));
        Ok((found != drain::Verdict::Drained).then(|| (stuck, found.words())))
    }

    /// What was written since the topic was closed.
    async fn written(&self, kafka: &dyn Kafka, context: &ActContext) -> Result<i64, StepError> {
        let receipt = context.receipts.first().ok_or_else(|| StepError::broken("nobody has noted where the topic ends"))?;
        let closed: Closed = serde_json::from_value(receipt.data.clone()).map_err(StepError::broken)?;
        let then: i64 = closed.barrier.marks.iter().map(|mark| mark.end).sum();
        Ok(kafka.ends(&self.topic).await?.iter().map(|ends| ends.end).sum::<i64>() - then)
    }
}

impl StepKind for DropTopic {
    const KIND: Kind = Kind {
        name: "drop_topic",
        summary: "deletes a topic for good, once everything in it is read and nobody has missed it for a while",
        nature: Nature::State,
        risk: Risk::PointOfNoReturn,
        needs: &[SystemKind::Kafka],
        on_unknown: OnUnknown::Ask,
        example: "playbook: example-drop-topic
steps:
  - id: topic
    create_topic: {topic: mistaken.name, partitions: 1}
  - id: last
    send_events:
      topic: mistaken.name
      events:
        - {key: \"17\", value: {event_name: ExerciseChanged, payload: {id: 17}}}
      seen_by: {group: probe, join: true}
  - id: gone
    drop_topic: {topic: mistaken.name, silence: 1s}
",
    };
    type Change = Dropping;
    type Act = DropAct;

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::write(self.resource())]
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        let mut view = look_at_topic(world, &self.cluster, &self.topic).await?;
        let found = look_at_fences(world, &self.cluster, std::iter::once(self.rule())).await?;
        view.put_aspect(&self.resource(), CLOSED, &found.and_then(|found| found.get(EVERYBODY).copied()));
        Ok(view)
    }

    fn plan(&self, view: &View) -> Plan<Dropping> {
        let before = match view.get::<TopicState>(&self.resource()) {
            None => return Plan::CannotPreview(format!("topic {} was not looked at", self.topic)),
            Some(None) => return Plan::AlreadySo("it is not there".to_owned()),
            Some(Some(before)) => before,
        };
        let closed = view.aspect::<bool>(&self.resource(), CLOSED).flatten();
        let rule = (closed == Some(false)).then(|| self.rule());
        let partitions = format!("{} partitions", before.partitions);
        let effects = vec![Effect {
            mark: Mark::Remove,
            what: format!("topic {} and everything in it", self.topic),
            from: Some(partitions),
            to: None,
        }];
        let binding = json!({ "id": topic_id(&before) });
        Plan::Change(Change { change: Dropping { before, rule, silence: self.silence }, effects, binding })
    }

    fn lengths(&self, _: Option<&Dropping>) -> Vec<Length> {
        vec![Length::at_least("nobody writes to it", self.silence)]
    }

    fn leave(&self, _: &Dropping, view: &mut View) {
        view.put(&self.resource(), &None::<TopicState>);
    }

    fn acts(&self, change: &Dropping) -> Vec<DropAct> {
        vec![
            DropAct::Close(self.topic.clone()),
            DropAct::Silence(change.rule.clone(), change.silence),
            DropAct::Delete(self.topic.clone(), change.before.id.clone()),
        ]
    }

    async fn standing(&self, context: &ActContext, change: &Dropping, act: &DropAct) -> Result<Standing, StepError> {
        let DropAct::Delete(..) = act else { return Ok(Standing::Before) };
        Ok(match context.world.kafka(&self.cluster)?.topic(&self.topic).await? {
            // Why again: the rule may still be there.
            None => Standing::Before,
            Some(now) if now.id == change.before.id => Standing::Before,
            Some(now) => Standing::Unclear(format!("a new topic of that name is there, with id {}", now.id.unwrap_or_default())),
        })
    }

    async fn act(&self, context: &ActContext, change: &Dropping, act: &DropAct) -> Result<Receipt, StepError> {
        let kafka = context.world.kafka(&self.cluster)?;
        match act {
            DropAct::Close(_) => {
                let barrier = drain::take_barrier(kafka.as_ref(), &self.topic, None).await?;
                let records: i64 = barrier.marks.iter().map(|mark| mark.end).sum();
                Ok(Receipt::with(format!("{} ends behind {records} offsets", self.topic), &Closed { barrier }))
            }
            DropAct::Silence(None, _) => Ok(Receipt::said("nobody is kept from writing by a rule")),
            DropAct::Silence(Some(rule), _) => {
                kafka.add_fence(rule).await?;
                Ok(Receipt::said(format!("added the rule: {rule}")))
            }
            DropAct::Delete(_, id) => {
                if kafka.topic(&self.topic).await?.is_some() {
                    let written = self.written(kafka.as_ref(), context).await?;
                    if written != 0 {
                        return Err(StepError::Impossible(format!("{written} offsets were written to {} meanwhile; it stays", self.topic)));
                    }
                    kafka.delete_topic(&self.topic, id.as_deref()).await?;
                }
                if let Some(rule) = &change.rule {
                    // Why only now: whoever makes a topic of that name one day must be able to write to it.
                    kafka.remove_fence(rule).await?;
                }
                Ok(Receipt::said("deleted"))
            }
        }
    }

    const SETTLES: bool = true;

    async fn settle(&self, context: &ActContext, _: &Dropping, act: &DropAct, receipt: &Receipt) -> Result<Verdict, StepError> {
        let kafka = context.world.kafka(&self.cluster)?;
        match act {
            DropAct::Close(_) => {
                let closed: Closed = serde_json::from_value(receipt.data.clone()).map_err(StepError::broken)?;
                let goal = format!("everything in {} is read, and nobody reads it any more", self.topic);
                Ok(match self.in_the_way(kafka.as_ref(), &closed.barrier).await? {
                    None => Verdict::Holds(Evidence::said(goal)),
                    Some((true, why)) => Verdict::Broken(why),
                    Some((false, now)) => Verdict::NotYet { now, goal, again_in: LOOK_AGAIN },
                })
            }
            DropAct::Silence(_, silence) => {
                let written = self.written(kafka.as_ref(), context).await?;
                if written != 0 {
                    return Ok(Verdict::Broken(format!("{written} offsets were written to {}: somebody needs it still", self.topic)));
                }
                let rested = (context.now - context.rests_since).to_std().unwrap_or_default();
                Ok(match silence.0.checked_sub(rested) {
                    Some(left) if !left.is_zero() => Verdict::NotYet {
                        now: format!("nobody has written to {} for {} s", self.topic, rested.as_secs()),
                        goal: format!("nobody has for {silence}"),
                        again_in: left.min(LOOK_AGAIN * 5),
                    },
                    _ => Verdict::Holds(Evidence::said(format!("nobody wrote to {} for {silence}", self.topic))),
                })
            }
            DropAct::Delete(..) => Ok(Verdict::Holds(Evidence::said("deleted"))),
        }
    }

    async fn verify(&self, context: &ActContext, _: Option<&Dropping>) -> Result<Verdict, StepError> {
        Ok(match context.world.kafka(&self.cluster)?.topic(&self.topic).await? {
            None => Verdict::Holds(Evidence::said(format!("{} is not there", self.topic))),
            Some(now) => Verdict::Broken(format!(
                "{} is there, with id {}: a client that makes topics by itself may have made it",
                self.topic,
                now.id.unwrap_or_default()
            )),
        })
    }

    fn revert(&self, change: &Dropping, _: &[Receipt]) -> Revert {
        let before = &change.before;
        Revert::Impossible(format!(
            "what lay in {} is gone; a topic with {} partitions and the same settings can be created, and it is empty",
            self.topic, before.partitions
        ))
    }

    fn life(&self, change: &Dropping, receipts: &[Receipt]) -> Option<Life> {
        let id = change.before.id.as_ref().filter(|_| receipts.len() > 2)?;
        Some(Life::Ended(topic_life(&self.resource(), id)))
    }

    fn by_hand(&self) -> ByHand {
        let (topic, tool) = (quote(&self.topic), kafka_tool("kafka-topics.sh", &self.cluster));
        ByHand::new(format!("delete topic {} for good", self.topic))
            .say("See that every group has read everything, and that none has members: LAG is 0, and there is no CONSUMER-ID.")
            .run(format!("{} --describe --all-groups", kafka_tool("kafka-consumer-groups.sh", &self.cluster)))
            .say(format!("Let {} pass in which its ends do not move.", self.silence))
            .run(format!("{} --topic {topic} --time -1", kafka_tool("kafka-get-offsets.sh", &self.cluster)))
            .say("Then delete it. There is no way back.")
            .run(format!("{tool} --delete --topic {topic}"))
    }

    fn rights(&self) -> Vec<Right> {
        let topic = self.resource();
        let every = Resource::group(&self.cluster, EVERY_GROUP);
        let own = Right::all(&topic, [Operation::Read, Operation::Delete]);
        [Right::look(&topic), own, Right::all(&every, [Operation::Describe])].concat()
    }

    fn moves(&self) -> Vec<Move> {
        vec![Move::DeleteTopic { topic: self.topic.clone() }]
    }

    fn facts(&self) -> Facts {
        Facts { needs: Vec::new(), leaves: vec![Fact::NoTopic(format!("{}/{}", self.cluster, self.topic))] }
    }
}
