//! The same contract without type parameters: what the engine and the driver hold. Changes, acts and receipts are JSON here, because
//! that is what the journal keeps.

use std::fmt;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    ActContext, ByHand, Claim, Effect, Facts, FileRef, Kind, Length, Life, Move, Plan, Question, Receipt, Revert, Right, Standing,
    StepError, StepKind, StepRef, Verdict, View, World,
};

/// A planned change, ready for the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErasedChange {
    /// The kind's own before-image and target.
    pub change: Value,
    /// What a person reads.
    pub effects: Vec<Effect>,
    /// See [`super::Change::binding`].
    pub binding: Value,
    /// The acts in order, each with its line.
    pub acts: Vec<ErasedAct>,
}

/// One act, ready for the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErasedAct {
    /// What a person reads.
    pub line: String,
    /// The kind's own value.
    pub act: Value,
}

/// [`Plan`] without its type parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasedPlan {
    /// See [`Plan::AlreadySo`].
    AlreadySo(String),
    /// See [`Plan::Kept`].
    Kept(String),
    /// See [`Plan::Change`].
    Change(ErasedChange),
    /// See [`Plan::Wait`].
    Wait {
        /// How it is now.
        now: String,
        /// How it must be.
        goal: String,
    },
    /// See [`Plan::Ask`].
    Ask(Question),
    /// See [`Plan::CannotPreview`].
    CannotPreview(String),
    /// See [`Plan::Impossible`].
    Impossible(String),
}

/// A step of any kind.
#[async_trait]
pub trait Step: fmt::Debug + Send + Sync {
    /// See [`StepKind::KIND`].
    fn kind(&self) -> Kind;
    /// See [`StepKind::resources`].
    fn resources(&self) -> Vec<Claim>;
    /// See [`StepKind::complaints`].
    fn complaints(&self) -> Vec<(String, String)>;
    /// See [`StepKind::files`].
    fn files(&mut self) -> Vec<&mut FileRef>;
    /// See [`StepKind::references`].
    fn references(&mut self) -> Vec<(&mut StepRef, &'static [&'static str])>;
    /// See [`StepKind::SETTLES`].
    fn settles(&self) -> bool;
    /// The body as JSON.
    fn body(&self) -> Value;
    /// See [`StepKind::inspect`].
    async fn inspect(&self, world: &World) -> Result<View, StepError>;
    /// See [`StepKind::plan`].
    fn plan(&self, view: &View) -> Result<ErasedPlan, StepError>;
    /// See [`StepKind::lengths`].
    fn lengths(&self, change: Option<&Value>) -> Result<Vec<Length>, StepError>;
    /// See [`StepKind::leave`].
    fn leave(&self, change: &Value, view: &mut View) -> Result<(), StepError>;
    /// See [`StepKind::standing`].
    async fn standing(&self, context: &ActContext, change: &Value, act: &Value) -> Result<Standing, StepError>;
    /// See [`StepKind::act`].
    async fn act(&self, context: &ActContext, change: &Value, act: &Value) -> Result<Receipt, StepError>;
    /// See [`StepKind::settle`].
    async fn settle(&self, context: &ActContext, change: &Value, act: &Value, receipt: &Receipt) -> Result<Verdict, StepError>;
    /// See [`StepKind::verify`].
    async fn verify(&self, context: &ActContext, change: Option<&Value>) -> Result<Verdict, StepError>;
    /// See [`StepKind::revert`].
    fn revert(&self, change: &Value, receipts: &[Receipt]) -> Result<Revert, StepError>;
    /// See [`StepKind::life`].
    fn life(&self, change: &Value, receipts: &[Receipt]) -> Result<Option<Life>, StepError>;
    /// See [`StepKind::foresee`].
    fn foresee(&self, change: &Value) -> Result<Vec<Receipt>, StepError>;
    /// See [`StepKind::by_hand`].
    fn by_hand(&self) -> ByHand;
    /// See [`StepKind::facts`].
    fn facts(&self) -> Facts;
    /// See [`StepKind::moves`].
    fn moves(&self) -> Vec<Move>;
    /// See [`StepKind::rights`].
    fn rights(&self) -> Vec<Right>;
}

