//! From a playbook to a book: the moves that each step says itself, which steps the playbook names as its line, and the groups that steps
//! and guards name.

use super::book::{Book, BookStep, NamedGroup};
use crate::playbook::{Playbook, PlaybookStep};
use crate::step::{Resource, Risk};

/// The book of a playbook. A step names itself the line when it carries `approval:`, comes right behind an `approval` step, or is of a
/// kind that cannot be taken back.
#[must_use]
pub fn book_of(playbook: &Playbook) -> Book {
    let mut steps: Vec<BookStep> = Vec::new();
    let mut approved = false;
    for step in &playbook.steps {
        let moves = step.step.moves();
        let line = step.options.approval.is_some() || approved || step.kind.risk == Risk::PointOfNoReturn;
        approved = step.kind.name == "approval" || (approved && moves.is_empty());
        let place = (step.place.line, step.place.column);
        steps.push(BookStep {
            id: step.id.clone(),
            moves,
            line,
            beside: step.beside,
            place,
            groups: groups_of(step),
            ..BookStep::default()
        });
    }
    Book { start: playbook.start.clone(), today: None, accept: playbook.accept.clone(), steps }
}

/// The groups that a step or one of its guards touches.
fn groups_of(step: &PlaybookStep) -> Vec<NamedGroup> {
    let touched = std::iter::once(step.step.resources()).chain(step.guards.iter().map(|guard| guard.guard.resources()));
    let named = touched.flat_map(|claims| {
        let names = |of: fn(&Resource) -> Option<&str>| claims.iter().filter_map(|claim| of(&claim.resource)).map(str::to_owned).collect();
        let (groups, topics): (Vec<String>, Vec<String>) = (names(Resource::as_group), names(Resource::as_topic));
        // Why: of several topics nobody knows which one the group reads.
        let topic = if let [one] = topics.as_slice() { Some(one.clone()) } else { None };
        groups.into_iter().map(move |group| NamedGroup { group, topic: topic.clone() })
    });
    named.collect()
}
