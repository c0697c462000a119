//! A round of looks at guards. Whatever goes wrong in it is a reading, and never ends anything by itself.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::time::timeout;

use super::perform::words;
use super::source::Opened;
use super::timing::LOOK;
use crate::engine::{Phase, Run};
use crate::guards::{Guard, sample};
use crate::step::{Reading, World};

/// Guards that are looked at together.
pub struct Watching {
    world: World,
    guards: Vec<(usize, Arc<dyn Guard>)>,
}

impl Watching {
    /// These guards of the present step of a run.
    #[must_use]
    pub fn of(run: &Run, opened: &Opened, which: &[usize]) -> Self {
        let step = opened.playbook.steps.get(run.at()).filter(|_| run.phase() == Phase::Forward);
        let guard = |at: &usize| Some((*at, Arc::clone(&step?.guards.get(*at)?.guard)));
        Self { world: opened.world.clone(), guards: which.iter().filter_map(guard).collect() }
    }

    /// Looks at all of them at once.
    pub async fn look(&self) -> Vec<(usize, Reading)> {
        join_all(self.guards.iter().map(async |(at, guard)| (*at, self.look_at(guard.as_ref()).await))).await
    }

    async fn look_at(&self, guard: &dyn Guard) -> Reading {
        match AssertUnwindSafe(sample(guard, &self.world)).catch_unwind().await {
            Ok(reading) => reading,
            Err(panic) => Reading::Failed(format!("internal error: panic: {}", words(panic.as_ref()))),
        }
    }

    /// As [`Self::look`], but not for ever.
    pub(super) async fn look_in_time(&self) -> Vec<(usize, Reading)> {
        let late = |_| Reading::Failed(format!("no answer within {} s", LOOK.as_secs()));
        let look = async |at: &usize, guard: &dyn Guard| (*at, timeout(LOOK, self.look_at(guard)).await.unwrap_or_else(late));
        join_all(self.guards.iter().map(|(at, guard)| look(at, guard.as_ref()))).await
    }
}
