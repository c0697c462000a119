//! The drain of one event in one version: what its acts look for, and what they keep.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::common::pause;
use super::{DrainTopic, Taken};
use crate::drain::{self, Barrier, Goal, Index, Judged, Known, Mark, Schemas, Search, Terms};
use crate::ports::kafka::{Kafka, Position};
use crate::ports::registry::Registry;
use crate::step::scalar::Span;
use crate::step::{ActContext, Evidence, KNOWN_LATER, Receipt, StepError, Verdict, View, World};

/// Aspect of the topic in a view: what a look into it before the run found.
const PREVIEW: &str = "old records";

/// How many records of each partition's end are looked at before the run.
const SAMPLE: i64 = 100;

/// How often, and how long, the end is waited for to be stable before a look on.
const STABLE_TRIES: u32 = 25;
const STABLE_PAUSE: Duration = Duration::from_millis(200);

/// What is looked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ByVersion {
    /// The look itself.
    pub looking: Looking,
    /// For how long nothing old must come.
    pub quiet: Option<Span>,
}

/// A look for old records, with what it costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Looking {
    /// The event.
    pub label: String,
    /// How many offsets it had to pass when it was planned.
    pub offsets: Option<i64>,
    /// The most records each second.
    pub most: Option<u32>,
}

impl fmt::Display for Looking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, offsets, most } = self;
        let known = |number: Option<u64>| number.map_or_else(|| KNOWN_LATER.to_owned(), |number| number.to_string());
        let count = offsets.map(i64::unsigned_abs);
        write!(f, "look where the last {label} before it lies, in {} offsets as of now", known(count))?;
        let Some(most) = most else { return Ok(()) };
        let seconds = count.map(|count| count.div_ceil(u64::from(*most).max(1)));
        write!(f, ", at most {most} records each second: {} s", known(seconds))
    }
}

/// What a look before the run found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Preview {
    offsets: i64,
    /// Records at the topic's end that nobody can tell: partition, offset, why.
    unclear: Option<(i32, i64, String)>,
}

/// Values of the receipts of the looks.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Looked {
    barrier: Barrier,
    index: Index,
    groups: Vec<String>,
    /// When the last old record was come upon that came late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    late: Option<DateTime<Utc>>,
}

/// Whether the quiet time is over.
pub fn quiet(rested: Duration, quiet: Span) -> Verdict {
    match quiet.0.checked_sub(rested) {
        Some(left) if !left.is_zero() => Verdict::NotYet {
            now: format!("nothing was looked at for {} s", rested.as_secs()),
            goal: format!("{quiet} have passed"),
            again_in: left,
        },
        _ => Verdict::Holds(Evidence::said(format!("{quiet} have passed"))),
    }
}

impl DrainTopic {
    fn terms(&self) -> Terms {
        Terms { goal: self.goal, reset: self.reset }
    }

    fn label(&self) -> String {
        self.old.as_ref().map(drain::Old::label).unwrap_or_default()
    }

    fn registry_of(&self, world: &World) -> Result<Option<std::sync::Arc<dyn Registry>>, StepError> {
        let asks = self.old.as_ref().is_some_and(drain::Old::asks_registry);
        asks.then(|| world.registry(&self.registry)).transpose()
    }

