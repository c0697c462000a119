//! `confirm`: stops the run until a person says that something is done outside of cutover, and shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::step::{ActContext, Evidence, Kind, Nature, Never, OnUnknown, Onlooker, Plan, Question, Risk, StepError, Verdict, View};

/// Stops the run until a person confirms that a task outside of cutover is done.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// The task, as a sentence.
    #[schemars(length(min = 1, max = 4000))]
    pub task: String,
    /// What the answer must bring as evidence; a yes is enough when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceKind>,
}

/// What a confirmation must bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// The address of a page that shows it, for instance of a merged change.
    Url,
    /// A sentence.
    Text,
}

impl EvidenceKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Text => "text",
        }
    }
}

impl Onlooker for Confirm {
    const KIND: Kind = Kind {
        name: "confirm",
        summary: "stops until a person confirms that a task outside is done",
        nature: Nature::Once,
        risk: Risk::Safe,
        needs: &[],
        on_unknown: OnUnknown::Ask,
        example: "playbook: example-confirm
steps:
  - id: clean-up
    confirm: {task: remove the HTTP call from hiring, evidence: url}
",
    };

    fn plan(&self, _: &View) -> Plan<Never> {
        Plan::Ask(Question { text: self.task.clone(), evidence: self.evidence.map(|kind| kind.as_str().to_owned()) })
    }

    async fn verify(&self, _: &ActContext) -> Result<Verdict, StepError> {
        Ok(Verdict::Holds(Evidence::said("confirmed")))
    }
}
