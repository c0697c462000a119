//! The plan of a whole playbook: every step is looked at once, then planned in order against what the steps before it will leave.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use crate::engine::plan::SCHEMA;
use crate::engine::{PlanDocument, PlannedStep};
use crate::playbook::environment::Environment;
use crate::playbook::{Playbook, PlaybookGuard};
use crate::ports::PortError;
use crate::step::{ErasedPlan, StepError, View, World};

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
    let looks = join_all(playbook.steps.iter().map(|step| step.step.inspect(world))).await;
    let guards: Vec<_> = playbook.steps.iter().flat_map(|step| step.guards.iter().map(move |guard| (step, guard))).collect();
    let ready = join_all(guards.iter().map(|(_, guard)| guard.guard.ready(world))).await;
    let mut view = View::default();
    let mut away: Vec<PortError> = Vec::new();
    for (step, look) in playbook.steps.iter().zip(looks) {
        match look {
            Ok(seen) => view.fill(seen),
            Err(StepError::Port(error @ PortError::Unreachable { .. })) => away.push(error),
            Err(error) => return Err(PlanError::Step { step: step.id.clone(), error }),
        }
    }
    for ((step, _), ready) in guards.iter().zip(ready) {
        match ready {
            Ok(()) => {}
            Err(StepError::Port(error @ PortError::Unreachable { .. })) => away.push(error),
            Err(error) => return Err(PlanError::Step { step: step.id.clone(), error }),
        }
    }
    if !away.is_empty() {
        let mut named = BTreeSet::new();
        away.retain(|error| named.insert(error.system().name.clone()));
        return Err(PlanError::Unreachable(away));
    }
    let mut steps = Vec::with_capacity(playbook.steps.len());
    for step in &playbook.steps {
        let failed = |error| PlanError::Step { step: step.id.clone(), error };
        let plan = step.step.plan(&view).map_err(failed)?;
        if let ErasedPlan::Change(change) = &plan {
            step.step.leave(&change.change, &mut view).map_err(failed)?;
        }
        steps.push(PlannedStep {
            id: step.id.clone(),
            kind: step.kind.name.to_owned(),
            nature: step.kind.nature,
            risk: step.kind.risk,
            resources: step.resources(),
            guards: step.guards.iter().map(planned_guard).collect(),
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
        steps,
    })
}
