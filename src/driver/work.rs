//! One piece of work on a step: what it works on, and what it tells the run. The driver does it in tasks, the simulator by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::source::Opened;
use crate::engine::{Event, Phase, Run};
use crate::step::{ActContext, Checkpoint, Receipt, Step, StepError, Verdict};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Looking and planning.
    Plan,
    /// Looking whether the present act has happened.
    Stand,
    /// Acting.
    Act,
    /// Looking whether the act that was done last has settled.
    Settle,
    /// Looking whether the goal holds.
    Verify,
}

/// The part of a run that is worked on.
pub struct Work {
    step: Arc<dyn Step>,
    context: ActContext,
    change: Option<Value>,
    /// The present act; the one that was done last while that settles.
    act: Option<Value>,
}

impl Work {
    /// The present step of a run.
    ///
    /// # Errors
    /// When the run has none, or its body does not read back.
    pub fn of(id: Uuid, run: &Run, opened: &Opened, now: DateTime<Utc>, checkpoint: Arc<dyn Checkpoint>) -> Result<Self, StepError> {
        let gone = || StepError::Broken("the run has no present step".to_owned());
        let (_, record) = run.present().ok_or_else(gone)?;
        let step = match run.phase() {
            Phase::Forward => opened.step(run.at()).ok_or_else(gone)?,
            Phase::Back(_) => opened.back_step(&run.back().get(run.at()).ok_or_else(gone)?.step)?,
        };
        let context = ActContext {
            world: opened.world.clone(),
            key: format!("{id}/{}", run.key().ok_or_else(gone)?),
            began: record.began.unwrap_or(now),
            rests_since: record.rests_since.or(record.began).unwrap_or(now),
            now,
            cursor: record.cursor.clone(),
            receipts: record.receipts.clone(),
            earlier: Arc::new(earlier(run, opened)),
            checkpoint,
        };
        let change = record.change.as_ref().map(|change| change.change.clone());
        let at = if record.settling { record.act.saturating_sub(1) } else { record.act };
        let act = record.change.as_ref().and_then(|change| change.acts.get(at)).map(|act| act.act.clone());
        Ok(Self { step, context, change, act })
    }

    /// Does it.
    pub async fn carry_out(&self, doing: Doing, ticket: u64) -> Event {
        match doing {
            Doing::Plan => {
                let planned = async {
                    let view = self.step.inspect(&self.context.world).await?;
                    self.step.plan(&view)
                };
                Event::Planned(ticket, planned.await)
            }
            Doing::Stand => match self.act() {
                Ok((change, act)) => Event::Stood(ticket, self.step.standing(&self.context, change, act).await),
                Err(error) => Event::Stood(ticket, Err(error)),
            },
            Doing::Act => match self.act() {
                Ok((change, act)) => Event::Acted(ticket, self.step.act(&self.context, change, act).await),
                Err(error) => Event::Acted(ticket, Err(error)),
            },
            Doing::Settle => Event::Settled(ticket, self.settle().await),
            Doing::Verify => Event::Verified(ticket, self.step.verify(&self.context, self.change.as_ref()).await),
        }
    }

    async fn settle(&self) -> Result<Verdict, StepError> {
        let (change, act) = self.act()?;
        let receipt = self.context.receipts.last().ok_or_else(|| StepError::Broken("the journal has no act that settles".to_owned()))?;
        self.step.settle(&self.context, change, act, receipt).await
    }

    fn act(&self) -> Result<(&Value, &Value), StepError> {
        let missing = || StepError::Broken("the journal has no act for this".to_owned());
        Ok((self.change.as_ref().ok_or_else(missing)?, self.act.as_ref().ok_or_else(missing)?))
    }
}

/// What the steps that the present one names have answered. A step of a way back may name any step of the playbook.
fn earlier(run: &Run, opened: &Opened) -> BTreeMap<String, Vec<Receipt>> {
    let receipts =
        || run.forward().map(|(definition, record)| (&definition.id, &record.receipts)).filter(|(_, receipts)| !receipts.is_empty());
    let named = match run.phase() {
        Phase::Forward => opened.playbook.steps.get(run.at()).map_or(&[][..], |step| step.refers.as_slice()),
        Phase::Back(_) => return receipts().map(|(id, receipts)| (id.clone(), receipts.clone())).collect(),
    };
    if named.is_empty() {
        return BTreeMap::new();
    }
    receipts().filter(|(id, _)| named.contains(id)).map(|(id, receipts)| (id.clone(), receipts.clone())).collect()
}

impl Doing {
    /// What a run is told of work that could not be done.
    #[must_use]
    pub fn failed(self, ticket: u64, error: StepError) -> Event {
        match self {
            Self::Plan => Event::Planned(ticket, Err(error)),
            Self::Stand => Event::Stood(ticket, Err(error)),
            Self::Act => Event::Acted(ticket, Err(error)),
            Self::Settle => Event::Settled(ticket, Err(error)),
            Self::Verify => Event::Verified(ticket, Err(error)),
        }
    }
}
