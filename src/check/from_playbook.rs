//! From a playbook to a book: the moves that each step says itself, and which steps the playbook names as its line.

use super::book::{Book, BookStep};
use crate::playbook::Playbook;
use crate::step::Risk;

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
        steps.push(BookStep { id: step.id.clone(), moves, line, beside: false, place });
    }
    Book { start: playbook.start.clone(), today: None, accept: playbook.accept.clone(), steps }
}
