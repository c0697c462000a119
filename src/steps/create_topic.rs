//! `create_topic`: makes a topic be there with the settings that are named; settings that are not named are left alone.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::common::{ConfigValue, kafka_tool, main_system, topic_life};
use crate::ports::kafka::{NewTopic, TopicState};
use crate::step::{
    ActContext, ByHand, Change, Claim, Effect, Evidence, Fact, Facts, Kind, Life, Mark, Move, Nature, OnUnknown, Operation, Plan, Receipt,
    Resource, Revert, Right, Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World, quote,
};

/// Creates a topic, or changes the named settings of one that is there.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTopic {
    /// Name of the Kafka cluster in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub cluster: String,
    /// Name of the topic.
    #[schemars(extend("format" = "topic-name"))]
    pub topic: String,
    /// Number of partitions.
    #[schemars(range(min = 1, max = 10_000))]
    pub partitions: u32,
    /// Replicas of each partition; the broker's default when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub replication: Option<u16>,
    /// Settings of the topic itself, for instance `cleanup.policy: compact`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configs: BTreeMap<String, ConfigValue>,
    /// `grow` allows more partitions on a topic that is there, although that moves keys to other partitions and so breaks their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow: Option<Allow>,
}

/// What `create_topic` may do to a topic that is there, besides changing settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Allow {
    /// Raise the number of partitions.
    Grow,
}

/// The topic before and as it is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TopicChange {
    before: Option<TopicState>,
    wanted: NewTopic,
    grow: bool,
    set: BTreeMap<String, String>,
}

/// The acts of a topic change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TopicAct {
    /// Create it.
    Create(NewTopic),
    /// Raise its partitions to this number.
    Grow(u32),
    /// Change these settings and no others.
    Alter(BTreeMap<String, String>),
}

impl fmt::Display for TopicAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(topic) => write!(f, "create topic {} with {}", topic.name, parts(topic.partitions)),
            Self::Grow(total) => write!(f, "grow the topic to {}", parts(*total)),
            Self::Alter(set) => write!(f, "set {}", list(set)),
        }
    }
}

impl CreateTopic {
    fn resource(&self) -> Resource {
        Resource::topic(&self.cluster, &self.topic)
    }

    fn wanted(&self) -> NewTopic {
        NewTopic {
            name: self.topic.clone(),
            partitions: self.partitions,
            replication: self.replication,
            configs: self.configs.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect(),
        }
    }

    fn plan_existing(&self, before: TopicState) -> Plan<TopicChange> {
        let wanted = self.wanted();
        if wanted.partitions < before.partitions {
            return Plan::Impossible(format!(
                "{} has {} partitions and Kafka cannot take any away; write `partitions: {}` or choose another topic",
                self.topic, before.partitions, before.partitions
            ));
        }
        let grow = wanted.partitions > before.partitions;
        if grow && self.allow != Some(Allow::Grow) {
            return Plan::Impossible(format!(
                "{} has {} partitions; more would move keys to other partitions and break their order; `allow: grow` accepts that",
                self.topic, before.partitions
            ));
        }
        if let Some(replication) = wanted.replication.filter(|wanted| *wanted != before.replication && before.replication > 0) {
            return Plan::Impossible(format!(
                "{} has {} replicas of each partition, not {replication}; replicas are moved with Kafka's own reassignment tool",
                self.topic, before.replication
            ));
        }
        let differs = |(key, value): &(&String, &String)| before.configs.get(*key) != Some(*value);
        let set: BTreeMap<_, _> = wanted.configs.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect();
        if set.is_empty() && !grow {
            return Plan::AlreadySo(format!("{}{}", parts(before.partitions), suffix(&wanted.configs)));
        }
        let mut effects = Vec::new();
        if grow {
            let (from, to) = (Some(before.partitions.to_string()), Some(wanted.partitions.to_string()));
            effects.push(Effect { mark: Mark::Change, what: format!("topic {}: partitions", self.topic), from, to });
        }
        for (key, value) in &set {
            let (from, to) = (before.configs.get(key).cloned(), Some(value.clone()));
            effects.push(Effect { mark: Mark::Change, what: format!("topic {}: {key}", self.topic), from, to });
        }
        let touched: BTreeMap<_, _> = set.keys().map(|key| (key, before.configs.get(key))).collect();
        let binding = json!({ "partitions": before.partitions, "configs": touched });
        Plan::Change(Change { change: TopicChange { before: Some(before), wanted, grow, set }, effects, binding })
    }
}

