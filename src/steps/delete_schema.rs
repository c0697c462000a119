//! `delete_schema`: removes the newest version of a subject under which no record was ever written. The way back of `register_schema`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::common::{HELD, IfUsed, kafka_tool, look_at_topic, main_system};
use super::subject::{curl, leave_deleted, subject_path, topic_of};
use crate::ports::kafka::TopicState;
use crate::ports::registry::SchemaVersion;
use crate::step::{
    ActContext, ByHand, Change, Claim, Effect, Evidence, Kind, Mark, Move, Nature, OnUnknown, Operation, Plan, Receipt, Resource, Revert,
    Right, Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World, quote,
};

/// Deletes the newest version of a subject whose topic never held a record.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteSchema {
    /// Name of the schema registry in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub registry: String,
    /// The subject.
    #[schemars(length(min = 1, max = 400))]
    pub subject: String,
    /// The version that is to go; it must be the newest one.
    #[schemars(range(min = 1))]
    pub version: i64,
    /// Name of the Kafka cluster in `cutover.yaml` that holds the subject's topic.
    #[serde(default = "main_system")]
    pub cluster: String,
    /// The topic whose records use the subject; the subject without `-value` or `-key` when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "topic-name"))]
    pub topic: Option<String>,
    /// What to do when the topic has held records, or a newer version follows.
    #[serde(default)]
    pub if_used: IfUsed,
}

/// The version as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Removal {
    before: SchemaVersion,
}

/// The one act.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeleteVersion {
    subject: String,
    version: i64,
}

impl fmt::Display for DeleteVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delete version {} of {}", self.version, self.subject)
    }
}

impl DeleteSchema {
    fn resource(&self) -> Resource {
        Resource::subject(&self.registry, &self.subject)
    }

    fn topic(&self) -> &str {
        self.topic.as_deref().unwrap_or_else(|| topic_of(&self.subject))
    }

    fn in_use<C>(&self, why: String) -> Plan<C> {
        match self.if_used {
            IfUsed::Keep => Plan::Kept(why),
            IfUsed::Refuse => {
                Plan::Impossible(format!("{why}; only the newest version, and only one that no record can carry, is deleted"))
            }
        }
    }
}