    fn search<'a>(&'a self, kafka: &'a dyn Kafka, registry: Option<&'a dyn Registry>) -> Result<Search<'a>, StepError> {
        let old = self.old.as_ref().ok_or_else(|| StepError::broken("a look for old records without `old`"))?;
        Ok(Search { kafka, registry, topic: &self.topic, old, most: self.scan_rate })
    }

    /// Looks into the topic before the run: how much there is to look at, and whether its newest records can be told.
    pub(super) async fn preview(&self, world: &World, view: &mut View) -> Result<(), StepError> {
        if self.old.is_none() {
            return Ok(());
        }
        let (kafka, registry) = (world.kafka(&self.cluster)?, self.registry_of(world)?);
        let search = self.search(kafka.as_ref(), registry.as_deref())?;
        let sight = drain::glance(kafka.as_ref(), &self.topic, &self.groups).await?;
        if sight.topic.is_none() {
            return Ok(());
        }
        let barrier = drain::extended(&Barrier::default(), &sight);
        let index = drain::begin(&barrier, &sight, self.goal, self.reset);
        let from = |mark: &Mark| index.partitions.get(&mark.partition).map_or(mark.end, |scanned| scanned.from);
        let offsets = barrier.marks.iter().map(|mark| mark.end - from(mark)).sum();
        // Why the stable end: behind it nobody can look, and a plan must not wait.
        let stable = |mark: &Mark| Mark { end: mark.end.min(sight.stable(mark.partition).unwrap_or_default()), ..*mark };
        let sampled: Vec<Mark> = barrier.marks.iter().map(stable).collect();
        let last =
            sampled.iter().map(|mark| Position { partition: mark.partition, offset: from(mark).max(mark.end - SAMPLE).min(mark.end) });
        let found = search.whole(Index::from(last), &sampled, &mut Schemas::default()).await?;
        let unclear = found
            .partitions
            .iter()
            .find_map(|(partition, scanned)| scanned.unclear.as_ref().map(|(offset, why)| (*partition, *offset, why.clone())));
        view.put_aspect(&self.resource(), PREVIEW, &Preview { offsets, unclear });
        Ok(())
    }

    /// What the plan says of the look, or why it would never end.
    pub(super) fn by_version(&self, view: &View) -> Result<Option<ByVersion>, String> {
        if self.old.is_none() {
            return Ok(None);
        }
        let preview = view.aspect::<Preview>(&self.resource(), PREVIEW).flatten();
        if let Some((partition, offset, why)) = preview.as_ref().and_then(|preview| preview.unclear.clone()) {
            return Err(format!(
                "nobody can tell whether the record at offset {offset} of partition {partition} of {} is {}: {why}; say in `old` where it \
                 says so (`from`), or what such a record is (`absent_version`, `unreadable`)",
                self.topic,
                self.label()
            ));
        }
        let looking = Looking { label: self.label(), offsets: preview.map(|preview| preview.offsets), most: self.scan_rate };
        Ok(Some(ByVersion { looking, quiet: self.quiet }))
    }

    fn taken(context: &ActContext) -> Result<Barrier, StepError> {
        let receipt = context.receipts.get(1).ok_or_else(|| StepError::broken("the barrier was taken once only"))?;
        let taken: Taken = serde_json::from_value(receipt.data.clone()).map_err(StepError::broken)?;
        Ok(taken.barrier)
    }

    fn looked(context: &ActContext) -> Result<Looked, StepError> {
        let receipt = context.receipts.get(2..).and_then(<[_]>::last).ok_or_else(|| StepError::broken("nobody has looked"))?;
        serde_json::from_value(receipt.data.clone()).map_err(StepError::broken)
    }

    /// Whether readers may come as far as the barrier.
    pub(super) async fn stable(&self, context: &ActContext) -> Result<Verdict, StepError> {
        let kafka = context.world.kafka(&self.cluster)?;
        let barrier = Self::taken(context)?;
        let stable = kafka.stable_ends(&self.topic).await?;
        let short = barrier.marks.iter().find_map(|mark| {
            let at = drain::offset_in(&stable, mark.partition)?;
            (at < mark.end).then_some((mark, at))
        });
        let Some((mark, at)) = short else { return Ok(Verdict::Holds(Evidence::said("everything before the barrier is stable"))) };
        // Why not an error: who is not told who writes can still wait.
        let blockers = drain::blockers(kafka.as_ref(), &self.topic).await.unwrap_or_default();
        let whose = if blockers.is_empty() { String::new() } else { format!("; {}", blockers.join("; ")) };
        Ok(Verdict::NotYet {
            now: format!("a transaction is open: partition {} is stable up to {at} of {}{whose}", mark.partition, mark.end),
            goal: "no transaction is open that was so at the barrier".to_owned(),
            again_in: super::LOOK_AGAIN,
        })
    }

    /// Looks where old records lie before the barrier, from where the slowest group stands.
    pub(super) async fn index(&self, context: &ActContext) -> Result<Receipt, StepError> {
        let (kafka, registry) = (context.world.kafka(&self.cluster)?, self.registry_of(&context.world)?);
        let search = self.search(kafka.as_ref(), registry.as_deref())?;
        let looked = if let Some(looked) = context.resume::<Looked>()? {
            looked
        } else {
            let groups = drain::readers(kafka.as_ref(), &self.topic, &self.groups, &self.except_groups).await?;
            let sight = drain::glance(kafka.as_ref(), &self.topic, &groups).await?;
            let barrier = Self::taken(context)?;
            let index = drain::begin(&barrier, &sight, self.goal, self.reset);
            Looked { barrier, index, groups, late: None }
        };
        let looked = self.look_further(context, search, looked).await?;
        let (seen, old) = (looked.index.seen(), looked.index.old());
        Ok(Receipt::with(format!("{old} of {seen} records before the barrier are {}", self.label()), &looked))
    }

    /// Looks as far as the barrier goes, and saves its place now and then.
    async fn look_further(&self, context: &ActContext, search: Search<'_>, mut looked: Looked) -> Result<Looked, StepError> {
        let mut schemas = Schemas::default();
        while !search.further(&mut looked.index, &looked.barrier.marks, &mut schemas).await? {
            context.save(&looked).await?;
        }
        Ok(looked)
    }

    /// Looks on to where the topic ends by now, so that what comes later can be told from it.
    pub(super) async fn look_on(&self, context: &ActContext) -> Result<Receipt, StepError> {
        let looked = match context.resume::<Looked>()? {
            Some(looked) => looked,
            None => Self::looked(context)?,
        };
        let looked = self.look_to_the_end(context, looked).await?;
        let old = looked.index.old();
        Ok(Receipt::with(format!("{old} {} were seen, up to where the topic ends now", self.label()), &looked))
    }

    async fn look_to_the_end(&self, context: &ActContext, mut looked: Looked) -> Result<Looked, StepError> {
        let (kafka, registry) = (context.world.kafka(&self.cluster)?, self.registry_of(&context.world)?);
        let search = self.search(kafka.as_ref(), registry.as_deref())?;
        let before = looked.barrier.topic.clone();
        let end = drain::take_barrier(kafka.as_ref(), &self.topic, Some(&looked.barrier)).await?;
        for _ in 0..STABLE_TRIES {
            let stable = kafka.stable_ends(&self.topic).await?;
            let short = |mark: &Mark| drain::offset_in(&stable, mark.partition).is_some_and(|at| at < mark.end);
            // Why wait here: such a transaction lasts for a moment, and one that lasts longer makes the scan say so.
            if !end.marks.iter().any(short) || !pause(STABLE_PAUSE).await {
                break;
            }
        }
        looked.barrier = Barrier { topic: before, marks: end.marks };
        for mark in &looked.barrier.marks {
            looked.index.partitions.entry(mark.partition).or_insert_with(|| drain::Scanned::at(0));
        }
        self.look_further(context, search, looked).await
    }

    /// Looks whether something old came since the quiet time began. If so, the time begins anew, and a person sees that a producer lives.
    pub(super) async fn sweep(&self, context: &ActContext) -> Result<Receipt, StepError> {
        let saved = context.resume::<Looked>()?;
        let looked = match &saved {
            Some(looked) => looked.clone(),
            None => Self::looked(context)?,
        };
        let quiet = self.quiet.map(|quiet| quiet.0).unwrap_or_default();
        let since = looked.late.map(|late| (context.now - late).to_std().unwrap_or_default());
        if let Some(since) = since.filter(|since| *since < quiet) {
            let left = quiet.saturating_sub(since).as_secs();
            return self.came_late(&looked, &format!("; nothing old must come for {left} s more"));
        }
        let (before, ends) = (looked.index.old(), looked.barrier.marks.clone());
        let mut looked = self.look_to_the_end(context, looked).await?;
        if looked.index.old() > before {
            looked.late = Some(context.now);
            context.save(&looked).await?;
            return self.came_late(&looked, "");
        }
        let passed: i64 = looked.barrier.marks.iter().map(|mark| mark.end).sum::<i64>() - ends.iter().map(|mark| mark.end).sum::<i64>();
        let time = self.quiet.unwrap_or(Span(Duration::ZERO));
        Ok(Receipt::with(format!("no {} came for {time}, in {passed} offsets", self.label()), &looked))
    }

    fn came_late<T>(&self, looked: &Looked, more: &str) -> Result<T, StepError> {
        let last = looked.index.partitions.iter().filter_map(|(partition, scanned)| Some((*partition, scanned.last?, scanned.produced)));
        let last = last.max_by_key(|(_, offset, produced)| (*produced, *offset));
        let place = last.map(|(partition, offset, _)| format!(" at offset {offset} of partition {partition}")).unwrap_or_default();
        Err(StepError::Disturbed(format!(
            "{} came after the barrier, the last one{place}: something produces it still{more}; retire its producers first",
            self.label()
        )))
    }

    /// Judges, and looks for readers once more before it says that all is done.
    pub(super) async fn proven(&self, context: &ActContext, again_in: Duration) -> Result<Verdict, StepError> {
        let (kafka, registry) = (context.world.kafka(&self.cluster)?, self.registry_of(&context.world)?);
        let search = self.search(kafka.as_ref(), registry.as_deref())?;
        let looked = Self::looked(context)?;
        let mut judged = search.judge(&looked.barrier, &looked.index, &looked.groups, self.terms()).await?;
        if judged.proof.verdict == Known::Drained {
            let groups = drain::readers(kafka.as_ref(), &self.topic, &self.groups, &self.except_groups).await?;
            if groups != looked.groups {
                judged = search.judge(&looked.barrier, &looked.index, &groups, self.terms()).await?;
            }
        }
        // Why only then: what is still read from the topic may still be put aside.
        let aside = if judged.proof.verdict == Known::Drained { self.aside(context, search).await? } else { Vec::new() };
        judged.proof.why.extend(aside.iter().map(|(_, why)| why.clone()));
        judged.proof.verdict = aside.iter().map(|(known, _)| *known).fold(judged.proof.verdict, Known::max);
        Ok(self.verdict(&judged, again_in))
    }

    /// What is old in retry topics and tables.
    async fn aside(&self, context: &ActContext, search: Search<'_>) -> Result<Vec<(Known, String)>, StepError> {
        let mut found = Vec::new();
        for retry in &self.retries {
            let search = Search { topic: &retry.topic, ..search };
            let goal = if retry.groups.is_empty() { Goal::Absent } else { Goal::Consumed };
            let terms = Terms { goal, reset: self.reset };
            let barrier = drain::take_barrier(search.kafka, search.topic, None).await?;
            let index = search.survey(&barrier, &retry.groups, terms, |_| {}).await?;
            let proof = search.judge(&barrier, &index, &retry.groups, terms).await?.proof;
            if proof.verdict != Known::Drained {
                found.push((proof.verdict, format!("in {}: {}", retry.topic, proof.words())));
            }
        }
        for table in &self.tables {
            let count = context.world.database(&table.database)?.matching(&table.table, &table.rows).await?;
            if count > 0 {
                let rows = if count == 1 { "row is" } else { "rows are" };
                found.push((Known::Waiting, format!("{count} {rows} left in {} of {}", table.table, table.database)));
            }
        }
        Ok(found)
    }

    fn verdict(&self, judged: &Judged, again_in: Duration) -> Verdict {
        let Judged { proof, index, .. } = judged;
        let groups: Vec<&str> = proof.left().into_keys().collect();
        let label = self.label();
        let goal = match self.goal {
            Goal::Consumed => format!("{} {} read every {label} before {}", groups.join(", "), have(&groups), super::ends(&judged.barrier)),
            Goal::Absent => format!("no {label} lies in {} before {}", self.topic, super::ends(&judged.barrier)),
        };
        match proof.verdict {
            Known::Drained => {
                let undeclared: Vec<&str> =
                    groups.iter().filter(|group| !self.groups.iter().any(|named| named == **group)).copied().collect();
                let others = if undeclared.is_empty() {
                    String::new()
                } else {
                    format!("; found on the topic and not named: {}", undeclared.join(", "))
                };
                let line = format!("{goal}; {} of {} records looked at were old{others}", index.old(), index.seen());
                Verdict::Holds(Evidence::with(line, &json!({ "proof": proof, "undeclared": undeclared })))
            }
            _ if proof.stuck => Verdict::Broken(proof.words()),
            _ => {
                let again_in = if self.goal == Goal::Absent { drain::ABSENT_AGAIN } else { again_in };
                Verdict::NotYet { now: proof.words(), goal, again_in }
            }
        }
    }
}

fn have(groups: &[&str]) -> &'static str {
    if groups.len() == 1 { "has" } else { "have" }
}
