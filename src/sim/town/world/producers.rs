//! Who owns rows and tells others of them: rows are changed, their events are made, and leave the outbox in their order.

use std::collections::VecDeque;

use super::super::declared::{Release, holds, way};
use super::{Instance, Record, Row, Shape, Somebody, World};
use crate::services::Way;

impl World<'_> {
    /// A person changes something, or adds it.
    pub(super) fn change(&mut self) {
        let Some(service) = self.any_service() else { return };
        let Some(Somebody { body, .. }) = self.somebody(&service) else { return };
        let town = self.town;
        for table in body.writes.keys().chain(town.kept_by(&service)) {
            let fresh = self.random.once_in(6);
            if !fresh && self.only_new {
                continue;
            }
            let key = if fresh {
                self.next_entity += 1;
                self.next_entity - 1
            } else {
                self.entity()
            };
            let columns = body.writes.get(table).map(Vec::as_slice).unwrap_or_default();
            let at = self.random.below(columns.len().max(1));
            self.write(&service, table, key, columns.get(at).map(|(one, _, _)| one));
        }
    }

    /// An instance writes a row, all its columns or surely this one, and publishes what became of it.
    pub(super) fn write(&mut self, service: &str, table: &str, key: usize, only: Option<&String>) {
        let Some(Somebody { instance, body, who }) = self.somebody(service) else { return };
        let town = self.town;
        let unnamed = Vec::new();
        let kept = || town.kept_by(service).any(|kept| kept == table).then_some(&unnamed);
        let Some(columns) = body.writes.get(table).or_else(kept) else { return };
        let fresh = !self.rows.get(table).is_some_and(|rows| rows.contains_key(&key));
        let mut row = self.rows.get(table).and_then(|rows| rows.get(&key)).cloned().unwrap_or_default();
        for (column, meaning, when) in columns {
            let left_out = |only: &String| !fresh && only != column;
            if !holds(when.as_ref(), &instance.view) || (only.is_some_and(left_out) && self.random.once_in(2)) {
                continue;
            }
            if self.shape(table, column) == Shape::Absent {
                self.lose(format!("{who} writes {table}.{column}, which is absent"));
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
                if let Some(record) = self.event_of(label, key, &row, &accepts, &who) {
                    self.outbox.entry(service.to_owned()).or_default().push_back(record);
                }
            }
        }
    }

    /// Whether an instance of this release may produce the version, because it says so or because it sends an effect by that event.
    pub(in crate::sim::town) fn produces(&self, instance: &Instance, body: &Release, label: &str) -> bool {
        let by_hand = body.produces.iter().any(|(one, when)| one == label && holds(when.as_ref(), &instance.view));
        let link = self.town.event(label).and_then(|event| event.link.as_ref());
        by_hand || link.is_some_and(|link| way(body.uses.get(link).or_else(|| body.sends.get(link)), &instance.view) == Some(Way::Event))
    }

    fn event_of(&mut self, label: &str, key: usize, row: &Row, converts: &dyn Fn(&str) -> bool, who: &str) -> Option<Record> {
        let event = self.town.event(label)?;
        let (_, version) = label.split_once('@').unwrap_or((label, ""));
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
    pub(in crate::sim::town) fn published(&mut self, label: &str, key: usize, row: &Row) -> Option<Record> {
        self.event_of(label, key, row, &|_| false, "the snapshot")
    }

    fn written_somewhere(&self, table: &str, column: &str) -> bool {
        let mut releases = self.town.releases.values();
        releases.any(|release| release.writes.get(table).is_some_and(|columns| columns.iter().any(|(name, _, _)| name == column)))
    }

    /// One record leaves an outbox.
    pub(in crate::sim::town) fn relay(&mut self, only: Option<&str>) {
        let names: Vec<String> = self.outbox.keys().cloned().collect();
        let at = self.random.below(names.len());
        let Some(service) = only.map(str::to_owned).or_else(|| names.get(at).cloned()) else { return };
        if only.is_none() && self.stalled.contains(&format!("relay {service}")) {
            return;
        }
        let Some(record) = self.outbox.get_mut(&service).and_then(VecDeque::pop_front) else { return };
        self.append(record, &service);
    }
}
