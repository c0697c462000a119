//! `set_flag`: makes a flag serve one variant everywhere at once. Steps and shares are `roll_out_flag`'s business.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::common::main_system;
use super::flag::{self, words};
use crate::flags::targeting;
use crate::ports::flags::{FlagChange, FlagState};
use crate::step::{
    ActContext, ByHand, Change, Claim, Effect, Evidence, Fact, Facts, Kind, Mark, Move, Nature, OnUnknown, Plan, Receipt, Resource, Revert,
    Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World,
};

/// Makes a flag serve one variant to everybody, and creates the flag when it is not there.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetFlag {
    /// Name of the flag store in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub store: String,
    /// Name of the flag.
    #[schemars(extend("format" = "flag-name"))]
    pub flag: String,
    /// The variant that everybody gets.
    #[schemars(length(min = 1))]
    pub to: String,
    /// Variant names and their values, all of one type. Needed for a flag that is not there yet, unless `to` is `on` or `off`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variants: BTreeMap<String, Value>,
    /// `false` disables the flag, so that services use the default in their code.
    #[serde(default = "enabled", skip_serializing_if = "Clone::clone")]
    pub enabled: bool,
    /// `JSONLogic` targeting to keep beside the variant; there is none when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targeting: Option<Value>,
}

fn enabled() -> bool {
    true
}

/// The flag before and after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flip {
    before: Option<FlagState>,
    pub(super) after: FlagState,
}

/// The one act.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WriteFlag {
    flag: String,
    to: String,
}

impl fmt::Display for WriteFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set flag {} to {}", self.flag, self.to)
    }
}

impl SetFlag {
    fn resource(&self) -> Resource {
        Resource::flag(&self.store, &self.flag)
    }
}

impl StepKind for SetFlag {
    const KIND: Kind = Kind {
        name: "set_flag",
        summary: "makes a flag serve one variant to everybody",
        nature: Nature::State,
        risk: Risk::Reversible,
        needs: &[SystemKind::Flags],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-set-flag
steps:
  - id: produce
    set_flag: {flag: exercise-events, to: on}
",
    };
    type Change = Flip;
    type Act = WriteFlag;

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::write(self.resource())]
    }

    fn complaints(&self) -> Vec<(String, String)> {
        let mut complaints = flag::complaints(&self.variants, &[("to", &self.to)]);
        if let Some(Err(why)) = self.targeting.as_ref().map(|rule| targeting::check(rule, &Map::new())) {
            complaints.push(("/targeting".to_owned(), why));
        }
        complaints
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        let mut view = View::default();
        view.put(&self.resource(), &world.flags(&self.store)?.flag(&self.flag).await?);
        Ok(view)
    }

    fn plan(&self, view: &View) -> Plan<Flip> {
        let Some(before) = view.get::<FlagState>(&self.resource()) else {
            return Plan::CannotPreview(format!("flag {} was not looked at", self.flag));
        };
        let variants = match flag::variants(&self.flag, &self.to, before.as_ref(), &self.variants) {
            Ok(variants) => variants,
            Err(why) => return Plan::Impossible(why),
        };
        let after =
            FlagState { enabled: self.enabled, variants, default_variant: Some(self.to.clone()), targeting: self.targeting.clone() };
        if before.as_ref() == Some(&after) {
            return Plan::AlreadySo(format!("it is {}", words(&after)));
        }
        let mark = if before.is_some() { Mark::Change } else { Mark::Create };
        let from = before.as_ref().map(words);
        let effects = vec![Effect { mark, what: format!("flag {}", self.flag), from, to: Some(words(&after)) }];
        let binding = json!({ "flag": before });
        Plan::Change(Change { change: Flip { before, after }, effects, binding })
    }

    fn leave(&self, change: &Flip, view: &mut View) {
        view.put(&self.resource(), &Some(&change.after));
    }

    fn acts(&self, change: &Flip) -> Vec<WriteFlag> {
        vec![WriteFlag { flag: self.flag.clone(), to: words(&change.after) }]
    }

    async fn standing(&self, context: &ActContext, _: &Flip, _: &WriteFlag) -> Result<Standing, StepError> {
        Ok(match context.world.flags(&self.store)?.revision_of(&context.key).await? {
            Some(revision) => Standing::After(written(revision)),
            None => Standing::Before,
        })
    }

    async fn act(&self, context: &ActContext, change: &Flip, _: &WriteFlag) -> Result<Receipt, StepError> {
        let change = FlagChange {
            key: context.key.clone(),
            flag: self.flag.clone(),
            before: change.before.clone(),
            after: Some(change.after.clone()),
        };
        context.world.flags(&self.store)?.change(&change).await.map(written).map_err(StepError::from)
    }

    async fn verify(&self, context: &ActContext, change: Option<&Flip>) -> Result<Verdict, StepError> {
        let flags = context.world.flags(&self.store)?;
        let now = flags.flag(&self.flag).await?;
        let Some(change) = change else { return Ok(Verdict::Broken("there is no change to verify".to_owned())) };
        if now.as_ref() != Some(&change.after) {
            let now = now.as_ref().map_or_else(|| "not there".to_owned(), words);
            return Ok(Verdict::Broken(format!("flag {} is {now}, not {}", self.flag, words(&change.after))));
        }
        let revision = match context.receipts.first().and_then(flag::revision) {
            Some(revision) => revision,
            None => flags.revision().await?,
        };
        let reached = flag::reached(&context.world, &self.store, revision).await?;
        if reached.missing {
            return Ok(reached.wait(context, revision));
        }
        let line = format!("{} since revision {revision}; {}", words(&change.after), reached.line);
        Ok(Verdict::Holds(Evidence::with(line, &reached.data)))
    }

    fn revert(&self, change: &Flip, _: &[Receipt]) -> Revert {
        flag::back(&self.store, &self.flag, change.before.as_ref(), &self.to, &change.after.variants)
    }

    fn by_hand(&self) -> ByHand {
        flag::by_hand(&self.store, &self.flag, &self.to, self.enabled, &self.variants, self.targeting.as_ref())
    }

    fn moves(&self) -> Vec<Move> {
        // Why: a disabled or targeted flag serves what this step does not say, and the proof must not take it for `to`.
        let to = if self.enabled && self.targeting.is_none() { self.to.clone() } else { String::new() };
        vec![Move::Flag { flag: self.flag.clone(), to }]
    }

    fn facts(&self) -> Facts {
        let variant = self.enabled.then(|| self.to.clone());
        Facts { needs: Vec::new(), leaves: vec![Fact::Flag { flag: self.flag.clone(), variant }] }
    }
}

fn written(revision: i64) -> Receipt {
    Receipt::with(format!("wrote revision {revision}"), &json!({ "revision": revision }))
}
