//! `set_compatibility`: gives a subject a compatibility level of its own, or takes it away so that the registry's default is in force.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;

use super::common::main_system;
use super::subject::{curl, subject_path};
use crate::ports::registry::{Compatibility, Registry};
use crate::step::{
    ActContext, ByHand, Change, Claim, Effect, Evidence, Kind, Mark, Nature, OnUnknown, Operation, Plan, Receipt, Resource, Revert, Right,
    Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World,
};

/// Aspect of a subject in a view: its own compatibility level.
pub(super) const LEVEL: &str = "level";

/// Sets which changes of a subject the registry accepts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCompatibility {
    /// Name of the schema registry in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub registry: String,
    /// The subject, usually `<topic>-value`.
    #[schemars(length(min = 1, max = 400))]
    pub subject: String,
    /// The level, or `inherit` for the registry's default.
    pub level: Level,
}

/// A compatibility level, or the absence of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The subject's own.
    Own(Compatibility),
    /// The registry's default, written `inherit`.
    Inherit,
}

impl Level {
    fn own(self) -> Option<Compatibility> {
        match self {
            Self::Own(level) => Some(level),
            Self::Inherit => None,
        }
    }
}

impl From<Option<Compatibility>> for Level {
    fn from(level: Option<Compatibility>) -> Self {
        level.map_or(Self::Inherit, Self::Own)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(level) => level.fmt(f),
            Self::Inherit => f.write_str("inherit"),
        }
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "inherit" => Ok(Self::Inherit),
            text => text.parse().map(Self::Own).map_err(serde::de::Error::custom),
        }
    }
}

impl JsonSchema for Level {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Level".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "enum": ["BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE", "NONE", "inherit"]
        })
    }
}

/// The level before and after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LevelChange {
    before: Option<Compatibility>,
    after: Level,
}

/// The one act.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetLevel(Level);

impl fmt::Display for SetLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set the compatibility level to {}", self.0)
    }
}

impl SetCompatibility {
    fn resource(&self) -> Resource {
        Resource::subject(&self.registry, &self.subject)
    }
}

impl StepKind for SetCompatibility {
    const KIND: Kind = Kind {
        name: "set_compatibility",
        summary: "sets which changes of a subject the registry accepts",
        nature: Nature::State,
        risk: Risk::Reversible,
        needs: &[SystemKind::Registry],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-set-compatibility
steps:
  - id: level
    set_compatibility: {subject: datarep.exercise-value, level: FORWARD}
",
    };
    type Change = LevelChange;
    type Act = SetLevel;

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::write(self.resource())]
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        look_at_level(world, &self.registry, &self.subject).await
    }

    fn plan(&self, view: &View) -> Plan<LevelChange> {
        let Some(before) = view.aspect::<Compatibility>(&self.resource(), LEVEL) else {
            return Plan::CannotPreview(format!("the level of {} was not looked at", self.subject));
        };
        if before == self.level.own() {
            return Plan::AlreadySo(format!("the level is {}", self.level));
        }
        let from = Some(Level::from(before).to_string());
        let what = format!("compatibility of {}", self.subject);
        let effects = vec![Effect { mark: Mark::Change, what, from, to: Some(self.level.to_string()) }];
        let binding = json!({ "level": before });
        Plan::Change(Change { change: LevelChange { before, after: self.level }, effects, binding })
    }

    fn leave(&self, change: &LevelChange, view: &mut View) {
        view.put_aspect(&self.resource(), LEVEL, &change.after.own());
    }

    fn acts(&self, change: &LevelChange) -> Vec<SetLevel> {
        vec![SetLevel(change.after)]
    }

    async fn standing(&self, context: &ActContext, change: &LevelChange, act: &SetLevel) -> Result<Standing, StepError> {
        let registry = context.world.registry(&self.registry)?;
        level_standing(registry.as_ref(), &self.subject, change.before, act.0).await
    }

    async fn act(&self, context: &ActContext, change: &LevelChange, act: &SetLevel) -> Result<Receipt, StepError> {
        context.world.registry(&self.registry)?.set_level(&self.subject, act.0.own()).await?;
        Ok(level_receipt(change.before, act.0))
    }

    async fn verify(&self, context: &ActContext, _: Option<&LevelChange>) -> Result<Verdict, StepError> {
        let level = Level::from(context.world.registry(&self.registry)?.level(&self.subject).await?);
        Ok(if level == self.level {
            Verdict::Holds(Evidence::said(format!("the level of {} is {level}", self.subject)))
        } else {
            Verdict::Broken(format!("the level of {} is {level}, not {}", self.subject, self.level))
        })
    }

    fn revert(&self, change: &LevelChange, _: &[Receipt]) -> Revert {
        let body = json!({ "registry": self.registry, "subject": self.subject, "level": Level::from(change.before) });
        Revert::step("set_compatibility", body)
    }

    fn rights(&self) -> Vec<Right> {
        Right::all(&self.resource(), [Operation::Read, Operation::AlterConfigs])
    }

    fn by_hand(&self) -> ByHand {
        let path = format!("/config/{}", subject_path(&self.subject));
        let told = ByHand::new(format!("set the compatibility level of {} to {}", self.subject, self.level));
        match self.level.own() {
            Some(level) => told.run(curl(&self.registry, "PUT", &path, Some(&json!({ "compatibility": level })))),
            None => told.say("The subject gets no level of its own, so that the registry's default is in force.").run(curl(
                &self.registry,
                "DELETE",
                &path,
                None,
            )),
        }
    }
}

/// What was done to a level, and what it was.
pub(super) fn level_receipt(before: Option<Compatibility>, after: Level) -> Receipt {
    Receipt::with(format!("set the level to {after}"), &json!({ "before": Level::from(before), "level": after }))
}

/// Looks at a subject's own level.
pub(super) async fn look_at_level(world: &World, registry: &str, subject: &str) -> Result<View, StepError> {
    let level = world.registry(registry)?.level(subject).await?;
    let mut view = View::default();
    view.put_aspect(&Resource::subject(registry, subject), LEVEL, &level);
    Ok(view)
}

/// Whether a level that was to be set is set.
pub(super) async fn level_standing(
    registry: &dyn Registry,
    subject: &str,
    before: Option<Compatibility>,
    after: Level,
) -> Result<Standing, StepError> {
    let now = registry.level(subject).await?;
    Ok(if now == after.own() {
        Standing::After(level_receipt(before, after))
    } else if now == before {
        Standing::Before
    } else {
        Standing::Unclear(format!("the level of {subject} is {}, neither the old nor the new one", Level::from(now)))
    })
}
