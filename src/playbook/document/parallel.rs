//! A `parallel` block: a few steps that are under way together. None of them may name another one of the block, and no two may touch the
//! same thing unless both only read it: which of them comes first is not said.

use super::super::codes;
use super::super::diagnostic::Diagnostic;
use super::super::tree::{Node, Place, Value};
use super::read::Reading;
use super::{PlaybookStep, step};
use crate::step::Mode;

/// The key.
pub(super) const KEY: &str = "parallel";

/// The fewest and the most steps of a block.
const WIDTH: std::ops::RangeInclusive<usize> = 2..=4;

/// Reads what stands at one place of the list of steps: a step, or a block of them.
pub(super) fn read(node: &Node, reading: &mut Reading<'_>) -> Vec<PlaybookStep> {
    let Some(entry) = node.get(KEY) else { return step::read(node, reading).into_iter().collect() };
    let place = entry.key.place;
    for other in node.as_map().unwrap_or_default().iter().filter(|other| other.key.text != KEY) {
        let message = format!("`{}` cannot stand beside `{KEY}`", other.key.text);
        let help = "a block has no keys of its own; put them into its steps";
        reading.out.push(Diagnostic::new(codes::UNKNOWN_KEY, reading.file, other.key.place, message).help(help));
    }
    let Value::Seq(nodes) = &entry.value.value else {
        let message = format!("`{KEY}` must be a list of steps, not {}", entry.value.value.words());
        let help = "begin every step with `- id: …`, below the key";
        reading.out.push(Diagnostic::new(codes::WRONG_TYPE, reading.file, entry.value.place, message).help(help));
        return Vec::new();
    };
    if !WIDTH.contains(&nodes.len()) {
        let message = format!("a `{KEY}` block has {} to {} steps, and this one has {}", WIDTH.start(), WIDTH.end(), nodes.len());
        let help = match nodes.len() {
            0 | 1 => "without the block the steps follow one another; take the key away",
            _ => "split the block: each block begins when the one above it is done",
        };
        reading.out.push(Diagnostic::new(codes::OUT_OF_RANGE, reading.file, place, message).help(help));
    }
    let steps = side_by_side(nodes, reading);
    report_shared(&steps, reading);
    steps
}

/// Reads the steps of a block, each without a sight of the others.
fn side_by_side(nodes: &[Node], reading: &mut Reading<'_>) -> Vec<PlaybookStep> {
    let (mut steps, mut hidden) = (Vec::new(), Vec::new());
    let above = reading.above.len();
    for node in nodes {
        if let Some(inner) = node.get(KEY) {
            let message = format!("a `{KEY}` block inside another one");
            let help = "put its steps into the outer block, or behind it";
            reading.out.push(Diagnostic::new(codes::NOT_ONE_KIND, reading.file, inner.key.place, message).help(help));
            continue;
        }
        if let Some(mut step) = step::read(node, reading) {
            step.beside = !steps.is_empty();
            steps.push(step);
        }
        hidden.extend(reading.above.drain(above..));
        reading.beside = hidden.iter().map(|(id, ..)| id.clone()).collect();
    }
    reading.above.extend(hidden);
    reading.beside.clear();
    steps
}

/// Reports what two steps of a block touch, when one of them changes it.
fn report_shared(steps: &[PlaybookStep], reading: &mut Reading<'_>) {
    for (at, step) in steps.iter().enumerate() {
        let claims = step.resources();
        for before in steps.iter().take(at) {
            let theirs = before.resources();
            let shared = claims.iter().find(|claim| {
                let meets = |other: &&crate::step::Claim| {
                    other.resource == claim.resource && (other.mode == Mode::Write || claim.mode == Mode::Write)
                };
                theirs.iter().find(meets).is_some()
            });
            if let Some(shared) = shared {
                report(&before.id, step, &shared.resource.to_string(), step.place, reading);
            }
        }
    }
}

fn report(before: &str, step: &PlaybookStep, resource: &str, place: Place, reading: &mut Reading<'_>) {
    let message = format!("steps `{before}` and `{}` of a `{KEY}` block both touch {resource}", step.id);
    let help = "one of them changes it, and which comes first is not said; put one behind the block";
    reading.out.push(Diagnostic::new(codes::SHARED, reading.file, place, message).help(help));
}
