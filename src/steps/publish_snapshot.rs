//! `publish_snapshot`: publishes every row of a table as an event, for the entities that existed before their producer did. Done only
//! when every record is acknowledged and no stale record is the last one for its key: a row that was read before a live change and
//! published after it would stay in a compacted topic for ever.

mod envelope;
mod events;
mod log;
mod publish;
mod settle;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::envelope::{Envelope, Wanted};
pub(super) use self::publish::acknowledged;
use super::common::{HELD, deployed, look_at_topic, main_system, topic_id};
use super::producers::{self, Complaint};
use crate::ports::database::TableState;
use crate::ports::kafka::TopicState;
use crate::services::EventRef;
use crate::step::scalar::Span;
use crate::step::{
    ActContext, Change, Claim, Effect, Evidence, Fact, Facts, FileRef, Kind, Mark, Move, Nature, OnUnknown, Operation, Plan, Receipt,
    Resource, Revert, Right, Risk, Standing, StepError, StepKind, StepRef, SystemKind, Verdict, View, World,
};

/// Aspect of a table in a view: about how many rows it has.
const ROWS: &str = "rows";

/// Publishes every row of a table as an event of its state, keyed and shaped like the events of the live producer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishSnapshot {
    /// Name of the Kafka cluster in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub cluster: String,
    /// The table: `database.table` or `database.schema.table`, the database by its name in `cutover.yaml`.
    #[schemars(extend("format" = "database-table"))]
    pub from: String,
    /// Name of the topic.
    #[schemars(extend("format" = "topic-name"))]
    pub topic: String,
    /// Id of the `register_schema` step whose schema every event fits.
    pub schema: StepRef,
    /// The columns that make the record key, joined by `:` when there are several; the primary key when it is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// The column that grows with every change of the row.
    #[serde(default = "version_column")]
    #[schemars(length(min = 1))]
    pub version: String,
    /// Name of the event; from the schema's `const` or `default` when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_name: Option<String>,
    /// Version of the event; from the schema's `const` or `default` when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_version: Option<u32>,
    /// Column to field, where their names differ.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub payload: BTreeMap<String, String>,
    /// File that declares the services, beside the playbook. With it, the last look waits for as long as what the producers of the event
    /// had taken on may still arrive, and a late record that is stale is found too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<FileRef>,
    /// How many rows are read, checked and published at a time.
    #[serde(default = "batch")]
    #[schemars(range(min = 1, max = 10_000))]
    pub batch: u32,
}

fn version_column() -> String {
    "version".to_owned()
}

fn batch() -> u32 {
    500
}

/// What is to be published where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    topic: Option<String>,
    /// The primary key of the table.
    primary: Vec<String>,
    rows: u64,
    /// How long a producer may still deliver what it has taken on; none when the services are not declared.
    delivery: Option<Span>,
}

/// The acts of a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotAct {
    /// Publish every row of this table to this topic.
    Publish(String, String),
    /// Publish again until no stale record is the last one for its key.
    Settle,
    /// The same once more, after what producers had taken on has arrived or failed.
    SettleLate(Span),
}

impl fmt::Display for SnapshotAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(from, topic) => write!(f, "publish every row of {from} to {topic}"),
            Self::Settle => f.write_str("publish again what was overtaken, until no stale record is the last one for its key"),
            Self::SettleLate(delivery) => write!(f, "do so once more after {delivery}, when nothing that is late can arrive any more"),
        }
    }
}

impl PublishSnapshot {
    /// Database and table.
    fn source(&self) -> (&str, &str) {
        self.from.split_once('.').unwrap_or((&self.from, ""))
    }

    fn topic_resource(&self) -> Resource {
        Resource::topic(&self.cluster, &self.topic)
    }

    fn table_resource(&self) -> Resource {
        let (database, table) = self.source();
        Resource::table(database, table)
    }

    /// How the schema of the named step wants an event; else what is in the way, with the field of the body that it is about.
    fn envelope(&self) -> Result<Envelope, Complaint> {
        let text = self.schema.file("file").ok_or_else(|| ("/schema".to_owned(), "the named step has no schema file".to_owned()))?;
        let wanted = Wanted { name: self.event_name.as_deref(), version: self.event_version, columns: &self.payload, grows: &self.version };
        Envelope::read(text, &wanted)
    }

    /// How long what a producer had taken on may still arrive; `None` when the services are not declared.
    fn delivery(&self, envelope: &Envelope) -> Result<Option<Span>, Complaint> {
        let (Some(file), Some(name)) = (&self.services, &envelope.name) else { return Ok(None) };
        let services = producers::declared(file)?;
        let event = EventRef { name: name.clone(), version: None };
        let producers = producers::of(file, &services, &event, &self.topic).map_err(|(_, why)| ("/services".to_owned(), why))?;
        Ok(Some(producers::delivery(&services, &producers)))
    }

