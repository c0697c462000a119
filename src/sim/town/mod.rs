//! A town of services in memory: it runs steps over instances, tables and topics under traffic with unfair schedules, and counts what is
//! lost. It is what the whole-plan proof is held against, and shares the declarations with the proof and no thought of its own about them: no rule, no fact, no closure.

mod declared;
mod effects;
mod invent;
mod judge;
mod random;
mod world;

use std::collections::BTreeMap;

use crate::check::Book;
use crate::services::{ColumnStart, Services};
use crate::step::{DrainGoal, Move};

pub use invent::{Invented, invent};
pub use judge::{Judged, Lost, Tally, judge};
pub use random::Random;

use self::declared::{Town, holds};
use self::world::{Instance, Shape, World};

/// How long a wait may last before it counts as one that never ends.
const PATIENCE: usize = 3_000;

/// Runs a book under the schedule of a seed; what was lost, and how often. `ideal` says what people need, whatever a release can do; it
/// is `services` itself unless those have a slip in them.
#[must_use]
pub fn run(services: &Services, ideal: &Services, book: &Book, seed: u64) -> BTreeMap<String, usize> {
    let moves: Vec<Move> = book.steps.iter().flat_map(|step| step.moves.clone()).collect();
    run_moves(services, ideal, book, &moves, None, seed)
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
    let mut play = Play { world, half: false, seed, snapshots: BTreeMap::new() };
    for (at, one) in moves.iter().enumerate() {
        play.traffic();
        play.unfair();
        play.half = half == Some(at);
        if !play.step(one) {
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
    let labels: Vec<String> = world
        .town
        .releases
        .values()
        .flat_map(|body| body.handles.keys().cloned().chain(body.produces.iter().map(|(label, _)| label.clone())).collect::<Vec<_>>())
        .collect();
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

struct Play<'a> {
    world: World<'a>,
    /// Whether the step is broken off in the middle.
    half: bool,
    seed: u64,
    /// Topic to where it ended when the last snapshot was acknowledged.
    snapshots: BTreeMap<String, u64>,
}

impl Play<'_> {
    fn traffic(&mut self) {
        if self.seed.is_multiple_of(4) && self.world.random.once_in(2) {
            self.world.rest();
        }
        for _ in 0..20 + self.world.random.below(40) {
            self.world.tick();
        }
    }

    /// Stalls somebody, or lets everybody go on.
    fn unfair(&mut self) {
        let services: Vec<String> = self.world.instances.keys().cloned().collect();
        match self.seed % 4 {
            0 => {}
            1 => {
                self.world.stalled.clear();
                for service in &services {
                    if self.world.random.once_in(3) {
                        self.world.stalled.insert(format!("relay {service}"));
                    }
                    if self.world.random.once_in(4) {
                        self.world.stalled.insert(format!("group {service}"));
                    }
                }
            }
            // Why: one producer that sends nothing until somebody makes sure of it is the worst that a buffer can do.
            2 => {
                for service in services {
                    if self.world.random.once_in(3) {
                        self.world.stalled.insert(format!("group {service}"));
                    }
                    self.world.stalled.insert(format!("relay {service}"));
                }
            }
            _ => {
                if self.world.random.once_in(2) {
                    let at = self.world.random.below(services.len());
                    self.world.stalled.insert(format!("relay {}", services[at]));
                }
                if self.world.random.once_in(4) {
                    self.world.stalled.clear();
                }
            }
        }
        if self.world.random.once_in(3) {
            let services: Vec<String> = self.world.instances.keys().cloned().collect();
            let at = self.world.random.below(services.len());
            self.world.rebuild(&services[at]);
        }
    }

    fn until(&mut self, done: impl Fn(&World<'_>) -> bool) -> bool {
        for _ in 0..PATIENCE {
            if done(&self.world) {
                return true;
            }
            self.world.tick();
        }
        false
    }

    /// A step; `false` when it can never end, or fails.
    fn step(&mut self, one: &Move) -> bool {
        match one {
            Move::Release { service, release } => {
                let flags = self.world.instances.get(service).and_then(|instances| instances.first()).map(|one| one.view.clone());
                let count = self.world.instances.get(service).map_or(0, Vec::len).max(3);
                for at in 0..if self.half { count / 2 } else { count } {
                    self.some_ticks();
                    let fresh = Instance { release: release.clone(), view: flags.clone().unwrap_or_default() };
                    let instances = self.world.instances.entry(service.clone()).or_default();
                    match instances.get_mut(at) {
                        Some(instance) => instance.release.clone_from(release),
                        None => instances.push(fresh),
                    }
                }
            }
            Move::Stop { service } => {
                while self.world.instances.get_mut(service).is_some_and(|instances| instances.pop().is_some()) {
                    self.some_ticks();
                }
            }
            Move::Flag { flag, to } | Move::FlagShare { flag, to } => {
                let mut left: Vec<(String, usize)> = Vec::new();
                for (service, instances) in &self.world.instances {
                    left.extend((0..instances.len()).map(|at| (service.clone(), at)));
                }
                let whole = left.len();
                let part = self.half || matches!(one, Move::FlagShare { .. });
                while left.len() > if part { whole / 2 } else { 0 } {
                    let (service, at) = left.swap_remove(self.world.random.below(left.len()));
                    self.some_ticks();
                    if let Some(instance) = self.world.instances.get_mut(&service).and_then(|instances| instances.get_mut(at)) {
                        instance.view.insert(flag.clone(), to.clone());
                    }
                }
            }
            Move::CreateTopic { topic, .. } => {
                let topic = self.world.topics.entry(topic.clone()).or_default();
                (topic.there, topic.deleted) = (true, false);
            }
            Move::DeleteTopic { topic } => {
                let topic = self.world.topics.entry(topic.clone()).or_default();
                (topic.there, topic.deleted) = (false, true);
                topic.log.clear();
            }
            Move::RegisterSchema { event, .. } => {
                self.world.schemas.insert(event.clone());
            }
            Move::DeleteSchema { event, .. } => {
                self.world.schemas.remove(event);
            }
            Move::Retire { event } => return self.retire(event),
            Move::Drain { topic, event, groups, goal } => return self.drain(topic, event.as_deref(), groups, *goal),
            Move::Snapshot { table, topic, event } => return self.snapshot(table, topic, event.as_deref().unwrap_or_default()),
            Move::CatchUp { group, topic } => {
                let goal = self.snapshots.get(topic).copied().unwrap_or_default();
                self.world.stalled.clear();
                let group = self.world.town.of_group(group);
                let read = |world: &World<'_>| world.read.get(&(group.clone(), topic.clone())).copied().unwrap_or_default();
                if !self.until(|world| read(world) >= goal) {
                    return false;
                }
                // Why: compaction may have taken a record of the snapshot before it was read, in favour of a newer one behind the goal.
                let again = self.world.topics.get(topic).map_or(0, |topic| topic.end);
                // Why: the proof says that it relies on this; without an end to replacing no group is ever known to have read everything.
                self.world.compacts_late.insert(topic.clone());
                let reached = self.until(|world| read(world) >= again);
                self.world.compacts_late.remove(topic);
                return reached;
            }
            Move::AddColumn { column } | Move::RelaxColumn { column } => set(&mut self.world, column, Shape::Nullable),
            Move::RequireColumn { column } => {
                let (table, name) = split(column);
                let empty = self.world.rows.get(&table).is_some_and(|rows| rows.values().any(|row| !row.columns.contains_key(&name)));
                let absent = self.world.shapes.get(&(table, name)) == Some(&Shape::Absent);
                if empty || absent {
                    return false;
                }
                set(&mut self.world, column, Shape::Required);
            }
            Move::Backfill { columns, .. } => return columns.iter().all(|column| self.backfill(column)),
            Move::DropColumn { column } => {
                set(&mut self.world, column, Shape::Absent);
            }
            Move::DropTable { table } => {
                let releases = self.world.town.releases.values();
                let of = |release: &declared::Release| {
                    let handled =
                        release.handles.values().flat_map(|(writes, _)| writes.iter().map(|(of, column, _)| (of.clone(), column.clone())));
                    let read = release.reads.iter().map(|(of, column, _, _)| (of.clone(), column.clone()));
                    handled.chain(read).collect::<Vec<_>>()
                };
                let columns: Vec<_> = releases.flat_map(of).filter(|(of, _)| of == table).collect();
                for place in columns {
                    self.world.shapes.insert(place, Shape::Absent);
                }
                self.world.rows.remove(table);
            }
            Move::Send { .. } | Move::EndLink { .. } => {}
        }
        self.acknowledged(one);
        self.some_ticks();
        true
    }

    /// A flag is set when everybody has said so, and an instance is gone when its requests are over. A share leaves the others as they are.
    fn acknowledged(&mut self, one: &Move) {
        match one {
            _ if self.half => {}
            Move::Flag { .. } => self.world.acknowledge(),
            Move::Release { service, .. } | Move::Stop { service } => self.world.finish_requests(Some(service)),
            _ => {}
        }
    }

    fn some_ticks(&mut self) {
        for _ in 0..4 + self.world.random.below(16) {
            self.world.tick();
        }
    }

    fn labels(&self, event: &str) -> Vec<String> {
        if event.contains('@') {
            return vec![event.to_owned()];
        }
        let mut labels: Vec<String> = self
            .world
            .town
            .releases
            .values()
            .flat_map(|body| body.handles.keys().cloned().chain(body.produces.iter().map(|(label, _)| label.clone())).collect::<Vec<_>>())
            .collect();
        labels.retain(|label| label.split('@').next() == Some(event));
        labels.sort();
        labels.dedup();
        labels
    }

    /// Done when no instance could produce it, and all that was on its way has come.
    fn retire(&mut self, event: &str) -> bool {
        let labels = self.labels(event);
        let can = |world: &World<'_>| {
            world.instances.iter().any(|(service, instances)| {
                instances.iter().any(|instance| {
                    let body = world.town.releases.get(&(service.clone(), instance.release.clone()));
                    let mut produces = body.into_iter().flat_map(|body| &body.produces);
                    produces.any(|(label, when)| labels.contains(label) && holds(when.as_ref(), &instance.view))
                })
            })
        };
        if !self.until(|world| !can(world)) {
            return false;
        }
        self.world.stalled.clear();
        self.until(|world| !world.outbox.values().flatten().any(|record| labels.contains(&record.label)))
    }

    /// Done when the groups have read every record of these events that lies in the topic now.
    fn drain(&mut self, topic: &str, event: Option<&str>, groups: &[String], goal: DrainGoal) -> bool {
        let town = self.world.town;
        let labels = match event {
            Some(event) => self.labels(event),
            None => town.events.iter().filter(|(_, event)| event.topic == topic).flat_map(|(name, _)| self.labels(name)).collect(),
        };
        let Some(topic) = labels.first().and_then(|label| town.event(label)).map(|event| event.topic.clone()) else {
            return true;
        };
        let end = self.world.topics.get(&topic).map_or(0, |topic| topic.end);
        let wanted = |name: &String| labels.iter().any(|label| label.split('@').next() == Some(name));
        let mut services: Vec<String> = town.wants.iter().filter(|(_, name)| wanted(name)).map(|(service, _)| service.clone()).collect();
        services.dedup();
        let asked: Vec<String> = groups.iter().map(|group| town.of_group(group)).collect();
        let groups: Vec<String> = services.into_iter().filter(|service| asked.is_empty() || asked.contains(service)).collect();
        // Why: a group may be slow, but nobody waits for one that is stopped on purpose.
        self.world.stalled.retain(|who| !who.starts_with("group"));
        let read = |world: &World<'_>| {
            groups.iter().all(|group| {
                let position = world.read.get(&(group.clone(), topic.clone())).copied().unwrap_or_default();
                let log = world.topics.get(&topic).map(|topic| topic.log.as_slice()).unwrap_or_default();
                !log.iter().any(|(offset, record)| *offset < end && *offset >= position && labels.contains(&record.label))
            })
        };
        if !self.until(read) {
            return false;
        }
        if goal == DrainGoal::Consumed {
            return true;
        }
        let compacted = self.world.town.compacted.contains(&topic);
        for _ in 0..PATIENCE / 20 {
            if compacted {
                self.world.compact();
            } else if let Some(log) = self.world.topics.get_mut(&topic) {
                let read =
                    groups.iter().map(|group| self.world.read.get(&(group.clone(), topic.clone())).copied().unwrap_or_default()).min();
                log.log.retain(|(offset, _)| *offset >= read.unwrap_or(u64::MAX));
            }
            let lies =
                self.world.topics.get(&topic).is_some_and(|topic| topic.log.iter().any(|(_, record)| labels.contains(&record.label)));
            if !lies {
                return true;
            }
            for _ in 0..20 {
                self.world.tick();
            }
        }
        false
    }

    /// Every row is published; done when all are acknowledged and none that is older than another stays the last of its key.
    fn snapshot(&mut self, table: &str, topic: &str, label: &str) -> bool {
        let links: Vec<_> = self.world.town.links.values().filter(|link| link.state == table && link.event.is_some()).cloned().collect();
        if links.iter().any(|link| !link.seq) {
            self.world.lose(format!("a snapshot of {table} cannot be told from changes"));
        }
        let keys: Vec<usize> = self.world.rows.get(table).map(|rows| rows.keys().copied().collect()).unwrap_or_default();
        for key in keys {
            if self.world.random.once_in(2) {
                self.world.tick();
            }
            let Some(row) = self.world.rows.get(table).and_then(|rows| rows.get(&key)).cloned() else { continue };
            if let Some(record) = self.world.published(label, key, &row) {
                self.world.append(record, "the snapshot");
            }
        }
        // Why: what a producer had taken on before may still arrive behind the snapshot and would then be the last of its key.
        let owner = table.split('.').next().unwrap_or_default().to_owned();
        while self.world.outbox.get(&owner).is_some_and(|records| !records.is_empty()) {
            self.world.relay(Some(&owner));
        }
        let log = self.world.topics.get(topic).map(|topic| topic.log.clone()).unwrap_or_default();
        let mut last: BTreeMap<usize, u64> = BTreeMap::new();
        for (_, record) in log.iter().filter(|(_, record)| record.action.is_none()) {
            last.insert(record.key, record.seq);
        }
        for (key, row) in self.world.rows.get(table).cloned().unwrap_or_default() {
            if last.get(&key).is_some_and(|seq| *seq < row.seq)
                && let Some(record) = self.world.published(label, key, &row)
            {
                self.world.append(record, "the snapshot");
            }
        }
        let end = self.world.topics.get(topic).map_or(0, |topic| topic.end);
        self.snapshots.insert(topic.to_owned(), end);
        true
    }

    fn backfill(&mut self, column: &str) -> bool {
        let (table, name) = split(column);
        if self.world.shapes.get(&(table.clone(), name.clone())) == Some(&Shape::Absent) {
            return false;
        }
        let meaning = column.split_once('~').map(|(_, meaning)| meaning.to_owned());
        for row in self.world.rows.get_mut(&table).into_iter().flat_map(BTreeMap::values_mut) {
            match &meaning {
                Some(meaning) => {
                    row.columns.insert(name.clone(), meaning.clone());
                }
                None => {
                    row.columns.entry(name.clone()).or_default();
                }
            }
        }
        true
    }
}
