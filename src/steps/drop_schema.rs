//! `drop_schema`: deletes a version of a subject for good, once no record of its topics carries it any more. A registry forgets the number of
//! such a schema, so a record that still carries it can never be read again; there is no way back.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::common::main_system;
use super::subject::{curl, leave_deleted, subject_path, topic_of};
use crate::drain::{self, ABSENT_AGAIN, Goal, Known, Old, Place, Places, Proof, Search, Terms, Told, Unreadable};
use crate::ports::registry::SchemaVersion;
use crate::step::{
    ActContext, ByHand, Change, Claim, Effect, Evidence, KNOWN_LATER, Kind, Mark, Move, Nature, OnUnknown, Operation, Plan, Receipt,
    Resource, Revert, Right, Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World,
};

/// Aspect of a subject in a view: one of its versions, those that are deleted softly included.
const VERSION: &str = "version";

/// A version that no record has; what a record without a schema is where such records are declared to be none of ours.
const NO_VERSION: u32 = 0;

/// Deletes a version of a subject for good, once no record carries it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DropSchema {
    /// Name of the schema registry in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub registry: String,
    /// The subject.
    #[schemars(length(min = 1, max = 400))]
    pub subject: String,
    /// The version that is to go; older ones may go before newer ones.
    #[schemars(range(min = 1))]
    pub version: u32,
    /// Name of the Kafka cluster in `cutover.yaml` that holds the topics.
    #[serde(default = "main_system")]
    pub cluster: String,
    /// The topics whose records may carry it; the subject without `-value` or `-key` when none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub topics: Vec<String>,
    /// Whether topics that are not there have been deleted, with every record that carried it. Left out, a topic that is not there stands in the
    /// way: most likely its name is another one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub topics_deleted: bool,
    /// What a record is that names no schema. Left out, nobody can tell, and the version stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unnamed: Option<Unreadable>,
    /// The most records that are read each second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub scan_rate: Option<u32>,
}

/// The version as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Forgetting {
    before: SchemaVersion,
}

/// The acts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropAct {
    /// Wait until no record of these topics carries it.
    Search(Vec<String>),
    /// Delete it, softly and then for good.
    Delete(String, u32),
}

impl fmt::Display for DropAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Search(topics) => write!(f, "wait until no record of {} carries it", topics.join(", ")),
            Self::Delete(subject, version) => write!(f, "delete version {version} of {subject} for good"),
        }
    }
}

impl DropSchema {
    fn resource(&self) -> Resource {
        Resource::subject(&self.registry, &self.subject)
    }

    fn topics(&self) -> Vec<String> {
        if self.topics.is_empty() { vec![topic_of(&self.subject).to_owned()] } else { self.topics.clone() }
    }

    /// Records that carry the version.
    fn carriers(&self) -> Old {
        let version = Places(vec![Place::Schema(Some(self.subject.clone()))]);
        let absent_version = match self.unnamed {
            None => None,
            Some(Unreadable::Old) => Some(self.version),
            Some(Unreadable::Neutral) => Some(NO_VERSION),
        };
        Old {
            name: self.subject.clone(),
            version: Some(self.version),
            from: Told { name: Places(vec![Place::Topic]), version },
            absent_version,
            unreadable: self.unnamed,
        }
    }

    /// What is known of the records of a topic, as it is now; `None` when there is no such topic.
    async fn proof(&self, world: &World, topic: &str) -> Result<Option<Proof>, StepError> {
        let (kafka, registry, old) = (world.kafka(&self.cluster)?, world.registry(&self.registry)?, self.carriers());
        if kafka.topic(topic).await?.is_none() {
            return Ok(None);
        }
        let search = Search { kafka: kafka.as_ref(), registry: Some(registry.as_ref()), topic, old: &old, most: self.scan_rate };
        let terms = Terms { goal: Goal::Absent, reset: None };
        let barrier = drain::take_barrier(search.kafka, topic, None).await?;
        let index = search.survey(&barrier, &[], terms, |_| {}).await?;
        Ok(Some(search.judge(&barrier, &index, &[], terms).await?.proof))
    }

