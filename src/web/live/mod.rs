//! Pages that move: server-sent events with the parts that changed, rendered as at first paint.

mod list;
mod run;

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures_util::stream;
use serde_json::json;
use tokio::time::Instant;

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

/// What one kind of page is kept live by.
trait Feed: Send + Sized + 'static {
    /// Returns when there may be something new.
    fn rest(&mut self) -> impl Future<Output = ()> + Send;

    /// Looks what is new to the page and puts it into the queue.
    fn refresh(&mut self, queue: &mut VecDeque<Event>) -> impl Future<Output = Result<(), Problem>> + Send;
}

/// The answer that keeps a page live: what the queue holds already, then whatever the feed brings.
fn live<F: Feed>(app: &App, feed: F, mut queue: VecDeque<Event>) -> Result<Response, Problem> {
    let full = |_| {
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many", "too many pages are being kept live").hint("this page can be loaded again")
    };
    let permit = app.streams.clone().try_acquire_owned().map_err(full)?;
    queue.push_front(hello());
    let until = Instant::now() + LIFE;
    let events = stream::unfold((feed, queue, permit), move |(mut feed, mut queue, permit)| async move {
        loop {
            if let Some(event) = queue.pop_front() {
                return Some((Ok::<_, Infallible>(event), (feed, queue, permit)));
            }
            if Instant::now() >= until {
                return None;
            }
            feed.rest().await;
            if let Err(problem) = feed.refresh(&mut queue).await {
                // Why: the browser comes back by itself, and is then told what is wrong.
                tracing::debug!(problem = problem.message, "a live stream ends");
                return None;
            }
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("still here")).into_response())
}

/// An instant at which parts are rendered to be compared: otherwise every "12 s ago" would count as a change.
fn fixed() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}
