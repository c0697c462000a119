//! The state database as the supervisor uses it: it hears there what should run and says what does. Owns the connection; while the
//! database is away nothing is heard, and so nothing changes.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::ports::workloads::Desired;
use crate::stack::error::StackError;
use crate::stack::{DataDir, keeper};
use crate::store::workloads::InstanceRow;
use crate::store::{Store, StoreError, StoreOptions};

const POLL: Duration = Duration::from_millis(250);
/// How often the supervisor says that it lives.
const SIGN: Duration = Duration::from_secs(1);
/// Another supervisor that has said nothing for so long is taken for dead.
const SILENCE: Duration = Duration::from_secs(5);
/// The database ends statements that take longer than a part of this.
const LIMIT: Duration = Duration::from_secs(5);

/// What it needs to know of its supervisor.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub data: DataDir,
    /// The shared state database; `None` for the data directory's private one.
    pub database: Option<String>,
    /// What is kept, for instance `local/main`.
    pub workloads: String,
    /// The supervisor's name: machine and data directory.
    pub name: String,
}

impl Exchange {
    /// Connects for the first time: the schema is made if that is ours to do, and no other supervisor may keep the same workloads.
    /// `None` when the database is away.
    ///
    /// # Errors
    /// When another supervisor lives, or the database is not what it should be.
    pub(super) async fn begin(&self, services: &BTreeMap<String, u32>) -> Result<Option<Store>, StackError> {
        let begun = async {
            let store = match &self.database {
                Some(url) => connect(url)?,
                None => connect(keeper::ensure(&self.data).await?.expose())?,
            };
            if self.database.is_some() {
                store.require_schema().await?;
            } else {
                store.migrate().await?;
            }
            let ours = store.supervise(&self.workloads, &self.name, services, SILENCE).await?;
            Ok::<_, StackError>((store, ours))
        };
        match begun.await {
            Ok((store, true)) => Ok(Some(store)),
            Ok((store, false)) => {
                let other = store.supervisor(&self.workloads).await?.map(|sign| sign.name).unwrap_or_default();
                Err(StackError::OtherSupervisor { workloads: self.workloads.clone(), name: other })
            }
            Err(StackError::State(error)) if error.is_passing() => {
                tracing::warn!(error = %error, "the state database is away; what ran before is kept");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Goes on for ever: tells `heard` what should run, and says what `rows` holds.
    pub(super) async fn go_on(
        self,
        mut store: Option<Store>,
        services: watch::Receiver<BTreeMap<String, u32>>,
        heard: watch::Sender<Option<BTreeMap<String, Desired>>>,
        mut rows: watch::Receiver<Vec<InstanceRow>>,
    ) {
        let mut away = store.is_none();
        let mut signed: Option<Instant> = None;
        let mut said: Option<Vec<InstanceRow>> = None;
        loop {
            if store.is_none() {
                store = self.find().await;
                (signed, said) = (None, None);
            }
            if let Some(present) = &store {
                match self.exchange(present, &services, &mut signed, &mut said, &rows).await {
                    Ok(Some(desired)) => {
                        if away {
                            tracing::info!("the state database is back");
                        }
                        away = false;
                        heard.send_if_modified(|last| {
                            let differs = last.as_ref() != Some(&desired);
                            if differs {
                                *last = Some(desired);
                            }
                            differs
                        });
                    }
                    Ok(None) => tracing::error!(workloads = self.workloads, "another supervisor keeps them; nothing is changed here"),
                    Err(error) => {
                        if !away {
                            tracing::warn!(error = %error, "the state database is away; everything stays as it is");
                        }
                        away = true;
                        // Why: a private database may come back at another port.
                        store = None;
                    }
                }
            }
            tokio::select! {
                () = sleep(POLL) => {}
                changed = rows.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn find(&self) -> Option<Store> {
        let url = match &self.database {
            Some(url) => url.clone(),
            None => keeper::find(&self.data).await.ok()??.expose().to_owned(),
        };
        connect(&url).ok()
    }

    /// One turn; `None` when another supervisor has taken over.
    async fn exchange(
        &self,
        store: &Store,
        services: &watch::Receiver<BTreeMap<String, u32>>,
        signed: &mut Option<Instant>,
        said: &mut Option<Vec<InstanceRow>>,
        rows: &watch::Receiver<Vec<InstanceRow>>,
    ) -> Result<Option<BTreeMap<String, Desired>>, StoreError> {
        if signed.is_none_or(|at| at.elapsed() >= SIGN) {
            let known = services.borrow().clone();
            if !store.supervise(&self.workloads, &self.name, &known, SILENCE).await? {
                return Ok(None);
            }
            *signed = Some(Instant::now());
        }
        let present = rows.borrow().clone();
        if said.as_ref() != Some(&present) {
            store.write_instances(&self.workloads, &present).await?;
            *said = Some(present);
        }
        store.all_desired(&self.workloads).await.map(Some)
    }

    /// Says that nothing is kept any more, if the database is there to hear it.
    pub(super) async fn end(&self) {
        let said = async {
            let store = self.find().await?;
            store.end_supervision(&self.workloads, &self.name).await.ok()
        };
        if timeout(LIMIT, said).await.is_err() {
            tracing::warn!("the state database does not hear that the supervisor ends");
        }
    }
}

fn connect(url: &str) -> Result<Store, StoreError> {
    Store::connect(&StoreOptions { url: url.to_owned(), lease: LIMIT, connections: 2 })
}
