//! Pages that move: server-sent events with the parts that changed, rendered as at first paint.

mod list;
mod run;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, KeepAliveStream, Sse};
use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::App;
use super::problem::Problem;

pub(super) use list::list;
pub(super) use run::run;

/// A comment is sent this often when nothing else is, so that both sides notice a dead connection.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A stream ends after this time and the browser opens the next one, so that the end of a session is noticed.
const LIFE: Duration = Duration::from_hours(1);

/// What a browser has of each part.
#[derive(Default)]
struct Sent(HashMap<String, u64>);

impl Sent {
    /// Notes a part; whether it is another than the one before.
    fn is_new(&mut self, id: &str, html: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        html.hash(&mut hasher);
        let hash = hasher.finish();
        self.0.insert(id.to_owned(), hash) != Some(hash)
    }
}

/// The element `target` is replaced by `html`, or gets it as a further child when `html` is an element with an id of its own.
fn fragment(target: &str, html: &str) -> Event {
    Event::default().event("fragment").data(json!({ "target": target, "html": html }).to_string())
}

/// Tells the page to read itself anew.
fn resync() -> Event {
    Event::default().event("resync").data("{}")
}

/// What a stream begins with: it opens the response at once, and says how soon a browser comes back.
fn hello() -> Event {
    Event::default().comment("live").retry(Duration::from_secs(2))
}

fn permit(app: &App) -> Result<OwnedSemaphorePermit, Problem> {
    let full = |_| {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many", "too many pages are being kept live").hint("this page can be loaded again")
    };
    app.streams.clone().try_acquire_owned().map_err(full)
}

fn kept_alive<S>(sse: Sse<S>) -> Sse<KeepAliveStream<S>> {
    sse.keep_alive(KeepAlive::new().interval(HEARTBEAT).text("still here"))
}

/// An instant at which parts are rendered to be compared: otherwise every "12 s ago" would count as a change.
fn fixed() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}
