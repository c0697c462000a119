//! The judgement: a pure function over the raw data. Owns what counts as lost, double and out of order; reads nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::assigned;
use super::evidence::{Change, Evidence, Request, Topic};
use crate::samples::traffic::file::Doing;

/// How long after an acknowledged change a read may still see what was before.
const FRESH: TimeDelta = TimeDelta::seconds(5);

/// The most findings that are told one by one.
const TOLD: usize = 50;

/// What is wrong with something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// It was acknowledged or promised, and is not there.
    Lost,
    /// It is there more than once.
    Duplicated,
    /// It happened in another order than it was acknowledged.
    OutOfOrder,
    /// A service did not know an exercise that had been acknowledged.
    UnknownExercise,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// In which way.
    pub wrong: Wrong,
    /// What, in a sentence.
    pub what: String,
}

/// The judgement with its counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Name of the format.
    pub schema: &'static str,
    /// Requests that were sent, each counted once.
    pub requests: u64,
    /// Tries of all requests.
    pub tries: u64,
    /// Requests that were acknowledged.
    pub acknowledged: u64,
    /// Changes, attempts and assignments in the tables that a request wanted.
    pub effects: u64,
    /// Attempts that took the exercise by a call.
    pub by_call: u64,
    /// Attempts that took the exercise from the copy.
    pub by_events: u64,
    /// Events that were promised together with changes.
    pub events: u64,
    /// Credits for attempts.
    pub credits: u64,
    /// Managers that requests assigned.
    pub assignments: u64,
    /// Assignments that took effect by a call.
    pub assigned_by_call: u64,
    /// Assignments that took effect by an event.
    pub assigned_by_events: u64,
    /// What was acknowledged or promised and is not there.
    pub lost: u64,
    /// What is there more often than once.
    pub duplicated: u64,
    /// What happened in another order.
    pub out_of_order: u64,
    /// Attempts that were told of no exercise where there is one.
    pub unknown_exercise: u64,
    /// What was promised and is still on its way.
    pub pending: u64,
    /// Attempts that saw a version older than one that had been acknowledged more than five seconds before.
    pub late: u64,
    /// Requests without an acknowledgement; each may have had its effect or not.
    pub unanswered: u64,
    /// Tries that nobody took.
    pub refused: u64,
    /// Events that a consumer put aside.
    pub put_aside: u64,
    /// What is wrong, the first of it.
    pub findings: Vec<Finding>,
    /// What could not be judged, and why.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether nothing is lost, double, out of order or unknown.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost + self.duplicated + self.out_of_order + self.unknown_exercise == 0
    }

    /// Whether nothing is on its way any more.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.pending == 0
    }

    pub(super) fn find(&mut self, wrong: Wrong, times: usize, what: impl FnOnce() -> String) {
        let count = match wrong {
            Wrong::Lost => &mut self.lost,
            Wrong::Duplicated => &mut self.duplicated,
            Wrong::OutOfOrder => &mut self.out_of_order,
            Wrong::UnknownExercise => &mut self.unknown_exercise,
        };
        *count += times as u64;
        if times > 0 && self.findings.len() < TOLD {
            self.findings.push(Finding { wrong, what: what() });
        }
    }
}

/// Judges the raw data.
#[must_use]
pub fn judge(evidence: &Evidence) -> Report {
    let mut report = Report { schema: "cutover.ledger/1", put_aside: evidence.put_aside, ..Report::default() };
    let known = acknowledged_versions(&evidence.requests);
    requests(evidence, &known, &mut report);
    changes(evidence, &mut report);
    events(evidence, &mut report);
    applied(evidence, &mut report);
    copy(evidence, &mut report);
    credits(evidence, &mut report);
    assigned::judge(evidence, &mut report);
    if evidence.broken_lines > 0 {
        report.notes.push(format!("{} lines of the traffic's file cannot be read: its process was killed", evidence.broken_lines));
    }
    report
}

/// When which version of an exercise was acknowledged, by exercise.
fn acknowledged_versions(requests: &[Request]) -> HashMap<&str, Vec<(DateTime<Utc>, i64)>> {
    let mut known: HashMap<&str, Vec<_>> = HashMap::new();
    for request in requests.iter().filter(|request| request.doing == Doing::Change) {
        if let Some((at, version)) = request.acknowledged.and_then(|answer| Some((answer.at, answer.version?))) {
            known.entry(&request.exercise).or_default().push((at, version));
        }
    }
    known
}

