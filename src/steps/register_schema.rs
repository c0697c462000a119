//! `register_schema`: makes a subject have a version with this schema, and if asked a compatibility level of its own.

mod event;
mod judged;
mod samples;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use self::event::EventForm;
use self::samples::Samples;
use super::common::main_system;
use super::set_compatibility::{Level, level_receipt, look_at_level};
use super::subject::{curl, is_deleted, leave_registered, subject_path, topic_of};
use crate::ports::registry::{Compatibility, CompatibilityAnswer, NewSchema, SchemaFormat, SchemaReference, SchemaVersion};
use crate::schemas::samples::Tried;
use crate::schemas::{Document, envelope};
use crate::step::{
    ActContext, ByHand, Change, Claim, Effect, Evidence, Fact, Facts, FileRef, KNOWN_LATER, Kind, Mark, Move, Nature, OnUnknown, Operation,
    OrdinaryStep, Plan, Receipt, Resource, Revert, Right, Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World,
};

/// Registers a schema under a subject, after asking the registry whether it may follow the versions that are there.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterSchema {
    /// Name of the schema registry in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub registry: String,
    /// The subject, usually `<topic>-value`.
    #[schemars(length(min = 1, max = 400))]
    pub subject: String,
    /// The topic whose records use the subject; the subject without `-value` or `-key` when it is left out. A topic that carries several
    /// events usually has a subject for each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "topic-name"))]
    pub topic: Option<String>,
    /// File with the schema, beside the playbook.
    pub file: FileRef,
    /// Language of the schema; told by the file's ending (`.json`, `.avsc`, `.proto`) when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<SchemaFormat>,
    /// Level that the subject gets before the schema is registered; left as it is when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatibility: Option<Compatibility>,
    /// Schemas of other subjects that this one refers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<SchemaReference>,
    /// Tries documents that are in the topic with the schema, and registers nothing that refuses one. JSON Schema only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<Samples>,
    /// Whether the schema must have the envelope of an event: `event_id`, `event_name`, `event_version`, `produced_at` and `payload`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub envelope: bool,
}

/// The subject before, and what is to be registered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registration {
    schema: NewSchema,
    /// `false` when the very schema is registered already and only the level changes.
    register: bool,
    level: Option<Compatibility>,
    level_before: Option<Compatibility>,
    /// The version that it follows.
    #[serde(default)]
    follows: Option<SchemaVersion>,
}

/// The acts of a registration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistryAct {
    /// Give the subject this level.
    SetLevel(Compatibility),
    /// Register the schema under this subject.
    Register(String),
}

impl fmt::Display for RegistryAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetLevel(level) => write!(f, "set the compatibility level to {level}"),
            Self::Register(subject) => write!(f, "register the schema under {subject}"),
        }
    }
}

impl RegisterSchema {
    fn resource(&self) -> Resource {
        Resource::subject(&self.registry, &self.subject)
    }

    fn language(&self) -> SchemaFormat {
        self.format.unwrap_or_else(|| match self.file.path.rsplit('.').next() {
            Some("avsc") => SchemaFormat::Avro,
            Some("proto") => SchemaFormat::Protobuf,
            _ => SchemaFormat::Json,
        })
    }

    fn schema(&self) -> NewSchema {
        NewSchema { format: self.language(), text: self.file.text.to_string(), references: self.references.clone() }
    }

    /// The topic whose records use the subject.
    fn topic(&self) -> &str {
        self.topic.as_deref().unwrap_or_else(|| topic_of(&self.subject))
    }

    /// What is to be said of the envelope, when there must be one.
    fn envelope_complaints(&self) -> Vec<String> {
        let schema = Document::read(&self.file.text, SchemaFormat::Json).map(|document| document.value);
        let Some(schema) = schema.ok().filter(|_| self.envelope && self.language() == SchemaFormat::Json) else { return Vec::new() };
        let remarks = envelope::examine(&schema).unwrap_or_else(envelope::none);
        let broken = remarks.into_iter().filter(|remark| !remark.advice);
        broken.map(|remark| format!("{}, {}: {}", self.file.path, remark.path, remark.message)).collect()
    }

    /// The registry refuses it: in its words, and in ours.
    fn refused(&self, latest: &SchemaVersion, level: Option<Compatibility>, answer: &CompatibilityAnswer) -> String {
        let reasons = if answer.reasons.is_empty() { "it gave no reason".to_owned() } else { answer.reasons.join("; ") };
        let verdict = judged::judged(latest, self.language(), &self.file.text, level.unwrap_or(Compatibility::Backward));
        let told = verdict.map(|verdict| judged::told(&verdict)).unwrap_or_default();
        format!("the registry refuses it as a next version of {}: {reasons}{told}", self.subject)
    }

