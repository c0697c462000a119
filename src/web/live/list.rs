//! `GET /live`: the list of runs.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::super::pages::ListParts;
use super::super::problem::Problem;
use super::super::{App, now};
use super::{LIFE, Sent, fixed, fragment, hello, kept_alive, permit};

/// Shortest time between two changes of the list.
const PAUSE: Duration = Duration::from_millis(500);

/// How often the database is looked at when nothing tells of a change.
const LOOK: Duration = Duration::from_secs(2);

/// The live stream of the list.
pub(in crate::web) async fn list(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let permit = permit(&app)?;
    let mut stream = Stream {
        moved: app.moved.subscribe(),
        app,
        sent: Sent::default(),
        queue: VecDeque::from([hello()]),
        looked: Instant::now(),
        until: Instant::now() + LIFE,
        _permit: permit,
    };
    stream.refresh().await?;
    Ok(kept_alive(Sse::new(stream::unfold(stream, Stream::next))))
}

struct Stream {
    app: App,
    moved: broadcast::Receiver<Uuid>,
    sent: Sent,
    queue: VecDeque<Event>,
    looked: Instant,
    until: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Stream {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some((Ok(event), self));
            }
            if Instant::now() >= self.until {
                return None;
            }
            tokio::select! {
                // Why: a list that missed some looks at all of them anyway.
                _ = self.moved.recv() => sleep_until(self.looked + PAUSE).await,
                () = sleep(LOOK) => {}
            }
            if let Err(problem) = self.refresh().await {
                tracing::debug!(problem = problem.message, "a live stream ends");
                return None;
            }
        }
    }

    async fn refresh(&mut self) -> Result<(), Problem> {
        // Why: what moved until here is seen by this look.
        while !matches!(self.moved.try_recv(), Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed)) {}
        let (parts, comparable) = ListParts::look(&self.app, now(), fixed()).await?;
        for ((id, html), (_, same)) in parts.all().into_iter().zip(comparable.all()) {
            if self.sent.is_new(id, same) {
                self.queue.push_back(fragment(id, html));
            }
        }
        self.looked = Instant::now();
        Ok(())
    }
}
