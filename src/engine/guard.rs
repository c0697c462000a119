//! What a run knows of its guards: the last samples, the counts, and whether one holds it. Everything here is rebuilt from the journal,
//! so a crash forgets no bad sample; what a provider's answer counts as is decided once, when it is written down.

use std::collections::VecDeque;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use crate::step::{GuardOptions, GuardOutcome, OnNoData, Reading};

/// How many samples of a guard are at hand; the journal keeps all of them.
pub const SAMPLES: usize = 20;

/// A guard, as the engine sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardDefinition {
    /// Its kind.
    pub kind: String,
    /// What it looks at.
    pub query: String,
    /// What a value must not be: `above 10000`.
    pub limit: String,
    /// How often it looks, what it lets pass, and what it does when it trips.
    pub options: GuardOptions,
}

impl GuardDefinition {
    /// How people are told which guard it is.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.kind, self.query)
    }

    fn interval(&self) -> Duration {
        Duration::from_std(self.options.interval.0.max(GuardOptions::SHORTEST)).unwrap_or(Duration::MAX)
    }
}

/// What a sample counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleVerdict {
    /// Within the limit.
    Good,
    /// Beyond the limit.
    Bad,
    /// Nothing is known.
    Error,
}

impl SampleVerdict {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Error => "error",
        }
    }
}

/// One look of one guard, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Index of the guard within its step.
    pub guard: usize,
    /// Its name.
    pub name: String,
    /// The value, if there is one and it is finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What it counts as.
    pub verdict: SampleVerdict,
    /// The value in words, or why there is none.
    pub line: String,
}

impl Sample {
    pub(super) fn new(at: usize, definition: &GuardDefinition, reading: Reading) -> Self {
        let (value, verdict, line) = match reading {
            Reading::Value { value, good, line } => {
                (Some(value).filter(|value| value.is_finite()), if good { SampleVerdict::Good } else { SampleVerdict::Bad }, line)
            }
            Reading::NoData(line) => {
                let verdict = match definition.options.on_no_data {
                    OnNoData::Good => SampleVerdict::Good,
                    OnNoData::Bad => SampleVerdict::Bad,
                    OnNoData::Error => SampleVerdict::Error,
                };
                // Why: where it counts as a value, it is read like one.
                (None, verdict, if verdict == SampleVerdict::Error { line } else { format!("without a value: {line}") })
            }
            Reading::Failed(line) => (None, SampleVerdict::Error, line),
        };
        Self { guard: at, name: definition.name(), value, verdict, line }
    }

    /// What it found, as a sentence: `metric errors is 3`, `metric errors gave no value: …`.
    #[must_use]
    pub fn words(&self) -> String {
        let verb = if self.verdict == SampleVerdict::Error { "gave no value:" } else { "is" };
        format!("{} {verb} {}", self.name, self.line)
    }
}

/// A sample and when it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// When the guard was asked.
    pub at: DateTime<Utc>,
    /// Number of the last journal entry then.
    pub after: i64,
    /// What it found.
    pub sample: Sample,
}

/// A guard's part of a step's record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GuardRecord {
    /// The last samples, at most [`SAMPLES`], oldest first.
    pub samples: VecDeque<Sampled>,
    /// Bad samples since the step began, or since the last hold, release or retry.
    pub bad: u32,
    /// Failures in a row.
    pub errors: u32,
    /// Good samples in a row.
    pub good: u32,
    /// Why it holds the run.
    pub held: Option<String>,
}

impl GuardRecord {
    /// The newest sample.
    #[must_use]
    pub fn newest(&self) -> Option<&Sampled> {
        self.samples.back()
    }

    pub(super) fn count(&mut self, sampled: Sampled) {
        match sampled.sample.verdict {
            SampleVerdict::Good => (self.good, self.errors) = (self.good.saturating_add(1), 0),
            SampleVerdict::Bad => (self.bad, self.good, self.errors) = (self.bad.saturating_add(1), 0, 0),
            SampleVerdict::Error => (self.errors, self.good) = (self.errors.saturating_add(1), 0),
        }
        if self.samples.len() >= SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sampled);
    }

    /// Begins to count anew; what was sampled stays.
    pub(super) fn forgive(&mut self) {
        (self.bad, self.errors, self.good) = (0, 0, 0);
    }

    /// What the counts lead to, with the reason in words; `None` while they are within the limits.
    pub(super) fn trip(&self, definition: &GuardDefinition) -> Option<(GuardOutcome, String)> {
        let options = &definition.options;
        let newest = self.newest()?;
        let (found, when) = (&newest.sample.line, newest.at.format("%Y-%m-%d %H:%M:%S UTC"));
        let (name, limit) = (definition.name(), &definition.limit);
        let bad = (self.bad > options.failure_limit).then(|| {
            let times = if self.bad > 1 { format!(", the {} bad sample", nth(self.bad)) } else { String::new() };
            (options.then, format!("{name} is {found} at {when} and must not be {limit}{times}"))
        });
        let failed = (self.errors > options.consecutive_error_limit).then(|| {
            let times = if self.errors == 1 { "once".to_owned() } else { format!("{} times in a row", self.errors) };
            (options.on_error, format!("{name} (must not be {limit}) gave no value {times}, last at {when}: {found}"))
        });
        // Why: a guard that holds already has nothing to add by holding.
        let trips = [bad, failed].into_iter().flatten().filter(|(outcome, _)| *outcome != GuardOutcome::Hold || self.held.is_none());
        trips.max_by_key(|(outcome, _)| *outcome)
    }

    /// Whether a hold by this guard is over by itself.
    pub(super) fn is_good_again(&self, definition: &GuardDefinition) -> bool {
        self.held.is_some() && self.good >= definition.options.release_after.max(1)
    }

    /// When it is to be looked at again.
    pub(super) fn due(&self, definition: &GuardDefinition) -> Option<DateTime<Utc>> {
        self.newest().map(|newest| newest.at.checked_add_signed(definition.interval()).unwrap_or(DateTime::<Utc>::MAX_UTC))
    }
}

fn nth(number: u32) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
