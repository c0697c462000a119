//! The step contract: what one kind of step must be able to do, and the words that it does it in. A kind lives in one file of
//! `steps/`; this room knows no kind, no YAML, no journal and no screen.

mod act;
mod by_hand;
mod decode;
mod erased;
mod error;
mod facts;
mod file;
mod guard;
mod length;
mod moves;
mod onlooker;
mod plan;
pub mod pointer;
mod policy;
mod proof;
mod reference;
mod resource;
mod revert;
mod right;
pub mod scalar;
mod scene;
mod today;
mod verdict;
mod view;
mod world;

use std::fmt;
use std::future::Future;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use act::{ActContext, Checkpoint, Receipt, Standing};
pub use by_hand::{ByHand, HandLine, quote, variable};
pub use decode::{DecodeError, decode};
pub use erased::{ErasedAct, ErasedChange, ErasedPlan, Step};
pub use error::StepError;
pub use facts::{Fact, Facts};
pub use file::FileRef;
pub use guard::{GuardOptions, GuardOutcome, OnNoData, Reading};
pub use length::{Bound, Length};
pub use moves::{DrainGoal, Move};
pub use onlooker::{Never, Onlooker};
pub use plan::{Change, Effect, KNOWN_LATER, Mark, Plan, Question, binding_holds};
pub use policy::{Approvals, OnFailure};
pub use proof::{Gap, Proof, Violation};
pub use reference::StepRef;
pub use resource::{Claim, Mode, Resource, SystemKind};
pub use revert::{Life, OrdinaryStep, Revert};
pub use right::{EVERY_GROUP, Needed, Operation, Right, least};
pub use scene::{Running, Scene, Waiting};
pub use today::{Today, TopicToday};
pub use verdict::{Evidence, Verdict};
pub use view::View;
pub use world::{World, WorldBuilder};

/// Whether doing a step a second time finds it done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nature {
    /// The step makes something so; a second plan says "already so".
    State,
    /// The step is an event of its own: it happens anew in every run.
    Once,
}

/// What a kind can cost, at least. The whole plan may be riskier than its steps, never safer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Changes nothing that anybody could miss.
    Safe,
    /// Changes something and can take it back.
    Reversible,
    /// Destroys something for good.
    PointOfNoReturn,
}

/// What to do when a crash leaves it unknown whether an act happened and looking does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// Ask a person.
    Ask,
    /// Act again: the kind promises that twice is as good as once.
    ActAgain,
}

/// What everybody may know about a kind without having a step of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Kind {
    /// YAML key, module name, name in the journal and docs anchor.
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// See [`Nature`].
    pub nature: Nature,
    /// See [`Risk`].
    pub risk: Risk,
    /// The systems that must answer before a step of this kind can be planned.
    pub needs: &'static [SystemKind],
    /// See [`OnUnknown`].
    pub on_unknown: OnUnknown,
    /// A whole playbook, for people and for the tests that lint, plan, apply, kill and revert it.
    pub example: &'static str,
}

