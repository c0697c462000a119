//! What the databases hold: rows with what their values mean, and columns that are there or not.

use super::super::declared::holds;
use super::{Row, Shape, Somebody, World};

impl World<'_> {
    pub(super) fn shape(&self, table: &str, column: &str) -> Shape {
        self.shapes.get(&(table.to_owned(), column.to_owned())).copied().unwrap_or(Shape::Nullable)
    }

    /// Stores a row, unless a column that must be there is not given.
    pub(super) fn store(&mut self, who: &str, table: &str, key: usize, row: Row, fresh: bool) -> bool {
        let required =
            self.shapes.iter().filter(|((of, _), shape)| of == table && **shape == Shape::Required).map(|((_, column), _)| column);
        if let Some(column) = required.into_iter().find(|column| !row.columns.contains_key(*column)).cloned() {
            self.lose(format!("{who} {} {table} without {column}", if fresh { "inserts into" } else { "updates" }));
            return false;
        }
        self.rows.entry(table.to_owned()).or_default().insert(key, row);
        true
    }

    /// The tables that somebody writes before the first step, each with who does.
    pub(super) fn written_tables(&self) -> Vec<(String, String)> {
        let first = self.town.first.iter().flat_map(|(service, release)| {
            let body = self.town.releases.get(&(service.clone(), release.clone()));
            body.into_iter().flat_map(|body| body.writes.keys()).map(|table| (table.clone(), service.clone()))
        });
        first.collect()
    }

    /// Whatever a release reads of its tables.
    pub(super) fn read_tables(&mut self) {
        let Some(service) = self.any_service() else { return };
        let Some(Somebody { instance, body, who }) = self.somebody(&service) else { return };
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
}
