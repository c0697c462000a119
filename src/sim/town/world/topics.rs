//! What the broker does: records are appended, and of those with one key only the last one stays.

use std::collections::BTreeMap;

use super::{Record, World};

impl World<'_> {
    /// A record comes to lie in its topic.
    pub(in crate::sim::town) fn append(&mut self, record: Record, who: &str) {
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

    /// Only the last record of each key stays.
    pub(in crate::sim::town) fn compact(&mut self) {
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
}
