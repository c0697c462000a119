//! `remove_flag`: takes a flag out of its store, once nobody evaluates it any more. The store keeps the revisions before, and the receipt
//! the whole definition.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::common::{main_system, pause};
use super::flag::{self, words};
use super::set_flag::{Flip, SetFlag};
use crate::flags::evaluated::{Evaluated, Evaluators};
use crate::ports::PortError;
use crate::ports::flags::{FlagChange, FlagState};
use crate::step::scalar::Span;
use crate::step::{
    self, ActContext, ByHand, Change, Claim, Effect, Evidence, Fact, Facts, Kind, Length, Mark, Move, Nature, OnUnknown, Plan, Receipt,
    Resource, Revert, Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World,
};

/// How soon it is worth asking again who evaluates the flag: instances report every second.
const AGAIN: Duration = Duration::from_millis(250);

/// Takes a flag away, once every instance that runs has said that it never evaluates it. Whoever does all the same gets the default in its
/// code.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveFlag {
    /// Name of the flag store in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub store: String,
    /// Name of the flag.
    #[schemars(extend("format" = "flag-name"))]
    pub flag: String,
    /// How long instances that have just begun are given to say which flags they evaluate; after that the step is refused.
    #[serde(default = "patience")]
    pub within: Span,
    /// `true` takes the flag away although nobody, or not everybody, says which flags are evaluated. Who says that it evaluates this one
    /// is in the way all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_reports: bool,
}

fn patience() -> Span {
    Span(Duration::from_secs(10))
}

/// The flag as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Removal {
    before: FlagState,
}

/// The one act.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TakeAway {
    flag: String,
}

impl fmt::Display for TakeAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "remove flag {}", self.flag)
    }
}

impl RemoveFlag {
    fn resource(&self) -> Resource {
        Resource::flag(&self.store, &self.flag)
    }

    /// Whether nobody is in the way.
    fn is_free(&self, found: &Evaluators) -> bool {
        match found.evaluated() {
            Evaluated::No => true,
            Evaluated::Yes => false,
            Evaluated::Unknown | Evaluated::Unheard => self.without_reports,
        }
    }

    /// Waits for a while until nobody is in the way; `Err` says who is.
    async fn freed(&self, world: &World) -> Result<Evaluators, StepError> {
        let end = Instant::now() + self.within.0;
        loop {
            let found = flag::evaluated(world, &self.store, &self.flag).await?;
            if self.is_free(&found) {
                return Ok(found);
            }
            if Instant::now() >= end || !pause(AGAIN).await {
                let mend = match found.evaluated() {
                    Evaluated::Yes => "deploy a release without it, and retry",
                    _ => "let them report `flags`, or say `without_reports: true`",
                };
                return Err(StepError::Impossible(format!("flag {} stays: {}; {mend}", self.flag, found.line())));
            }
        }
    }

    /// The body of the `set_flag` that puts a flag back as it was; `None` when there is none.
    fn back(&self, before: &FlagState) -> Option<Value> {
        let mut body = json!({
            "store": self.store,
            "flag": self.flag,
            "to": before.default_variant.as_ref()?,
            "variants": before.variants,
            "enabled": before.enabled,
        });
        if let (Some(fields), Some(rule)) = (body.as_object_mut(), &before.targeting) {
            fields.insert("targeting".to_owned(), rule.clone());
        }
        let step: SetFlag = step::decode(&body).ok()?;
        let mut without = View::default();
        without.put(&self.resource(), &None::<FlagState>);
        let same = |plan: Plan<Flip>| matches!(plan, Plan::Change(Change { change, .. }) if change.after == *before);
        (step.complaints().is_empty() && same(step.plan(&without))).then_some(body)
    }

    fn receipt(&self, before: &FlagState, revision: i64, line: &str) -> Receipt {
        let data = json!({ "revision": revision, "flag": self.flag, "definition": before, "evaluated": line });
        Receipt::with(format!("removed in revision {revision}; {line}"), &data)
    }
}

