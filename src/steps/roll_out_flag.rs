//! `roll_out_flag`: gives a variant to a growing share of the keys, each share written only when the one before it has arrived
//! everywhere and has baked. Everybody at once is `set_flag`'s business.

mod change;
mod stand;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::stand::Stand;
use super::common::main_system;
use super::flag;
use crate::flags::bucket::ALGORITHM;
use crate::flags::rollout::Cohort;
use crate::ports::PortError;
use crate::ports::flags::{FlagChange, FlagState};
use crate::step::scalar::{Share, Span};
use crate::step::{
    ActContext, ByHand, Change, Claim, Effect, Evidence, Fact, Facts, KNOWN_LATER, Kind, Length, Mark, Move, Nature, OnUnknown, Plan,
    Receipt, Resource, Revert, Risk, Standing, StepError, StepKind, SystemKind, Verdict, View, World,
};

pub use self::change::{RollOut, ServeShare};

/// Aspect of a flag in a view: the revision of the document that it was seen in.
const REVISION: &str = "revision";

/// Why not only at the end of a bake: somebody may change the flag by hand meanwhile, and that is to be told soon.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Gives a variant to a growing share of the keys: each share must be acknowledged by every instance and then bake. A key that has the
/// variant keeps it, whatever interrupts the roll-out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollOutFlag {
    /// Name of the flag store in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub store: String,
    /// Name of the flag.
    #[schemars(extend("format" = "flag-name"))]
    pub flag: String,
    /// The variant that is rolled out.
    #[schemars(length(min = 1))]
    pub to: String,
    /// The variant that the others keep. Left out, what the flag serves now; of a flag that is not there or disabled, its only other one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub from: Option<String>,
    /// The shares one after the other, each greater than the one before it; the last one is 100%, unless `partial` says otherwise.
    #[schemars(length(min = 1))]
    pub shares: Vec<Share>,
    /// How long each share stays before the next one begins, and the last one before the step is done.
    pub bake: Span,
    /// The field of the evaluation context that shares are drawn by. Equal keys always get the same variant.
    #[serde(default = "targeting_key", skip_serializing_if = "is_targeting_key")]
    #[schemars(length(min = 1))]
    pub key: String,
    /// Variant names and their values, all of one type. Needed for a flag that is not there yet, unless `to` is `on` or `off`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variants: BTreeMap<String, Value>,
    /// `true` says that the last share is below 100% on purpose and stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

fn targeting_key() -> String {
    "targetingKey".to_owned()
}

fn is_targeting_key(key: &String) -> bool {
    *key == targeting_key()
}

impl RollOutFlag {
    fn resource(&self) -> Resource {
        Resource::flag(&self.store, &self.flag)
    }

    fn last(&self) -> Share {
        self.shares.last().copied().unwrap_or(Share::ALL)
    }

    /// What the plan shows: `events  0.1% 1% 10% 50% 100%, each for 10m`.
    fn picture(&self, shares: &[Share]) -> String {
        let shares: Vec<_> = shares.iter().map(Share::to_string).collect();
        let each = if shares.len() == 1 { "for" } else { "each for" };
        format!("{}  {}, {each} {}", self.to, shares.join(" "), self.bake)
    }

    /// Whether a share is still as it was written, has arrived everywhere, and has baked. `Ok` holds since when it is there.
    async fn rested(
        &self,
        context: &ActContext,
        change: &RollOut,
        number: usize,
        receipt: &Receipt,
    ) -> Result<Result<Rested, Verdict>, StepError> {
        let flags = context.world.flags(&self.store)?;
        if let Some(what) = change.changed_by_hand(number, flags.flag(&self.flag).await?.as_ref()) {
            return Ok(Err(Verdict::Broken(format!("flag {} was {what}", self.flag))));
        }
        let revision = match flag::revision(receipt) {
            Some(revision) => revision,
            None => flags.revision().await?,
        };
        let reached = flag::reached(&context.world, &self.store, revision).await?;
        if reached.missing {
            return Ok(Err(reached.wait(context, revision)));
        }
        // Why not from the act alone: who is late to acknowledge has had less of the bake. The store keeps that instant over a crash.
        let since = reached.since.map_or(context.rests_since, |since| since.max(context.rests_since));
        let baked = (context.now - since).to_std().unwrap_or_default();
        if let Some(left) = self.bake.0.checked_sub(baked).filter(|left| !left.is_zero()) {
            let share = change.shares.get(number).copied().unwrap_or(Share::ALL);
            let now = format!("{share} for {}, {} left; {}", seconds(baked), seconds(left), reached.line);
            let goal = format!("{share} for {}", self.bake);
            return Ok(Err(Verdict::NotYet { now, goal, again_in: left.clamp(Duration::from_millis(50), LOOK_AGAIN) }));
        }
        Ok(Ok(Rested { reached, revision, since }))
    }

