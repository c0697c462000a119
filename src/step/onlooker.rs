//! Kinds that change nothing: they ask a person, or wait until something is so. Everything about changes and acts falls away.

use std::fmt;
use std::future::Future;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{
    ActContext, Claim, Facts, Kind, Length, Move, Plan, Receipt, Revert, Standing, StepError, StepKind, StepRef, Verdict, View, World,
};

/// Stands in for [`StepKind::Change`] and [`StepKind::Act`] in kinds that never act.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub enum Never {}

impl fmt::Display for Never {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// What a kind that never acts must say; it is a [`StepKind`] by that.
pub trait Onlooker: Serialize + DeserializeOwned + JsonSchema + fmt::Debug + Send + Sync + 'static {
    /// See [`StepKind::KIND`].
    const KIND: Kind;

    /// See [`StepKind::resources`].
    fn resources(&self) -> Vec<Claim> {
        Vec::new()
    }

    /// See [`StepKind::complaints`].
    fn complaints(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// See [`StepKind::references`].
    fn references(&mut self) -> Vec<(&mut StepRef, &'static [&'static str])> {
        Vec::new()
    }

    /// See [`StepKind::inspect`].
    fn inspect(&self, _: &World) -> impl Future<Output = Result<View, StepError>> + Send {
        async { Ok(View::default()) }
    }

    /// See [`StepKind::plan`].
    fn plan(&self, view: &View) -> Plan<Never>;

    /// See [`StepKind::lengths`].
    fn lengths(&self) -> Vec<Length> {
        Vec::new()
    }

    /// See [`StepKind::verify`].
    fn verify(&self, context: &ActContext) -> impl Future<Output = Result<Verdict, StepError>> + Send;

    /// See [`StepKind::facts`].
    fn facts(&self) -> Facts {
        Facts::default()
    }

    /// See [`StepKind::moves`].
    fn moves(&self) -> Vec<Move> {
        Vec::new()
    }
}

impl<K: Onlooker> StepKind for K {
    const KIND: Kind = <K as Onlooker>::KIND;
    type Change = Never;
    type Act = Never;

    fn resources(&self) -> Vec<Claim> {
        Onlooker::resources(self)
    }

    fn complaints(&self) -> Vec<(String, String)> {
        Onlooker::complaints(self)
    }

    fn references(&mut self) -> Vec<(&mut StepRef, &'static [&'static str])> {
        Onlooker::references(self)
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        Onlooker::inspect(self, world).await
    }

    fn plan(&self, view: &View) -> Plan<Never> {
        Onlooker::plan(self, view)
    }

    fn lengths(&self, _: Option<&Never>) -> Vec<Length> {
        Onlooker::lengths(self)
    }

    fn leave(&self, change: &Never, _: &mut View) {
        match *change {}
    }

    fn acts(&self, change: &Never) -> Vec<Never> {
        match *change {}
    }

    async fn standing(&self, _: &ActContext, change: &Never, _: &Never) -> Result<Standing, StepError> {
        match *change {}
    }

    async fn act(&self, _: &ActContext, change: &Never, _: &Never) -> Result<Receipt, StepError> {
        match *change {}
    }

    async fn verify(&self, context: &ActContext, _: Option<&Never>) -> Result<Verdict, StepError> {
        Onlooker::verify(self, context).await
    }

    fn revert(&self, change: &Never, _: &[Receipt]) -> Revert {
        match *change {}
    }

    fn facts(&self) -> Facts {
        Onlooker::facts(self)
    }

    fn moves(&self) -> Vec<Move> {
        Onlooker::moves(self)
    }
}
