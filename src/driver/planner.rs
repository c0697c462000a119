//! The plan of a whole playbook: every step is looked at once, then planned in order against what the steps before it will leave.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures_util::future::{join_all, join3};

use super::today::today;
use crate::check::{Book, book_of, prove_playbook};
use crate::engine::plan::SCHEMA;
use crate::engine::{PlanDocument, PlannedStep};
use crate::playbook::environment::Environment;
use crate::playbook::{Playbook, PlaybookGuard};
use crate::ports::PortError;
use crate::step::{ErasedPlan, Step, StepError, View, World};

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// Systems that do not answer, each named once.
    #[error("{}", list(.0))]
    Unreachable(Vec<PortError>),
    /// A system refused, or a setting is wrong.
    #[error("step {step}: {error}")]
    Step {
        /// Step id.
        step: String,
        /// Why.
        error: StepError,
    },
}

fn list(errors: &[PortError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn planned_guard(guard: &PlaybookGuard) -> String {
    let (kind, query, limit) = (guard.guard.kind().name, guard.guard.query(), guard.guard.limit());
    format!("{kind} {query}, {limit}: {}", guard.options.then.as_str())
}

/// Plans a playbook. Reads the world and changes nothing.
///
/// # Errors
/// When a system does not answer or refuses.
pub async fn plan_playbook(
    playbook: &Playbook,
    environment: &Environment,
    bundle: String,
    world: &World,
    now: DateTime<Utc>,
) -> Result<PlanDocument, PlanError> {
    let all = playbook.steps.iter().map(|step| (step.id.as_str(), step.step.as_ref()));
    let guards: Vec<_> = playbook.steps.iter().flat_map(|step| step.guards.iter().map(move |guard| (step, guard))).collect();
    let begins = async {
        let services = playbook.services.as_ref()?;
        Some(today(services, environment, world).await)
    };
    let (looked, ready, today) =
        join3(look_at_all(all, world), join_all(guards.iter().map(|(_, guard)| guard.guard.ready(world))), begins).await;
    let mut away: Vec<PortError> = Vec::new();
    let mut view = View::default();
    match looked {
        Ok(seen) => view = seen,
        Err(PlanError::Unreachable(errors)) => away = errors,
        Err(error) => return Err(error),
    }
    for ((step, _), ready) in guards.iter().zip(ready) {
        if let Err(error) = ready {
            away.push(passing(&step.id, error)?);
        }
    }
    named_once(away)?;
    let mut steps = Vec::with_capacity(playbook.steps.len());
    for step in &playbook.steps {
        let plan = plan_one(&step.id, step.step.as_ref(), &mut view)?;
        steps.push(PlannedStep {
            id: step.id.clone(),
            kind: step.kind.name.to_owned(),
            of: None,
            nature: step.kind.nature,
            risk: step.kind.risk,
            resources: step.resources(),
            guards: step.guards.iter().map(planned_guard).collect(),
            beside: step.beside,
            approval: step.options.approval.clone(),
            line: step.place.line,
            plan,
        });
    }
    Ok(PlanDocument {
        schema: SCHEMA.to_owned(),
        playbook: playbook.name.clone(),
        link: playbook.link.clone(),
        environment: environment.name.clone(),
        approvals: environment.approvals,
        made_at: now,
        bundle,
        changes: steps.iter().any(PlannedStep::changes_state),
        reverts: None,
        no_return: None,
        proof: Some(prove_playbook(playbook, &Book { today: today.clone(), ..book_of(playbook) })),
        today,
        steps,
    })
}

/// Looks at everything that these steps touch. Systems that do not answer are named together.
///
/// # Errors
/// When a system does not answer or refuses.
pub(super) async fn look_at_all<'a>(steps: impl IntoIterator<Item = (&'a str, &'a dyn Step)>, world: &World) -> Result<View, PlanError> {
    let steps: Vec<_> = steps.into_iter().collect();
    let looks = join_all(steps.iter().map(|(_, step)| step.inspect(world))).await;
    let mut view = View::default();
    let mut away = Vec::new();
    for ((id, _), look) in steps.iter().zip(looks) {
        match look {
            Ok(seen) => view.fill(seen),
            Err(error) => away.push(passing(id, error)?),
        }
    }
    named_once(away)?;
    Ok(view)
}

/// Plans one step and writes down what it will leave.
///
/// # Errors
/// When the kind's values do not read back.
pub(super) fn plan_one(id: &str, step: &dyn Step, view: &mut View) -> Result<ErasedPlan, PlanError> {
    let failed = |error| PlanError::Step { step: id.to_owned(), error };
    let plan = step.plan(view).map_err(failed)?;
    if let ErasedPlan::Change(change) = &plan {
        step.leave(&change.change, view).map_err(failed)?;
    }
    Ok(plan)
}

/// The error of a system that does not answer; any other one ends the planning.
fn passing(step: &str, error: StepError) -> Result<PortError, PlanError> {
    match error {
        StepError::Port(error @ PortError::Unreachable { .. }) => Ok(error),
        error => Err(PlanError::Step { step: step.to_owned(), error }),
    }
}

fn named_once(mut away: Vec<PortError>) -> Result<(), PlanError> {
    let mut named = BTreeSet::new();
    away.retain(|error| named.insert(error.system().name.clone()));
    if away.is_empty() { Ok(()) } else { Err(PlanError::Unreachable(away)) }
}
