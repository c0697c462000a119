//! Numbers in place of names: what is named for the first time gets the next one.

use std::collections::BTreeMap;

use super::super::model::{ColumnId, ColumnInfo, MeaningId, StreamId, StreamInfo, TableId, TableInfo, When};
use super::Build;
use crate::services::{ColumnUse, Condition};

/// Numbers for names, in the order in which they come.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<String, usize>);

impl Names {
    /// The name's number, and whether it is new.
    pub(super) fn number(&mut self, name: &str) -> (usize, bool) {
        let next = self.0.len();
        if let Some(number) = self.0.get(name) {
            return (*number, false);
        }
        self.0.insert(name.to_owned(), next);
        (next, true)
    }
}

impl Build<'_> {
    pub(super) fn when(&mut self, condition: Option<&Condition>) -> When {
        condition.map(|condition| self.variant(&condition.flag, &condition.variant))
    }

    pub(super) fn variant(&mut self, flag: &str, variant: &str) -> usize {
        let flag = self.model.flag(flag).unwrap_or_else(|| {
            self.model.flags.push((flag.to_owned(), Vec::new()));
            self.model.flags.len() - 1
        });
        self.model.variant(flag, variant).unwrap_or_else(|| {
            self.model.variants.push((flag, variant.to_owned()));
            let number = self.model.variants.len() - 1;
            self.model.flags[flag].1.push(number);
            number
        })
    }

    /// The stream of a label; `None` when its event is not declared.
    pub(super) fn stream(&mut self, label: &str) -> Option<StreamId> {
        if let Some(stream) = self.model.stream(label) {
            return Some(stream);
        }
        let (name, _) = label.split_once('@')?;
        let event = self.model.event(name)?;
        let topic = self.model.events[event].topic;
        let stream = self.model.streams.len();
        self.model.events[event].streams.push(stream);
        self.model.topics[topic].streams.push(stream);
        self.model.streams.push(StreamInfo {
            event,
            topic,
            label: label.to_owned(),
            fields: None,
            latent: Vec::new(),
            unread: Vec::new(),
            producers: Vec::new(),
            handlers: Vec::new(),
        });
        Some(stream)
    }

    pub(super) fn table(&mut self, name: &str) -> TableId {
        let name = plain_table(name);
        let (number, new) = self.tables.number(&name);
        if new {
            let service = name.split('.').next().and_then(|service| self.model.service(service)).unwrap_or(usize::MAX);
            self.model.tables.push(TableInfo { service, name, columns: Vec::new() });
        }
        number
    }

    /// The column, and its meaning when one is named: `service.table.column~meaning`.
    pub(super) fn column(&mut self, text: &str) -> (ColumnId, Option<MeaningId>) {
        let (name, meaning) = text.split_once('~').map_or((text, None), |(name, meaning)| (name, Some(meaning)));
        let table = self.table(name.rsplit_once('.').map_or(name, |(table, _)| table));
        let name = format!("{}.{}", self.model.tables[table].name, name.rsplit('.').next().unwrap_or(name));
        let (number, new) = self.columns.number(&name);
        if new {
            self.model.columns.push(ColumnInfo { table, name, meanings: Vec::new(), tracked: false });
            self.model.tables[table].columns.push(number);
        }
        let meaning = meaning.map(|meaning| {
            self.model.meaning(number, meaning).unwrap_or_else(|| {
                self.model.meanings.push((number, meaning.to_owned()));
                self.model.columns[number].meanings.push(self.model.meanings.len() - 1);
                self.model.meanings.len() - 1
            })
        });
        (number, meaning)
    }

    pub(super) fn column_use(&mut self, service: &str, used: &ColumnUse) -> (ColumnId, Option<MeaningId>, When) {
        let when = self.when(used.when.as_ref());
        let (column, meaning) = self.column(&format!("{service}.{}", used.column));
        (column, meaning, when)
    }
}

/// `database.schema.table` without its schema.
pub(in crate::check) fn plain_table(name: &str) -> String {
    match name.split('.').collect::<Vec<_>>().as_slice() {
        [database, _, table] => format!("{database}.{table}"),
        _ => name.to_owned(),
    }
}