impl StepKind for DeleteSchema {
    const KIND: Kind = Kind {
        name: "delete_schema",
        summary: "deletes a version of a subject that no record can carry",
        nature: Nature::State,
        risk: Risk::Reversible,
        needs: &[SystemKind::Registry, SystemKind::Kafka],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-delete-schema
steps:
  - id: schema
    register_schema: {subject: mistaken.name-value, file: schemas/exercise_changed.v0.json}
  - id: gone
    delete_schema: {subject: mistaken.name-value, version: 1}
",
    };
    type Change = Removal;
    type Act = DeleteVersion;

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::write(self.resource()), Claim::read(Resource::topic(&self.cluster, self.topic()))]
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        let mut view = look_at_topic(world, &self.cluster, self.topic()).await?;
        view.put(&self.resource(), &world.registry(&self.registry)?.latest(&self.subject).await?);
        Ok(view)
    }

    fn plan(&self, view: &View) -> Plan<Removal> {
        let before = match view.get::<SchemaVersion>(&self.resource()) {
            None => {
                return Plan::CannotPreview(format!(
                    "which version of {} is the newest one is known once the steps before have run",
                    self.subject
                ));
            }
            Some(None) => return Plan::AlreadySo("the subject has no version".to_owned()),
            Some(Some(latest)) => latest,
        };
        match before.version {
            Some(latest) if latest > self.version => {
                return self.in_use(format!("version {latest} of {} follows version {}", self.subject, self.version));
            }
            Some(latest) if latest < self.version => {
                return Plan::AlreadySo(format!("the newest version of {} is {latest}", self.subject));
            }
            _ => {}
        }
        let topic = Resource::topic(&self.cluster, self.topic());
        if let Some(held) = view.aspect::<i64>(&topic, HELD).flatten().filter(|held| *held > 0) {
            return self.in_use(format!("{} has held {held} records, which may carry it", self.topic()));
        }
        if view.get::<TopicState>(&topic).is_none() {
            return Plan::CannotPreview(format!("topic {} was not looked at", self.topic()));
        }
        let from = Some(format!("version {}, never used", self.version));
        let effects = vec![Effect { mark: Mark::Remove, what: format!("schema of {}", self.subject), from, to: None }];
        Plan::Change(Change { change: Removal { before }, effects, binding: json!({ "latest": self.version, "held": 0 }) })
    }

    fn leave(&self, change: &Removal, view: &mut View) {
        let version = serde_json::to_value(&change.before).unwrap_or_default();
        leave_deleted(view, &self.resource(), &version, self.version == 1);
    }

    fn acts(&self, _: &Removal) -> Vec<DeleteVersion> {
        vec![DeleteVersion { subject: self.subject.clone(), version: self.version }]
    }

    async fn standing(&self, context: &ActContext, _: &Removal, _: &DeleteVersion) -> Result<Standing, StepError> {
        Ok(match newest(context, &self.registry, &self.subject).await? {
            Some(version) if version == self.version => Standing::Before,
            Some(version) if version > self.version => Standing::Unclear(format!("version {version} of {} is there by now", self.subject)),
            _ => Standing::After(Receipt::said("deleted")),
        })
    }

    async fn act(&self, context: &ActContext, _: &Removal, act: &DeleteVersion) -> Result<Receipt, StepError> {
        context.world.registry(&self.registry)?.delete_version(&act.subject, act.version).await?;
        Ok(Receipt::said("deleted"))
    }

    async fn verify(&self, context: &ActContext, _: Option<&Removal>) -> Result<Verdict, StepError> {
        Ok(match newest(context, &self.registry, &self.subject).await? {
            Some(version) if version >= self.version => Verdict::Broken(format!("version {version} of {} is there", self.subject)),
            Some(version) => Verdict::Holds(Evidence::said(format!("the newest version of {} is {version}", self.subject))),
            None => Verdict::Holds(Evidence::said(format!("{} has no version", self.subject))),
        })
    }

    fn rights(&self) -> Vec<Right> {
        let topic = Resource::topic(&self.cluster, self.topic());
        [Right::look(&topic), Right::all(&self.resource(), [Operation::Read, Operation::Delete])].concat()
    }

    fn moves(&self) -> Vec<Move> {
        // Why: the registry counts versions of the subject, and which version of the event that is stands in no step.
        vec![Move::DeleteSchema { event: String::new(), topic: Some(self.topic().to_owned()) }]
    }

    fn revert(&self, change: &Removal, _: &[Receipt]) -> Revert {
        Revert::Impossible(format!("the {} schema is kept in this run's journal; register it again from there", change.before.format))
    }

    fn by_hand(&self) -> ByHand {
        let (path, version) = (format!("/subjects/{}/versions", subject_path(&self.subject)), self.version);
        ByHand::new(format!("delete version {version} of {}, but only if no record can carry it", self.subject))
            .say("Add up the last column. If it is not 0, the topic has held records: leave the version, and go on. No such topic is as good as 0.")
            .run(format!("{} --topic {} --time -1", kafka_tool("kafka-get-offsets.sh", &self.cluster), quote(self.topic())))
            .say(format!("The newest version must be {version} and hold the schema of this run. If a newer one follows, leave it."))
            .run(curl(&self.registry, "GET", &format!("{path}/latest"), None))
            .say("Then delete it, softly.")
            .run(curl(&self.registry, "DELETE", &format!("{path}/{version}"), None))
    }
}

async fn newest(context: &ActContext, registry: &str, subject: &str) -> Result<Option<i64>, StepError> {
    Ok(context.world.registry(registry)?.latest(subject).await?.and_then(|latest| latest.version))
}