    /// How the schema comes after the newest one: who is deployed first, and what the level to come makes of it.
    fn follows(&self, latest: &SchemaVersion, level: Option<Compatibility>) -> String {
        let Some(verdict) = judged::judged(latest, self.language(), &self.file.text, level.unwrap_or(Compatibility::None)) else {
            return String::new();
        };
        if verdict.compatible {
            return format!("; {}", verdict.order);
        }
        format!("; the registry may refuse it then{}", judged::told(&verdict))
    }

    /// Aspect of the subject under which the registry's answers about this very schema are kept.
    fn aspect(&self, what: &str) -> String {
        let digest = Sha256::digest(self.file.text.as_bytes());
        let short = digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        format!("{what} {short:016x}")
    }
}

impl StepKind for RegisterSchema {
    const KIND: Kind = Kind {
        name: "register_schema",
        summary: "makes a subject have a version with this schema",
        nature: Nature::State,
        risk: Risk::Reversible,
        needs: &[SystemKind::Registry],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-register-schema
steps:
  - id: schema
    register_schema:
      subject: datarep.exercise-value
      file: schemas/exercise_changed.v0.json
      compatibility: BACKWARD
",
    };
    type Change = Registration;
    type Act = RegistryAct;

    fn resources(&self) -> Vec<Claim> {
        let topic = self.samples.as_ref().map(|samples| Claim::read(Resource::topic(&samples.cluster, self.topic())));
        std::iter::once(Claim::write(self.resource())).chain(topic).collect()
    }

    fn complaints(&self) -> Vec<(String, String)> {
        if self.file.text.trim().is_empty() {
            return vec![("/file".to_owned(), format!("`{}` is empty; it must hold the schema", self.file.path))];
        }
        if let Some(why) = judged::unreadable(&self.file.path, &self.file.text, self.language()) {
            return vec![("/file".to_owned(), why)];
        }
        self.envelope_complaints().into_iter().map(|why| ("/file".to_owned(), why)).collect()
    }

    fn files(&mut self) -> Vec<&mut FileRef> {
        vec![&mut self.file]
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        let registry = world.registry(&self.registry)?;
        let mut view = look_at_level(world, &self.registry, &self.subject).await?;
        let latest = registry.latest(&self.subject).await?;
        let found = match latest {
            Some(_) => registry.lookup(&self.subject, &self.schema()).await?,
            None => None,
        };
        let answer = match (&latest, &found) {
            (Some(_), None) => Some(registry.check(&self.subject, &self.schema()).await?),
            _ => None,
        };
        view.put(&self.resource(), &latest);
        view.put_aspect(&self.resource(), &self.aspect("found"), &found);
        view.put_aspect(&self.resource(), &self.aspect("answer"), &answer);
        if let Some(samples) = self.samples.as_ref().filter(|_| self.language() == SchemaFormat::Json) {
            let tried = samples::tried(world, samples, self.topic(), &self.file.text).await?;
            view.put_aspect(&self.resource(), &self.aspect("samples"), &tried);
        }
        Ok(view)
    }

