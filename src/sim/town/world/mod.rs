//! Instances, tables, topics and what people do, one small happening at a time. Every loss is written down with its reason. Who does what
//! is in a file each; here is what there is, and how time passes.

mod callers;
mod consumers;
mod effects;
mod producers;
mod tables;
mod topics;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use self::effects::Effect;
use super::declared::{Link, Release, Town, View, way};
use super::random::Random;
use crate::services::Way;

/// Entities that traffic never touches.
const QUIET: usize = 3;
/// Entities in all at the start.
const ENTITIES: usize = 7;

/// Instances of a service.
pub(super) const INSTANCES: usize = 3;
/// Happenings in the time before the first step: enough for everything to be sent and read.
const LONG_AGO: usize = 400;
/// How often everybody goes on to the end in a few days, and how many records a service reads each time.
const DAYS: usize = 8;
const READ_A_DAY: usize = 40;
/// How often a few days pass, and how often tables are read, until a play is over.
const LAST_DAYS: usize = 4;
const LAST_LOOKS: usize = 20;

#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) release: String,
    pub(super) view: View,
}

/// A value: what it means. Its content does not matter.
type Value = String;

#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) columns: BTreeMap<String, Value>,
    pub(super) seq: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Absent,
    Nullable,
    Required,
}

#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) label: String,
    pub(super) key: usize,
    pub(super) seq: u64,
    pub(super) fields: BTreeMap<String, Value>,
    /// The number of the action, for events that cause something.
    pub(super) action: Option<u64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Topic {
    pub(super) there: bool,
    pub(super) deleted: bool,
    /// Offset and record.
    pub(super) log: Vec<(u64, Record)>,
    pub(super) end: u64,
}

/// An instance that does something now.
struct Somebody<'a> {
    instance: Instance,
    /// What its release declares.
    body: &'a Release,
    /// Service and release, for people.
    who: String,
}

#[expect(clippy::struct_excessive_bools, reason = "each is one unfairness of the schedule, and they are independent")]
#[derive(Clone)]
pub(super) struct World<'a> {
    pub(super) town: &'a Town,
    pub(super) random: Random,
    pub(super) instances: BTreeMap<String, Vec<Instance>>,
    pub(super) rows: BTreeMap<String, BTreeMap<usize, Row>>,
    pub(super) shapes: BTreeMap<(String, String), Shape>,
    pub(super) topics: BTreeMap<String, Topic>,
    pub(super) schemas: BTreeSet<String>,
    pub(super) outbox: BTreeMap<String, VecDeque<Record>>,
    pub(super) read: BTreeMap<(String, String), u64>,
    pub(super) stalled: BTreeSet<String>,
    /// Compacted topics on which nothing is replaced before it was there for a while.
    pub(super) compacts_late: BTreeSet<String>,
    /// What was lost, and why.
    pub(super) lost: BTreeMap<String, usize>,
    /// Action to how often it took effect.
    pub(super) effects: BTreeMap<u64, usize>,
    pub(super) held: Vec<Effect>,
    /// Calls that are still being tried, each made by a request that is not over.
    pub(super) calls: VecDeque<Effect>,
    /// Link and key to the last action that took effect there.
    pub(super) last: BTreeMap<(String, usize), u64>,
    /// Table and key to the change that was there days ago already.
    old: BTreeMap<(String, usize), u64>,
    next_action: u64,
    next_entity: usize,
    /// Whether people only add entities and change none that is there.
    pub(super) only_new: bool,
    /// Whether a copy ignores a record of the same sequence number as its row.
    strict: bool,
    /// Whether compaction comes only when somebody waits for it.
    lazy: bool,
    /// Whether a call that is still being tried comes through only when somebody waits for it.
    stubborn: bool,
}

impl<'a> World<'a> {
    pub(super) fn new(town: &'a Town, flags: &View, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let strict = random.once_in(2);
        let several = |release: &String| vec![Instance { release: release.clone(), view: flags.clone() }; INSTANCES];
        Self {
            town,
            random,
            instances: town.first.iter().map(|(service, release)| (service.clone(), several(release))).collect(),
            rows: BTreeMap::new(),
            shapes: BTreeMap::new(),
            topics: BTreeMap::new(),
            schemas: BTreeSet::new(),
            outbox: BTreeMap::new(),
            read: BTreeMap::new(),
            stalled: BTreeSet::new(),
            compacts_late: BTreeSet::new(),
            lost: BTreeMap::new(),
            effects: BTreeMap::new(),
            held: Vec::new(),
            calls: VecDeque::new(),
            last: BTreeMap::new(),
            old: BTreeMap::new(),
            next_action: 0,
            next_entity: ENTITIES,
            only_new: false,
            strict,
            lazy: seed % 3 == 1,
            stubborn: seed % 3 == 2,
        }
    }

    pub(super) fn lose(&mut self, why: String) {
        *self.lost.entry(why).or_default() += 1;
    }

    /// The name of some service.
    pub(super) fn any_service(&mut self) -> Option<String> {
        let at = self.random.below(self.instances.len());
        self.instances.keys().nth(at).cloned()
    }