    /// Whether any record carries the version.
    async fn carried(&self, world: &World) -> Result<Verdict, StepError> {
        let goal = format!("no record of {} carries version {} of {}", self.topics().join(", "), self.version, self.subject);
        for topic in self.topics() {
            let Some(proof) = self.proof(world, &topic).await? else {
                if self.topics_deleted {
                    continue;
                }
                return Ok(Verdict::Broken(format!(
                    "there is no topic {topic}, so nobody can look at its records; name the topics that use {} in `topics`, or say \
                     `topics_deleted: true` if they were deleted",
                    self.subject
                )));
            };
            let now = format!("{topic}: {}", proof.words());
            match proof.verdict {
                Known::Drained => {}
                Known::Waiting => return Ok(Verdict::NotYet { now, goal, again_in: ABSENT_AGAIN }),
                Known::Unknown => {
                    return Ok(Verdict::Broken(format!(
                        "{now}; with `unnamed: neutral` records that name no schema do not count, if you know that they need none"
                    )));
                }
            }
        }
        Ok(Verdict::Holds(Evidence::said(goal)))
    }
}

impl StepKind for DropSchema {
    const KIND: Kind = Kind {
        name: "drop_schema",
        summary: "deletes a version of a subject for good, once no record carries it",
        nature: Nature::State,
        risk: Risk::PointOfNoReturn,
        needs: &[SystemKind::Registry, SystemKind::Kafka],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-drop-schema
steps:
  - id: topic
    create_topic: {topic: mistaken.name, partitions: 1}
  - id: schema
    register_schema: {subject: mistaken.name-value, file: schemas/exercise_changed.v0.json}
  - id: gone
    drop_schema: {subject: mistaken.name-value, version: 1}
",
    };
    type Change = Forgetting;
    type Act = DropAct;

    fn resources(&self) -> Vec<Claim> {
        let topics = self.topics().into_iter().map(|topic| Claim::read(Resource::topic(&self.cluster, &topic)));
        std::iter::once(Claim::write(self.resource())).chain(topics).collect()
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        let registry = world.registry(&self.registry)?;
        let mut view = View::default();
        view.put(&self.resource(), &registry.latest(&self.subject).await?);
        view.put_aspect(&self.resource(), VERSION, &registry.version(&self.subject, self.version.into()).await?);
        Ok(view)
    }

    fn plan(&self, view: &View) -> Plan<Forgetting> {
        let (subject, version) = (&self.subject, self.version);
        // Why: the number of a version that an earlier step registers is known only then; it is taken for the one that is meant.
        let coming = view.get::<SchemaVersion>(&self.resource()).flatten().filter(|latest| latest.version.is_none());
        let before = match (view.aspect::<SchemaVersion>(&self.resource(), VERSION), coming) {
            (Some(Some(before)), _) | (_, Some(before)) => before,
            (None, None) => return Plan::CannotPreview(format!("version {version} of {subject} was not looked at")),
            (Some(None), None) => return Plan::AlreadySo(format!("{subject} has no version {version}")),
        };
        let id = before.id.map_or_else(|| KNOWN_LATER.to_owned(), |id| id.to_string());
        let from = Some(format!("id {id}"));
        let effects = vec![Effect { mark: Mark::Remove, what: format!("version {version} of {subject} for good"), from, to: None }];
        let binding = json!({ "id": id });
        Plan::Change(Change { change: Forgetting { before }, effects, binding })
    }

    fn leave(&self, change: &Forgetting, view: &mut View) {
        view.put_aspect(&self.resource(), VERSION, &None::<SchemaVersion>);
        let latest = view.get::<SchemaVersion>(&self.resource()).flatten();
        if latest.is_some_and(|latest| latest.version == change.before.version) {
            let version = serde_json::to_value(&change.before).unwrap_or_default();
            leave_deleted(view, &self.resource(), &version, self.version == 1);
        }
    }