impl StepKind for CreateTopic {
    const KIND: Kind = Kind {
        name: "create_topic",
        summary: "makes a topic be there with the settings that are named",
        nature: Nature::State,
        risk: Risk::Reversible,
        needs: &[SystemKind::Kafka],
        on_unknown: OnUnknown::Ask,
        example: "playbook: example-create-topic
steps:
  - id: topic
    create_topic:
      topic: datarep.exercise
      partitions: 3
      configs: {cleanup.policy: compact}
",
    };
    type Change = TopicChange;
    type Act = TopicAct;

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::write(self.resource())]
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        super::common::look_at_topic(world, &self.cluster, &self.topic).await
    }

    fn plan(&self, view: &View) -> Plan<TopicChange> {
        match view.get::<TopicState>(&self.resource()) {
            None => Plan::CannotPreview(format!("topic {} was not looked at", self.topic)),
            Some(Some(before)) => self.plan_existing(before),
            Some(None) => {
                let wanted = self.wanted();
                let to = Some(format!("{}{}", parts(wanted.partitions), suffix(&wanted.configs)));
                let effects = vec![Effect { mark: Mark::Create, what: format!("topic {}", self.topic), from: None, to }];
                let change = TopicChange { before: None, set: BTreeMap::new(), grow: false, wanted };
                Plan::Change(Change { change, effects, binding: json!({ "exists": false }) })
            }
        }
    }

    fn leave(&self, change: &TopicChange, view: &mut View) {
        let mut after = change.before.clone().unwrap_or_else(|| TopicState {
            id: None,
            partitions: 0,
            replication: change.wanted.replication.unwrap_or_default(),
            configs: BTreeMap::new(),
        });
        after.partitions = change.wanted.partitions;
        after.configs.extend(change.wanted.configs.clone());
        view.put(&self.resource(), &after);
        if change.before.is_none() {
            view.put_aspect(&self.resource(), super::common::HELD, &0_i64);
        }
    }

    fn acts(&self, change: &TopicChange) -> Vec<TopicAct> {
        if change.before.is_none() {
            return vec![TopicAct::Create(change.wanted.clone())];
        }
        let grow = change.grow.then_some(TopicAct::Grow(change.wanted.partitions));
        let alter = (!change.set.is_empty()).then(|| TopicAct::Alter(change.set.clone()));
        grow.into_iter().chain(alter).collect()
    }

    async fn standing(&self, context: &ActContext, change: &TopicChange, act: &TopicAct) -> Result<Standing, StepError> {
        let now = context.world.kafka(&self.cluster)?.topic(&self.topic).await?;
        Ok(match (act, now) {
            // Why: setting the same values again leaves the same topic, so a half-made change is simply made.
            (TopicAct::Create(_), None) | (TopicAct::Alter(_), Some(_)) => Standing::Before,
            (TopicAct::Create(wanted), Some(now)) if fits(wanted, &now) => Standing::After(created(&now)),
            (TopicAct::Create(_), Some(now)) => Standing::Unclear(format!("{} is there with {}", self.topic, parts(now.partitions))),
            (_, None) => Standing::Unclear(format!("{} is gone", self.topic)),
            (TopicAct::Grow(total), Some(now)) if now.partitions == *total => Standing::After(grown(*total)),
            (TopicAct::Grow(_), Some(now)) if Some(now.partitions) == change.before.as_ref().map(|before| before.partitions) => {
                Standing::Before
            }
            (TopicAct::Grow(_), Some(now)) => Standing::Unclear(format!("{} has {}", self.topic, parts(now.partitions))),
        })
    }

    async fn act(&self, context: &ActContext, _: &TopicChange, act: &TopicAct) -> Result<Receipt, StepError> {
        let kafka = context.world.kafka(&self.cluster)?;
        match act {
            TopicAct::Create(wanted) => {
                kafka.create_topic(wanted).await?;
                match kafka.topic(&self.topic).await? {
                    Some(now) => Ok(created(&now)),
                    None => Err(StepError::Impossible(format!("{} was created and is not there", self.topic))),
                }
            }
            TopicAct::Grow(total) => {
                kafka.grow_topic(&self.topic, *total).await?;
                Ok(grown(*total))
            }
            TopicAct::Alter(set) => {
                kafka.alter_topic(&self.topic, set, &[]).await?;
                Ok(Receipt::said(format!("set {}", list(set))))
            }
        }
    }

    async fn verify(&self, context: &ActContext, _: Option<&TopicChange>) -> Result<Verdict, StepError> {
        let wanted = self.wanted();
        Ok(match context.world.kafka(&self.cluster)?.topic(&self.topic).await? {
            Some(now) if fits(&wanted, &now) => {
                let line = format!("{}{}, id {}", parts(now.partitions), suffix(&wanted.configs), now.id.as_deref().unwrap_or("unknown"));
                Verdict::Holds(Evidence::with(line, &now))
            }
            Some(now) => Verdict::Broken(format!("{} has {}{}", self.topic, parts(now.partitions), suffix(&now.configs))),
            None => Verdict::Broken(format!("{} is not there", self.topic)),
        })
    }

    fn revert(&self, change: &TopicChange, receipts: &[Receipt]) -> Revert {
        match &change.before {
            None => {
                let id = receipts.first().and_then(|receipt| receipt.data.get("id").cloned());
                Revert::step("delete_topic", json!({ "cluster": self.cluster, "topic": self.topic, "id": id, "if_used": "keep" }))
            }
            Some(_) if change.grow && change.set.is_empty() => Revert::Kept("Kafka cannot take partitions away".to_owned()),
            Some(before) => {
                let (back, added): (Vec<_>, Vec<_>) = change.set.keys().partition(|key| before.configs.contains_key(*key));
                if !added.is_empty() {
                    let keys: Vec<_> = added.into_iter().map(String::as_str).collect();
                    return Revert::Kept(format!("{} had broker defaults before; unset them with Kafka's own tool", keys.join(", ")));
                }
                let configs: BTreeMap<_, _> = back.into_iter().map(|key| (key, before.configs.get(key))).collect();
                let partitions = if change.grow { change.wanted.partitions } else { before.partitions };
                let body = json!({ "cluster": self.cluster, "topic": self.topic, "partitions": partitions, "configs": configs });
                Revert::step("create_topic", body)
            }
        }
    }

    fn life(&self, change: &TopicChange, receipts: &[Receipt]) -> Option<Life> {
        let id = receipts.first().filter(|_| change.before.is_none())?.data.get("id")?.as_str()?;
        Some(Life::Began(topic_life(&self.resource(), id)))
    }

    fn by_hand(&self) -> ByHand {
        let (tool, topic) = (kafka_tool("kafka-topics.sh", &self.cluster), quote(&self.topic));
        let configs: Vec<_> = self.configs.iter().map(|(key, value)| format!("{key}={}", value.0)).collect();
        let each = configs.iter().map(|config| format!(" --config {}", quote(config))).collect::<Vec<_>>().concat();
        let replication = self.replication.map(|replication| format!(" --replication-factor {replication}")).unwrap_or_default();
        let told = ByHand::new(format!("make topic {} be there with {}", self.topic, parts(self.partitions)))
            .say("If it is not there, create it.")
            .run(format!("{tool} --create --topic {topic} --partitions {}{replication}{each}", self.partitions));
        let told = if configs.is_empty() {
            told
        } else {
            let tool = kafka_tool("kafka-configs.sh", &self.cluster);
            // Why the brackets: a value may hold a comma, which separates settings otherwise.
            let list: Vec<_> = self
                .configs
                .iter()
                .map(|(key, value)| if value.0.contains(',') { format!("{key}=[{}]", value.0) } else { format!("{key}={}", value.0) })
                .collect();
            told.say("If it is there, set its settings.")
                .run(format!("{tool} --alter --entity-type topics --entity-name {topic} --add-config {}", quote(&list.join(","))))
        };
        told.say("See that it is so.").run(format!("{tool} --describe --topic {topic}"))
    }

    fn rights(&self) -> Vec<Right> {
        let topic = self.resource();
        // Why: a topic that is there already is changed where it differs.
        let alter = (!self.configs.is_empty()).then_some(Operation::AlterConfigs);
        let grow = self.allow.map(|Allow::Grow| Operation::Alter);
        let own = [Operation::Create].into_iter().chain(alter).chain(grow);
        [Right::look(&topic), Right::all(&topic, own), Right::back(&topic, [Operation::Delete])].concat()
    }

    fn moves(&self) -> Vec<Move> {
        let compacted = self.configs.get("cleanup.policy").map(|policy| policy.0.split(',').any(|one| one.trim() == "compact"));
        vec![Move::CreateTopic { topic: self.topic.clone(), compacted }]
    }

    fn facts(&self) -> Facts {
        Facts { needs: Vec::new(), leaves: vec![Fact::Topic(format!("{}/{}", self.cluster, self.topic))] }
    }
}

fn fits(wanted: &NewTopic, now: &TopicState) -> bool {
    now.partitions == wanted.partitions && wanted.configs.iter().all(|(key, value)| now.configs.get(key) == Some(value))
}

fn created(now: &TopicState) -> Receipt {
    Receipt::with(format!("created with {}", parts(now.partitions)), &json!({ "id": now.id }))
}

fn grown(total: u32) -> Receipt {
    Receipt::said(format!("grown to {}", parts(total)))
}

fn parts(count: u32) -> String {
    if count == 1 { "1 partition".to_owned() } else { format!("{count} partitions") }
}

fn list(configs: &BTreeMap<String, String>) -> String {
    configs.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

fn suffix(configs: &BTreeMap<String, String>) -> String {
    if configs.is_empty() { String::new() } else { format!(", {}", list(configs)) }
}
