//! `cutover drain`: the proof of `drain_topic`, outside a playbook and without a server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::exit::{self, CliError, chain};
use super::load;
use super::session::Session;
use crate::adapters::kafka::KafkaCluster;
use crate::adapters::registry::ConfluentRegistry;
use crate::adapters::secret::ProcessSecrets;
use crate::drain::{
    self, ABSENT_AGAIN, Barrier, Behind, Goal, Judged, Known, Old, REPLICAS_LAG, Reset, Search, Speed, Terms, Unreadable, Watch,
};
use crate::playbook::environment::Environment;
use crate::ports::PortError;
use crate::ports::kafka::Kafka;
use crate::report::Tone;
use crate::step::StepError;
use crate::step::scalar::Span;

/// How often groups are looked at while somebody waits.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Show whether groups have read what counts in a topic: everything, or one version of an event
///
/// Reads the topic without a consumer group; without --end-transaction it changes nothing. Exit codes: 0 drained, 75 waiting, 104 nobody can tell or records are
/// lost, 69 the cluster does not answer.
#[derive(Clone, Debug, Args)]
pub struct DrainArgs {
    /// The topic
    pub topic: String,

    /// A consumer group that must have read it; may be given several times. Groups that are found on the topic are looked at, too
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,

    /// A group on the topic that need not have read it; may be given several times
    #[arg(long = "except-group", value_name = "GROUP")]
    pub except_groups: Vec<String>,

    /// Which records count, as PLACE=NAME,PLACE=VERSION; every record when it is left out. A place is `payload:/POINTER`, `header:NAME`,
    /// `schema`, `schema:SUBJECT` or `topic`
    #[arg(long, value_name = "OLD")]
    pub old: Option<Old>,

    /// The version of a record that says none; unknown when it is left out
    #[arg(long, value_name = "VERSION", requires = "old")]
    pub absent_version: Option<u32>,

    /// What a record is that cannot be read; unknown when it is left out
    #[arg(long, value_name = "CLASS", requires = "old")]
    pub unreadable: Option<Unreadable>,

    /// Whether the groups must have read what counts, or none of it may lie in the topic any more
    #[arg(long, value_enum, default_value_t)]
    pub goal: Goal,

    /// Where a group begins that has committed nothing, as its services are configured
    #[arg(long, value_name = "WHERE")]
    pub reset: Option<Reset>,

    /// The most records that are read each second
    #[arg(long, value_name = "RECORDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub scan_rate: Option<u32>,

    /// First end what this transactional.id has open, and keep its present producer from ever writing again; may be given several times
    #[arg(long = "end-transaction", value_name = "ID")]
    pub end_transactions: Vec<String>,

    /// Wait so long for it to be drained
    #[arg(long, value_name = "TIME")]
    pub wait: Option<Span>,

    /// Name of the Kafka cluster in cutover.yaml
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub cluster: String,

    /// Name of the registry in cutover.yaml, where records name their schema only
    #[arg(long, value_name = "NAME", default_value = "main")]
    pub registry: String,
}

impl DrainArgs {
    fn old(&self) -> Old {
        let mut old = self.old.clone().unwrap_or_else(|| Old::everything(&self.topic));
        old.absent_version = self.absent_version;
        old.unreadable = self.unreadable;
        old
    }
}

/// Runs the command.
///
/// # Errors
/// When the configuration cannot be read or a system does not answer.
pub async fn run(session: &Session, args: &DrainArgs) -> Result<u8, CliError> {
    let environment = load::resolve(session)?;
    let (kafka, old) = (cluster(&environment, &args.cluster)?, args.old());
    let registry = if old.asks_registry() { Some(registry(&environment, &args.registry)?) } else { None };
    let search = Search {
        kafka: kafka.as_ref(),
        registry: registry.as_deref().map(|registry| registry as &dyn crate::ports::registry::Registry),
        topic: &args.topic,
        old: &old,
        most: args.scan_rate,
    };
    for id in &args.end_transactions {
        kafka.fence_transaction(id).await.map_err(failed)?;
        session.say(format!("ended what `{id}` had open; its producer writes no more"));
    }
    let terms = Terms { goal: args.goal, reset: args.reset };
    let end = Instant::now() + args.wait.map(|span| span.0).unwrap_or_default();
    let barrier = barrier(session, &search).await?;
    let mut watch = Watch { search: &search, named: &args.groups, except: &args.except_groups, terms, known: None };
    let mut speed = Speed::default();
    let mut judged = loop {
        let begin = Instant::now();
        let tell = |seen: u64| session.say(format!("{seen} records looked at, {} each second", seen / begin.elapsed().as_secs().max(1)));
        let judged = watch.look(&barrier, tell).await.map_err(failed)?;
        if judged.proof.verdict == Known::Drained || judged.proof.stuck || Instant::now() >= end {
            break judged;
        }
        let lines: Vec<String> = speed.behind(begin, &judged.proof).iter().map(line).collect();
        session.say(if lines.is_empty() { judged.proof.words() } else { lines.join("; ") });
        let again = if args.goal == Goal::Absent { ABSENT_AGAIN } else { LOOK_AGAIN };
        tokio::time::sleep(again.min(end.saturating_duration_since(Instant::now()))).await;
    };
    if judged.proof.partitions.iter().any(|one| one.lso.is_some_and(|lso| lso < one.barrier)) {
        // Why not an error: who is not told who writes has the rest of the answer.
        judged.proof.why.extend(drain::blockers(kafka.as_ref(), &args.topic).await.unwrap_or_default());
    }
    tell(session, args, &old, &judged)?;
    Ok(match judged.proof.verdict {
        Known::Drained => exit::OK,
        Known::Waiting => exit::UNFINISHED,
        Known::Unknown => exit::UNKNOWN,
    })
}