    fn acts(&self, _: &Forgetting) -> Vec<DropAct> {
        vec![DropAct::Search(self.topics()), DropAct::Delete(self.subject.clone(), self.version)]
    }

    async fn standing(&self, context: &ActContext, _: &Forgetting, act: &DropAct) -> Result<Standing, StepError> {
        let DropAct::Delete(subject, version) = act else { return Ok(Standing::Before) };
        let there = context.world.registry(&self.registry)?.version(subject, (*version).into()).await?;
        Ok(if there.is_some() { Standing::Before } else { Standing::After(Receipt::said("deleted for good")) })
    }

    async fn act(&self, context: &ActContext, _: &Forgetting, act: &DropAct) -> Result<Receipt, StepError> {
        match act {
            DropAct::Search(topics) => Ok(Receipt::said(format!("looking through {}", topics.join(", ")))),
            DropAct::Delete(subject, version) => {
                // Why again: somebody may have produced with it since it was looked for.
                match self.carried(&context.world).await? {
                    Verdict::Holds(_) => {}
                    Verdict::NotYet { now, .. } => return Err(StepError::Disturbed(now)),
                    Verdict::Broken(why) => return Err(StepError::Impossible(why)),
                }
                context.world.registry(&self.registry)?.erase_version(subject, (*version).into()).await?;
                Ok(Receipt::said("deleted for good"))
            }
        }
    }

    const SETTLES: bool = true;

    async fn settle(&self, context: &ActContext, _: &Forgetting, act: &DropAct, _: &Receipt) -> Result<Verdict, StepError> {
        match act {
            DropAct::Search(_) => self.carried(&context.world).await,
            DropAct::Delete(..) => Ok(Verdict::Holds(Evidence::said("deleted for good"))),
        }
    }

    async fn verify(&self, context: &ActContext, _: Option<&Forgetting>) -> Result<Verdict, StepError> {
        let there = context.world.registry(&self.registry)?.version(&self.subject, self.version.into()).await?;
        Ok(match there {
            None => Verdict::Holds(Evidence::said(format!("{} has no version {}, not even a deleted one", self.subject, self.version))),
            Some(_) => Verdict::Broken(format!("version {} of {} is there", self.version, self.subject)),
        })
    }

    fn revert(&self, change: &Forgetting, _: &[Receipt]) -> Revert {
        Revert::Impossible(format!(
            "the registry has forgotten it; its text is kept in this run's journal, and registered again it is a {} schema with a number of \
             its own",
            change.before.format
        ))
    }

    fn by_hand(&self) -> ByHand {
        let path = format!("/subjects/{}/versions/{}", subject_path(&self.subject), self.version);
        ByHand::new(format!("delete version {} of {} for good, but only if no record carries it", self.version, self.subject))
            .say("Its id is `id` in the answer. No record of its topics may begin with a 0 byte and that id in four bytes.")
            .run(curl(&self.registry, "GET", &format!("{path}?deleted=true"), None))
            .say("Then delete it, softly first. There is no way back.")
            .run(curl(&self.registry, "DELETE", &path, None))
            .run(curl(&self.registry, "DELETE", &format!("{path}?permanent=true"), None))
    }

    fn rights(&self) -> Vec<Right> {
        let topics = self.topics().into_iter().map(|topic| Right::all(&Resource::topic(&self.cluster, &topic), [Operation::Read]));
        let own = Right::all(&self.resource(), [Operation::Read, Operation::Delete]);
        std::iter::once(own).chain(topics).flatten().collect()
    }

    fn moves(&self) -> Vec<Move> {
        let topic = self.topics().into_iter().next();
        vec![Move::DeleteSchema { event: String::new(), topic }]
    }
}