/// What one kind of step can do. The engine asks in this order and no other:
/// `inspect`, `plan`, then for a change each of `acts` in turn with `act` (and `settle`, for kinds that settle), then `verify` until it
/// holds or is broken.
/// After a crash it asks `standing` before it repeats an act.
pub trait StepKind: Serialize + DeserializeOwned + JsonSchema + fmt::Debug + Send + Sync + 'static {
    /// What everybody may know about the kind.
    const KIND: Kind;

    /// The before-image and the target: everything that acting, verifying and reverting may use. It is journaled before the first act.
    type Change: Serialize + DeserializeOwned + fmt::Debug + Send + Sync;

    /// One short idempotent piece of the change. `Display` is the line that a person reads: `create topic orders with 3 partitions`.
    type Act: Serialize + DeserializeOwned + fmt::Display + fmt::Debug + Send + Sync;

    /// What it reads and writes: locks out other runs and is the blast radius in the plan.
    fn resources(&self) -> Vec<Claim>;

    /// Mistakes that one field's type cannot express: (JSON pointer into the step's own body, what is wrong and how to mend it).
    fn complaints(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The files that the step names, so that they travel with the playbook.
    fn files(&mut self) -> Vec<&mut FileRef> {
        Vec::new()
    }

    /// The earlier steps that the step names, each with the kinds that it may be, so that their bodies can be filled in.
    fn references(&mut self) -> Vec<(&mut StepRef, &'static [&'static str])> {
        Vec::new()
    }

    /// Reads the world into a view. Changes nothing.
    fn inspect(&self, world: &World) -> impl Future<Output = Result<View, StepError>> + Send;

    /// Says what the step will do, given what was seen, overlaid with what earlier steps will leave. Pure.
    fn plan(&self, view: &View) -> Plan<Self::Change>;

    /// The lengths of time that the body names, for the change that was planned. Pure; nothing is estimated.
    fn lengths(&self, _: Option<&Self::Change>) -> Vec<Length> {
        Vec::new()
    }

    /// Writes into the view what the change will leave, for the steps after it. Pure.
    fn leave(&self, change: &Self::Change, view: &mut View);

    /// The acts that make the change, in order. Pure. Empty for steps that only wait or ask.
    fn acts(&self, change: &Self::Change) -> Vec<Self::Act>;

    /// Looks whether an act that was begun has happened.
    fn standing(
        &self,
        context: &ActContext,
        change: &Self::Change,
        act: &Self::Act,
    ) -> impl Future<Output = Result<Standing, StepError>> + Send;

    /// Does the act. Called again after [`Standing::Before`].
    fn act(&self, context: &ActContext, change: &Self::Change, act: &Self::Act) -> impl Future<Output = Result<Receipt, StepError>> + Send;

    /// Whether [`StepKind::settle`] is asked between the acts.
    const SETTLES: bool = false;

    /// Looks whether an act that is done has arrived everywhere and has rested long enough for the next one to begin.
    /// Asked again and again while it answers `NotYet`; guards are watched meanwhile.
    fn settle(
        &self,
        _: &ActContext,
        _: &Self::Change,
        _: &Self::Act,
        _: &Receipt,
    ) -> impl Future<Output = Result<Verdict, StepError>> + Send {
        async { Ok(Verdict::Holds(Evidence::said("settled"))) }
    }

    /// Looks whether the step's goal holds. Only this turns a step green.
    fn verify(&self, context: &ActContext, change: Option<&Self::Change>) -> impl Future<Output = Result<Verdict, StepError>> + Send;

    /// The ordinary steps that take the change back, given what its acts answered.
    fn revert(&self, change: &Self::Change, receipts: &[Receipt]) -> Revert;

    /// What the change began or ended, once its acts are known to have happened; see [`Life`].
    fn life(&self, _: &Self::Change, _: &[Receipt]) -> Option<Life> {
        None
    }

    /// What the acts will most likely answer. Only a way back that is written down before the run is made from it.
    fn foresee(&self, _: &Self::Change) -> Vec<Receipt> {
        Vec::new()
    }

    /// How a person does this step with the systems' own tools when no controller is there. Addresses stand in it as the shell
    /// variables of [`variable`], secrets never.
    fn by_hand(&self) -> ByHand {
        ByHand::of_body(Self::KIND.name, &serde_json::to_value(self).unwrap_or_default())
    }

    /// What the step needs and leaves, in the words of the whole-plan proof.
    fn facts(&self) -> Facts {
        Facts::default()
    }

    /// What the step does to the systems, in the words of the whole-plan proof; nothing, for steps that only look or ask.
    fn moves(&self) -> Vec<Move> {
        Vec::new()
    }

    /// What cutover must be allowed to do for the step and for its way back; nothing, for steps that touch none of the systems that
    /// tell rights apart.
    fn rights(&self) -> Vec<Right> {
        Vec::new()
    }
}