fn cluster(environment: &Environment, name: &str) -> Result<Arc<KafkaCluster>, CliError> {
    let system = environment.kafka.get(name).ok_or_else(|| none(environment, "kafka", name))?;
    KafkaCluster::connect(name, &system.settings, &system.setting, &ProcessSecrets::default()).map_err(unfit)
}

fn registry(environment: &Environment, name: &str) -> Result<Arc<ConfluentRegistry>, CliError> {
    let system = environment.registry.get(name).ok_or_else(|| none(environment, "registry", name))?;
    ConfluentRegistry::connect(name, &system.settings, &system.setting, &ProcessSecrets::default()).map_err(unfit)
}

fn none(environment: &Environment, kind: &str, name: &str) -> CliError {
    CliError::new(exit::CONFIG, format!("environment `{}` has no {kind} `{name}`", environment.name))
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
fn unfit(error: StepError) -> CliError {
    CliError::new(exit::CONFIG, chain(&error))
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` hands over")]
fn failed(error: PortError) -> CliError {
    let code = match &error {
        PortError::Unreachable { .. } | PortError::Conflict { .. } => exit::UNREACHABLE,
        PortError::Refused { .. } => exit::REFUSED,
        PortError::Invalid { .. } => exit::UNKNOWN,
    };
    CliError::new(code, chain(&error))
}

/// Takes the barrier, and once more when the high watermark may trail behind.
async fn barrier(session: &Session, search: &Search<'_>) -> Result<Barrier, CliError> {
    let kafka = search.kafka;
    let topic = kafka.topic(search.topic).await.map_err(failed)?;
    let Some(topic) = topic else { return Err(CliError::new(exit::UNKNOWN, format!("there is no topic `{}`", search.topic))) };
    let first = drain::take_barrier(kafka, search.topic, None).await.map_err(failed)?;
    if topic.replication <= 1 {
        return Ok(first);
    }
    session.say(format!(
        "the topic has {} replicas, so its ends may be {} s old; they are looked at again then",
        topic.replication,
        REPLICAS_LAG.as_secs()
    ));
    tokio::time::sleep(REPLICAS_LAG).await;
    drain::take_barrier(kafka, search.topic, Some(&first)).await.map_err(failed)
}

/// `hiring-exercises: up to 1204 old left, 310 each second, 4s left`.
fn line(behind: &Behind) -> String {
    let Behind { group, left, pace } = behind;
    let pace = pace.map_or_else(|| "standing still so far".to_owned(), |(rate, time)| format!("{rate} each second, {} left", Span(time)));
    format!("{group}: up to {left} old left, {pace}")
}

fn tell(session: &Session, args: &DrainArgs, old: &Old, judged: &Judged) -> Result<(), CliError> {
    let Judged { proof, index, .. } = judged;
    if session.is_json() {
        let looked = json!({ "records": index.seen(), "old": index.old() });
        return session.json(&json!({
            "schema": "cutover.drain/1",
            "topic": args.topic,
            "topic_id": proof.topic_id,
            "event": args.old.as_ref().map(|_| old.label()),
            "verdict": proof.verdict,
            "stuck": proof.stuck,
            "looked_at": looked,
            "partitions": proof.partitions,
            "why": proof.why,
        }));
    }
    let what = if args.old.is_some() { old.label() } else { "every record".to_owned() };
    let (tone, shape) = match proof.verdict {
        Known::Drained => (Tone::Good, "✔"),
        Known::Waiting => (Tone::Plain, "…"),
        Known::Unknown => (Tone::Bad, "?"),
    };
    let id = proof.topic_id.as_deref().unwrap_or("none");
    session.print(tone, format!("{shape} {}: {what} in {} (id {id})", proof.verdict.as_str(), args.topic))?;
    for partition in &proof.partitions {
        let last = partition.last_old.map_or_else(|| "none seen".to_owned(), |last| format!("at {last}"));
        let lso = partition.lso.map_or_else(|| "?".to_owned(), |lso| lso.to_string());
        let line = format!(
            "  partition {}: from {} to {} (stable to {lso}), last old {last}",
            partition.partition, partition.log_start, partition.barrier
        );
        session.print(Tone::Plain, line)?;
        for group in &partition.groups {
            let committed = group.committed.map_or_else(|| "nothing".to_owned(), |at| at.to_string());
            let left = if group.old_left > 0 { format!(", up to {} old left", group.old_left) } else { String::new() };
            session.print(Tone::Plain, format!("    {}: committed {committed}, {}{left}", group.group, group.verdict.as_str()))?;
        }
    }
    for why in &proof.why {
        session.print(Tone::Dim, format!("  {why}"))?;
    }
    Ok(())
}