    /// What of the table does not serve, as a sentence.
    fn unfit(&self, table: &TableState, envelope: &Envelope) -> Option<String> {
        let has = |name: &str| table.columns.iter().any(|column| column.name == name);
        if table.key.is_empty() {
            return Some(format!("{} has no primary key, so its rows cannot be named one by one", self.from));
        }
        if let Some(missing) = self.key.iter().find(|name| !has(name)) {
            return Some(format!("{} has no column {missing} for the record key", self.from));
        }
        if let Some(missing) = self.payload.keys().find(|name| !has(name)) {
            return Some(format!("{} has no column {missing}, which `payload` names", self.from));
        }
        match table.columns.iter().find(|column| column.name == self.version) {
            None => {
                return Some(format!(
                    "{} has no column {} that grows with every change; name it under `version`, or add one",
                    self.from, self.version
                ));
            }
            Some(column) if !matches!(column.sql_type.as_str(), "smallint" | "integer" | "bigint") => {
                return Some(format!("column {} of {} is {} and must be a whole number", self.version, self.from, column.sql_type));
            }
            Some(_) => {}
        }
        envelope.missing(&has).map(|(field, column)| {
            format!("the schema requires {field}, and {} has no column {column}; name the right one under `payload`", self.from)
        })
    }
}