impl StepKind for RemoveFlag {
    const KIND: Kind = Kind {
        name: "remove_flag",
        summary: "takes a flag away that nobody evaluates any more",
        nature: Nature::State,
        risk: Risk::Reversible,
        needs: &[SystemKind::Flags],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-remove-flag
steps:
  - id: produce
    set_flag: {flag: exercise-events, to: on}
  - id: forget
    remove_flag: {flag: exercise-events, without_reports: true}
",
    };
    type Change = Removal;
    type Act = TakeAway;

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::write(self.resource())]
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        let mut view = View::default();
        view.put(&self.resource(), &world.flags(&self.store)?.flag(&self.flag).await?);
        Ok(view)
    }

    fn plan(&self, view: &View) -> Plan<Removal> {
        let before = match view.get::<FlagState>(&self.resource()) {
            None => return Plan::CannotPreview(format!("flag {} was not looked at", self.flag)),
            Some(None) => return Plan::AlreadySo("it is not there".to_owned()),
            Some(Some(before)) => before,
        };
        // Why: what cannot be put back as it was is not taken away, for a step of this kind can be taken back.
        if self.back(&before).is_none() {
            let why =
                "no `set_flag` could put it back as it is; give it a default variant, and variants and targeting that can be evaluated";
            return Plan::Impossible(format!("flag {}: {why}", self.flag));
        }
        let to = self.without_reports.then(|| "nothing, though nobody may know who evaluates it".to_owned());
        let effects = vec![Effect { mark: Mark::Remove, what: format!("flag {}", self.flag), from: Some(words(&before)), to }];
        let binding = json!({ "flag": before });
        Plan::Change(Change { change: Removal { before }, effects, binding })
    }

    fn lengths(&self, _: Option<&Removal>) -> Vec<Length> {
        vec![Length::at_most("instances say which flags they evaluate", self.within)]
    }

    fn leave(&self, _: &Removal, view: &mut View) {
        view.put(&self.resource(), &None::<FlagState>);
    }

    fn acts(&self, _: &Removal) -> Vec<TakeAway> {
        vec![TakeAway { flag: self.flag.clone() }]
    }

    async fn standing(&self, context: &ActContext, change: &Removal, _: &TakeAway) -> Result<Standing, StepError> {
        Ok(match context.world.flags(&self.store)?.revision_of(&context.key).await? {
            Some(revision) => Standing::After(self.receipt(&change.before, revision, "found removed")),
            None => Standing::Before,
        })
    }

    async fn act(&self, context: &ActContext, change: &Removal, _: &TakeAway) -> Result<Receipt, StepError> {
        let found = self.freed(&context.world).await?;
        let before = Some(change.before.clone());
        let removal = FlagChange { key: context.key.clone(), flag: self.flag.clone(), before, after: None };
        match context.world.flags(&self.store)?.change(&removal).await {
            Ok(revision) => Ok(self.receipt(&change.before, revision, &found.line())),
            // Why: what the plan was made on will not come back by waiting.
            Err(PortError::Conflict { detail, .. }) => {
                Err(StepError::Impossible(format!("flag {} was changed by hand: {detail}", self.flag)))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn verify(&self, context: &ActContext, change: Option<&Removal>) -> Result<Verdict, StepError> {
        let flags = context.world.flags(&self.store)?;
        if change.is_none() {
            return Ok(Verdict::Broken("there is no change to verify".to_owned()));
        }
        if let Some(now) = flags.flag(&self.flag).await? {
            return Ok(Verdict::Broken(format!("flag {} is there again: {}", self.flag, words(&now))));
        }
        let revision = match context.receipts.first().and_then(flag::revision) {
            Some(revision) => revision,
            None => flags.revision().await?,
        };
        let reached = flag::reached(&context.world, &self.store, revision).await?;
        // Why before anybody is waited for: somebody who has come since then may never say that it uses the revision.
        let found = flag::evaluated(&context.world, &self.store, &self.flag).await?;
        if found.evaluated() == Evaluated::Yes {
            let what = format!("flag {} is gone, and {}: it gets the default in its code", self.flag, found.line());
            return Ok(Verdict::Broken(what));
        }
        if reached.missing && !self.without_reports {
            return Ok(reached.wait(context, revision));
        }
        if !self.is_free(&found) {
            let goal = "every instance says that it does not evaluate it".to_owned();
            return Ok(Verdict::NotYet { now: found.line(), goal, again_in: Duration::from_secs(1) });
        }
        let mut data = reached.data;
        data.insert("evaluated".to_owned(), json!(found));
        Ok(Verdict::Holds(Evidence::with(format!("gone since revision {revision}; {}", found.line()), &data)))
    }

    fn revert(&self, change: &Removal, _: &[Receipt]) -> Revert {
        match self.back(&change.before) {
            Some(body) => Revert::step("set_flag", body),
            None => {
                Revert::Impossible(format!("no `set_flag` can put flag {} back as it was; its definition is in the receipt", self.flag))
            }
        }
    }

    fn by_hand(&self) -> ByHand {
        flag::change_by_hand(&self.store, &self.flag, format!("remove flag {}", self.flag), &format!("del(.flags[{}])", json!(self.flag)))
            .say("Do so only when no release that runs has the flag in its code: whoever evaluates it gets the default there.")
    }

    fn moves(&self) -> Vec<Move> {
        vec![Move::RemoveFlag { flag: self.flag.clone() }]
    }

    fn facts(&self) -> Facts {
        Facts { needs: Vec::new(), leaves: vec![Fact::Flag { flag: self.flag.clone(), variant: None }] }
    }
}

#[cfg(test)]
mod tests;
