//! How steps are carried out in the town: each takes its time, and traffic and unfair schedules go on around it.

use std::collections::BTreeMap;

use super::declared::{Release, name_of};
use super::world::{INSTANCES, Instance, Shape, World};
use super::{set, split};
use crate::step::{DrainGoal, Move};

/// How long a wait may last before it counts as one that never ends.
pub(super) const PATIENCE: usize = 3_000;

/// How many happenings come between two looks of a wait that takes its own steps.
const BETWEEN_LOOKS: usize = 20;

/// The play of one plan.
#[derive(Clone)]
pub(super) struct Play<'a> {
    pub(super) world: World<'a>,
    seed: u64,
    /// How many happenings a wait may take.
    pub(super) patience: usize,
    /// Topic to where it ended when the last snapshot was acknowledged.
    snapshots: BTreeMap<String, u64>,
}

impl<'a> Play<'a> {
    pub(super) fn new(world: World<'a>, seed: u64) -> Self {
        Self { world, seed, patience: PATIENCE, snapshots: BTreeMap::new() }
    }

    /// People come and go between two steps.
    pub(super) fn traffic(&mut self) {
        if self.seed.is_multiple_of(4) && self.world.random.once_in(2) {
            self.world.rest();
        }
        for _ in 0..20 + self.world.random.below(40) {
            self.world.tick();
        }
    }

