//! The plan of a whole playbook as a value: what `plan` prints, what is stored with a run, and where a run finds what was foreseen.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::definition::Approvals;
use super::stage::block;
use crate::step::{Claim, ErasedPlan, Nature, Proof, Risk, Today};

/// Name of the JSON form.
pub const SCHEMA: &str = "cutover.plan/1";

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanDocument {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the playbook.
    pub playbook: String,
    /// Its link, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Name of the environment.
    pub environment: String,
    /// Who may approve there.
    pub approvals: Approvals,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// Content hash of the bundle that was planned.
    pub bundle: String,
    /// Whether a step that makes something so would change something.
    pub changes: bool,
    /// The run that this is the way back of; `None` for the plan of a playbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<Uuid>,
    /// On a way back: the step that destroyed something for good, so that only a part of the run can be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_return: Option<String>,
    /// What is proven of it; `None` where nobody has tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// Where it begins as live systems say, for the proof; `None` where it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub today: Option<Today>,
    /// The steps.
    pub steps: Vec<PlannedStep>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Its id.
    pub id: String,
    /// Its kind; empty for a line of a way back that does nothing.
    pub kind: String,
    /// On a way back: the step that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Whether it makes something so or is an event of its own.
    pub nature: Nature,
    /// What it can cost at least.
    pub risk: Risk,
    /// What it touches.
    pub resources: Vec<Claim>,
    /// Whether it is under way together with the step before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beside: bool,
    /// What is to be approved before it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// What is watched while it is under way, each in one line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<String>,
    /// Line of the step in the playbook, from 1.
    pub line: u32,
    /// What it will do.
    pub plan: ErasedPlan,
}

impl PlanDocument {
    /// The binding that was foreseen for a step, if it was to change something.
    #[must_use]
    pub fn foreseen(&self, step: &str) -> Option<&Value> {
        self.steps.iter().find(|planned| planned.id == step).and_then(|planned| match &planned.plan {
            ErasedPlan::Change(change) => Some(&change.binding),
            _ => None,
        })
    }

    /// The steps that are under way together with this one, itself among them.
    #[must_use]
    pub fn block(&self, at: usize) -> &[PlannedStep] {
        let block = block(at, self.steps.len(), |at| self.steps.get(at).is_some_and(|step| step.beside));
        self.steps.get(block).unwrap_or_default()
    }

    /// Everything that the steps touch, each thing once.
    #[must_use]
    pub fn claims(&self) -> Vec<Claim> {
        let mut claims: Vec<Claim> = self.steps.iter().flat_map(|step| step.resources.clone()).collect();
        claims.sort();
        claims.dedup();
        claims
    }
}

impl PlannedStep {
    /// Whether a `state` step would change something.
    #[must_use]
    pub fn changes_state(&self) -> bool {
        self.nature == Nature::State && matches!(self.plan, ErasedPlan::Change(_) | ErasedPlan::CannotPreview(_))
    }
}
