//! The only loop that acts. It owns the connection between engine, journal and the outside: it loads runs whose shards this controller
//! holds, carries out their effects, and dispatches an act only once everything recorded before it is durable.

mod active;
mod begin;
mod clock;
mod control;
mod crash;
mod lease;
mod load;
mod look;
mod perform;
mod planner;
mod saved;
mod source;
mod timing;
mod today;
mod watching;
mod way_back;
mod work;
mod worlds;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::store::{Store, StoreError};

pub use begin::{BeginError, NewRunRequest, check_saved, claim_again, plan_bundle, save_plan, start_run, start_saved};
pub use clock::LeaseClock;
pub use crash::{CrashPoint, Side};
pub use look::{Seen, look};
pub use planner::{PlanError, plan_playbook};
pub use saved::{SavedPlan, SavedPlanError, compare_versions, is_saved_plan};
pub use source::{Opened, Worlds, definition, ordinary_step};
pub use watching::Watching;
pub use way_back::{plan_back_steps, plan_way_back, way_back};
pub use work::{Doing, Work};
pub use worlds::RealWorlds;

/// What a controller needs.
pub struct DriverOptions {
    /// The state database, migrated.
    pub store: Store,
    /// Makes worlds of environments.
    pub worlds: Arc<dyn Worlds>,
    /// Name for people: host and pid.
    pub name: String,
    /// Where this process is to kill itself, for the crash tests.
    pub crash: Option<CrashPoint>,
}

/// A controller that runs in the background.
pub struct Driver {
    stop: watch::Sender<bool>,
    poke: Arc<Notify>,
    moved: broadcast::Sender<Uuid>,
    in_memory: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Driver {
    /// Enters the controller and starts its loop.
    ///
    /// # Errors
    /// When the state database does not answer.
    pub async fn start(options: DriverOptions) -> Result<Self, StoreError> {
        let (stop, stopped) = watch::channel(false);
        let poke = Arc::new(Notify::new());
        let (moved, _) = broadcast::channel(1024);
        let controller = control::Controller::enter(options, Arc::clone(&poke), moved.clone()).await?;
        let in_memory = controller.in_memory();
        let task = tokio::spawn(controller.run(stopped));
        Ok(Self { stop, poke, moved, in_memory, task })
    }

    /// Says that there is something new in the database, so that the loop looks at once.
    pub fn poke(&self) {
        self.poke.notify_one();
    }

    /// Hears of runs whose journal grew here. Slow listeners miss some and must look for themselves.
    #[must_use]
    pub fn moved(&self) -> broadcast::Receiver<Uuid> {
        self.moved.subscribe()
    }

    /// Something that can poke the loop after the driver itself is out of reach.
    #[must_use]
    pub fn poker(&self) -> Arc<Notify> {
        Arc::clone(&self.poke)
    }

    /// The sender behind [`Driver::moved`].
    #[must_use]
    pub fn moves(&self) -> broadcast::Sender<Uuid> {
        self.moved.clone()
    }

    /// How many runs are in memory now; the others wait as rows.
    #[must_use]
    pub fn in_memory(&self) -> usize {
        self.in_memory.load(Ordering::Relaxed)
    }

    /// Hands everything over: finishes acts that are under way, gives all shards back, and returns.
    pub async fn stop(self) {
        // Why: the loop may have ended by itself; then there is nobody to tell.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}
