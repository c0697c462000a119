//! Carries out one effect in a task of its own and reports what came of it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::active::Active;
use super::control::Message;
use super::crash::CrashPoint;
use super::way_back::way_back;
use crate::engine::{Effect, Event, Phase};
use crate::step::{ActContext, Checkpoint, Step, StepError, World};

/// What a task needs to report.
#[derive(Clone)]
pub(super) struct Reporter {
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) crash: Option<Arc<CrashPoint>>,
}

/// Saves positions through the loop, which journals them.
struct Saver {
    run: Uuid,
    ticket: u64,
    messages: mpsc::UnboundedSender<Message>,
}

#[async_trait]
impl Checkpoint for Saver {
    async fn save(&self, cursor: Value) -> Result<(), StepError> {
        let (saved, durable) = oneshot::channel();
        let message = Message::Save { run: self.run, ticket: self.ticket, cursor, saved };
        self.messages.send(message).map_err(|_| StepError::Fenced)?;
        durable.await.map_err(|_| StepError::Fenced)
    }
}

/// The part of a change that an effect works on.
struct Work {
    step: Arc<dyn Step>,
    context: ActContext,
    change: Option<Value>,
    act: Option<Value>,
}

impl Work {
    fn act(&self) -> Result<(&Value, &Value), StepError> {
        let missing = || StepError::Broken("the journal has no act for this".to_owned());
        Ok((self.change.as_ref().ok_or_else(missing)?, self.act.as_ref().ok_or_else(missing)?))
    }
}

/// Starts the effect.
pub(super) fn perform(active: &mut Active, effect: &Effect, now: DateTime<Utc>, reporter: &Reporter) {
    let run = active.id;
    let task = match effect {
        Effect::PlanBack(ticket) => {
            let lines = way_back(&active.run, &active.opened);
            send(reporter, run, Event::BackPlanned(*ticket, lines));
            return;
        }
        Effect::Plan(ticket) | Effect::Stand(ticket) | Effect::Act(ticket) | Effect::Verify(ticket) => {
            match work(active, *ticket, now, reporter) {
                Ok(work) => start(run, effect_kind(effect), *ticket, work, reporter.clone()),
                Err(error) => {
                    send(reporter, run, failed(effect_kind(effect), *ticket, error));
                    return;
                }
            }
        }
        Effect::Record(_) | Effect::Answer(..) | Effect::CursorSaved(_) => return,
    };
    active.acting = matches!(effect, Effect::Act(_));
    active.task = Some(task);
}

#[derive(Clone, Copy)]
enum Doing {
    Plan,
    Stand,
    Act,
    Verify,
}

fn effect_kind(effect: &Effect) -> Doing {
    match effect {
        Effect::Plan(_) => Doing::Plan,
        Effect::Stand(_) => Doing::Stand,
        Effect::Act(_) => Doing::Act,
        _ => Doing::Verify,
    }
}

fn work(active: &Active, ticket: u64, now: DateTime<Utc>, reporter: &Reporter) -> Result<Work, StepError> {
    let (run, at) = (&active.run, active.run.at());
    let gone = || StepError::Broken("the run has no present step".to_owned());
    let (definition, record) = run.present().ok_or_else(gone)?;
    let (step, direction) = match run.phase() {
        Phase::Forward => (active.opened.step(at).ok_or_else(gone)?, ""),
        Phase::Back(_) => (active.opened.back_step(&run.back().get(at).ok_or_else(gone)?.step)?, "back/"),
    };
    // Why: a step that is begun anew after a person's retry is another change, and must not be taken for the one that was made before.
    let again = if record.earlier.is_empty() { String::new() } else { format!("/{}", record.earlier.len() + 1) };
    let world: World = active.opened.world.clone();
    let context = ActContext {
        world,
        key: format!("{}/{direction}{}{again}", active.id, definition.id),
        began: record.began.unwrap_or(now),
        now,
        cursor: record.cursor.clone(),
        receipts: record.receipts.clone(),
        checkpoint: Arc::new(Saver { run: active.id, ticket, messages: reporter.messages.clone() }),
    };
    let change = record.change.as_ref().map(|change| change.change.clone());
    let act = record.change.as_ref().and_then(|change| change.acts.get(record.act)).map(|act| act.act.clone());
    Ok(Work { step, context, change, act })
}

fn start(run: Uuid, doing: Doing, ticket: u64, work: Work, reporter: Reporter) -> tokio::task::AbortHandle {
    let task = async move {
        let event = match AssertUnwindSafe(carry_out(doing, ticket, &work)).catch_unwind().await {
            Ok(event) => event,
            Err(panic) => failed(doing, ticket, StepError::Broken(format!("panic: {}", words(panic.as_ref())))),
        };
        if let (Doing::Act, Some(crash)) = (doing, &reporter.crash) {
            crash.after_act();
        }
        send(&reporter, run, event);
    };
    tokio::spawn(task).abort_handle()
}

async fn carry_out(doing: Doing, ticket: u64, work: &Work) -> Event {
    match doing {
        Doing::Plan => {
            let planned = async {
                let view = work.step.inspect(&work.context.world).await?;
                work.step.plan(&view)
            };
            Event::Planned(ticket, planned.await)
        }
        Doing::Stand => match work.act() {
            Ok((change, act)) => Event::Stood(ticket, work.step.standing(&work.context, change, act).await),
            Err(error) => Event::Stood(ticket, Err(error)),
        },
        Doing::Act => match work.act() {
            Ok((change, act)) => Event::Acted(ticket, work.step.act(&work.context, change, act).await),
            Err(error) => Event::Acted(ticket, Err(error)),
        },
        Doing::Verify => Event::Verified(ticket, work.step.verify(&work.context, work.change.as_ref()).await),
    }
}

fn failed(doing: Doing, ticket: u64, error: StepError) -> Event {
    match doing {
        Doing::Plan => Event::Planned(ticket, Err(error)),
        Doing::Stand => Event::Stood(ticket, Err(error)),
        Doing::Act => Event::Acted(ticket, Err(error)),
        Doing::Verify => Event::Verified(ticket, Err(error)),
    }
}

fn send(reporter: &Reporter, run: Uuid, event: Event) {
    // Why: a loop that has ended does not care any more.
    let _ = reporter.messages.send(Message::Event { run, event });
}

pub(super) fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
