//! The judgement by name and version: a pure function of the barrier, the index and a look. It says three things only: drained, waiting,
//! unknown; what it says is a document that people and scripts read.

use std::collections::BTreeMap;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::index::{Index, Scanned};
use super::judge::{Barrier, Mark, Sight};

/// What is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// No old record will be handed to anybody who is asked for.
    #[default]
    Drained,
    /// Somebody has not come far enough, and will.
    Waiting,
    /// Nobody can tell. This never passes on its own.
    Unknown,
}

impl Known {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drained => "drained",
            Self::Waiting => "waiting",
            Self::Unknown => "unknown",
        }
    }
}

/// When a drain by version is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// No group will be handed an old record any more.
    #[default]
    Consumed,
    /// And none lies in the topic.
    Absent,
}

impl Goal {
    /// Whether this is the usual one.
    #[must_use]
    pub fn is_consumed(&self) -> bool {
        *self == Self::Consumed
    }
}

/// Where a group begins that has committed nothing, as its services are configured. No broker tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// At the beginning.
    Earliest,
    /// At the end: it is handed nothing that lies there already.
    Latest,
}

/// The proof, or how far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The worst of what is known.
    pub verdict: Known,
    /// Whether waiting will not help: records are lost, or it is another topic. A person must look.
    pub stuck: bool,
    /// The topic of which the barrier was taken.
    pub topic_id: Option<String>,
    /// By partition.
    pub partitions: Vec<PartitionProof>,
    /// What is missing, a sentence each.
    pub why: Vec<String>,
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionProof {
    /// Its number.
    pub partition: i32,
    /// Everything before it counts: the high watermark, read uncommitted, taken twice.
    pub barrier: i64,
    /// Where readers of committed records stop.
    pub lso: Option<i64>,
    /// Where the partition begins.
    pub log_start: i64,
    /// The last old record that was seen before the barrier.
    pub last_old: Option<i64>,
    /// By group.
    pub groups: Vec<GroupProof>,
}

/// One group in one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupProof {
    /// Its name.
    pub group: String,
    /// What it has committed.
    pub committed: Option<i64>,
    /// What is known.
    pub verdict: Known,
    /// At most how many old records it has not passed.
    pub old_left: u64,
}

/// What to judge by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// When it is done.
    pub goal: Goal,
    /// Where groups without a commit begin.
    pub reset: Option<Reset>,
}

/// Judges a look against the barrier and the index.
#[must_use]
pub fn prove(barrier: &Barrier, index: &Index, sight: &Sight, terms: Terms) -> Proof {
    let mut proof = Proof { topic_id: barrier.topic.id.clone(), ..Proof::default() };
    if let Some(changed) = changed(barrier, sight) {
        proof.is_stuck(changed);
        return proof;
    }
    let nothing = Scanned::default();
    for mark in &barrier.marks {
        let scanned = index.partitions.get(&mark.partition).unwrap_or(&nothing);
        let row = Row { mark, scanned, sight };
        let lso = sight.stable(mark.partition);
        let groups = sight.groups.iter().map(|group| row.group(&group.group, group.committed(mark.partition), terms, &mut proof)).collect();
        match lso {
            // Why not only where something is old: what an open transaction holds cannot be looked at.
            Some(lso) if lso < mark.end => {
                proof.is(
                    Known::Waiting,
                    format!("a transaction is open: partition {} is stable up to {lso} of {}", mark.partition, mark.end),
                );
            }
            Some(_) => {}
            None => proof.is(Known::Unknown, format!("nobody says up to where partition {} is stable", mark.partition)),
        }
        if terms.goal == Goal::Absent {
            row.absent(&mut proof);
        }
        proof.partitions.push(PartitionProof {
            partition: mark.partition,
            barrier: mark.end,
            lso,
            log_start: row.start(),
            last_old: scanned.last,
            groups,
        });
    }
    for ends in sight.ends.iter().filter(|ends| !barrier.marks.iter().any(|mark| mark.partition == ends.partition)) {
        proof.is(Known::Waiting, format!("partition {} was added and not looked at yet", ends.partition));
    }
    if sight.groups.is_empty() && terms.goal == Goal::Consumed {
        proof.is(
            Known::Unknown,
            "no group is asked for: who reads the topic, if anybody, commits nothing that could be looked at".to_owned(),
        );
    }
    proof
}

fn changed(barrier: &Barrier, sight: &Sight) -> Option<String> {
    let gone = || {
        let mark = barrier.marks.iter().find(|mark| sight.start(mark.partition).is_none())?;
        Some(format!("partition {} is not there any more", mark.partition))
    };
    barrier.other_topic(sight).or_else(gone)
}

impl Proof {
    /// Takes note of what keeps the proof from being one.
    fn is(&mut self, known: Known, why: String) {
        self.verdict = self.verdict.max(known);
        self.why.push(why);
    }