impl StepKind for PublishSnapshot {
    const KIND: Kind = Kind {
        name: "publish_snapshot",
        summary: "publishes every row of a table as an event, until no stale record is the last one for its key",
        nature: Nature::Once,
        risk: Risk::Reversible,
        needs: &[SystemKind::Kafka, SystemKind::Database],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-publish-snapshot
steps:
  - id: topic
    create_topic: {topic: datarep.exercise, partitions: 1}
  - id: schema
    register_schema: {subject: datarep.exercise-value, file: schemas/exercise_state.v0.json}
  - id: snapshot
    publish_snapshot: {from: exercises.exercise, topic: datarep.exercise, schema: schema, batch: 2}
",
    };
    type Change = Snapshot;
    type Act = SnapshotAct;

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::write(self.topic_resource()), Claim::read(self.table_resource())]
    }

    fn references(&mut self) -> Vec<(&mut StepRef, &'static [&'static str])> {
        vec![(&mut self.schema, &["register_schema"])]
    }

    fn files(&mut self) -> Vec<&mut FileRef> {
        self.services.iter_mut().collect()
    }

    fn complaints(&self) -> Vec<(String, String)> {
        self.envelope().and_then(|envelope| self.delivery(&envelope)).err().into_iter().collect()
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        let (database, table) = self.source();
        let mut view = look_at_topic(world, &self.cluster, &self.topic).await?;
        let database = world.database(database)?;
        let state = database.table(table).await?;
        let rows = match state {
            Some(_) => Some(database.estimate(table).await?),
            None => None,
        };
        view.put(&self.table_resource(), &state);
        view.put_aspect(&self.table_resource(), ROWS, &rows);
        Ok(view)
    }

    fn plan(&self, view: &View) -> Plan<Snapshot> {
        let topic = match view.get::<TopicState>(&self.topic_resource()) {
            None => return Plan::CannotPreview(format!("topic {} was not looked at", self.topic)),
            Some(None) => return Plan::Impossible(format!("topic {} is not there; create it in an earlier step", self.topic)),
            Some(Some(topic)) => topic,
        };
        let table = match view.get::<TableState>(&self.table_resource()) {
            None => return Plan::CannotPreview(format!("table {} was not looked at", self.from)),
            Some(None) => match deployed(view).as_slice() {
                [] => return Plan::Impossible(format!("there is no table {}", self.from)),
                first => {
                    let why = format!("there is no table {} yet, and {} may make it when it starts", self.from, first.join(" or "));
                    return Plan::CannotPreview(why);
                }
            },
            Some(Some(table)) => table,
        };
        let read = self.envelope().and_then(|envelope| self.delivery(&envelope).map(|delivery| (envelope, delivery)));
        let (envelope, delivery) = match read {
            Ok(read) => read,
            Err((_, why)) => return Plan::Impossible(why),
        };
        if let Some(why) = self.unfit(&table, &envelope) {
            return Plan::Impossible(why);
        }
        let rows = view.aspect::<u64>(&self.table_resource(), ROWS).flatten().unwrap_or_default();
        let to = Some(format!("about {rows}, one for each row of {}", self.from));
        let effects = vec![Effect { mark: Mark::Create, what: format!("events in {}", self.topic), from: None, to }];
        let grows = table.columns.iter().find(|column| column.name == self.version).map(|column| column.sql_type.clone());
        let binding = json!({ "topic": topic_id(&topic), "key": table.key, "version": grows, "delivery": delivery });
        Plan::Change(Change { change: Snapshot { topic: topic.id, primary: table.key, rows, delivery }, effects, binding })
    }

    fn leave(&self, change: &Snapshot, view: &mut View) {
        let held = view.aspect::<i64>(&self.topic_resource(), HELD).flatten().unwrap_or_default();
        view.put_aspect(&self.topic_resource(), HELD, &held.saturating_add_unsigned(change.rows));
    }

    fn acts(&self, change: &Snapshot) -> Vec<SnapshotAct> {
        let acts = [SnapshotAct::Publish(self.from.clone(), self.topic.clone()), SnapshotAct::Settle];
        acts.into_iter().chain(change.delivery.map(SnapshotAct::SettleLate)).collect()
    }

    async fn standing(&self, _: &ActContext, _: &Snapshot, _: &SnapshotAct) -> Result<Standing, StepError> {
        // Why: the acts look for themselves at what lies in the topic already and send only what is missing.
        Ok(Standing::Before)
    }

    async fn act(&self, context: &ActContext, change: &Snapshot, act: &SnapshotAct) -> Result<Receipt, StepError> {
        match act {
            SnapshotAct::Publish(..) => publish::publish(self, context, change).await,
            SnapshotAct::Settle | SnapshotAct::SettleLate(_) => settle::settle(self, context, change).await,
        }
    }

    const SETTLES: bool = true;

    async fn settle(&self, context: &ActContext, change: &Snapshot, act: &SnapshotAct, _: &Receipt) -> Result<Verdict, StepError> {
        let rested = (context.now - context.rests_since).to_std().unwrap_or_default();
        let left = match (act, change.delivery) {
            (SnapshotAct::Settle, Some(delivery)) => delivery.0.saturating_sub(rested),
            _ => Duration::ZERO,
        };
        if left.is_zero() {
            return Ok(Verdict::Holds(Evidence::said("nothing that producers had taken on can arrive any more")));
        }
        Ok(Verdict::NotYet {
            now: format!("the last record is acknowledged since {} s", rested.as_secs()),
            goal: format!("{} have passed, the delivery timeout of the event's producers", Span(rested + left)),
            again_in: left,
        })
    }

    async fn verify(&self, context: &ActContext, _: Option<&Snapshot>) -> Result<Verdict, StepError> {
        let done = acknowledged(&context.receipts);
        let now = context.world.kafka(&self.cluster)?.topic(&self.topic).await?;
        let id = now.and_then(|topic| topic.id);
        if id.is_none() || id != done.topic {
            return Ok(Verdict::Broken(format!("{} is not the topic any more that the rows were published to", self.topic)));
        }
        let line = format!(
            "{} rows of {} as {} acknowledged records in {}, {} of them again; none that is stale is the last one for its key",
            done.rows, self.from, done.records, self.topic, done.again,
        );
        Ok(Verdict::Holds(Evidence::with(line, &done)))
    }

    fn revert(&self, _: &Snapshot, receipts: &[Receipt]) -> Revert {
        let records = acknowledged(receipts).records;
        if records == 0 {
            return Revert::Nothing;
        }
        Revert::Kept(format!("{records} records stay in {}: they say what the rows were, and consumers may have read them", self.topic))
    }

    fn foresee(&self, change: &Snapshot) -> Vec<Receipt> {
        let published = publish::Published { records: change.rows, rows: change.rows, ..publish::Published::default() };
        vec![Receipt::with("about as many records as there are rows", &published)]
    }

    fn rights(&self) -> Vec<Right> {
        let topic = self.topic_resource();
        let (database, table) = self.source();
        // Why reading: what is last for a key is looked at until no stale record is.
        let own = Right::all(&topic, [Operation::Write, Operation::Read]);
        [Right::look(&topic), own, Right::read_table(database, table)].concat()
    }

    fn moves(&self) -> Vec<Move> {
        vec![Move::Snapshot { table: self.from.clone(), topic: self.topic.clone(), event: self.event() }]
    }

    fn facts(&self) -> Facts {
        Facts { needs: vec![Fact::Topic(format!("{}/{}", self.cluster, self.topic)), self.schema_fact()], leaves: Vec::new() }
    }
}

impl PublishSnapshot {
    /// The event with its version; without its name where neither schema nor body says it. `None` while the schema does not serve.
    fn event(&self) -> Option<String> {
        let envelope = self.envelope().ok()?;
        let name = envelope.name.as_deref().or(self.event_name.as_deref()).unwrap_or_default();
        let version = envelope.fixed.get("event_version").and_then(Value::as_u64).or(self.event_version.map(u64::from));
        Some(format!("{name}@{}", version.unwrap_or_default()))
    }

    fn schema_fact(&self) -> Fact {
        let text = |field| self.schema.text(field).unwrap_or_default();
        Fact::Schema { subject: format!("{}/{}", text("registry"), text("subject")), file: text("file").to_owned() }
    }
}

/// A value as the text of a record key.
fn key_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
