//! From a run's stored bundle and plan back to steps that can be asked.

use std::sync::Arc;

use serde_json::Value;

use crate::engine::{BackAction, BackStep, Definition, GuardDefinition, PlanDocument, Retry, StepDefinition};
use crate::playbook::environment::Environment;
use crate::playbook::{Bundle, Playbook, PlaybookGuard};
use crate::step::{Step, StepError, World};
use crate::steps;

/// Makes a world of an environment. Clients are shared between runs of the same environment.
pub trait Worlds: Send + Sync {
    /// The world; a system that cannot be had says why when it is asked for.
    fn world(&self, environment: &Environment) -> World;
}

/// A bundle that was read again.
pub struct Opened {
    /// The playbook.
    pub playbook: Playbook,
    /// Its outside.
    pub world: World,
}

impl Opened {
    /// Reads a stored bundle.
    ///
    /// # Errors
    /// When it does not read back, for instance because a newer cutover wrote it.
    pub fn read(bundle: Value, worlds: &dyn Worlds) -> Result<Self, StepError> {
        let bundle: Bundle = serde_json::from_value(bundle).map_err(StepError::broken)?;
        let (playbook, _) = bundle.open().map_err(|diagnostics| StepError::Broken(diagnostics.plain()))?;
        Ok(Self { world: worlds.world(&bundle.environment), playbook })
    }

    /// The step of the playbook at this index.
    #[must_use]
    pub fn step(&self, at: usize) -> Option<Arc<dyn Step>> {
        self.playbook.steps.get(at).map(|step| Arc::clone(&step.step))
    }

    /// A step of a way back.
    ///
    /// # Errors
    /// When its body does not fit its kind.
    pub fn back_step(&self, back: &BackStep) -> Result<Arc<dyn Step>, StepError> {
        let BackAction::Step { kind, body } = &back.action else {
            return Err(StepError::Broken(format!("{} is not a step", back.id)));
        };
        ordinary_step(&self.playbook, kind, body)
    }
}

/// A step that a change of this playbook's steps is taken back by, with the playbook's files and steps filled in.
///
/// # Errors
/// When its body does not fit its kind.
pub fn ordinary_step(playbook: &Playbook, kind: &str, body: &Value) -> Result<Arc<dyn Step>, StepError> {
    let mut step = steps::decode(kind, body).map_err(StepError::broken)?;
    for file in step.files() {
        if let Some(text) = playbook.files.get(&file.path) {
            file.text = Arc::clone(text);
        }
    }
    for (named, _) in step.references() {
        if let Some(meant) = playbook.steps.iter().find(|step| step.id == named.id) {
            named.fill(meant.kind.name, Arc::new(meant.step.body()), &playbook.files);
        }
    }
    Ok(Arc::from(step))
}

/// What the engine must know of a playbook, with the bindings that a plan foresaw.
#[must_use]
pub fn definition(playbook: &Playbook, plan: Option<&PlanDocument>) -> Definition {
    let guard = |guard: &PlaybookGuard| GuardDefinition {
        kind: guard.guard.kind().name.to_owned(),
        query: guard.guard.query(),
        limit: guard.guard.limit(),
        options: guard.options.clone(),
    };
    let step = |step: &crate::playbook::PlaybookStep| StepDefinition {
        id: step.id.clone(),
        kind: step.kind.name.to_owned(),
        nature: step.kind.nature,
        on_unknown: step.kind.on_unknown,
        risk: step.kind.risk,
        on_failure: step.options.on_failure,
        retry: step.options.retry.map_or_else(Retry::default, |retry| Retry { attempts: retry.attempts, delay: retry.delay.0 }),
        timeout: step.options.timeout.map(|timeout| timeout.0),
        approval: step.options.approval.clone(),
        settles: step.step.settles(),
        guards: step.guards.iter().map(guard).collect(),
        beside: step.beside,
        foreseen: plan.and_then(|plan| plan.foreseen(&step.id)).cloned(),
    };
    Definition { steps: playbook.steps.iter().map(step).collect() }
}
