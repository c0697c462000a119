//! A town of services in memory: it runs steps over instances, tables and topics under traffic with unfair schedules, and counts what is
//! lost. It is what the whole-plan proof is held against, and shares the declarations with the proof and no thought of its own about them:
//! no rule, no fact, no closure.

mod declared;
mod invent;
mod judge;
mod play;
mod random;
mod replay;
mod world;

use std::collections::BTreeMap;

use crate::check::{Book, BookStep};
use crate::services::{ColumnStart, Services};
use crate::step::Move;

pub use invent::{Invented, invent};
pub use judge::{Judged, Lost, Story, Tally, judge};
pub use random::Random;
pub use replay::{replay, tells_a_state};

use self::declared::Town;
use self::play::Play;
use self::world::{Shape, World};

/// Runs a book under the schedule of a seed; what was lost, and how often. `ideal` says what people need, whatever a release can do; it
/// is `services` itself unless those have a slip in them.
#[must_use]
pub fn run(services: &Services, ideal: &Services, book: &Book, seed: u64) -> BTreeMap<String, usize> {
    run_moves(services, ideal, book, &in_some_order(book, seed), None, seed)
}

/// The moves of a book, with the steps of each block in an order that the seed draws.
fn in_some_order(book: &Book, seed: u64) -> Vec<Move> {
    let mut random = Random::new(seed);
    let mut ordered: Vec<&BookStep> = Vec::new();
    let mut block = 0;
    for step in &book.steps {
        if !step.beside {
            block = ordered.len();
        }
        let at = block + random.below(ordered.len() + 1 - block);
        ordered.insert(at, step);
    }
    ordered.into_iter().flat_map(|step| step.moves.clone()).collect()
}

/// As [`run`], with other moves over the world in which a book begins; the one at `half` is broken off when it is half done.
#[must_use]
pub fn run_moves(
    services: &Services,
    ideal: &Services,
    book: &Book,
    moves: &[Move],
    half: Option<usize>,
    seed: u64,
) -> BTreeMap<String, usize> {
    let town = Town::new(services, ideal, book);
    let mut world = World::new(&town, &book.start.flags, seed);
    begin(&mut world, book);
    let mut play = Play::new(world, seed);
    for (at, one) in moves.iter().enumerate() {
        play.traffic();
        play.unfair();
        if !play.step(one, half == Some(at)) {
            play.world.lose(format!("{one} never ends"));
        }
        if !play.world.lost.is_empty() {
            break;
        }
    }
    play.traffic();
    play.world.finish();
    play.world.lost
}

/// What is there before the first step: everything that no step brings before it takes it away.
fn begin(world: &mut World<'_>, book: &Book) {
    let moves: Vec<&Move> = book.steps.iter().flat_map(|step| &step.moves).collect();
    let topics: Vec<String> = world.town.events.values().map(|event| event.topic.clone()).collect();
    for name in topics {
        let first = moves.iter().find(|one| matches!(one, Move::CreateTopic { topic, .. } | Move::DeleteTopic { topic } if *topic == name));
        let there = !matches!(first, Some(Move::CreateTopic { .. })) && !book.start.missing.contains(&name);
        world.topics.entry(name).or_default().there = there;
    }
    let labels: Vec<String> = world.town.labels().into_iter().cloned().collect();
    for label in labels {
        let first = moves
            .iter()
            .find(|one| matches!(one, Move::RegisterSchema { event, .. } | Move::DeleteSchema { event, .. } if *event == label));
        if !matches!(first, Some(Move::RegisterSchema { .. })) && !book.start.missing.contains(&label) {
            world.schemas.insert(label);
        }
    }
    for one in moves.iter().rev() {
        match one {
            Move::AddColumn { column } => set(world, column, Shape::Absent),
            Move::RelaxColumn { column } => set(world, column, Shape::Required),
            Move::DropColumn { column } | Move::RequireColumn { column } => set(world, column, Shape::Nullable),
            _ => {}
        }
    }
    // Why after them: a step that needs a column before another one adds it is a mistake in the order, not a column that is there.
    let comes_or_goes = |one: &&&Move| matches!(one, Move::AddColumn { .. } | Move::DropColumn { .. });
    for one in moves.iter().rev().filter(comes_or_goes) {
        if let Move::AddColumn { column } = one {
            set(world, column, Shape::Absent);
        }
    }
    for (column, start) in &book.start.columns {
        let shape = match start {
            ColumnStart::Absent => Shape::Absent,
            ColumnStart::Required => Shape::Required,
            ColumnStart::Nullable | ColumnStart::Filled => Shape::Nullable,
        };
        set(world, column, shape);
    }
    world.settle_down();
    world.lost.clear();
}

fn set(world: &mut World<'_>, column: &str, shape: Shape) {
    let (table, column) = split(column);
    world.shapes.insert((table, column), shape);
}

/// `service.table.column~meaning` as table and column.
fn split(column: &str) -> (String, String) {
    let name = column.split('~').next().unwrap_or(column);
    let (table, column) = name.rsplit_once('.').unwrap_or(("", name));
    (table.to_owned(), column.to_owned())
}
