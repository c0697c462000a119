//! Flags in a service: evaluated in process, from a document that is fetched from the controller and kept on disk. Owns which revision
//! new requests use and which ones running requests still hold.

mod controller;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

pub use controller::{Controller, Heartbeat};

use super::error::SampleError;
use crate::flags::{Document, EvaluationError};
use crate::stack::files;

/// How often the controller is asked for a newer document.
const POLL: Duration = Duration::from_millis(250);

/// How often an instance says that it is there.
const BEAT: Duration = Duration::from_secs(1);

/// How long a start without a kept document waits for the controller.
const COLD: Duration = Duration::from_secs(5);

/// One revision of the flag document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its number.
    pub revision: i64,
    /// The document in flagd's form.
    pub document: Value,
}

/// A revision with its flags ready to be evaluated.
struct Ready {
    revision: i64,
    document: Document,
}

impl Ready {
    /// Why a document that does not read is one without flags: then the defaults in the code hold, and the revision is still told.
    fn new(snapshot: &Snapshot) -> Self {
        let document = Document::parse(&snapshot.document).unwrap_or_else(|error| {
            tracing::error!(revision = snapshot.revision, error, "the flag document does not read; the defaults in the code hold");
            Document::default()
        });
        Self { revision: snapshot.revision, document }
    }
}

/// Which revisions are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InUse {
    /// What new requests use.
    pub revision: i64,
    /// The oldest that a running request uses.
    pub oldest: i64,
}

struct Held {
    current: Arc<Ready>,
    /// Requests under way, and what else holds a revision, by revision.
    running: BTreeMap<i64, usize>,
    /// How many of these are no requests.
    beside: usize,
}

impl Held {
    fn in_use(&self) -> InUse {
        let revision = self.current.revision;
        // Why: after a state database was replaced, the current revision may be the smaller one.
        InUse { revision, oldest: self.running.keys().next().map_or(revision, |oldest| revision.min(*oldest)) }
    }
}

/// The flags of this instance. Cheap to clone.
#[derive(Clone)]
pub struct Flags {
    shared: Arc<Shared>,
}

struct Shared {
    held: Mutex<Held>,
    told: watch::Sender<InUse>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, now: InUse) {
        self.told.send_if_modified(|told| std::mem::replace(told, now) != now);
    }
}

/// The flags as they are for one request, for as long as it runs.
pub struct Use {
    ready: Arc<Ready>,
    shared: Arc<Shared>,
    beside: bool,
}

impl Use {
    /// Which revision this is.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.ready.revision
    }

    /// The variant that `flag` has for `key`; `default` when the document does not decide.
    #[must_use]
    pub fn variant(&self, flag: &str, key: &str, default: &str) -> String {
        match self.ready.document.evaluate(flag, key, &Map::new()) {
            Ok(evaluation) => evaluation.variant.unwrap_or(default).to_owned(),
            Err(EvaluationError::NotFound(_)) => default.to_owned(),
            Err(error) => {
                tracing::warn!(%error, "the default in the code holds");
                default.to_owned()
            }
        }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let mut held = self.shared.lock();
        held.beside -= usize::from(self.beside);
        let revision = self.ready.revision;
        if let Some(count) = held.running.get_mut(&revision) {
            *count -= 1;
            if *count == 0 {
                held.running.remove(&revision);
            }
        }
        // Why: told under the lock, so that the last word is the newest.
        self.shared.tell(held.in_use());
    }
}

impl Flags {
    fn new(snapshot: &Snapshot) -> Self {
        let held = Held { current: Arc::new(Ready::new(snapshot)), running: BTreeMap::new(), beside: 0 };
        let told = watch::Sender::new(held.in_use());
        Self { shared: Arc::new(Shared { held: Mutex::new(held), told }) }
    }

    /// Takes the present document for one request.
    #[must_use]
    pub fn take(&self) -> Use {
        self.hold(false)
    }

    /// Takes the present document for work that is no request: the revision counts as in use, and the end of the process does not wait
    /// for it.
    #[must_use]
    pub fn take_beside(&self) -> Use {
        self.hold(true)
    }

    fn hold(&self, beside: bool) -> Use {
        let mut held = self.shared.lock();
        let ready = Arc::clone(&held.current);
        *held.running.entry(ready.revision).or_default() += 1;
        held.beside += usize::from(beside);
        Use { ready, shared: Arc::clone(&self.shared), beside }
    }

    /// Which revisions are in use.
    #[must_use]
    pub fn in_use(&self) -> InUse {
        self.shared.lock().in_use()
    }

    /// How many requests are under way.
    #[must_use]
    pub fn running(&self) -> usize {
        let held = self.shared.lock();
        held.running.values().sum::<usize>() - held.beside
    }

    fn replace(&self, snapshot: &Snapshot) {
        let ready = Arc::new(Ready::new(snapshot));
        let mut held = self.shared.lock();
        held.current = ready;
        self.shared.tell(held.in_use());
    }

    /// Begins with the controller's document, else with the one that is kept in `kept`; waits a few seconds for the controller when there
    /// is neither. Keeps asking for newer ones as long as the runtime lives.
    ///
    /// # Errors
    /// [`SampleError::NoFlags`] when there is no document.
    pub async fn start(controller: Arc<Controller>, kept: PathBuf) -> Result<Self, SampleError> {
        let mut tag = None;
        let end = Instant::now() + COLD;
        let first = loop {
            match controller.document(None).await {
                Ok(Some(fetched)) => {
                    keep(&kept, &fetched.snapshot);
                    tag = fetched.tag;
                    break fetched.snapshot;
                }
                Ok(None) => {}
                Err(error) => {
                    if let Some(last) = last_known(&kept) {
                        tracing::warn!(%error, revision = last.revision, "starting with the last known flags");
                        break last;
                    }
                    if !controller.is_known() || Instant::now() >= end {
                        return Err(SampleError::NoFlags { controller: error.to_string(), kept });
                    }
                }
            }
            sleep(POLL).await;
        };
        let flags = Self::new(&first);
        if controller.is_known() {
            tokio::spawn(poll(flags.clone(), controller, tag, kept));
        }
        Ok(flags)
    }
}

