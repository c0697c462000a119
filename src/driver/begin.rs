//! Planning and starting runs from bundles: what both the server and the benchmarks do.

use serde_json::Value;
use uuid::Uuid;

use super::planner::{PlanError, plan_playbook};
use super::source::{Opened, Worlds};
use crate::engine::{Entry, PlanDocument};
use crate::playbook::{Bundle, Diagnostics, PlaybookStep};
use crate::step::{ErasedPlan, StepError};
use crate::store::locks::Taken;
use crate::store::runs::NewRun;
use crate::store::{Store, StoreError};

/// Why a run was not planned or not started. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The playbook has mistakes.
    #[error("the playbook has mistakes")]
    Invalid(Diagnostics),
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A step will not work.
    #[error("step {step} will not work: {why}")]
    Impossible {
        /// Step id.
        step: String,
        /// Why.
        why: String,
    },
    /// The plan is of another bundle.
    #[error("the plan was made of another version of the playbook; plan again")]
    OtherBundle,
    /// Other runs hold what it needs.
    #[error("{}", holders(.0))]
    Taken(Vec<Taken>),
    /// The bundle does not read back.
    #[error(transparent)]
    Broken(#[from] StepError),
    /// The state database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn holders(taken: &[Taken]) -> String {
    let line = |taken: &Taken| format!("{} is held by run {} ({}, {})", taken.resource, taken.run, taken.playbook, taken.state);
    taken.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// A request to start a run.
#[derive(Clone, Debug)]
pub struct NewRunRequest {
    /// Its id; the same id again starts nothing new.
    pub id: Uuid,
    /// The bundle.
    pub bundle: Bundle,
    /// The plan that was shown.
    pub plan: PlanDocument,
    /// Who starts it.
    pub by: String,
    /// Whether approvals are answered in the starter's name.
    pub yes: bool,
}

/// Plans a bundle.
///
/// # Errors
/// When the playbook has mistakes or a system does not answer.
pub async fn plan_bundle(store: &Store, worlds: &dyn Worlds, bundle: &Bundle) -> Result<(PlanDocument, Diagnostics), BeginError> {
    let (playbook, warnings) = bundle.open().map_err(BeginError::Invalid)?;
    let world = worlds.world(&bundle.environment);
    let plan = plan_playbook(&playbook, &bundle.environment, bundle.hash(), &world, store.now().await?).await?;
    Ok((plan, warnings))
}

/// Starts a run: takes everything that it touches, or nothing.
///
/// # Errors
/// When it cannot be started; then nothing was changed.
pub async fn start_run(store: &Store, request: NewRunRequest) -> Result<Uuid, BeginError> {
    let hash = request.bundle.hash();
    if request.plan.bundle != hash {
        return Err(BeginError::OtherBundle);
    }
    for step in &request.plan.steps {
        if let ErasedPlan::Impossible(why) = &step.plan {
            return Err(BeginError::Impossible { step: step.id.clone(), why: why.clone() });
        }
    }
    let (playbook, _) = request.bundle.open().map_err(BeginError::Invalid)?;
    let claims = playbook.steps.iter().flat_map(PlaybookStep::resources).collect();
    let run = NewRun {
        id: request.id,
        playbook: playbook.name.clone(),
        environment: request.bundle.environment.name.clone(),
        link: playbook.link.clone(),
        bundle_hash: hash,
        bundle: to_json(&request.bundle)?,
        plan: to_json(&request.plan)?,
        claims,
        by: request.by.clone(),
        entry: Entry::RunBegun { by: request.by, approvals: request.bundle.environment.approvals, yes: request.yes },
    };
    let taken = store.start(&run).await?;
    if taken.is_empty() { Ok(request.id) } else { Err(BeginError::Taken(taken)) }
}

/// Takes the claims of a run that has ended again, so that it can be taken back.
///
/// # Errors
/// When other runs hold them by now.
pub async fn claim_again(store: &Store, worlds: &dyn Worlds, run: Uuid) -> Result<(), BeginError> {
    let Some(row) = store.run(run).await? else { return Ok(()) };
    let Some(bundle) = store.bundle(&row.bundle).await? else { return Ok(()) };
    let opened = Opened::read(bundle, worlds)?;
    let claims: Vec<_> = opened.playbook.steps.iter().flat_map(PlaybookStep::resources).collect();
    let taken = store.claim_again(run, &row.environment, &claims).await?;
    if taken.is_empty() { Ok(()) } else { Err(BeginError::Taken(taken)) }
}

fn to_json(value: &impl serde::Serialize) -> Result<Value, BeginError> {
    Ok(serde_json::to_value(value).map_err(StepError::broken)?)
}
