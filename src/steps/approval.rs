//! `approval`: stops the run until a person approves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::step::{
    ActContext, Claim, Evidence, Kind, Nature, Never, OnUnknown, Plan, Question, Receipt, Revert, Risk, Standing, StepError, StepKind,
    Verdict, View, World,
};

/// Stops the run until a person approves.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// What is to be approved, as a sentence.
    #[schemars(length(min = 1, max = 4000))]
    pub text: String,
}

impl StepKind for Approval {
    const KIND: Kind = Kind {
        name: "approval",
        summary: "stops until a person approves",
        nature: Nature::Once,
        risk: Risk::Safe,
        needs: &[],
        on_unknown: OnUnknown::Ask,
        example: "playbook: example-approval
steps:
  - id: go
    approval: {text: hiring has read the plan and is on call}
  - id: remark
    note: {text: hiring is on call}
",
    };
    type Change = Never;
    type Act = Never;

    fn resources(&self) -> Vec<Claim> {
        Vec::new()
    }

    async fn inspect(&self, _: &World) -> Result<View, StepError> {
        Ok(View::default())
    }

    fn plan(&self, _: &View) -> Plan<Never> {
        Plan::Ask(Question { text: self.text.clone(), evidence: None })
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

    async fn verify(&self, _: &ActContext, _: Option<&Never>) -> Result<Verdict, StepError> {
        Ok(Verdict::Holds(Evidence::said("approved")))
    }

    fn revert(&self, change: &Never, _: &[Receipt]) -> Revert {
        match *change {}
    }
}
