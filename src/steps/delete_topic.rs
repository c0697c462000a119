//! `delete_topic`: removes a topic that never held a record. The way back of `create_topic`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::common::{HELD, IfUsed, kafka_tool, look_at_topic, main_system, topic_id, topic_life};
use crate::ports::kafka::TopicState;
use crate::step::{
    ActContext, ByHand, Change, Claim, Effect, Evidence, Fact, Facts, Kind, Life, Mark, Move, Nature, OnUnknown, Operation, Plan, Receipt,
    Resource, Revert, Right, Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World, quote,
};

/// Deletes a topic that never held a record.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteTopic {
    /// Name of the Kafka cluster in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub cluster: String,
    /// Name of the topic.
    #[schemars(extend("format" = "topic-name"))]
    pub topic: String,
    /// The topic id that it must have: a topic that was deleted and created again is another topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What to do when the topic has held records, or is another topic by now.
    #[serde(default)]
    pub if_used: IfUsed,
}

/// The topic as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deletion {
    before: TopicState,
}

/// The one act.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delete {
    topic: String,
    id: Option<String>,
}

impl fmt::Display for Delete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delete topic {}", self.topic)
    }
}

impl DeleteTopic {
    fn resource(&self) -> Resource {
        Resource::topic(&self.cluster, &self.topic)
    }

    fn in_use<C>(&self, why: String) -> Plan<C> {
        match self.if_used {
            IfUsed::Keep => Plan::Kept(why),
            IfUsed::Refuse => Plan::Impossible(format!("{why}; only a topic that never held a record is deleted")),
        }
    }
}

impl StepKind for DeleteTopic {
    const KIND: Kind = Kind {
        name: "delete_topic",
        summary: "deletes a topic that never held a record",
        nature: Nature::State,
        risk: Risk::Reversible,
        needs: &[SystemKind::Kafka],
        on_unknown: OnUnknown::Ask,
        example: "playbook: example-delete-topic
steps:
  - id: topic
    create_topic: {topic: mistaken.name, partitions: 1}
  - id: gone
    delete_topic: {topic: mistaken.name}
",
    };
    type Change = Deletion;
    type Act = Delete;

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::write(self.resource())]
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        look_at_topic(world, &self.cluster, &self.topic).await
    }

    fn plan(&self, view: &View) -> Plan<Deletion> {
        let before = match view.get::<TopicState>(&self.resource()) {
            None => return Plan::CannotPreview(format!("topic {} was not looked at", self.topic)),
            Some(None) => return Plan::AlreadySo("it is not there".to_owned()),
            Some(Some(before)) => before,
        };
        if self.id.is_some() && before.id.is_some() && self.id != before.id {
            return self.in_use(format!(
                "the topic {} that is there now is another one, with id {}",
                self.topic,
                before.id.unwrap_or_default()
            ));
        }
        match view.aspect::<i64>(&self.resource(), HELD).flatten() {
            Some(0) => {}
            Some(held) => return self.in_use(format!("{} has held {held} records", self.topic)),
            None => return Plan::CannotPreview(format!("whether {} ever held a record was not looked at", self.topic)),
        }
        let from = Some(format!("{} partitions, never held a record", before.partitions));
        let effects = vec![Effect { mark: Mark::Remove, what: format!("topic {}", self.topic), from, to: None }];
        let binding = json!({ "id": topic_id(&before), "held": 0 });
        Plan::Change(Change { change: Deletion { before }, effects, binding })
    }

    fn leave(&self, _: &Deletion, view: &mut View) {
        view.put(&self.resource(), &None::<TopicState>);
        view.put_aspect(&self.resource(), HELD, &None::<i64>);
    }

    fn acts(&self, change: &Deletion) -> Vec<Delete> {
        vec![Delete { topic: self.topic.clone(), id: change.before.id.clone() }]
    }

    async fn standing(&self, context: &ActContext, change: &Deletion, _: &Delete) -> Result<Standing, StepError> {
        Ok(match context.world.kafka(&self.cluster)?.topic(&self.topic).await? {
            None => Standing::After(Receipt::said("deleted")),
            Some(now) if now.id == change.before.id => Standing::Before,
            Some(now) => Standing::Unclear(format!("a new topic of that name is there, with id {}", now.id.unwrap_or_default())),
        })
    }

    async fn act(&self, context: &ActContext, _: &Deletion, act: &Delete) -> Result<Receipt, StepError> {
        let kafka = context.world.kafka(&self.cluster)?;
        // Why: a producer may have found the topic between the plan and now; a record that is there must not be lost.
        let held: i64 = kafka.ends(&self.topic).await?.iter().map(|ends| ends.end).sum();
        if held > 0 {
            return Err(StepError::Impossible(format!("{} has held {held} records by now and stays", self.topic)));
        }
        kafka.delete_topic(&self.topic, act.id.as_deref()).await?;
        Ok(Receipt::said("deleted"))
    }

    async fn verify(&self, context: &ActContext, _: Option<&Deletion>) -> Result<Verdict, StepError> {
        Ok(match context.world.kafka(&self.cluster)?.topic(&self.topic).await? {
            None => Verdict::Holds(Evidence::said(format!("{} is not there", self.topic))),
            Some(now) => Verdict::Broken(format!("{} is there, with id {}", self.topic, now.id.unwrap_or_default())),
        })
    }

    fn revert(&self, change: &Deletion, _: &[Receipt]) -> Revert {
        let before = &change.before;
        let mut body = json!({ "cluster": self.cluster, "topic": self.topic, "partitions": before.partitions, "configs": before.configs });
        if let Some(fields) = body.as_object_mut().filter(|_| before.replication > 0) {
            fields.insert("replication".to_owned(), before.replication.into());
        }
        Revert::step("create_topic", body)
    }

    fn life(&self, change: &Deletion, receipts: &[Receipt]) -> Option<Life> {
        let id = change.before.id.as_ref().filter(|_| !receipts.is_empty())?;
        Some(Life::Ended(topic_life(&self.resource(), id)))
    }

    fn by_hand(&self) -> ByHand {
        let topic = quote(&self.topic);
        let told = ByHand::new(format!("delete topic {}, but only if it never held a record", self.topic))
            .say("Add up the last column. If it is not 0, the topic has held records: leave it, and go on.")
            .run(format!("{} --topic {topic} --time -1", kafka_tool("kafka-get-offsets.sh", &self.cluster)));
        let told = match &self.id {
            Some(id) => told.say(format!("Its id must be `{id}`. A topic with another id is not the one of this run: leave it.")),
            None => told.say("See that it is the topic that was created by this run, and not somebody else's."),
        };
        let tool = kafka_tool("kafka-topics.sh", &self.cluster);
        told.run(format!("{tool} --describe --topic {topic}")).say("Then delete it.").run(format!("{tool} --delete --topic {topic}"))
    }

    fn rights(&self) -> Vec<Right> {
        let topic = self.resource();
        [Right::look(&topic), Right::all(&topic, [Operation::Delete]), Right::back(&topic, [Operation::Create])].concat()
    }

    fn moves(&self) -> Vec<Move> {
        vec![Move::DeleteTopic { topic: self.topic.clone() }]
    }

    fn facts(&self) -> Facts {
        Facts { needs: Vec::new(), leaves: vec![Fact::NoTopic(format!("{}/{}", self.cluster, self.topic))] }
    }
}