fn last_known(kept: &std::path::Path) -> Option<Snapshot> {
    files::read_json(kept).ok().flatten()
}

fn keep(kept: &std::path::Path, snapshot: &Snapshot) {
    if let Err(error) = files::write_json(kept, snapshot) {
        tracing::warn!(%error, "the flags cannot be kept for the next start");
    }
}

async fn poll(flags: Flags, controller: Arc<Controller>, mut tag: Option<String>, kept: PathBuf) {
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut trouble = None;
    loop {
        ticks.tick().await;
        match controller.document(tag.as_deref()).await {
            Ok(fetched) => {
                if trouble.take().is_some() {
                    tracing::info!("the controller answers again");
                }
                let Some(fetched) = fetched else { continue };
                tag = fetched.tag;
                if fetched.snapshot.revision == flags.in_use().revision {
                    continue;
                }
                tracing::info!(revision = fetched.snapshot.revision, "flags have changed");
                // Why: kept first, so that a start after a crash is never older than what a request has used.
                keep(&kept, &fetched.snapshot);
                flags.replace(&fetched.snapshot);
            }
            Err(error) => {
                if trouble.as_ref() != Some(&error) {
                    tracing::warn!(%error, "flags stay as they are");
                }
                trouble = Some(error);
            }
        }
    }
}

/// Says every second, and at once when something changes, which revisions are in use. Returns when the sender of `end` says so or is
/// gone, after its last word.
pub async fn beat(flags: Flags, controller: Arc<Controller>, like: Heartbeat<'_>, mut end: watch::Receiver<bool>) {
    let mut told = flags.shared.told.subscribe();
    let mut ticks = interval(BEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = true;
    loop {
        let ending = tokio::select! {
            _ = ticks.tick() => false,
            _ = told.changed() => false,
            _ = end.wait_for(|end| *end) => true,
        };
        let InUse { revision, oldest } = *told.borrow_and_update();
        let said = controller.tell(&Heartbeat { revision, oldest, ending, ..like.clone() }).await;
        if let Err(error) = &said
            && heard
        {
            tracing::warn!(%error, "heartbeats are not heard");
        }
        heard = said.is_ok();
        if ending {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn snapshot(revision: i64) -> Snapshot {
        Snapshot { revision, document: json!({ "flags": {} }) }
    }

    #[test]
    fn the_oldest_revision_is_the_one_that_a_running_request_holds() {
        let flags = Flags::new(&snapshot(3));
        let (first, second) = (flags.take(), flags.take());
        flags.replace(&snapshot(4));
        let third = flags.take();
        flags.replace(&snapshot(5));
        assert_eq!(flags.in_use(), InUse { revision: 5, oldest: 3 });
        drop(first);
        assert_eq!(flags.in_use(), InUse { revision: 5, oldest: 3 });
        drop(second);
        assert_eq!(flags.in_use(), InUse { revision: 5, oldest: 4 });
        drop(third);
        assert_eq!((flags.in_use(), flags.running()), (InUse { revision: 5, oldest: 5 }, 0));
        let beside = flags.take_beside();
        flags.replace(&snapshot(6));
        assert_eq!((flags.in_use(), flags.running()), (InUse { revision: 6, oldest: 5 }, 0), "it is no request");
        drop(beside);
        assert_eq!((flags.in_use(), flags.running()), (InUse { revision: 6, oldest: 6 }, 0));
    }

    #[test]
    fn a_request_keeps_its_document_whatever_comes() {
        let on = json!({ "flags": { "f": { "state": "ENABLED", "variants": { "on": 1 }, "defaultVariant": "on" } } });
        let flags = Flags::new(&Snapshot { revision: 1, document: on });
        let request = flags.take();
        flags.replace(&snapshot(2));
        assert_eq!((request.variant("f", "k", "off"), flags.take().variant("f", "k", "off")), ("on".to_owned(), "off".to_owned()));
    }

    #[tokio::test]
    async fn a_change_is_told_at_once_and_nothing_is_told_twice() {
        let flags = Flags::new(&snapshot(1));
        let mut told = flags.shared.told.subscribe();
        let request = flags.take();
        flags.replace(&snapshot(2));
        assert!(told.has_changed().unwrap());
        assert_eq!(*told.borrow_and_update(), InUse { revision: 2, oldest: 1 });
        drop(flags.take());
        assert!(!told.has_changed().unwrap());
        drop(request);
        assert_eq!(*told.borrow_and_update(), InUse { revision: 2, oldest: 2 });
    }

    #[tokio::test]
    async fn without_a_controller_the_kept_document_is_used_and_without_both_nothing_starts() {
        let directory = tempfile::tempdir().unwrap();
        let kept = directory.path().join("flags.json");
        let controller = || Arc::new(Controller::new(None, None, "local".to_owned(), super::super::runtime::http().unwrap()));
        let refused = Flags::start(controller(), kept.clone()).await.err().unwrap().to_string();
        assert!(refused.contains("no controller is known") && refused.contains("flags.json"), "{refused}");
        keep(&kept, &snapshot(7));
        assert_eq!(Flags::start(controller(), kept).await.unwrap().in_use().revision, 7);
    }
}
