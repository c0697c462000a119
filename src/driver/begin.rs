//! Planning and starting runs from bundles: what both the server and the benchmarks do.

use serde_json::Value;
use uuid::Uuid;

use super::planner::{PlanError, plan_playbook};
use super::saved::SavedPlan;
use super::source::{Opened, Worlds};
use crate::check::{Book, book_of, prove_playbook};
use crate::engine::stale::{StaleStep, stale_steps};
use crate::engine::{Entry, PlanDocument};
use crate::playbook::{Bundle, Diagnostics, PlaybookStep};
use crate::step::{ErasedPlan, Proof, StepError, Violation};
use crate::store::locks::Taken;
use crate::store::plans::KeptPlan;
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
    /// The proof finds what the playbook would break.
    #[error("the playbook would break {}", broken(.0))]
    Breaks(Box<Proof>),
    /// The plan is of another bundle.
    #[error("the plan was made of another version of the playbook; plan again")]
    OtherBundle,
    /// The world is not what the plan foresaw.
    #[error("the plan is stale: {} now", not_as_foreseen(.0))]
    Stale(Vec<StaleStep>),
    /// The state database holds another plan under the saved plan's id.
    #[error("the state database keeps another plan under the id {0}; plan again")]
    OtherPlan(Uuid),
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

fn broken(proof: &Proof) -> String {
    proof.violations.iter().map(Violation::name).collect::<Vec<_>>().join(", ")
}

fn not_as_foreseen(steps: &[StaleStep]) -> String {
    let ids: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
    match ids.as_slice() {
        [one] => format!("step {one} is not as foreseen"),
        several => format!("steps {} are not as foreseen", several.join(", ")),
    }
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

/// Plans a bundle and keeps the plan, so that it can be applied later exactly as it is.
///
/// # Errors
/// As [`plan_bundle`], when a step of the plan will not work, and when the proof finds what it would break.
pub async fn save_plan(store: &Store, worlds: &dyn Worlds, bundle: Bundle, by: &str) -> Result<(SavedPlan, Diagnostics), BeginError> {
    let (plan, warnings) = plan_bundle(store, worlds, &bundle).await?;
    refuse_impossible(&plan)?;
    if let Some(proof) = &plan.proof {
        refuse_broken(proof)?;
    }
    let saved_at = plan.made_at;
    let saved = SavedPlan::seal(bundle, plan, by, saved_at).map_err(StepError::broken)?;
    let kept = KeptPlan {
        id: saved.id,
        hash: saved.hash.clone(),
        playbook: saved.plan.playbook.clone(),
        environment: saved.environment.clone(),
        saved_by: saved.saved_by.clone(),
        saved_at,
        body: to_json(&saved)?,
    };
    store.keep_plan(&kept).await?;
    Ok((saved, warnings))
}

/// The steps of a saved plan that would be planned otherwise now.
///
/// # Errors
/// As [`plan_bundle`], and when the state database holds another plan under this one's id.
pub async fn check_saved(store: &Store, worlds: &dyn Worlds, saved: &SavedPlan) -> Result<Vec<StaleStep>, BeginError> {
    Ok(plan_again(store, worlds, saved).await?.1)
}

/// The plan as it would be now, and the steps that would be planned otherwise.
async fn plan_again(store: &Store, worlds: &dyn Worlds, saved: &SavedPlan) -> Result<(PlanDocument, Vec<StaleStep>), BeginError> {
    if store.kept_plan(saved.id).await?.is_some_and(|kept| kept.hash != saved.hash) {
        return Err(BeginError::OtherPlan(saved.id));
    }
    let (now, _) = plan_bundle(store, worlds, &saved.bundle).await?;
    let stale = stale_steps(&saved.plan, &now);
    Ok((now, stale))
}

/// Starts a run of exactly what was saved, unless the world is another one by now. The same id again starts nothing new.
///
/// # Errors
/// As [`check_saved`] and [`start_run`]; when the plan is stale. Then nothing was changed.
pub async fn start_saved(
    store: &Store,
    worlds: &dyn Worlds,
    id: Uuid,
    saved: SavedPlan,
    by: String,
    yes: bool,
) -> Result<Uuid, BeginError> {
    if store.run(id).await?.is_some() {
        return Ok(id);
    }
    let (now, stale) = plan_again(store, worlds, &saved).await?;
    if !stale.is_empty() {
        return Err(BeginError::Stale(stale));
    }
    // Why: an older program's bundle, written by this one, may have more fields and so another hash.
    // Why where it begins now: nothing of the steps may have moved, and yet a service that they rely on.
    let plan = PlanDocument { bundle: saved.bundle.hash(), today: now.today, ..saved.plan };
    start_run(store, NewRunRequest { id, bundle: saved.bundle, plan, by, yes }).await
}

fn refuse_impossible(plan: &PlanDocument) -> Result<(), BeginError> {
    let impossible = plan.steps.iter().find_map(|step| match &step.plan {
        ErasedPlan::Impossible(why) => Some(BeginError::Impossible { step: step.id.clone(), why: why.clone() }),
        _ => None,
    });
    impossible.map_or(Ok(()), Err)
}

fn refuse_broken(proof: &Proof) -> Result<(), BeginError> {
    if proof.violations.is_empty() { Ok(()) } else { Err(BeginError::Breaks(Box::new(proof.clone()))) }
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
    refuse_impossible(&request.plan)?;
    let (playbook, _) = request.bundle.open().map_err(BeginError::Invalid)?;
    // Why again: the plan comes from outside, and what would break must not run because somebody left its proof away.
    let proof = prove_playbook(&playbook, &Book { today: request.plan.today.clone(), ..book_of(&playbook) });
    refuse_broken(&proof)?;
    let entry = Entry::RunBegun {
        by: request.by.clone(),
        approvals: request.bundle.environment.approvals,
        yes: request.yes,
        accepted: proof.accepted.clone(),
    };
    let plan = PlanDocument { proof: Some(proof), ..request.plan };
    let claims = playbook.steps.iter().flat_map(PlaybookStep::resources).collect();
    let run = NewRun {
        id: request.id,
        playbook: playbook.name.clone(),
        environment: request.bundle.environment.name.clone(),
        link: playbook.link.clone(),
        bundle_hash: hash,
        bundle: to_json(&request.bundle)?,
        plan: to_json(&plan)?,
        claims,
        by: request.by,
        entry,
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