    fn plan(&self, view: &View) -> Plan<Registration> {
        let resource = self.resource();
        let Some(latest) = view.get::<SchemaVersion>(&resource) else {
            return Plan::CannotPreview(format!(
                "which version of {} is the newest one is known once the steps before have run",
                self.subject
            ));
        };
        let found = view.aspect::<SchemaVersion>(&resource, &self.aspect("found")).flatten();
        let found = found.filter(|found| !is_deleted(view, &resource, &found.text));
        let answer = view.aspect::<CompatibilityAnswer>(&resource, &self.aspect("answer")).flatten();
        let level_before = view.aspect::<Compatibility>(&resource, super::set_compatibility::LEVEL).flatten();
        let level = self.compatibility.filter(|level| Some(*level) != level_before);
        let mut effects = Vec::new();
        match (&found, &latest, &answer) {
            (Some(found), _, _) if level.is_none() => {
                let version = named(found);
                return Plan::AlreadySo(format!("it is {version} of {}", self.subject));
            }
            // Why: the registry judged at the level that is in force now; a level that this step sets first may judge otherwise.
            (None, Some(latest), Some(answer)) if !answer.compatible && level.is_none() => {
                return Plan::Impossible(self.refused(latest, level_before, answer));
            }
            (Some(_), _, _) => {}
            (None, latest, _) => {
                let mark = if latest.is_some() { Mark::Change } else { Mark::Create };
                let from = latest.as_ref().map(named);
                let tried = view.aspect::<Tried>(&resource, &self.aspect("samples")).flatten();
                if let Some(why) = tried.as_ref().and_then(|tried| samples::refusal(tried, self.topic())) {
                    return Plan::Impossible(why);
                }
                let to = if latest.is_some() { "a new version, after the registry has checked it" } else { "a first version" };
                let follows = latest.as_ref().map(|latest| self.follows(latest, level.or(level_before))).unwrap_or_default();
                effects.push(Effect {
                    mark,
                    what: format!("schema of {}", self.subject),
                    from,
                    to: Some(format!("{to}, from {}{follows}", self.file.path)),
                });
            }
        }
        if let Some(level) = level {
            let from = Some(level_before.map_or_else(|| "the registry's default".to_owned(), |level| level.to_string()));
            let what = format!("compatibility of {}", self.subject);
            effects.push(Effect { mark: Mark::Change, what, from, to: Some(level.to_string()) });
        }
        let followed = latest.as_ref().map(|latest| latest.version.map_or_else(|| json!(KNOWN_LATER), |version| json!(version)));
        let binding = json!({ "latest": followed, "level": level_before });
        let change = Registration { schema: self.schema(), register: found.is_none(), level, level_before, follows: latest };
        Plan::Change(Change { change, effects, binding })
    }

    fn leave(&self, change: &Registration, view: &mut View) {
        let resource = self.resource();
        if let Some(level) = change.level {
            view.put_aspect(&resource, super::set_compatibility::LEVEL, &Some(level));
        }
        if change.register {
            let version = SchemaVersion { id: None, version: None, format: change.schema.format, text: change.schema.text.clone() };
            let json = |version: &SchemaVersion| serde_json::to_value(version).unwrap_or_default();
            leave_registered(view, &resource, change.follows.as_ref().map(json).as_ref(), &json(&version));
            view.put_aspect(&resource, &self.aspect("found"), &Some(&version));
        }
    }

    fn acts(&self, change: &Registration) -> Vec<RegistryAct> {
        let level = change.level.map(RegistryAct::SetLevel);
        let register = change.register.then(|| RegistryAct::Register(self.subject.clone()));
        level.into_iter().chain(register).collect()
    }

    async fn standing(&self, context: &ActContext, change: &Registration, act: &RegistryAct) -> Result<Standing, StepError> {
        let registry = context.world.registry(&self.registry)?;
        match act {
            RegistryAct::SetLevel(level) => {
                super::set_compatibility::level_standing(registry.as_ref(), &self.subject, change.level_before, Level::Own(*level)).await
            }
            RegistryAct::Register(subject) => Ok(match registry.lookup(subject, &change.schema).await? {
                Some(version) => Standing::After(registered(&version)),
                None => Standing::Before,
            }),
        }
    }

    async fn act(&self, context: &ActContext, change: &Registration, act: &RegistryAct) -> Result<Receipt, StepError> {
        let registry = context.world.registry(&self.registry)?;
        match act {
            RegistryAct::SetLevel(level) => {
                registry.set_level(&self.subject, Some(*level)).await?;
                Ok(level_receipt(change.level_before, Level::Own(*level)))
            }
            RegistryAct::Register(subject) => {
                let mut receipt = registered(&registry.register(subject, &change.schema).await?);
                if let (Some(before), Some(data)) = (&change.follows, receipt.data.as_object_mut()) {
                    data.insert("before".to_owned(), json!({ "version": before.version, "id": before.id }));
                }
                Ok(receipt)
            }
        }
    }

    async fn verify(&self, context: &ActContext, _: Option<&Registration>) -> Result<Verdict, StepError> {
        let registry = context.world.registry(&self.registry)?;
        if let Some(wanted) = self.compatibility {
            let level = registry.level(&self.subject).await?;
            if level != Some(wanted) {
                let level = level.map_or_else(|| "the default".to_owned(), |level| level.to_string());
                return Ok(Verdict::Broken(format!("the level of {} is {level}, not {wanted}", self.subject)));
            }
        }
        Ok(match registry.lookup(&self.subject, &self.schema()).await? {
            Some(found) => {
                let line = format!("version {} of {}, id {}", number(found.version), self.subject, number(found.id));
                Verdict::Holds(Evidence::with(line, &json!({ "version": found.version, "id": found.id })))
            }
            None => Verdict::Broken(format!("{} has no version with this schema", self.subject)),
        })
    }