    /// One line of evidence per share.
    async fn history(&self, context: &ActContext, change: &RollOut) -> Result<Vec<Value>, StepError> {
        let flags = context.world.flags(&self.store)?;
        let mut history = Vec::new();
        for (share, receipt) in change.shares.iter().zip(&context.receipts) {
            let revision = flag::revision(receipt);
            let acknowledged_at = match revision {
                Some(revision) => flags.acknowledged(revision).await?,
                None => None,
            };
            let written_at = receipt.data.get("at").cloned().unwrap_or_default();
            history.push(json!({ "share": share, "revision": revision, "written_at": written_at, "acknowledged_at": acknowledged_at }));
        }
        Ok(history)
    }
}

/// A share that has arrived and baked.
struct Rested {
    reached: flag::Reached,
    revision: i64,
    since: DateTime<Utc>,
}

impl StepKind for RollOutFlag {
    const KIND: Kind = Kind {
        name: "roll_out_flag",
        summary: "gives a variant to a growing share of the keys",
        nature: Nature::State,
        risk: Risk::Reversible,
        needs: &[SystemKind::Flags],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-roll-out-flag
steps:
  - id: switch
    roll_out_flag:
      flag: exercise-read
      from: call
      to: events
      variants: {call: call, events: events}
      shares: [10%, 100%]
      bake: 1s
",
    };
    type Change = RollOut;
    type Act = ServeShare;

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::write(self.resource())]
    }

    fn complaints(&self) -> Vec<(String, String)> {
        let mut named = vec![("to", self.to.as_str())];
        named.extend(self.from.as_deref().map(|from| ("from", from)));
        let mut complaints = flag::complaints(&self.variants, &named);
        if let Some(from) = self.from.as_ref().filter(|from| **from == self.to) {
            complaints.push(("/from".to_owned(), format!("`from` and `to` are both `{from}`")));
        }
        let pairs = self.shares.iter().zip(self.shares.iter().skip(1)).enumerate();
        for (at, (one, next)) in pairs.filter(|(_, (one, next))| one >= next) {
            complaints.push((format!("/shares/{}", at + 1), format!("shares must grow, and {next} comes after {one}")));
        }
        match (self.last() == Share::ALL, self.partial) {
            (false, false) => {
                let message = format!("the last share is {}; end with 100%, or say `partial: true` if it is to stay there", self.last());
                complaints.push((format!("/shares/{}", self.shares.len().saturating_sub(1)), message));
            }
            (true, true) => {
                complaints.push(("/partial".to_owned(), "`partial` says that the last share is below 100%, and it is not".to_owned()));
            }
            _ => {}
        }
        complaints
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        let flags = world.flags(&self.store)?;
        let mut view = View::default();
        view.put_aspect(&self.resource(), REVISION, &flags.revision().await?);
        view.put(&self.resource(), &flags.flag(&self.flag).await?);
        Ok(view)
    }

    fn plan(&self, view: &View) -> Plan<RollOut> {
        let (before, revision) = (view.get::<FlagState>(&self.resource()), view.aspect::<i64>(&self.resource(), REVISION));
        let (Some(before), Some(Some(revision))) = (before, revision) else {
            return Plan::CannotPreview(format!("flag {} was not looked at", self.flag));
        };
        let Stand { from, seed, reached } = match self.stand(before.as_ref(), revision) {
            Ok(stand) => stand,
            Err(plan) => return plan,
        };
        let variants = match self.variants(before.as_ref(), &from) {
            Ok(variants) => variants,
            Err(why) => return Plan::Impossible(why),
        };
        let shares: Vec<_> = match reached {
            Some(reached) if self.partial && reached == self.last() => {
                return Plan::AlreadySo(format!("{reached} get {}", self.to));
            }
            Some(reached) if self.partial && reached > self.last() => {
                return Plan::Impossible(format!("{reached} get {} already, more than {}", self.to, self.last()));
            }
            // Why the last one always: a roll-out that reached 100% by hand still has its targeting.
            Some(reached) => self.shares.iter().copied().filter(|share| *share > reached || *share == self.last()).collect(),
            None => self.shares.clone(),
        };
        let standing = reached.map_or_else(|| from.clone(), |reached| format!("{from}, {} for {reached}", self.to));
        let effect = Effect {
            mark: if before.is_some() { Mark::Change } else { Mark::Create },
            what: format!("flag {}", self.flag),
            from: Some(standing),
            to: Some(self.picture(&shares)),
        };
        let binding = json!({ "flag": before });
        let cohort = Cohort { seed, key: self.key.clone(), to: self.to.clone(), from };
        let change = RollOut { before, variants, cohort, algorithm: ALGORITHM.to_owned(), shares };
        Plan::Change(Change { change, effects: vec![effect], binding })
    }

    fn lengths(&self, change: Option<&RollOut>) -> Vec<Length> {
        let shares = change.map_or(&self.shares, |change| &change.shares).len();
        let all = self.bake.0.saturating_mul(u32::try_from(shares).unwrap_or(u32::MAX));
        let each = if shares == 1 { "1 share bakes".to_owned() } else { format!("{shares} shares bake for {} each", self.bake) };
        vec![Length::at_least(each, Span(all))]
    }

    fn leave(&self, change: &RollOut, view: &mut View) {
        // Why: whatever changes a flag of the store meanwhile makes the seed another one.
        let cohort = Cohort { seed: KNOWN_LATER.to_owned(), ..change.cohort.clone() };
        let later = RollOut { cohort, ..change.clone() };
        view.put(&self.resource(), &later.state(change.shares.len().saturating_sub(1)));
    }

    fn acts(&self, change: &RollOut) -> Vec<ServeShare> {
        let act = |(number, share): (usize, &Share)| ServeShare { number, flag: self.flag.clone(), to: self.to.clone(), share: *share };
        change.shares.iter().enumerate().map(act).collect()
    }

    async fn standing(&self, context: &ActContext, _: &RollOut, act: &ServeShare) -> Result<Standing, StepError> {
        Ok(match context.world.flags(&self.store)?.revision_of(&key(context, act)).await? {
            Some(revision) => Standing::After(written(act, revision, None)),
            None => Standing::Before,
        })
    }

    async fn act(&self, context: &ActContext, change: &RollOut, act: &ServeShare) -> Result<Receipt, StepError> {
        let number = act.number;
        let gone = || StepError::Broken(format!("the change has no share number {number}"));
        let change = FlagChange {
            key: key(context, act),
            flag: self.flag.clone(),
            before: change.state_before(number),
            after: Some(change.state(number).ok_or_else(gone)?),
        };
        match context.world.flags(&self.store)?.change(&change).await {
            Ok(revision) => Ok(written(act, revision, Some(context.now))),
            // Why: what the plan was made on will not come back by waiting.
            Err(PortError::Conflict { detail, .. }) => {
                Err(StepError::Impossible(format!("flag {} was changed by hand: {detail}", self.flag)))
            }
            Err(error) => Err(error.into()),
        }
    }

    const SETTLES: bool = true;

    async fn settle(&self, context: &ActContext, change: &RollOut, act: &ServeShare, receipt: &Receipt) -> Result<Verdict, StepError> {
        Ok(match self.rested(context, change, act.number, receipt).await? {
            Err(verdict) => verdict,
            Ok(Rested { mut reached, since, .. }) => {
                reached.data.insert("share".to_owned(), json!(act.share));
                reached.data.insert("baked_since".to_owned(), json!(since));
                Verdict::Holds(Evidence::with(format!("{} for {}; {}", act.share, self.bake, reached.line), &reached.data))
            }
        })
    }

    async fn verify(&self, context: &ActContext, change: Option<&RollOut>) -> Result<Verdict, StepError> {
        let Some(change) = change else { return Ok(Verdict::Broken("there is no change to verify".to_owned())) };
        let (Some(number), Some(receipt)) = (change.shares.len().checked_sub(1), context.receipts.last()) else {
            return Ok(Verdict::Broken(format!("no share of flag {} was written", self.flag)));
        };
        Ok(match self.rested(context, change, number, receipt).await? {
            Err(verdict) => verdict,
            Ok(Rested { mut reached, revision, .. }) => {
                let history = self.history(context, change).await?;
                let Cohort { seed, key, .. } = &change.cohort;
                let more = json!({ "shares": history, "seed": seed, "key": key, "algorithm": change.algorithm, "bake": self.bake });
                reached.data.extend(more.as_object().cloned().unwrap_or_default());
                let line = format!("{} for {} since revision {revision}; {}", self.to, self.last(), reached.line);
                Verdict::Holds(Evidence::with(line, &reached.data))
            }
        })
    }

    fn revert(&self, change: &RollOut, _: &[Receipt]) -> Revert {
        flag::back(&self.store, &self.flag, change.before.as_ref(), &change.cohort.from, &change.variants)
    }

    fn by_hand(&self) -> ByHand {
        let told = flag::by_hand(&self.store, &self.flag, &self.to, true, &self.variants, None);
        told.say("This gives the variant to everybody at once: shares are drawn by the controller.")
    }

    fn moves(&self) -> Vec<Move> {
        let (flag, to) = (self.flag.clone(), self.to.clone());
        vec![if self.partial { Move::FlagShare { flag, to } } else { Move::Flag { flag, to } }]
    }

    fn facts(&self) -> Facts {
        // Why nothing for a share: both variants are served then.
        let leaves = Fact::Flag { flag: self.flag.clone(), variant: Some(self.to.clone()) };
        Facts { needs: Vec::new(), leaves: if self.partial { Vec::new() } else { vec![leaves] } }
    }
}

/// Names one share of this step of this run for ever.
fn key(context: &ActContext, act: &ServeShare) -> String {
    format!("{}/{}", context.key, act.number)
}

fn written(act: &ServeShare, revision: i64, at: Option<DateTime<Utc>>) -> Receipt {
    let line = format!("{} for {} since revision {revision}", act.to, act.share);
    Receipt::with(line, &json!({ "revision": revision, "at": at }))
}

/// A length of time without more of it than a person reads.
fn seconds(time: Duration) -> Span {
    Span(if time < Duration::from_secs(1) {
        Duration::from_millis(u64::from(time.subsec_millis()))
    } else {
        Duration::from_secs(time.as_secs())
    })
}
