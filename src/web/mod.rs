//! The pages, the API and the live streams of a controller, behind one table of routes of which each names the role that it needs.
//! This room shows and passes on; it decides nothing about runs, never acts on an outside system, and owns only who may ask.

mod api;
mod assets;
mod by;
mod codes;
pub mod documents;
mod dress;
mod guard;
mod input;
mod live;
mod look;
mod orders;
mod pages;
mod problem;
mod role;
mod routes;
mod session;
mod table;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, Semaphore, broadcast};
use uuid::Uuid;

use crate::adapters::secret::Secret;
use crate::driver::Worlds;
use crate::store::Store;

pub use role::Role;
pub use routes::Declared;

/// Most live streams at once; further ones are told to come back later.
const MOST_STREAMS: usize = 200;

/// What the pages and the API need.
pub struct WebOptions {
    /// The state database, migrated.
    pub store: Store,
    /// Makes worlds of environments, for plans and for looking at systems.
    pub worlds: Arc<dyn Worlds>,
    /// Wakes the driver when there is something new in the database.
    pub poke: Arc<Notify>,
    /// Tells of runs whose journal grew.
    pub moved: broadcast::Sender<Uuid>,
    /// Who may ask.
    pub tokens: Tokens,
    /// The `Host` headers that are answered, for instance `127.0.0.1:7070`.
    pub hosts: Vec<String>,
    /// Version of this program.
    pub version: &'static str,
    /// What stands in the head of every page; without it the names of the environments on the page.
    pub environment_banner: Option<String>,
}

/// The bearer tokens.
pub struct Tokens {
    /// May do everything, and makes login codes for browsers.
    pub operate: Secret,
    /// May read flag documents, report which revision it uses, and nothing else.
    pub flags: Secret,
}

/// What every handler can reach.
struct Shared {
    store: Store,
    worlds: Arc<dyn Worlds>,
    poke: Arc<Notify>,
    moved: broadcast::Sender<Uuid>,
    gate: guard::Gate,
    codes: codes::LoginCodes,
    hosts: Vec<String>,
    version: &'static str,
    banner: Option<String>,
    streams: Arc<Semaphore>,
    board: pages::Board,
}

type App = Arc<Shared>;

/// The whole service.
pub fn router(options: WebOptions) -> axum::Router {
    let app = Arc::new(Shared {
        gate: guard::Gate::new(&options.tokens),
        codes: codes::LoginCodes::default(),
        streams: Arc::new(Semaphore::new(MOST_STREAMS)),
        board: pages::Board::new(options.moved.subscribe()),
        store: options.store,
        worlds: options.worlds,
        poke: options.poke,
        moved: options.moved,
        hosts: options.hosts,
        version: options.version,
        banner: options.environment_banner,
    });
    table::table().into_router(app)
}

/// Every route with the role that it needs, in the order of the table.
#[must_use]
pub fn routes() -> Vec<Declared> {
    table::table().into_declared()
}

/// The present instant, for pages and for the end of sessions; nothing about runs depends on it.
fn now() -> DateTime<Utc> {
    Utc::now()
}