    fn revert(&self, change: &Registration, receipts: &[Receipt]) -> Revert {
        let mut steps = Vec::new();
        let version = receipts.iter().find_map(|receipt| receipt.data.get("version").cloned());
        if let Some(version) = version.filter(|_| change.register) {
            let mut body = json!({ "registry": self.registry, "subject": self.subject, "version": version, "if_used": "keep" });
            if let (Some(topic), Some(fields)) = (&self.topic, body.as_object_mut()) {
                fields.insert("topic".to_owned(), json!(topic));
            }
            steps.push(OrdinaryStep { kind: "delete_schema".to_owned(), body });
        }
        if change.level.is_some() {
            let level = Level::from(change.level_before);
            let body = json!({ "registry": self.registry, "subject": self.subject, "level": level });
            steps.push(OrdinaryStep { kind: "set_compatibility".to_owned(), body });
        }
        if steps.is_empty() { Revert::Nothing } else { Revert::Steps(steps) }
    }

    fn foresee(&self, change: &Registration) -> Vec<Receipt> {
        let follows = change.follows.as_ref().map_or(Some(0), |follows| follows.version);
        let version = follows.filter(|_| change.register).map(|follows| follows + 1);
        version.map(|version| Receipt::with(format!("most likely version {version}"), &json!({ "version": version }))).into_iter().collect()
    }

    fn by_hand(&self) -> ByHand {
        let path = format!("/subjects/{}/versions", subject_path(&self.subject));
        let mut body = json!({ "schemaType": self.language(), "schema": self.file.text.as_ref() });
        if let (false, Some(body)) = (self.references.is_empty(), body.as_object_mut()) {
            body.insert("references".to_owned(), json!(self.references));
        }
        ByHand::new(format!("register the schema in {} under {}", self.file.path, self.subject))
            .run(curl(&self.registry, "POST", &path, Some(&body)))
            .say("The registry answers the id; it refuses a schema that may not follow the newest one.")
            .run(curl(&self.registry, "GET", &format!("{path}/latest"), None))
    }

    fn rights(&self) -> Vec<Right> {
        let subject = Resource::subject(&self.registry, &self.subject);
        // Why the topic: a version that a record may carry is not taken back.
        let stem = self.subject.strip_suffix("-value").or_else(|| self.subject.strip_suffix("-key")).unwrap_or(&self.subject);
        let look = Right::look(&Resource::topic(&main_system(), stem)).into_iter().map(|right| Right { way_back: true, ..right });
        let level = self.compatibility.map(|_| Operation::AlterConfigs);
        let own = Right::all(&subject, [Operation::Read, Operation::Write].into_iter().chain(level));
        let samples = self.samples.as_ref().map(|samples| Resource::topic(&samples.cluster, self.topic()));
        let samples = samples.into_iter().flat_map(|topic| [Right::look(&topic), Right::all(&topic, [Operation::Read])].concat());
        own.into_iter().chain(Right::back(&subject, [Operation::Delete])).chain(look).chain(samples).collect()
    }

    fn moves(&self) -> Vec<Move> {
        let EventForm { name, version, required } = EventForm::read(&self.file.text);
        let stem = || self.subject.strip_suffix("-value").unwrap_or(&self.subject);
        let topic = self.topic.as_deref().unwrap_or_else(stem).to_owned();
        vec![Move::RegisterSchema { event: format!("{name}@{version}"), topic: Some(topic), required }]
    }

    fn facts(&self) -> Facts {
        let subject = format!("{}/{}", self.registry, self.subject);
        Facts { needs: Vec::new(), leaves: vec![Fact::Schema { subject, file: self.file.path.clone() }] }
    }
}

/// The event that a schema describes, as `Name@version`; `None` when its text does not say.
#[must_use]
pub fn described_event(text: &str) -> Option<String> {
    let EventForm { name, version, .. } = EventForm::read(text);
    (!name.is_empty()).then(|| format!("{name}@{version}"))
}

fn registered(version: &SchemaVersion) -> Receipt {
    let line = format!("registered as version {}, id {}", number(version.version), number(version.id));
    Receipt::with(line, &json!({ "version": version.version, "id": version.id }))
}

fn named(version: &SchemaVersion) -> String {
    version.version.map_or_else(|| format!("version {KNOWN_LATER}"), |version| format!("version {version}"))
}

fn number(value: Option<i64>) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| value.to_string())
}
