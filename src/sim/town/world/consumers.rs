//! Who reads topics: records are handed to instances, at times twice, and copies are built from them, at times anew.

use std::collections::BTreeMap;

use super::effects::Effect;
use super::{Record, Row, Shape, Somebody, World};

impl World<'_> {
    /// Some group reads one record, at times twice.
    pub(super) fn consume(&mut self, only: Option<&str>) {
        let any = self.any_service();
        let Some(service) = only.map(str::to_owned).or(any) else { return };
        let Some(somebody) = self.somebody(&service) else { return };
        for topic in self.town.consumed(somebody.body) {
            if only.is_none() && self.stalled.contains(&format!("group {service}")) {
                continue;
            }
            let held = self.topics.entry(topic.clone()).or_default();
            if held.deleted {
                self.lose(format!("{} consumes {topic}, which is deleted", somebody.who));
                continue;
            }
            let position = self.read.get(&(service.clone(), topic.clone())).copied().unwrap_or_default();
            let Some((offset, record)) = held.log.iter().find(|(offset, _)| *offset >= position).cloned() else { continue };
            self.read.insert((service.clone(), topic.clone()), offset + 1);
            self.hand(&service, &somebody, &record);
            if self.random.once_in(6) {
                self.hand(&service, &somebody, &record);
            }
        }
    }

    /// An instance is handed a record.
    fn hand(&mut self, service: &str, Somebody { body, who, .. }: &Somebody<'_>, record: &Record) {
        let town = self.town;
        let Some((writes, calls)) = body.handles.get(&record.label) else {
            if town.wants(service, &record.label) {
                self.lose(format!("{who} is handed {} and has no handler", record.label));
            }
            return;
        };
        if !self.schemas.contains(&record.label) {
            self.lose(format!("{who} cannot read {}, which has no schema", record.label));
            return;
        }
        if let Some(link) = calls {
            self.call(who, link);
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
            if !self.copy(who, table, &columns, record) {
                return;
            }
        }
    }

    /// Columns of a copy are written from a record; `false` when that fails.
    fn copy(&mut self, who: &str, table: &str, columns: &[(&String, &String)], record: &Record) -> bool {
        let before = self.rows.get(table).and_then(|rows| rows.get(&record.key)).cloned();
        let fresh = before.is_none();
        let mut row = before.unwrap_or_default();
        if !fresh && (record.seq < row.seq || (self.strict && record.seq == row.seq)) {
            return true;
        }
        for (column, meaning) in columns {
            if self.shape(table, column) == Shape::Absent {
                self.lose(format!("{who} writes {table}.{column}, which is absent"));
                return false;
            }
            match record.fields.get(*column) {
                Some(found) => {
                    if !meaning.is_empty() && found != *meaning {
                        self.lose(format!("{who} writes {table}.{column} as {meaning}, and it is {found}"));
                    }
                    row.columns.insert((*column).clone(), found.clone());
                }
                None => {
                    row.columns.remove(*column);
                }
            }
        }
        row.seq = record.seq;
        self.store(who, table, record.key, row, fresh);
        true
    }

    /// A service builds its copies anew from everything that lies in its compacted topics, and then puts them in place of the old ones.
    pub(in crate::sim::town) fn rebuild(&mut self, service: &str) {
        let Some(Somebody { body, who, .. }) = self.somebody(service) else { return };
        let town = self.town;
        let who = format!("{who} rebuilds and");
        let mut built: BTreeMap<(String, usize), Row> = BTreeMap::new();
        for topic in town.consumed(body).into_iter().filter(|topic| town.compacted.contains(topic)) {
            let log = self.topics.get(&topic).map(|topic| topic.log.clone()).unwrap_or_default();
            for (_, record) in log {
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
                    None if town.wants(service, &record.label) => self.lose(format!("{who} is handed {}", record.label)),
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
}
