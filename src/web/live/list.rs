//! `GET /live`: the list of runs.

use std::collections::VecDeque;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use super::super::pages::ListParts;
use super::super::problem::Problem;
use super::super::{App, now};
use super::{Feed, Sent, fixed, fragment, live};

/// Shortest time between two changes of the list.
const PAUSE: Duration = Duration::from_millis(500);

/// How often the database is looked at when nothing tells of a change.
const LOOK: Duration = Duration::from_secs(2);

/// The live stream of the list.
pub(in crate::web) async fn list(State(app): State<App>) -> Result<Response, Problem> {
    let mut feed = ListFeed { moved: app.moved.subscribe(), app: App::clone(&app), sent: Sent::default(), looked: Instant::now() };
    let mut queue = VecDeque::new();
    feed.refresh(&mut queue).await?;
    live(&app, feed, queue)
}

struct ListFeed {
    app: App,
    moved: broadcast::Receiver<Uuid>,
    sent: Sent,
    looked: Instant,
}

impl Feed for ListFeed {
    async fn rest(&mut self) {
        tokio::select! {
            // Why: a list that missed some looks at all of them anyway.
            _ = self.moved.recv() => sleep_until(self.looked + PAUSE).await,
            () = sleep(LOOK) => {}
        }
    }

    async fn refresh(&mut self, queue: &mut VecDeque<Event>) -> Result<(), Problem> {
        // Why: what moved until here is seen by this look.
        while !matches!(self.moved.try_recv(), Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed)) {}
        let (parts, comparable) = ListParts::look(&self.app, now(), fixed()).await?;
        for ((id, html), (_, same)) in parts.all().into_iter().zip(comparable.all()) {
            if self.sent.is_new(id, same) {
                queue.push_back(fragment(id, html));
            }
        }
        self.looked = Instant::now();
        Ok(())
    }
}