    /// Stalls somebody, or lets everybody go on.
    pub(super) fn unfair(&mut self) {
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
                    let service = self.world.any_service().unwrap_or_default();
                    self.world.stalled.insert(format!("relay {service}"));
                }
                if self.world.random.once_in(4) {
                    self.world.stalled.clear();
                }
            }
        }
        if self.world.random.once_in(3)
            && let Some(service) = self.world.any_service()
        {
            self.world.rebuild(&service);
        }
    }

    fn until(&mut self, done: impl Fn(&World<'_>) -> bool) -> bool {
        for _ in 0..self.patience {
            if done(&self.world) {
                return true;
            }
            self.world.tick();
        }
        false
    }

    /// A step, broken off when half of it is done if it is to be; `false` when it can never end, or fails.
    pub(super) fn step(&mut self, one: &Move, half: bool) -> bool {
        match one {
            Move::Release { service, release } => self.release(service, release, half),
            Move::Stop { service } => {
                while self.world.instances.get_mut(service).is_some_and(|instances| instances.pop().is_some()) {
                    self.some_ticks();
                }
            }
            Move::Flag { flag, to } => self.flag(flag, to, half),
            Move::FlagShare { flag, to } => self.flag(flag, to, true),
            Move::RemoveFlag { flag } => {
                let evaluates = |(service, instances): (&String, &Vec<Instance>)| {
                    let one = |instance: &Instance| (service.clone(), instance.release.clone(), flag.clone());
                    instances.iter().any(|instance| self.world.town.evaluates.contains(&one(instance)))
                };
                // Why: the step is refused then.
                if self.world.instances.iter().any(evaluates) {
                    return false;
                }
                let default = self.world.town.defaults.get(flag).cloned().unwrap_or_default();
                self.flag(flag, &default, half);
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
            Move::CatchUp { group, topic } => return self.catch_up(group, topic),
            Move::AddColumn { column } | Move::RelaxColumn { column } => set(&mut self.world, column, Shape::Nullable),
            Move::RequireColumn { column } => return self.require(column, half),
            Move::Backfill { columns, .. } => return columns.iter().all(|column| self.backfill(column)),
            Move::DropColumn { column } => set(&mut self.world, column, Shape::Absent),
            Move::DropTable { table } => self.drop_table(table),
            Move::Send { .. } | Move::EndLink { .. } => {}
        }
        if !half {
            self.acknowledged(one);
        }
        self.some_ticks();
        true
    }

    /// A flag is set when everybody has said so, and an instance is gone when its requests are over. A share leaves the others as they are.
    fn acknowledged(&mut self, one: &Move) {
        match one {
            Move::Flag { .. } | Move::RemoveFlag { .. } => self.world.acknowledge(),
            Move::Release { service, .. } | Move::Stop { service } => self.world.finish_requests(Some(service)),
            _ => {}
        }
    }

    /// Instances are replaced one by one; half of them when it is broken off.
    fn release(&mut self, service: &str, release: &str, half: bool) {
        let instances = self.world.instances.get(service);
        let view = instances.and_then(|instances| instances.first()).map(|one| one.view.clone()).unwrap_or_default();
        let count = instances.map_or(0, Vec::len).max(INSTANCES);
        for at in 0..if half { count / 2 } else { count } {
            self.some_ticks();
            let instances = self.world.instances.entry(service.to_owned()).or_default();
            match instances.get_mut(at) {
                Some(instance) => release.clone_into(&mut instance.release),
                None => instances.push(Instance { release: release.to_owned(), view: view.clone() }),
            }
        }
    }

    /// Instances hear of the variant one by one, in any order; half of them when it is a share or broken off.
    fn flag(&mut self, flag: &str, to: &str, half: bool) {
        let mut left: Vec<(String, usize)> = Vec::new();
        for (service, instances) in &self.world.instances {
            left.extend((0..instances.len()).map(|at| (service.clone(), at)));
        }
        let until = if half { left.len() / 2 } else { 0 };
        while left.len() > until {
            let (service, at) = left.swap_remove(self.world.random.below(left.len()));
            self.some_ticks();
            if let Some(instance) = self.world.instances.get_mut(&service).and_then(|instances| instances.get_mut(at)) {
                instance.view.insert(flag.to_owned(), to.to_owned());
            }
        }
    }

    fn catch_up(&mut self, group: &str, topic: &str) -> bool {
        let place = (self.world.town.of_group(group), topic.to_owned());
        let goal = self.snapshots.get(topic).copied().unwrap_or_default();
        // Why: a group may be slow, but nobody waits for one that is stopped on purpose.
        self.world.stalled.remove(&format!("group {}", place.0));
        let read = |world: &World<'_>| world.read.get(&place).copied().unwrap_or_default();
        if !self.until(|world| read(world) >= goal) {
            return false;
        }
        // Why: compaction may have taken a record of the snapshot before it was read, in favour of a newer one behind the goal.
        let again = self.world.topics.get(topic).map_or(0, |topic| topic.end);
        // Why: the proof says that it relies on this; without an end to replacing no group is ever known to have read everything.
        self.world.compacts_late.insert(topic.to_owned());
        let reached = self.until(|world| read(world) >= again);
        self.world.compacts_late.remove(topic);
        reached
    }

    /// New rows must have it from the first moment; the old ones are looked through only then, and what they lack takes the rule off again.
    fn require(&mut self, column: &str, half: bool) -> bool {
        let (table, name) = split(column);
        if self.world.shapes.get(&(table.clone(), name.clone())) == Some(&Shape::Absent) {
            return false;
        }
        set(&mut self.world, column, Shape::Required);
        self.some_ticks();
        let empty = self.world.rows.get(&table).is_some_and(|rows| rows.values().any(|row| !row.columns.contains_key(&name)));
        if empty && !half {
            set(&mut self.world, column, Shape::Nullable);
        }
        half || !empty
    }

    fn drop_table(&mut self, table: &str) {
        let of = |release: &Release| {
            let handled =
                release.handles.values().flat_map(|(writes, _)| writes.iter().map(|(of, column, _)| (of.clone(), column.clone())));
            let read = release.reads.iter().map(|(of, column, _, _)| (of.clone(), column.clone()));
            handled.chain(read).collect::<Vec<_>>()
        };
        let columns: Vec<_> = self.world.town.releases.values().flat_map(of).filter(|(of, _)| of == table).collect();
        for place in columns {
            self.world.shapes.insert(place, Shape::Absent);
        }
        self.world.rows.remove(table);
    }

    fn some_ticks(&mut self) {
        for _ in 0..4 + self.world.random.below(16) {
            self.world.tick();
        }
    }

    /// The versions that a name stands for.
    fn labels(&self, event: &str) -> Vec<String> {
        if event.contains('@') {
            return vec![event.to_owned()];
        }
        self.world.town.labels().into_iter().filter(|label| name_of(label) == event).cloned().collect()
    }

    /// Done when no instance could produce it, and all that was on its way has come.
    fn retire(&mut self, event: &str) -> bool {
        let labels = self.labels(event);
        let can = |world: &World<'_>| {
            world.instances.iter().any(|(service, instances)| {
                instances.iter().any(|instance| {
                    let body = world.town.releases.get(&(service.clone(), instance.release.clone()));
                    body.is_some_and(|body| labels.iter().any(|label| world.produces(instance, body, label)))
                })
            })
        };
        if !self.until(|world| !can(world)) {
            return false;
        }
        // Why: a producer may be slow, but nobody waits for one that is stopped on purpose.
        let town = self.world.town;
        for producer in labels.iter().flat_map(|label| town.producers(label)) {
            self.world.stalled.remove(&format!("relay {producer}"));
        }
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
        let wanted = |name: &String| labels.iter().any(|label| name_of(label) == name);
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
        for _ in 0..self.patience / BETWEEN_LOOKS {
            if compacted {
                self.world.compact();
            } else if let Some(log) = self.world.topics.get_mut(&topic) {
                // Why everybody: whoever takes records away takes none that somebody is still to read, whatever event it is of.
                let lies_here = |name: &String| town.events.get(name).is_some_and(|event| event.topic == topic);
                let readers = town.wants.iter().filter(|(_, name)| lies_here(name)).map(|(service, _)| service);
                let read = readers.map(|reader| self.world.read.get(&(reader.clone(), topic.clone())).copied().unwrap_or_default()).min();
                log.log.retain(|(offset, _)| *offset >= read.unwrap_or(u64::MAX));
            }
            let lies =
                self.world.topics.get(&topic).is_some_and(|topic| topic.log.iter().any(|(_, record)| labels.contains(&record.label)));
            if !lies {
                return true;
            }
            for _ in 0..BETWEEN_LOOKS {
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
