//! What a step must be allowed to do. A kind says it for its own bodies, its way back included.

use std::collections::BTreeMap;

use super::{Resource, SystemKind};
pub use crate::ports::access::Operation;

/// Every consumer group of a cluster.
pub const EVERY_GROUP: &str = "*";

/// The schema of a table that is named without one.
const USUAL_SCHEMA: &str = "public";

/// One operation on one thing that a principal must be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// The thing.
    pub resource: Resource,
    /// What is done with it.
    pub operation: Operation,
    /// Whether only the way back needs it.
    pub way_back: bool,
}

impl Right {
    /// What the step itself needs.
    pub fn all(resource: &Resource, operations: impl IntoIterator<Item = Operation>) -> Vec<Self> {
        operations.into_iter().map(|operation| Self { resource: resource.clone(), operation, way_back: false }).collect()
    }

    /// What only taking the step back needs.
    pub fn back(resource: &Resource, operations: impl IntoIterator<Item = Operation>) -> Vec<Self> {
        Self::all(resource, operations).into_iter().map(|right| Self { way_back: true, ..right }).collect()
    }

    /// What looking at a topic takes.
    #[must_use]
    pub fn look(topic: &Resource) -> Vec<Self> {
        Self::all(topic, [Operation::Describe, Operation::DescribeConfigs])
    }

    /// What reading a table takes; the table is `table` or `schema.table`.
    #[must_use]
    pub fn read_table(database: &str, table: &str) -> Vec<Self> {
        let schema = table.split_once('.').map_or(USUAL_SCHEMA, |(schema, _)| schema);
        let mut rights = Self::all(&Resource::database(database), [Operation::Connect]);
        rights.extend(Self::all(&Resource::schema(database, schema), [Operation::Usage]));
        rights.extend(Self::all(&Resource::table(database, table), [Operation::Select]));
        rights
    }
}

/// A right that is really asked for, with everything that needs it or what it grants along with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed<T> {
    /// The thing.
    pub resource: Resource,
    /// What is done with it.
    pub operation: Operation,
    /// Who needs it, and whether only for the way back.
    pub reasons: Vec<(T, bool)>,
}

/// The least of these rights that grants all of them.
pub fn least<T>(rights: impl IntoIterator<Item = (Right, T)>) -> Vec<Needed<T>> {
    let mut all: BTreeMap<(Resource, Operation), Vec<(T, bool)>> = BTreeMap::new();
    for (right, reason) in rights {
        all.entry((right.resource, right.operation)).or_default().push((reason, right.way_back));
    }
    let covered = |mine: &(Resource, Operation)| all.keys().find(|other| grants(other, mine)).cloned();
    let covered: Vec<_> = all.keys().filter_map(|mine| covered(mine).map(|by| (mine.clone(), by))).collect();
    for (mine, by) in covered {
        let reasons = all.remove(&mine).unwrap_or_default();
        // Why: what covers it may itself be covered, and then it has gone already; nothing is covered in more than two stages.
        all.entry(by).or_default().extend(reasons);
    }
    all.into_iter().map(|((resource, operation), reasons)| Needed { resource, operation, reasons }).collect()
}

/// Whether somebody who has the one right has the other, too, without being asked for it.
fn grants((wider, more): &(Resource, Operation), (resource, operation): &(Resource, Operation)) -> bool {
    if wider.system != SystemKind::Kafka || (wider, more) == (resource, operation) {
        return false;
    }
    let every = wider.sort == "group" && resource.sort == "group" && wider.id == EVERY_GROUP && wider.name == resource.name;
    let same = wider == resource;
    (same && more.implies(*operation)) || (every && !same && (more == operation || more.implies(*operation)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Resource {
        Resource::topic("main", "t")
    }

    fn names(rights: Vec<Right>) -> Vec<String> {
        let one = |needed: &Needed<u8>| {
            let back = if needed.reasons.iter().all(|(_, back)| *back) { " back" } else { "" };
            format!("{} {}{back}", needed.resource, needed.operation.as_str())
        };
        least(rights.into_iter().map(|right| (right, 0))).iter().map(one).collect()
    }

    #[test]
    fn what_another_right_grants_is_not_asked_for() {
        let rights = [Right::look(&topic()), Right::all(&topic(), [Operation::Read]), Right::back(&topic(), [Operation::AlterConfigs])];
        assert_eq!(names(rights.concat()), ["kafka:main/topic/t Read", "kafka:main/topic/t AlterConfigs"], "in the order of operations");
        assert_eq!(names(Right::look(&topic())), ["kafka:main/topic/t Describe", "kafka:main/topic/t DescribeConfigs"]);
    }

    #[test]
    fn every_group_covers_each_but_not_being_a_member() {
        let (all, one) = (Resource::group("main", EVERY_GROUP), Resource::group("main", "g"));
        let rights = [Right::all(&all, [Operation::Describe]), Right::all(&one, [Operation::Describe, Operation::Read])];
        assert_eq!(names(rights.concat()), ["kafka:main/group/* Describe", "kafka:main/group/g Read"]);
    }

    #[test]
    fn a_right_for_both_ways_is_one() {
        let rights = [Right::all(&topic(), [Operation::Create]), Right::back(&topic(), [Operation::Create, Operation::Delete])];
        assert_eq!(names(rights.concat()), ["kafka:main/topic/t Create", "kafka:main/topic/t Delete back"]);
    }
}