/// Every acknowledged request has its effect, none has two, and what was answered is what was stored.
fn requests(evidence: &Evidence, known: &HashMap<&str, Vec<(DateTime<Utc>, i64)>>, report: &mut Report) {
    let mut effects: HashMap<Uuid, Vec<i64>> = HashMap::new();
    for change in &evidence.changes {
        effects.entry(change.request).or_default().push(change.version);
    }
    for attempt in &evidence.attempts {
        effects.entry(attempt.request).or_default().push(attempt.version_seen);
    }
    for assignment in &evidence.assignments {
        effects.entry(assignment.request).or_default().push(assignment.number);
    }
    let newest_before =
        |exercise: &str, time: DateTime<Utc>| known.get(exercise)?.iter().filter(|(at, _)| *at <= time).map(|(_, version)| *version).max();
    for request in &evidence.requests {
        let found = effects.get(&request.id).map(Vec::as_slice).unwrap_or_default();
        let name = || format!("{} of {} by request {}", word(request.doing), request.exercise, request.id);
        report.requests += 1;
        report.tries += request.tries;
        report.refused += request.refused;
        report.effects += found.len() as u64;
        report.find(Wrong::Duplicated, found.len().saturating_sub(1), || format!("{} was stored {} times", name(), found.len()));
        let unknown = request.not_found.iter().any(|sent| newest_before(&request.exercise, *sent).is_some());
        report.find(Wrong::UnknownExercise, usize::from(unknown), || format!("{} found no such exercise", name()));
        let Some(answer) = request.acknowledged else {
            report.unanswered += 1;
            continue;
        };
        report.acknowledged += 1;
        match (found.first(), answer.version) {
            (None, _) => report.find(Wrong::Lost, 1, || format!("{} was acknowledged and is not stored", name())),
            (Some(stored), Some(answered)) if *stored != answered => {
                report.find(Wrong::OutOfOrder, 1, || format!("{} was answered with version {answered}, stored is {stored}", name()));
            }
            _ => {}
        }
        if request.doing == Doing::Attempt {
            let due = newest_before(&request.exercise, request.sent - FRESH);
            let late = due.zip(answer.version).is_some_and(|(due, seen)| seen < due);
            report.late += u64::from(late);
        }
    }
}

fn word(doing: Doing) -> &'static str {
    match doing {
        Doing::Change => "the change",
        Doing::Attempt => "the attempt",
        Doing::Assign => "the assignment",
    }
}

/// The versions of an exercise grow, and the exercise is as its last change left it.
fn changes(evidence: &Evidence, report: &mut Report) {
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    let mut seen = HashSet::new();
    for change in evidence.changes.iter().filter(|change| seen.insert(change.request)) {
        let before = newest.entry(&change.exercise).or_insert(0);
        let back = change.version <= *before;
        report.find(Wrong::OutOfOrder, usize::from(back), || {
            format!("version {} of {} was stored after version {before}", change.version, change.exercise)
        });
        *before = change.version.max(*before);
    }
    for (exercise, version) in newest {
        let now = evidence.exercises.get(exercise).copied().unwrap_or_default();
        report.find(Wrong::Lost, usize::from(now < version), || {
            format!("{exercise} was changed to version {version} and is at version {now}")
        });
    }
}

fn promised(evidence: &Evidence) -> HashMap<&str, &Change> {
    evidence.changes.iter().filter_map(|change| Some((change.event.as_deref()?, change))).collect()
}

/// Every promised event is in the topic or still on its way, and the events of an exercise lie there in order.
fn events(evidence: &Evidence, report: &mut Report) {
    let promised = promised(evidence);
    report.events = promised.len() as u64;
    report.pending += promised.keys().filter(|event| evidence.unsent_events.contains(**event)).count() as u64;
    let topics: Vec<&Topic> = evidence.topic.iter().chain(&evidence.notices).collect();
    if topics.is_empty() {
        if !promised.is_empty() {
            report.notes.push("the topic is gone, so what was promised to it is not judged".to_owned());
        }
        return;
    }
    let odd: u64 = topics.iter().map(|topic| topic.odd).sum();
    if odd > 0 {
        report.notes.push(format!("{odd} records of the topic are no events of exercises"));
    }
    let whole = topics.iter().all(|topic| topic.whole);
    if !whole {
        report
            .notes
            .push("records were taken out of the topic, so an event counts as there when a newer one of its exercise is".to_owned());
    }
    let records = || topics.iter().flat_map(|topic| &topic.records);
    let there: HashSet<&str> = records().map(|record| record.event.as_str()).collect();
    let mut newest: HashMap<&str, i64> = HashMap::new();
    for record in records() {
        let version = newest.entry(&record.exercise).or_insert(record.version);
        *version = record.version.max(*version);
    }
    for (event, change) in &promised {
        let superseded = !whole && newest.get(change.exercise.as_str()).is_some_and(|version| *version >= change.version);
        let lost = !there.contains(event) && !evidence.unsent_events.contains(*event) && !superseded;
        report.find(Wrong::Lost, usize::from(lost), || {
            format!("the event of version {} of {} was sent and is not in the topic", change.version, change.exercise)
        });
    }
    for topic in topics {
        order_in(topic, &promised, report);
    }
}

