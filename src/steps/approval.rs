//! `approval`: stops the run until a person approves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::step::{ActContext, Evidence, Kind, Nature, Never, OnUnknown, Onlooker, Plan, Question, Risk, StepError, Verdict, View};

/// Stops the run until a person approves.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// What is to be approved, as a sentence.
    #[schemars(length(min = 1, max = 4000))]
    pub text: String,
}

impl Onlooker for Approval {
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

    fn plan(&self, _: &View) -> Plan<Never> {
        Plan::Ask(Question { text: self.text.clone(), evidence: None })
    }

    async fn verify(&self, _: &ActContext) -> Result<Verdict, StepError> {
        Ok(Verdict::Holds(Evidence::said("approved")))
    }
}