#[async_trait]
impl<K: StepKind> Step for K {
    fn kind(&self) -> Kind {
        K::KIND
    }

    fn resources(&self) -> Vec<Claim> {
        StepKind::resources(self)
    }

    fn complaints(&self) -> Vec<(String, String)> {
        StepKind::complaints(self)
    }

    fn files(&mut self) -> Vec<&mut FileRef> {
        StepKind::files(self)
    }

    fn references(&mut self) -> Vec<(&mut StepRef, &'static [&'static str])> {
        StepKind::references(self)
    }

    fn settles(&self) -> bool {
        K::SETTLES
    }

    fn body(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        StepKind::inspect(self, world).await
    }

    fn plan(&self, view: &View) -> Result<ErasedPlan, StepError> {
        Ok(match StepKind::plan(self, view) {
            Plan::AlreadySo(why) => ErasedPlan::AlreadySo(why),
            Plan::Kept(why) => ErasedPlan::Kept(why),
            Plan::Change(planned) => {
                let acts = self.acts(&planned.change);
                let acts = acts.iter().map(|act| Ok(ErasedAct { line: act.to_string(), act: write(act)? }));
                ErasedPlan::Change(ErasedChange {
                    acts: acts.collect::<Result<_, StepError>>()?,
                    change: write(&planned.change)?,
                    effects: planned.effects,
                    binding: planned.binding,
                })
            }
            Plan::Wait { now, goal } => ErasedPlan::Wait { now, goal },
            Plan::Ask(question) => ErasedPlan::Ask(question),
            Plan::CannotPreview(why) => ErasedPlan::CannotPreview(why),
            Plan::Impossible(why) => ErasedPlan::Impossible(why),
        })
    }

    fn lengths(&self, change: Option<&Value>) -> Result<Vec<Length>, StepError> {
        let change = change.map(read).transpose()?;
        Ok(StepKind::lengths(self, change.as_ref()))
    }

    fn leave(&self, change: &Value, view: &mut View) -> Result<(), StepError> {
        StepKind::leave(self, &read(change)?, view);
        Ok(())
    }

    async fn standing(&self, context: &ActContext, change: &Value, act: &Value) -> Result<Standing, StepError> {
        StepKind::standing(self, context, &read(change)?, &read(act)?).await
    }

    async fn act(&self, context: &ActContext, change: &Value, act: &Value) -> Result<Receipt, StepError> {
        StepKind::act(self, context, &read(change)?, &read(act)?).await
    }

    async fn settle(&self, context: &ActContext, change: &Value, act: &Value, receipt: &Receipt) -> Result<Verdict, StepError> {
        StepKind::settle(self, context, &read(change)?, &read(act)?, receipt).await
    }

    async fn verify(&self, context: &ActContext, change: Option<&Value>) -> Result<Verdict, StepError> {
        let change = change.map(read).transpose()?;
        StepKind::verify(self, context, change.as_ref()).await
    }

    fn revert(&self, change: &Value, receipts: &[Receipt]) -> Result<Revert, StepError> {
        Ok(StepKind::revert(self, &read(change)?, receipts))
    }

    fn life(&self, change: &Value, receipts: &[Receipt]) -> Result<Option<Life>, StepError> {
        Ok(StepKind::life(self, &read(change)?, receipts))
    }

    fn foresee(&self, change: &Value) -> Result<Vec<Receipt>, StepError> {
        Ok(StepKind::foresee(self, &read(change)?))
    }

    fn by_hand(&self) -> ByHand {
        StepKind::by_hand(self)
    }

    fn facts(&self) -> Facts {
        StepKind::facts(self)
    }

    fn moves(&self) -> Vec<Move> {
        StepKind::moves(self)
    }

    fn rights(&self) -> Vec<Right> {
        StepKind::rights(self)
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, StepError> {
    T::deserialize(value).map_err(StepError::broken)
}

fn write<T: Serialize>(value: &T) -> Result<Value, StepError> {
    serde_json::to_value(value).map_err(StepError::broken)
}
