//! Instances, tables, topics and what people do, one small happening at a time. Every loss is written down with its reason.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::services::Way;

use super::declared::{Town, View, holds};
use super::effects::Effect;
use super::random::Random;

/// Entities that traffic never touches.
const QUIET: usize = 3;
/// Entities in all at the start.
const ENTITIES: usize = 7;

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
    /// What was there before the first step.
    old: BTreeSet<(String, usize)>,
    next_action: u64,
    next_entity: usize,
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
        let two = |release: &String| vec![Instance { release: release.clone(), view: flags.clone() }; 3];
        Self {
            town,
            random,
            instances: town.first.iter().map(|(service, release)| (service.clone(), two(release))).collect(),
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
            old: BTreeSet::new(),
            next_action: 0,
            next_entity: ENTITIES,
            strict,
            lazy: seed % 3 == 1,
            stubborn: seed % 3 == 2,
        }
    }

    pub(super) fn lose(&mut self, why: String) {
        *self.lost.entry(why).or_default() += 1;
    }

    pub(super) fn pick(&mut self, service: &str) -> Option<Instance> {
        let instances = self.instances.get(service)?;
        let at = self.random.below(instances.len());
        instances.get(at).cloned()
    }

    fn shape(&self, table: &str, column: &str) -> Shape {
        self.shapes.get(&(table.to_owned(), column.to_owned())).copied().unwrap_or(Shape::Nullable)
    }

    fn entity(&mut self) -> usize {
        QUIET + self.random.below(self.next_entity - QUIET)
    }

    /// The rows that are there before anything begins: written, and published if somebody publishes, long ago.
    pub(super) fn settle_down(&mut self) {
        for (table, columns, service) in self.written_tables() {
            for key in 0..ENTITIES {
                self.write(&service, &table, key, &columns, true);
            }
        }
        for _ in 0..400 {
            self.relay(None);
            self.consume(None);
        }
        self.old = self.rows.iter().flat_map(|(table, rows)| rows.keys().map(|key| (table.clone(), *key))).collect();
    }

    fn written_tables(&self) -> Vec<(String, Vec<String>, String)> {
        let first = self.town.first.iter().filter_map(|(service, release)| {
            let body = self.town.releases.get(&(service.clone(), release.clone()))?;
            let one = |(table, columns): (&String, &Vec<_>)| (table.clone(), columns.iter().map(name_of).collect(), service.clone());
            Some(body.writes.iter().map(one).collect::<Vec<_>>())
        });
        first.flatten().collect()
    }

    /// An instance writes a row, all its columns or some, and publishes what became of it.
    fn write(&mut self, service: &str, table: &str, key: usize, wanted: &[String], whole: bool) {
        let Some(instance) = self.pick(service) else { return };
        let town = self.town;
        let Some(body) = town.releases.get(&(service.to_owned(), instance.release.clone())) else { return };
        let Some(columns) = body.writes.get(table) else { return };
        let fresh = !self.rows.get(table).is_some_and(|rows| rows.contains_key(&key));
        let mut row = self.rows.get(table).and_then(|rows| rows.get(&key)).cloned().unwrap_or_default();
        for (column, meaning, when) in columns {
            if !holds(when.as_ref(), &instance.view) || (!whole && !fresh && !wanted.contains(column) && self.random.once_in(2)) {
                continue;
            }
            if self.shape(table, column) == Shape::Absent {
                self.lose(format!("{service} {} writes {table}.{column}, which is absent", instance.release));
                return;
            }
            row.columns.insert(column.clone(), meaning.clone());
        }
        row.seq += 1;
        if !self.store(service, table, key, row.clone(), fresh) {
            return;
        }
        let productions = body.produces.iter().filter(|(_, when)| holds(when.as_ref(), &instance.view));
        for (label, _) in productions {
            let link = town.event(label).and_then(|event| event.link.as_ref()).and_then(|link| town.links.get(link));
            if link.is_some_and(|link| link.state == table) {
                let accepts = |meaning: &str| {
                    let mut reads = body.reads.iter().filter(|(of, _, _, when)| of == table && holds(when.as_ref(), &instance.view));
                    reads.any(|(_, _, accepted, _)| !accepted.is_empty() && accepted == meaning)
                };
                if let Some(record) = self.event_of(label, key, &row, &accepts, &format!("{service} {}", instance.release)) {
                    self.outbox.entry(service.to_owned()).or_default().push_back(record);
                }
            }
        }
    }

    /// Stores a row, unless a column that must be there is not given.
    fn store(&mut self, who: &str, table: &str, key: usize, row: Row, fresh: bool) -> bool {
        let required =
            self.shapes.iter().filter(|((of, _), shape)| of == table && **shape == Shape::Required).map(|((_, column), _)| column);
        if let Some(column) = required.into_iter().find(|column| !row.columns.contains_key(*column)).cloned() {
            self.lose(format!("{who} {} {table} without {column}", if fresh { "inserts into" } else { "updates" }));
            return false;
        }
        self.rows.entry(table.to_owned()).or_default().insert(key, row);
        true
    }

    fn event_of(&mut self, label: &str, key: usize, row: &Row, converts: &dyn Fn(&str) -> bool, who: &str) -> Option<Record> {
        let event = self.town.event(label)?;
        let version = label.split('@').nth(1).unwrap_or_default();
        let mut fields = row.columns.clone();
        for (field, meaning) in event.fields.get(version).into_iter().flatten() {
            match row.columns.get(field).cloned() {
                None => {
                    let known =
                        event.link.as_ref().and_then(|link| self.town.links.get(link)).map(|link| link.state.clone()).unwrap_or_default();
                    if self.written_somewhere(&known, field) {
                        self.lose(format!("{who} publishes {label} without {field}"));
                        return None;
                    }
                }
                Some(found) if !meaning.is_empty() && found != *meaning => {
                    if converts(&found) {
                        fields.insert(field.clone(), meaning.clone());
                    } else {
                        self.lose(format!("{who} publishes {label} with {field} meaning {found}"));
                    }
                }
                Some(_) => {}
            }
        }
        Some(Record { label: label.to_owned(), key, seq: row.seq, fields, action: None })
    }

    /// A row as a record of a snapshot, which converts nothing.
    pub(super) fn published(&mut self, label: &str, key: usize, row: &Row) -> Option<Record> {
        self.event_of(label, key, row, &|_| false, "the snapshot")
    }

    fn written_somewhere(&self, table: &str, column: &str) -> bool {
        let mut releases = self.town.releases.values();
        releases.any(|release| release.writes.get(table).is_some_and(|columns| columns.iter().any(|(name, _, _)| name == column)))
    }

    /// One record leaves an outbox.
    pub(super) fn relay(&mut self, only: Option<&str>) {
        let names: Vec<String> = self.outbox.keys().cloned().collect();
        let at = self.random.below(names.len());
        let Some(service) = only.map(str::to_owned).or_else(|| names.get(at).cloned()) else { return };
        if only.is_none() && self.stalled.contains(&format!("relay {service}")) {
            return;
        }
        let Some(record) = self.outbox.get_mut(&service).and_then(VecDeque::pop_front) else { return };
        self.append(record, &service);
    }

    pub(super) fn append(&mut self, record: Record, who: &str) {
        let Some(event) = self.town.event(&record.label) else { return };
        let name = event.topic.clone();
        if !self.schemas.contains(&record.label) {
            self.lose(format!("{who} sends {} without a schema", record.label));
            return;
        }
        let topic = self.topics.entry(name.clone()).or_default();
        if topic.there {
            topic.log.push((topic.end, record));
            topic.end += 1;
        } else {
            self.lose(format!("{who} sends to {name}, which is not there"));
        }
    }

    /// Some group reads one record, at times twice.
    pub(super) fn consume(&mut self, only: Option<(&str, &str)>) {
        let services: Vec<String> = self.instances.keys().cloned().collect();
        let at = self.random.below(services.len());
        let service = only.map_or_else(|| services[at].clone(), |(service, _)| service.to_owned());
        let Some(instance) = self.pick(&service) else { return };
        let Some(body) = self.town.releases.get(&(service.clone(), instance.release.clone())) else { return };
        let topics: BTreeSet<String> =
            body.handles.keys().filter_map(|label| self.town.event(label)).map(|event| event.topic.clone()).collect();
        for topic in topics {
            if only.is_none() && self.stalled.contains(&format!("group {service}")) {
                continue;
            }
            let held = self.topics.entry(topic.clone()).or_default();
            if held.deleted {
                self.lose(format!("{service} {} consumes {topic}, which is deleted", instance.release));
                continue;
            }
            let position = self.read.get(&(service.clone(), topic.clone())).copied().unwrap_or_default();
            let Some((offset, record)) = held.log.iter().find(|(offset, _)| *offset >= position).cloned() else { continue };
            self.read.insert((service.clone(), topic.clone()), offset + 1);
            self.hand(&service, &instance, &record);
            if self.random.once_in(6) {
                self.hand(&service, &instance, &record);
            }
        }
    }

    /// An instance is handed a record.
    fn hand(&mut self, service: &str, instance: &Instance, record: &Record) {
        let town = self.town;
        let Some(body) = town.releases.get(&(service.to_owned(), instance.release.clone())) else { return };
        let name = record.label.split('@').next().unwrap_or_default().to_owned();
        let who = format!("{service} {}", instance.release);
        let Some((writes, calls)) = body.handles.get(&record.label) else {
            if town.wants.contains(&(service.to_owned(), name)) {
                self.lose(format!("{who} is handed {} and has no handler", record.label));
            }
            return;
        };
        if !self.schemas.contains(&record.label) {
            self.lose(format!("{who} cannot read {}, which has no schema", record.label));
            return;
        }
        if let Some(link) = calls {
            self.call(&who, link);
        }
        let link = town.event(&record.label).and_then(|event| event.link.clone()).unwrap_or_default();
        if let Some(action) = record.action {
            self.effect(&Effect { link, key: record.key, action });
        }
        let mut tables: BTreeMap<&String, Vec<(&String, &String)>> = BTreeMap::new();
        for (table, column, meaning) in writes {
            tables.entry(table).or_default().push((column, meaning));
        }
        for (table, columns) in tables {
            let before = self.rows.get(table).and_then(|rows| rows.get(&record.key)).cloned();
            let fresh = before.is_none();
            let mut row = before.unwrap_or_default();
            if !fresh && (record.seq < row.seq || (self.strict && record.seq == row.seq)) {
                continue;
            }
            for (column, meaning) in columns {
                if self.shape(table, column) == Shape::Absent {
                    self.lose(format!("{who} writes {table}.{column}, which is absent"));
                    return;
                }
                match record.fields.get(column) {
                    Some(found) => {
                        if !meaning.is_empty() && found != meaning {
                            self.lose(format!("{who} writes {table}.{column} as {meaning}, and it is {found}"));
                        }
                        row.columns.insert(column.clone(), found.clone());
                    }
                    None => {
                        row.columns.remove(column);
                    }
                }
            }
            row.seq = record.seq;
            self.store(&who, table, record.key, row, fresh);
        }
    }

    /// A service builds its copies anew from everything that lies in its compacted topics, and then puts them in place of the old ones.
    pub(super) fn rebuild(&mut self, service: &str) {
        let Some(instance) = self.pick(service) else { return };
        let town = self.town;
        let Some(body) = town.releases.get(&(service.to_owned(), instance.release.clone())) else { return };
        let who = format!("{service} {} rebuilds and", instance.release);
        let topics: BTreeSet<String> = body.handles.keys().filter_map(|label| town.event(label)).map(|event| event.topic.clone()).collect();
        let mut built: BTreeMap<(String, usize), Row> = BTreeMap::new();
        for topic in topics.iter().filter(|topic| town.compacted.contains(*topic)) {
            let log = self.topics.get(topic).map(|topic| topic.log.clone()).unwrap_or_default();
            for (_, record) in log {
                let name = record.label.split('@').next().unwrap_or_default().to_owned();
                let readable = self.schemas.contains(&record.label);
                match body.handles.get(&record.label).filter(|_| readable) {
                    Some((writes, _)) => {
                        for (table, column, _) in writes {
                            let row = built.entry((table.clone(), record.key)).or_default();
                            if record.seq < row.seq {
                                continue;
                            }
                            row.seq = record.seq;
                            match record.fields.get(column) {
                                Some(found) => row.columns.insert(column.clone(), found.clone()),
                                None => row.columns.remove(column),
                            };
                        }
                    }
                    None if town.wants.contains(&(service.to_owned(), name)) => self.lose(format!("{who} is handed {}", record.label)),
                    None => {}
                }
            }
        }
        for ((table, key), row) in built {
            let newer = self.rows.get(&table).and_then(|rows| rows.get(&key)).is_none_or(|old| row.seq >= old.seq);
            let there = row.columns.keys().all(|column| self.shape(&table, column) != Shape::Absent);
            if newer && there {
                self.store(&who, &table, key, row, true);
            }
        }
    }

    /// Only the last record of each key stays.
    pub(super) fn compact(&mut self) {
        for (name, topic) in &mut self.topics {
            if self.town.compacted.contains(name) && !self.compacts_late.contains(name) {
                let mut last: BTreeMap<usize, u64> = BTreeMap::new();
                for (offset, record) in &topic.log {
                    last.insert(record.key, *offset);
                }
                topic.log.retain(|(offset, record)| last.get(&record.key) == Some(offset));
            }
        }
    }

    pub(super) fn call(&mut self, who: &str, link: &str) -> bool {
        let town = self.town;
        let Some(told) = town.links.get(link) else { return false };
        let sink = if told.effect { told.to.clone() } else { told.state.split('.').next().unwrap_or_default().to_owned() };
        let answers = self
            .pick(&sink)
            .is_some_and(|instance| town.releases.get(&(sink.clone(), instance.release)).is_some_and(|body| body.serves.contains(link)));
        if !answers {
            self.lose(format!("{who} calls {link} and nobody answers"));
        }
        answers
    }

    /// Somebody needs something of another service.
    fn need(&mut self) {
        let needs = &self.town.needs;
        let Some((service, link)) = needs.get(self.random.below(needs.len())).cloned() else { return };
        let Some(told) = self.town.links.get(&link).cloned() else { return };
        if told.effect {
            self.next_action += 1;
            self.effects.insert(self.next_action, 0);
            // Why so few keys: an order is lost only between effects of one key.
            let effect = Effect { link, key: self.random.below(2), action: self.next_action };
            self.act(&service, &effect, false);
        } else {
            self.look(&service, &link, &told.copy, &told.state, None);
        }
    }

    pub(super) fn way(ways: Option<&Vec<(Way, Option<crate::services::Condition>)>>, view: &View) -> Option<Way> {
        ways.into_iter().flatten().find(|(_, when)| holds(when.as_ref(), view)).map(|(way, _)| *way)
    }

    /// A state is looked at, on whatever way the instance has.
    fn look(&mut self, service: &str, link: &str, copy: &str, state: &str, key: Option<usize>) {
        let Some(instance) = self.pick(service) else { return };
        let town = self.town;
        let Some(body) = town.releases.get(&(service.to_owned(), instance.release.clone())) else { return };
        let who = format!("{service} {}", instance.release);
        match Self::way(body.uses.get(link), &instance.view) {
            Some(Way::Call) => {
                self.call(&who, link);
            }
            Some(Way::Copy) => {
                let any = self.random.below(self.next_entity);
                let key = key.unwrap_or(any);
                self.gap(&who, link, copy, state, key);
            }
            _ => self.lose(format!("{who} has no way for {link}")),
        }
    }

    /// Whether a copy lacks what it should have by now: an old entity, or a change that nothing under way will bring.
    fn gap(&mut self, who: &str, link: &str, copy: &str, state: &str, key: usize) {
        let Some(truth) = self.rows.get(state).and_then(|rows| rows.get(&key)).cloned() else { return };
        let have = self.rows.get(copy).and_then(|rows| rows.get(&key)).map(|row| row.seq);
        let owner = state.split('.').next().unwrap_or_default();
        let brings = |record: &Record| record.key == key && record.seq >= truth.seq && record.action.is_none();
        let in_outbox = self.outbox.get(owner).is_some_and(|records| records.iter().any(brings));
        let topic = self.town.links.get(link).and_then(|link| link.event.as_ref()).and_then(|event| self.town.events.get(event));
        let reader = copy.split('.').next().unwrap_or_default();
        // Why: what lies unread brings nothing when nobody is there to read it.
        let anybody = self.instances.get(reader).into_iter().flatten().any(|instance| {
            let body = self.town.releases.get(&(reader.to_owned(), instance.release.clone()));
            body.is_some_and(|body| {
                body.handles.keys().any(|label| self.town.event(label).map(|event| &event.topic) == topic.map(|event| &event.topic))
            })
        });
        let in_topic = anybody
            && topic.is_some_and(|event| {
                let position = self.read.get(&(reader.to_owned(), event.topic.clone())).copied().unwrap_or_default();
                let log = self.topics.get(&event.topic).map(|topic| topic.log.as_slice()).unwrap_or_default();
                log.iter().any(|(offset, record)| *offset >= position && brings(record))
            });
        let under_way = anybody && (in_outbox || in_topic);
        let old = self.old.contains(&(state.to_owned(), key));
        match have {
            None if old || !under_way => self.lose(format!("{who} finds a gap in its copy of {link}: {key} of {}", truth.seq)),
            Some(seq) if seq < truth.seq && !under_way => {
                self.lose(format!("{who} reads a stale copy of {link}: {key} at {seq} of {}", truth.seq));
            }
            _ => {}
        }
    }

    /// Whatever a release reads of its tables.
    fn read_tables(&mut self) {
        let services: Vec<String> = self.instances.keys().cloned().collect();
        let service = services[self.random.below(services.len())].clone();
        let Some(instance) = self.pick(&service) else { return };
        let town = self.town;
        let Some(body) = town.releases.get(&(service.clone(), instance.release.clone())) else { return };
        let who = format!("{service} {}", instance.release);
        let reads: Vec<_> = body.reads.iter().filter(|(_, _, _, when)| holds(when.as_ref(), &instance.view)).collect();
        for (table, column, _, _) in &reads {
            if self.shape(table, column) == Shape::Absent {
                self.lose(format!("{who} reads {table}.{column}, which is absent"));
                continue;
            }
            let accepted: Vec<&String> =
                reads.iter().filter(|(of, name, _, _)| of == table && name == column).map(|(_, _, meaning, _)| meaning).collect();
            let strange = |row: &Row| {
                row.columns
                    .get(column)
                    .is_some_and(|found| !found.is_empty() && !accepted.iter().any(|one| one.is_empty() || *one == found))
            };
            if self.rows.get(table).is_some_and(|rows| rows.values().any(strange)) {
                self.lose(format!("{who} misreads {table}.{column}"));
            }
        }
        for (table, column) in &body.needs {
            let empty = self.rows.get(table).is_some_and(|rows| rows.values().any(|row| !row.columns.contains_key(column)));
            if empty || self.shape(table, column) == Shape::Absent {
                self.lose(format!("{who} breaks on {table}.{column}"));
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

    fn change(&mut self) {
        let services: Vec<String> = self.instances.keys().cloned().collect();
        let service = services[self.random.below(services.len())].clone();
        let Some(instance) = self.pick(&service) else { return };
        let town = self.town;
        let Some(body) = town.releases.get(&(service.clone(), instance.release)) else { return };
        for (table, columns) in &body.writes {
            let key = if self.random.once_in(6) {
                self.next_entity += 1;
                self.next_entity - 1
            } else {
                self.entity()
            };
            let names: Vec<String> = columns.iter().map(name_of).collect();
            if names.is_empty() {
                continue;
            }
            let one = names[self.random.below(names.len())].clone();
            self.write(&service, table, key, &[one], false);
        }
    }

    /// Days pass: whatever nobody holds up comes to its end.
    pub(super) fn rest(&mut self) {
        self.stalled.clear();
        for _ in 0..8 {
            self.release_held();
            self.finish_requests(None);
            for service in self.outbox.keys().cloned().collect::<Vec<_>>() {
                while self.outbox.get(&service).is_some_and(|records| !records.is_empty()) {
                    self.relay(Some(&service));
                }
            }
            for service in self.instances.keys().cloned().collect::<Vec<_>>() {
                for _ in 0..40 {
                    self.consume(Some((&service, "")));
                }
            }
        }
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
        for _ in 0..4 {
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
        for _ in 0..20 {
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

fn name_of(column: &(String, String, Option<crate::services::Condition>)) -> String {
    column.0.clone()
}
