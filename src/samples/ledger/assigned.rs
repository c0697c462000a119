//! The judgement over managers who were assigned: each assignment takes effect once, and those of an attempt in the order in which they
//! were made, whichever way they came. Reads nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::evidence::Evidence;
use super::judge::{Report, Wrong};

/// Judges the link, and counts what belongs to this traffic.
pub(super) fn judge(evidence: &Evidence, report: &mut Report) {
    // Why: other traffics have left assignments in the same tables, and the counts are of this one.
    let own: HashSet<Uuid> = evidence.requests.iter().map(|request| request.id).collect();
    let mut effects: HashMap<&str, Vec<bool>> = HashMap::new();
    for review in &evidence.reviews {
        effects.entry(&review.event).or_default().push(review.by_events);
    }
    let mut made = BTreeMap::new();
    for assignment in &evidence.assignments {
        let name = || format!("assignment {} to {}", assignment.number, assignment.attempt);
        let back = made.insert(assignment.attempt.as_str(), assignment.number).is_some_and(|before| before >= assignment.number);
        report.find(Wrong::OutOfOrder, usize::from(back), || format!("{} was stored after a later one", name()));
        let found = effects.get(assignment.event.as_str()).map(Vec::as_slice).unwrap_or_default();
        if own.contains(&assignment.request) {
            report.assignments += 1;
            report.assigned_by_events += found.iter().filter(|by_events| **by_events).count() as u64;
            report.assigned_by_call += found.iter().filter(|by_events| !**by_events).count() as u64;
        }
        report.find(Wrong::Duplicated, found.len().saturating_sub(1), || format!("{} took effect {} times", name(), found.len()));
        if found.is_empty() && evidence.unsent_events.contains(&assignment.event) {
            report.pending += 1;
        } else {
            report.find(Wrong::Lost, usize::from(found.is_empty()), || format!("{} never took effect", name()));
        }
    }
    let mut seen = HashSet::new();
    let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
    for review in evidence.reviews.iter().filter(|review| seen.insert(review.event.as_str())) {
        let before = newest.entry(&review.attempt).or_insert(0);
        let back = review.number <= *before;
        report.find(Wrong::OutOfOrder, usize::from(back), || {
            format!("assignment {} to {} took effect after assignment {before}", review.number, review.attempt)
        });
        *before = review.number.max(*before);
    }
}