    fn is_stuck(&mut self, why: String) {
        self.is(Known::Unknown, why);
        self.stuck = true;
    }

    /// Old records left for each group, those that have none included.
    #[must_use]
    pub fn left(&self) -> BTreeMap<&str, u64> {
        let mut left = BTreeMap::new();
        for group in self.partitions.iter().flat_map(|partition| &partition.groups) {
            *left.entry(group.group.as_str()).or_default() += group.old_left;
        }
        left
    }

    /// How it is, as one line.
    #[must_use]
    pub fn words(&self) -> String {
        if self.verdict == Known::Drained {
            return "nothing old is left".to_owned();
        }
        let word = if self.verdict == Known::Unknown { "unknown: " } else { "" };
        let shown: Vec<_> = self.why.iter().take(3).map(String::as_str).collect();
        let more = self.why.len().saturating_sub(3);
        format!("{word}{}{}", shown.join("; "), if more == 0 { String::new() } else { format!("; and {more} more") })
    }
}

/// One partition while it is judged.
struct Row<'a> {
    mark: &'a Mark,
    scanned: &'a Scanned,
    sight: &'a Sight,
}

impl Row<'_> {
    fn start(&self) -> i64 {
        self.sight.start(self.mark.partition).unwrap_or_default()
    }

    fn group(&self, group: &str, committed: Option<i64>, terms: Terms, proof: &mut Proof) -> GroupProof {
        let (partition, end) = (self.mark.partition, self.mark.end);
        let mut found = GroupProof { group: group.to_owned(), committed, verdict: Known::Drained, old_left: 0 };
        let start = self.start();
        let position = match (committed, terms.reset) {
            (Some(committed), _) if committed >= end => return found,
            (Some(committed), _) if committed < start => {
                let gone = start.min(end);
                if !self.scanned.covers(committed, gone) || self.scanned.may_hold(committed, gone) {
                    found.verdict = Known::Unknown;
                    proof.is_stuck(format!(
                        "group {group} has read partition {partition} up to offset {committed}, and the partition begins at {start} now: what \
                         lay between, {} offsets, went away unread and is lost, not consumed",
                        gone - committed
                    ));
                    return found;
                }
                start
            }
            (Some(committed), _) => committed,
            (None, Some(Reset::Latest)) => return found,
            (None, _) => start,
        };
        if position >= end {
            return found;
        }
        if !self.scanned.covers(position, end) {
            // Why the stable offset: behind it nobody can look, and that is said by itself.
            let stable = self.sight.is_stable(self.mark);
            found.verdict = if stable { Known::Unknown } else { Known::Waiting };
            if stable {
                proof.is(
                    Known::Unknown,
                    format!(
                        "group {group} stands at offset {position} of partition {partition}, and only {} to {} of it were looked at",
                        self.scanned.from, self.scanned.to
                    ),
                );
            }
            return found;
        }
        found.old_left = self.scanned.old_from(position);
        let unclear = self.scanned.last_unknown.filter(|last| *last >= position);
        match (found.old_left, unclear, committed, terms.reset) {
            (0, None, ..) => {}
            (_, Some(_), ..) => {
                found.verdict = Known::Unknown;
                let (offset, why) = self.scanned.unclear.as_ref().map_or((0, ""), |(offset, why)| (*offset, why.as_str()));
                proof.is(
                    Known::Unknown,
                    format!(
                        "{} of partition {partition} cannot be told, the first at offset {offset}: {why}; group {group} has not passed them all",
                        counted(self.scanned.unknown)
                    ),
                );
            }
            (left, None, None, None) => {
                found.verdict = Known::Unknown;
                proof.is(
                    Known::Unknown,
                    format!(
                        "group {group} has committed nothing in partition {partition}, which holds up to {left} old: where it begins \
                         (`auto.offset.reset`) is in nobody's list; say it as `reset`"
                    ),
                );
            }
            (left, None, ..) => {
                found.verdict = Known::Waiting;
                proof.is(Known::Waiting, format!("{group} has up to {left} old left in partition {partition}"));
            }
        }
        found
    }

    /// Whether nothing old lies in the partition.
    fn absent(&self, proof: &mut Proof) {
        let (partition, start, end) = (self.mark.partition, self.start(), self.mark.end);
        if start >= end {
            return;
        }
        if !self.scanned.covers(start, end) {
            proof.is(Known::Waiting, format!("partition {partition} was not looked at from {start} to {end}"));
            return;
        }
        let left = self.scanned.old_from(start);
        if left > 0 {
            proof.is(Known::Waiting, format!("partition {partition} still holds up to {left} old"));
        }
        if self.scanned.last_unknown.is_some_and(|last| last >= start) {
            let why = self.scanned.unclear.as_ref().map_or("", |(_, why)| why.as_str());
            proof.is(Known::Unknown, format!("{} that partition {partition} holds cannot be told: {why}", counted(self.scanned.unknown)));
        }
    }
}

fn counted(count: u64) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