    /// Some instance of the service.
    fn somebody(&mut self, service: &str) -> Option<Somebody<'a>> {
        let instances = self.instances.get(service)?;
        let at = self.random.below(instances.len());
        let instance = instances.get(at)?.clone();
        let body = self.town.releases.get(&(service.to_owned(), instance.release.clone()))?;
        let who = format!("{service} {}", instance.release);
        Some(Somebody { instance, body, who })
    }

    fn entity(&mut self) -> usize {
        QUIET + self.random.below(self.next_entity - QUIET)
    }

    /// The rows that are there before anything begins: written, and published if somebody publishes, long ago.
    pub(super) fn settle_down(&mut self) {
        for (table, service) in self.written_tables() {
            for key in 0..ENTITIES {
                self.write(&service, &table, key, None);
            }
        }
        self.rows_of_nobody();
        for _ in 0..LONG_AGO {
            self.relay(None);
            self.consume(None);
        }
        self.forget();
        self.grow_old();
    }

    fn grow_old(&mut self) {
        self.old = self.rows.iter().flat_map(|(table, rows)| rows.iter().map(|(key, row)| ((table.clone(), *key), row.seq))).collect();
    }

    /// Whether the truth was already another one days ago than who has come to `have` knows. Whoever is asked for what has long been there
    /// cannot say that it will come.
    pub(super) fn is_old(&self, table: &str, key: usize, have: Option<u64>) -> bool {
        self.old.get(&(table.to_owned(), key)).is_some_and(|seq| have.is_none_or(|have| have < *seq))
    }

    /// Of a copy on which nobody relies yet, some rows were never filled, for they are older than the events.
    fn forget(&mut self) {
        let unused: Vec<_> = self.town.links.iter().filter(|(name, link)| !link.effect && !self.relies(name, link)).collect();
        for (_, link) in unused {
            if self.random.once_in(2) {
                let rows = self.rows.entry(link.copy.clone()).or_default();
                rows.retain(|key, _| *key >= QUIET);
            }
        }
    }

    /// Whether an instance of the reader uses its copy now.
    fn relies(&self, name: &str, link: &Link) -> bool {
        let reader = link.copy.split('.').next().unwrap_or_default();
        self.instances.get(reader).into_iter().flatten().any(|instance| {
            let body = self.town.releases.get(&(reader.to_owned(), instance.release.clone()));
            body.is_some_and(|body| way(body.uses.get(name), &instance.view) == Some(Way::Copy))
        })
    }

    /// What a service keeps is there, also when no release says that it writes it; and so is a copy of it that is relied on already.
    fn rows_of_nobody(&mut self) {
        for (name, link) in self.town.links.iter().filter(|(_, link)| !link.effect) {
            let rows = || (0..ENTITIES).map(|key| (key, Row { seq: 1, ..Row::default() }));
            if self.town.releases.values().any(|body| body.writes.contains_key(&link.state)) {
                continue;
            }
            self.rows.entry(link.state.clone()).or_default().extend(rows());
            if self.relies(name, link) {
                self.rows.entry(link.copy.clone()).or_default().extend(rows());
            }
        }
    }

    /// One small happening.
    pub(super) fn tick(&mut self) {
        match self.random.below(12) {
            0 | 1 => self.change(),
            2..=4 => self.relay(None),
            5..=7 => self.consume(None),
            8 | 9 => self.need(),
            10 => self.read_tables(),
            _ => {
                if !self.lazy && self.random.once_in(8) {
                    self.compact();
                }
                self.release_held();
                if !self.stubborn {
                    self.try_again();
                }
            }
        }
    }

    /// Days pass: whatever nobody holds up comes to its end.
    pub(super) fn rest(&mut self) {
        self.stalled.clear();
        for _ in 0..DAYS {
            self.release_held();
            self.finish_requests(None);
            for service in self.outbox.keys().cloned().collect::<Vec<_>>() {
                while self.outbox.get(&service).is_some_and(|records| !records.is_empty()) {
                    self.relay(Some(&service));
                }
            }
            for service in self.instances.keys().cloned().collect::<Vec<_>>() {
                for _ in 0..READ_A_DAY {
                    self.consume(Some(&service));
                }
            }
        }
        self.grow_old();
        let held: BTreeSet<u64> = self.held.iter().map(|effect| effect.action).collect();
        let wrong: Vec<(u64, usize)> = self
            .effects
            .iter()
            .filter(|(action, count)| **count != 1 && !held.contains(action))
            .map(|(action, count)| (*action, *count))
            .collect();
        for (action, count) in wrong {
            self.effects.remove(&action);
            self.lose(if count == 0 {
                "days pass and an effect does not happen".to_owned()
            } else {
                "an effect happened twice".to_owned()
            });
        }
    }

    /// What is still to be read, looked at or sent comes to its end, and everybody looks once more.
    pub(super) fn finish(&mut self) {
        for _ in 0..LAST_DAYS {
            self.rest();
        }
        for effect in self.held.clone() {
            let from = self.town.links.get(&effect.link).map(|link| link.from.clone()).unwrap_or_default();
            let instances = self.instances.get(&from).into_iter().flatten();
            if !instances.into_iter().any(|instance| self.knows_hold(&from, &instance.release, &effect.link)) {
                self.lose(format!("nobody lets go what is held of {}", effect.link));
            }
        }
        for service in self.instances.keys().cloned().collect::<Vec<_>>() {
            self.rebuild(&service);
        }
        for _ in 0..LAST_LOOKS {
            self.read_tables();
        }
        for (service, link) in self.town.needs.clone() {
            let Some(told) = self.town.links.get(&link).cloned() else { continue };
            if !told.effect {
                for key in 0..self.next_entity {
                    self.look(&service, &link, &told.copy, &told.state, Some(key));
                }
            }
        }
    }
}
