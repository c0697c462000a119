//! From a playbook to a book: the moves that each step says itself, and what a step takes from an earlier one that it names.

use super::book::{Book, BookStep};
use super::moves_of_bodies;
use crate::playbook::{Playbook, PlaybookStep};
use crate::step::{Move, Risk};

/// The book of a playbook. A step names itself the line when it carries `approval:`, comes right behind an `approval` step, or is of a
/// kind that cannot be taken back.
#[must_use]
pub fn book_of(playbook: &Playbook) -> Book {
    let mut steps: Vec<BookStep> = Vec::new();
    let mut approved = false;
    for step in &playbook.steps {
        let mut moves = step.step.moves();
        if moves.is_empty() {
            moves = moves_of_bodies::moves(step.kind.name, &step.step.body());
        }
        for one in &mut moves {
            complete(one, step, &steps);
        }
        let line = step.options.approval.is_some() || approved || step.kind.risk == Risk::PointOfNoReturn;
        approved = step.kind.name == "approval" || (approved && moves.is_empty());
        let place = (step.place.line, step.place.column);
        steps.push(BookStep { id: step.id.clone(), moves, line, beside: false, place });
    }
    Book { start: playbook.start.clone(), steps }
}

/// Fills in what stands in the step that a step names: a snapshot's event in the step that registers its schema, a catch-up's topic in
/// the step that publishes the snapshot.
fn complete(one: &mut Move, step: &PlaybookStep, before: &[BookStep]) {
    let named = || step.refers.iter().filter_map(|id| before.iter().find(|step| step.id == *id)).flat_map(|step| &step.moves);
    match one {
        Move::Snapshot { event, topic, .. } if event.is_none() => {
            *event = named().find_map(|other| match other {
                Move::RegisterSchema { event, .. } if !event.starts_with('@') => Some(event.clone()),
                Move::RegisterSchema { event, topic: Some(of), .. } if of == topic => Some(event.clone()),
                _ => None,
            });
        }
        Move::CatchUp { topic, .. } if topic.is_empty() => {
            if let Some(found) = named().find_map(|other| if let Move::Snapshot { topic, .. } = other { Some(topic.clone()) } else { None })
            {
                *topic = found;
            }
        }
        _ => {}
    }
}
