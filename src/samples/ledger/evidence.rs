//! The raw data of a judgement, as plain values: what was sent and answered, what the tables hold, what the topic holds.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::samples::traffic::file::{Doing, Failure, Line};

/// What the client was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// When the answer came, by the client's clock.
    pub at: DateTime<Utc>,
    /// The version that was made or seen.
    pub version: Option<i64>,
}

/// A request with everything that the client knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: Uuid,
    /// What it wanted.
    pub doing: Doing,
    /// Of which exercise, or to which attempt.
    pub exercise: String,
    /// When its first try was sent.
    pub sent: DateTime<Utc>,
    /// How often it was tried.
    pub tries: u64,
    /// How many tries nobody took.
    pub refused: u64,
    /// When tries were sent that were answered with "there is no such exercise".
    pub not_found: Vec<DateTime<Utc>>,
    /// The first answer that says yes.
    pub acknowledged: Option<Acknowledged>,
}

/// A change of an exercise as its owner stored it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The exercise.
    pub exercise: String,
    /// The version that it made.
    pub version: i64,
    /// The request that wanted it.
    pub request: Uuid,
    /// The event that was promised with it.
    pub event: Option<String>,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
}

/// An attempt as hiring stored it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The request that wanted it.
    pub request: Uuid,
    /// The version of the exercise that it saw.
    pub version_seen: i64,
    /// Whether the exercise came from the copy.
    pub by_events: bool,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
}

/// A credit as bonuses stored it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    /// For which attempt.
    pub attempt: Uuid,
}

/// An event as hiring applied it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The exercise.
    pub exercise: String,
    /// The version that the event carries.
    pub version: i64,
    /// The event.
    pub event: String,
    /// The version at which the copy was then, when the event changed it: that of the event, or of what its owner told.
    pub copied: Option<i64>,
}

/// An assignment of a manager as its owner stored it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// To which attempt.
    pub attempt: String,
    /// Which assignment to this attempt it is.
    pub number: i64,
    /// The request that wanted it.
    pub request: Uuid,
    /// The event by which hiring is told, by a call or by the topic.
    pub event: String,
}

/// An assignment as it took effect in hiring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// To which attempt.
    pub attempt: String,
    /// Which assignment to this attempt it is.
    pub number: i64,
    /// The event that told of it.
    pub event: String,
    /// Whether it came by the topic.
    pub by_events: bool,
}

/// A record of the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRecord {
    /// Its partition.
    pub partition: i32,
    /// The event.
    pub event: String,
    /// The exercise, by the record's key.
    pub exercise: String,
    /// The version that the event carries.
    pub version: i64,
    /// When the event happened.
    pub at: DateTime<Utc>,
}

/// The topic from start to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topic {
    /// Its records, by partition and offset; those that are no events of exercises are left out.
    pub records: Vec<TopicRecord>,
    /// How many were left out.
    pub odd: u64,
    /// Whether nothing was ever taken out of it, by retention, compaction or deletion of records.
    pub whole: bool,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Requests in the order in which they were first sent.
    pub requests: Vec<Request>,
    /// Lines of the traffic's file that cannot be read.
    pub broken_lines: u64,
    /// Changes in the order in which they were made.
    pub changes: Vec<Change>,
    /// The version of each exercise at the end.
    pub exercises: BTreeMap<String, i64>,
    /// Events that still wait in the outbox of exercises, or are held.
    pub unsent_events: BTreeSet<String>,
    /// Assignments in the order in which they were made.
    pub assignments: Vec<Assignment>,
    /// Assignments in the order in which they took effect.
    pub reviews: Vec<Review>,
    /// Attempts in the order in which they were stored.
    pub attempts: Vec<Attempt>,
    /// Attempts whose bonus still waits in the outbox of hiring.
    pub unsent_bonuses: BTreeSet<Uuid>,
    /// Credits.
    pub credits: Vec<Credit>,
    /// Applied events in the order in which they were applied.
    pub applied: Vec<Applied>,
    /// The version of each exercise in the copy; `None` when there is no copy any more.
    pub copy: Option<BTreeMap<String, i64>>,
    /// How many events hiring put aside.
    pub put_aside: u64,
    /// The topic; `None` when there is none.
    pub topic: Option<Topic>,
    /// The topic of notices; `None` when there is none.
    pub notices: Option<Topic>,
}

impl Evidence {
    /// The ids of the requests that were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> Vec<Uuid> {
        self.requests.iter().filter(|request| request.acknowledged.is_some()).map(|request| request.id).collect()
    }
}

/// Puts the lines of a traffic's file together, request by request.
#[must_use]
pub fn requests(lines: &[Line]) -> Vec<Request> {
    let mut found: Vec<Request> = Vec::new();
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    let mut tries: HashMap<(Uuid, u32), DateTime<Utc>> = HashMap::new();
    for line in lines {
        match line {
            Line::Sent { at, request: id, doing, exercise, number } => {
                tries.insert((*id, *number), *at);
                let place = *places.entry(*id).or_insert_with(|| {
                    found.push(Request {
                        id: *id,
                        doing: *doing,
                        exercise: exercise.clone(),
                        sent: *at,
                        tries: 0,
                        refused: 0,
                        not_found: Vec::new(),
                        acknowledged: None,
                    });
                    found.len() - 1
                });
                if let Some(request) = found.get_mut(place) {
                    request.tries += 1;
                }
            }
            Line::Answered { at, request: id, number, status, version } => {
                let Some(request) = places.get(id).and_then(|place| found.get_mut(*place)) else { continue };
                if (200..300).contains(status) {
                    request.acknowledged.get_or_insert(Acknowledged { at: *at, version: *version });
                } else if *status == 404 && request.doing == Doing::Attempt {
                    request.not_found.push(tries.get(&(*id, *number)).copied().unwrap_or(*at));
                }
            }
            Line::Failed { request: id, how: Failure::Refused, .. } => {
                if let Some(request) = places.get(id).and_then(|place| found.get_mut(*place)) {
                    request.refused += 1;
                }
            }
            Line::Began { .. } | Line::Failed { .. } | Line::GivenUp { .. } | Line::Ended { .. } => {}
        }
    }
    found
}
