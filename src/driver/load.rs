//! Loads runs: bundle, plan and journal become a run that can be handled. One that cannot be read harms no other.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::perform::words;
use super::source::{Opened, Worlds, definition};
use crate::engine::{JournalEntry, PlanDocument, Run, RunState};
use crate::store::journal::Hold;
use crate::store::runs::RunSource;
use crate::store::{Store, StoreError};

/// Most bundles that are kept open.
const MOST_OPENED: usize = 64;

/// Bundles that were read, by content hash.
#[derive(Clone, Default)]
pub(super) struct Shelf {
    opened: Arc<Mutex<HashMap<String, Arc<Opened>>>>,
}

/// A run that was loaded, or why it could not be.
pub(super) struct Loaded {
    pub(super) id: Uuid,
    pub(super) hold: Hold,
    pub(super) result: Result<Ready, String>,
}

pub(super) struct Ready {
    pub(super) run: Run,
    pub(super) opened: Arc<Opened>,
    pub(super) state: RunState,
    /// Whether the database knows that it is over.
    pub(super) over: bool,
    pub(super) loads: i16,
}

/// Loads these runs.
pub(super) async fn load(store: &Store, worlds: &dyn Worlds, shelf: &Shelf, wanted: Vec<(Uuid, Hold)>) -> Result<Vec<Loaded>, StoreError> {
    let ids: Vec<Uuid> = wanted.iter().map(|(id, _)| *id).collect();
    let mut sources: HashMap<Uuid, RunSource> = store.run_sources(&ids).await?.into_iter().map(|source| (source.id, source)).collect();
    let mut journals: BTreeMap<Uuid, Result<Vec<JournalEntry>, String>> = BTreeMap::new();
    for (run, entry) in store.journals(&ids).await? {
        let journal = journals.entry(run).or_insert_with(|| Ok(Vec::new()));
        match (journal.as_mut(), entry) {
            (Ok(entries), Ok(entry)) => entries.push(entry),
            (Ok(_), Err(error)) => *journal = Err(error.to_string()),
            (Err(_), _) => {}
        }
    }
    let mut loaded = Vec::with_capacity(wanted.len());
    for (id, hold) in wanted {
        let Some(source) = sources.remove(&id) else { continue };
        let journal = journals.remove(&id).unwrap_or_else(|| Ok(Vec::new())).and_then(whole);
        let result = match (open(store, worlds, shelf, &source.bundle).await?, journal) {
            (Ok(opened), Ok(journal)) => replay(source, opened, journal),
            (Err(why), _) | (_, Err(why)) => Err(why),
        };
        loaded.push(Loaded { id, hold, result });
    }
    let places: Vec<_> = loaded.iter().filter_map(|loaded| loaded.result.as_ref().ok().map(|ready| (loaded.id, ready.run.seq()))).collect();
    let counts: HashMap<Uuid, i16> = store.count_loads(&places).await?.into_iter().collect();
    for loaded in &mut loaded {
        if let (Ok(ready), Some(loads)) = (&mut loaded.result, counts.get(&loaded.id)) {
            ready.loads = *loads;
        }
    }
    Ok(loaded)
}

/// Why: a run that goes on from a journal with a hole would write its next entries over those behind the hole.
fn whole(journal: Vec<JournalEntry>) -> Result<Vec<JournalEntry>, String> {
    let missing = (1..).zip(&journal).find(|(seq, entry)| entry.seq != *seq).map(|(seq, _)| seq);
    match (missing, journal.is_empty()) {
        (Some(seq), _) => Err(format!("entry {seq} of its journal is missing")),
        (None, true) => Err("it has no journal".to_owned()),
        (None, false) => Ok(journal),
    }
}

fn replay(source: RunSource, opened: Arc<Opened>, journal: Vec<JournalEntry>) -> Result<Ready, String> {
    let plan: PlanDocument = serde_json::from_value(source.plan).map_err(|error| format!("its plan does not read back: {error}"))?;
    let run = unharmed(|| Run::replay(definition(&opened.playbook, Some(&plan)), journal))?;
    let state = source.state.parse().unwrap_or(RunState::Pending);
    Ok(Ready { run, opened, state, over: source.over, loads: 0 })
}

/// A panic over one run's data must not keep all others from being loaded.
fn unharmed<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| format!("reading it panics: {}", words(panic.as_ref())))
}

async fn open(store: &Store, worlds: &dyn Worlds, shelf: &Shelf, hash: &str) -> Result<Result<Arc<Opened>, String>, StoreError> {
    if let Some(opened) = shelf.opened.lock().ok().and_then(|shelf| shelf.get(hash).cloned()) {
        return Ok(Ok(opened));
    }
    let Some(bundle) = store.bundle(hash).await? else { return Ok(Err(format!("the bundle {hash} is gone"))) };
    Ok(match unharmed(|| Opened::read(bundle, worlds)).and_then(|read| read.map_err(|error| error.to_string())) {
        Ok(opened) => {
            let opened = Arc::new(opened);
            if let Ok(mut shelf) = shelf.opened.lock() {
                if shelf.len() >= MOST_OPENED {
                    shelf.clear();
                }
                shelf.insert(hash.to_owned(), Arc::clone(&opened));
            }
            Ok(opened)
        }
        Err(why) => Err(why),
    })
}