/// Judged is where each promised event lies first; a snapshot may repeat anything at any time.
fn order_in(topic: &Topic, promised: &HashMap<&str, &Change>, report: &mut Report) {
    let mut seen = HashSet::new();
    let mut last: BTreeMap<&str, (i32, i64)> = BTreeMap::new();
    for record in &topic.records {
        if !promised.contains_key(record.event.as_str()) || !seen.insert(record.event.as_str()) {
            continue;
        }
        let before = last.insert(&record.exercise, (record.partition, record.version));
        let back = before.is_some_and(|(partition, version)| partition != record.partition || version >= record.version);
        report.find(Wrong::OutOfOrder, usize::from(back), || {
            format!("the event of version {} of {} lies behind a newer one, or in another partition", record.version, record.exercise)
        });
    }
}

/// No event was applied twice, those of an exercise in order, and the copy never went back.
fn applied(evidence: &Evidence, report: &mut Report) {
    let promised = promised(evidence);
    let mut seen = HashSet::new();
    let mut live: HashMap<&str, i64> = HashMap::new();
    let mut copied: HashMap<&str, i64> = HashMap::new();
    for event in &evidence.applied {
        if !seen.insert(event.event.as_str()) {
            report.find(Wrong::Duplicated, 1, || format!("event {} of {} was applied twice", event.event, event.exercise));
            continue;
        }
        let mut back = false;
        if promised.contains_key(event.event.as_str()) {
            back |= live.insert(&event.exercise, event.version).is_some_and(|before| before >= event.version);
        }
        if let Some(version) = event.copied {
            back |= copied.insert(&event.exercise, version).is_some_and(|before| before >= version);
        }
        report.find(Wrong::OutOfOrder, usize::from(back), || {
            format!("version {} of {} was applied after a newer one", event.version, event.exercise)
        });
    }
}

/// What existed while somebody relied on the copy is in it.
fn copy(evidence: &Evidence, report: &mut Report) {
    let Some(relied) = evidence.attempts.iter().filter(|attempt| attempt.by_events).map(|attempt| attempt.at).max() else { return };
    let Some(copy) = &evidence.copy else {
        report.notes.push("hiring has no copy any more, so what should have been in it is not judged".to_owned());
        return;
    };
    let mut due: BTreeMap<&str, i64> = BTreeMap::new();
    let changes = evidence.changes.iter().map(|change| (change.exercise.as_str(), change.version, change.at));
    let records = evidence.topic.iter().chain(&evidence.notices).flat_map(|topic| &topic.records);
    let records = records.map(|record| (record.exercise.as_str(), record.version, record.at));
    for (exercise, version, at) in changes.chain(records) {
        if at <= relied {
            let newest = due.entry(exercise).or_insert(version);
            *newest = version.max(*newest);
        }
    }
    for (exercise, version) in due {
        let copied = copy.get(exercise).copied().unwrap_or_default();
        report.find(Wrong::Lost, usize::from(copied < version), || {
            format!("{exercise} was at version {version} while the copy was relied on, and the copy holds version {copied}")
        });
    }
}

/// Every attempt is credited once.
fn credits(evidence: &Evidence, report: &mut Report) {
    let mut credited: HashMap<Uuid, usize> = HashMap::new();
    for credit in &evidence.credits {
        *credited.entry(credit.attempt).or_default() += 1;
    }
    // Why: other traffics have left attempts in the same tables, and the counts are of this one.
    let own: HashSet<Uuid> = evidence.requests.iter().map(|request| request.id).collect();
    report.credits = evidence.credits.iter().filter(|credit| own.contains(&credit.attempt)).count() as u64;
    for attempt in evidence.attempts.iter().filter(|attempt| own.contains(&attempt.request)) {
        report.by_events += u64::from(attempt.by_events);
        report.by_call += u64::from(!attempt.by_events);
    }
    let attempts: BTreeSet<Uuid> = evidence.attempts.iter().map(|attempt| attempt.request).collect();
    for attempt in attempts {
        let count = credited.get(&attempt).copied().unwrap_or_default();
        report.find(Wrong::Duplicated, count.saturating_sub(1), || format!("attempt {attempt} was credited {count} times"));
        if count == 0 && evidence.unsent_bonuses.contains(&attempt) {
            report.pending += 1;
        } else {
            report.find(Wrong::Lost, usize::from(count == 0), || format!("attempt {attempt} was never credited"));
        }
    }
}
