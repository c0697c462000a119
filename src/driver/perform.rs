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
use super::watching::Watching;
use super::way_back::way_back;
use super::work::{Doing, Work};
use crate::engine::{Effect, Event};
use crate::step::{Checkpoint, StepError};

/// What a task needs to report.
#[derive(Clone)]
pub(super) struct Reporter {
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) crash: Option<Arc<CrashPoint>>,
}

/// A run in one of its lives in this controller. Tickets begin anew with every life, so an answer must say which one it is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) run: Uuid,
    pub(super) number: u64,
}

/// Saves positions through the loop, which journals them.
struct Saver {
    life: Life,
    ticket: u64,
    messages: mpsc::UnboundedSender<Message>,
}

#[async_trait]
impl Checkpoint for Saver {
    async fn save(&self, cursor: Value) -> Result<(), StepError> {
        let (saved, durable) = oneshot::channel();
        let message = Message::Save { life: self.life, ticket: self.ticket, cursor, saved };
        self.messages.send(message).map_err(|_| StepError::Fenced)?;
        durable.await.map_err(|_| StepError::Fenced)
    }
}

/// Starts the effect.
pub(super) fn perform(active: &mut Active, effect: &Effect, now: DateTime<Utc>, reporter: &Reporter) {
    let life = active.life();
    if let Some(ticket) = effect.ticket() {
        active.run.face(ticket);
    }
    let at = active.run.at();
    let (doing, ticket) = match effect {
        Effect::PlanBack(ticket) => {
            let lines = way_back(&active.run, &active.opened);
            send(reporter, life, Event::BackPlanned(*ticket, lines));
            return;
        }
        Effect::Plan(ticket) => (Doing::Plan, *ticket),
        Effect::Stand(ticket) => (Doing::Stand, *ticket),
        Effect::Act(ticket) => (Doing::Act, *ticket),
        Effect::Settle(ticket) => (Doing::Settle, *ticket),
        Effect::Verify(ticket) => (Doing::Verify, *ticket),
        Effect::Watch(ticket, which) => {
            let watching = watch(life, *ticket, Watching::of(&active.run, &active.opened, which), reporter.clone());
            if let Some(task) = active.watching.insert(at, watching) {
                task.abort();
            }
            return;
        }
        Effect::Record(_) | Effect::Answer(..) | Effect::CursorSaved(_) => return,
    };
    let saver = Arc::new(Saver { life, ticket, messages: reporter.messages.clone() });
    match Work::of(active.id, &active.run, &active.opened, now, saver) {
        Ok(work) => {
            // Why: a look at a step that a person has skipped meanwhile may still be under way.
            if let Some(task) = active.tasks.insert(at, start(life, doing, ticket, work, reporter.clone())) {
                task.abort();
            }
            active.acting.remove(&at);
            if doing == Doing::Act {
                active.acting.insert(at, ticket);
            }
        }
        Err(error) => send(reporter, life, doing.failed(ticket, error)),
    }
}

fn watch(life: Life, ticket: u64, watching: Watching, reporter: Reporter) -> tokio::task::AbortHandle {
    tokio::spawn(async move { send(&reporter, life, Event::Watched(ticket, watching.look_in_time().await)) }).abort_handle()
}

fn start(life: Life, doing: Doing, ticket: u64, work: Work, reporter: Reporter) -> tokio::task::AbortHandle {
    let task = async move {
        let event = match AssertUnwindSafe(work.carry_out(doing, ticket)).catch_unwind().await {
            Ok(event) => event,
            Err(panic) => doing.failed(ticket, StepError::Broken(format!("panic: {}", words(panic.as_ref())))),
        };
        if let (Doing::Act, Some(crash)) = (doing, &reporter.crash) {
            crash.after_act();
        }
        send(&reporter, life, event);
    };
    tokio::spawn(task).abort_handle()
}

fn send(reporter: &Reporter, life: Life, event: Event) {
    // Why: a loop that has ended does not care any more.
    let _ = reporter.messages.send(Message::Event { life, event });
}

pub(super) fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}
