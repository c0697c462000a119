//! What the cluster lets us do, as it tells us itself: no right to see the list of rights is needed for that.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::producer::Producer;
use uuid::Uuid;

use super::direct::Allowed;
use super::fault::{Class, class};
use super::ffi::{self, Line};
use super::pool::retire;
use super::{FAR_AWAY, READING, Shared};
use crate::ports::PortError;
use crate::ports::access::{Access, Leave, Operation};

/// Pause between two questions to a coordinator that is not there yet.
const PAUSE: Duration = Duration::from_millis(100);

/// Every group.
const EVERY: &str = "*";

impl Shared {
    pub(super) fn allows(&self, asked: &[Access]) -> Result<Vec<Leave>, PortError> {
        // Why: a cluster that is away, or does not let us in, is an error, and not a list of things that nobody knows.
        self.describe()?;
        let mut topics: Vec<String> = asked.iter().filter(|access| access.sort == "topic").map(|access| access.id.clone()).collect();
        topics.sort();
        topics.dedup();
        let topics = if topics.is_empty() {
            Ok(BTreeMap::new())
        } else {
            self.direct.as_ref().map_err(String::clone).and_then(|direct| direct.allowed(&topics))
        };
        let mut groups: BTreeMap<&str, Result<Option<u32>, PortError>> = BTreeMap::new();
        asked
            .iter()
            .map(|access| match (access.sort.as_str(), &topics) {
                ("topic", Err(why)) => Ok(Leave::Unknown(format!("the broker does not tell: {why}"))),
                ("topic", Ok(found)) => match found.get(&access.id) {
                    Some(allowed) => self.topic_leave(access, allowed),
                    None => Ok(Leave::Unknown("the broker did not answer about it".to_owned())),
                },
                ("group", _) => {
                    let found = groups.entry(&access.id).or_insert_with(|| self.group_operations(&access.id));
                    Ok(group_leave(access.operation, found.as_ref().map_err(Clone::clone)?.as_ref()))
                }
                (other, _) => Ok(Leave::Unknown(format!("Kafka has no {other}"))),
            })
            .collect()
    }

    fn topic_leave(&self, access: &Access, allowed: &Allowed) -> Result<Leave, PortError> {
        if allowed.exists.is_some() {
            return Ok(leave(access.operation, allowed.operations));
        }
        // The broker refuses to speak of the topic, so we have none of the rights that let us see it.
        match access.operation {
            operation if operation == Operation::Describe || operation.implies(Operation::Describe) => Ok(Leave::Missing),
            Operation::DescribeConfigs => {
                let doing = format!("reading the settings of topic `{}`", access.id);
                match self.try_ask(&doing, READING, |line| ffi::describe_topic_config(line, &access.id))? {
                    Ok(_) => Ok(Leave::Given),
                    Err(error) if class(error.code) == Class::Absent => Ok(Leave::Given),
                    Err(error) if class(error.code) == Class::Refused => Ok(Leave::Missing),
                    Err(error) => Err(self.fault(&doing, error)),
                }
            }
            _ => Ok(Leave::Unknown("the broker tells it only to whoever may describe the topic".to_owned())),
        }
    }

    /// The operations that the coordinator allows on a group; `None` when it refuses to speak of it.
    fn group_operations(&self, group: &str) -> Result<Option<u32>, PortError> {
        let doing = format!("asking about group `{group}`");
        // Why: a group of a name that nobody can know is seen only by whoever may see every group.
        let name = if group == EVERY { format!("cutover-{}", Uuid::new_v4().simple()) } else { group.to_owned() };
        let client = match self.coordination.take(&()) {
            Some(client) => client,
            None => self.client(&doing, &self.config)?,
        };
        let hopeless = || false;
        let line = Line { client: client.client().native_client(), patience: READING, limit: FAR_AWAY, hopeless: &hopeless };
        let end = Instant::now() + READING;
        let outcome = loop {
            match ffi::group_operations(line, &name) {
                // Why: a cluster that has never had a group has no coordinator for a moment, and says so.
                Err(error) if error.code > 0 && class(error.code) == Class::Passing && Instant::now() < end => thread::sleep(PAUSE),
                outcome => break outcome,
            }
        };
        if self.note(&outcome) {
            self.coordination.keep((), client);
        } else {
            retire(client);
        }
        match outcome {
            Ok(operations) => Ok(Some(operations)),
            Err(error) if class(error.code) == Class::Refused && error.code > 0 => Ok(None),
            Err(error) => Err(self.fault(&doing, error)),
        }
    }
}

fn group_leave(operation: Operation, operations: Option<&u32>) -> Leave {
    match (operations, operation) {
        (None, Operation::Describe | Operation::Read | Operation::Delete) => Leave::Missing,
        (Some(_), Operation::Describe) => Leave::Given,
        (Some(0), _) => Leave::Unknown("the coordinator does not tell it".to_owned()),
        (Some(operations), _) => leave(operation, *operations),
        (None, _) => Leave::Unknown("the coordinator does not speak of the group".to_owned()),
    }
}

/// Reads the bits, which have Kafka's own numbers of operations.
fn leave(operation: Operation, bits: u32) -> Leave {
    let number = match operation {
        Operation::Read | Operation::Select => 3,
        Operation::Write => 4,
        Operation::Create => 5,
        Operation::Delete => 6,
        Operation::Alter => 7,
        Operation::Describe => 8,
        Operation::DescribeConfigs => 10,
        Operation::AlterConfigs => 11,
        Operation::Connect | Operation::Usage => return Leave::Unknown("Kafka has no such operation".to_owned()),
    };
    if bits & (1 << number) == 0 { Leave::Missing } else { Leave::Given }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_have_the_numbers_of_kafka() {
        let bits = (1 << 4) | (1 << 8);
        assert_eq!(leave(Operation::Write, bits), Leave::Given);
        assert_eq!(leave(Operation::Describe, bits), Leave::Given);
        assert_eq!(leave(Operation::Read, bits), Leave::Missing);
    }

    #[test]
    fn a_group_that_nobody_speaks_of_is_missing_and_a_silent_coordinator_unknown() {
        assert_eq!(group_leave(Operation::Read, None), Leave::Missing);
        assert_eq!(group_leave(Operation::Describe, Some(&0)), Leave::Given);
        assert!(matches!(group_leave(Operation::Read, Some(&0)), Leave::Unknown(_)));
    }
}
