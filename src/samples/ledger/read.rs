//! Reads the raw data: the traffic's file, the tables of the three services as they are at one moment each, and the topic from start to
//! end. Reads in the order in which things travel, so that what is on its way is seen at least once.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, FromRow};
use uuid::Uuid;

use super::LedgerError;
use super::evidence::{self, Applied, Assignment, Attempt, Change, Credit, Evidence, Review, Topic, TopicRecord};
use super::sabotage::Damage;
use super::whereabouts::Whereabouts;
use crate::adapters::kafka::KafkaCluster;
use crate::adapters::secret::Secrets;
use crate::ports::kafka::{Kafka, Position, StoredRecord};
use crate::ports::settings::DatabaseSettings;
use crate::samples::event::{Event, ExerciseChanged, NOTICE_TOPIC};
use crate::samples::traffic::file;

/// How long the topic may take to be read.
const READING: Duration = Duration::from_mins(2);

/// Where the file of addresses stands in messages about systems.
const SETTING: &str = "ledger.json";

/// What was read, and what sabotage did.
pub struct Read {
    pub evidence: Evidence,
    pub sabotaged: Option<String>,
}

/// Reads everything, damaged in the way that `sabotage` says.
pub async fn read(directory: &Path, places: &Whereabouts, secrets: &dyn Secrets, sabotage: Option<Damage>) -> Result<Read, LedgerError> {
    let (lines, broken) = file::read(directory)?;
    let mut evidence = Evidence { requests: evidence::requests(&lines), broken_lines: broken as u64, ..Evidence::default() };
    let mut sabotaged = None;

    let mut hiring = open("hiring", &places.hiring, secrets).await?;
    let failed = |source| LedgerError::Database { service: "hiring", source };
    if let Some(sabotage) = sabotage {
        let mut trial = hiring.begin().await.map_err(failed)?;
        // Why: whether hiring has anything to damage decides what is damaged, and exercises is read first.
        sabotaged = sabotage.hiring(&mut trial, &evidence.acknowledged()).await.map_err(failed)?;
        trial.rollback().await.map_err(failed)?;
    }
    let elsewhere = sabotage.filter(|_| sabotaged.is_none());
    let done = exercises(places, secrets, elsewhere, &mut evidence).await?;
    sabotaged = sabotaged.or(done);
    evidence.topic = topic(places, &places.topic, secrets).await?;
    evidence.notices = topic(places, NOTICE_TOPIC, secrets).await?;
    let here = sabotage.filter(|_| elsewhere.is_none());
    from_hiring(&mut hiring, here, &mut evidence).await.map_err(failed)?;
    bonuses(places, secrets, &mut evidence).await?;
    Ok(Read { evidence, sabotaged })
}

async fn open(service: &'static str, settings: &DatabaseSettings, secrets: &dyn Secrets) -> Result<PgConnection, LedgerError> {
    let failed = |source| LedgerError::Database { service, source };
    let mut options = PgConnectOptions::from_str(&settings.url).map_err(failed)?;
    if let Some(password) = &settings.password {
        let password = secrets.resolve(password).map_err(|error| LedgerError::Secret(error.to_string()))?;
        options = options.password(password.expose());
    }
    PgConnection::connect_with(&options).await.map_err(failed)
}

const ONE_MOMENT: &str = "set transaction isolation level repeatable read";

async fn exercises(
    places: &Whereabouts,
    secrets: &dyn Secrets,
    sabotage: Option<Damage>,
    evidence: &mut Evidence,
) -> Result<Option<String>, LedgerError> {
    let mut connection = open("exercises", &places.exercises, secrets).await?;
    let read = async {
        let mut transaction = connection.begin().await?;
        sqlx::query(ONE_MOMENT).execute(&mut *transaction).await?;
        let done = match sabotage {
            Some(sabotage) => sabotage.exercises(&mut transaction).await?,
            None => None,
        };
        let changes: Vec<ChangeRow> =
            sqlx::query_as("select exercise_id, version, request_id, event_id, at from exercise_change order by number")
                .fetch_all(&mut *transaction)
                .await?;
        let now: Vec<(String, i64)> = sqlx::query_as("select id, version from exercise").fetch_all(&mut *transaction).await?;
        let unsent: Vec<(String,)> =
            sqlx::query_as("select event_id from outbox union select event_id from held").fetch_all(&mut *transaction).await?;
        let assignments: Vec<(String, i64, Uuid, String)> =
            sqlx::query_as("select attempt_id, number, request_id, event_id from assignment order by id")
                .fetch_all(&mut *transaction)
                .await?;
        transaction.rollback().await?;
        evidence.changes = changes.into_iter().map(Change::from).collect();
        evidence.exercises = now.into_iter().collect();
        let assignments = assignments.into_iter();
        evidence.assignments =
            assignments.map(|(attempt, number, request, event)| Assignment { attempt, number, request, event }).collect();
        evidence.unsent_events = unsent.into_iter().map(|(event,)| event).collect();
        Ok(done)
    };
    read.await.map_err(|source| LedgerError::Database { service: "exercises", source })
}

#[derive(FromRow)]
struct ChangeRow {
    exercise_id: String,
    version: i64,
    request_id: Uuid,
    event_id: Option<String>,
    at: chrono::DateTime<chrono::Utc>,
}

impl From<ChangeRow> for Change {
    fn from(row: ChangeRow) -> Self {
        Self { exercise: row.exercise_id, version: row.version, request: row.request_id, event: row.event_id, at: row.at }
    }
}

async fn from_hiring(connection: &mut PgConnection, sabotage: Option<Damage>, evidence: &mut Evidence) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query(ONE_MOMENT).execute(&mut *transaction).await?;
    if let Some(sabotage) = sabotage {
        sabotage.hiring(&mut transaction, &evidence.acknowledged()).await?;
    }
    let attempts: Vec<(Uuid, i64, String, chrono::DateTime<chrono::Utc>)> =
        sqlx::query_as("select request_id, version_seen, path, at from attempt order by number").fetch_all(&mut *transaction).await?;
    let attempts = attempts.into_iter();
    evidence.attempts =
        attempts.map(|(request, version_seen, path, at)| Attempt { request, version_seen, by_events: path == "events", at }).collect();
    let unsent: Vec<(String,)> = sqlx::query_as("select body from outbox").fetch_all(&mut *transaction).await?;
    evidence.unsent_bonuses = unsent.iter().filter_map(|(body,)| attempt_of(body)).collect();
    // Why: a playbook may drop the copy once nobody relies on it.
    if sqlx::query_scalar("select to_regclass('exercise_copy') is not null").fetch_one(&mut *transaction).await? {
        let copy: Vec<(String, i64)> = sqlx::query_as("select id, version from exercise_copy").fetch_all(&mut *transaction).await?;
        evidence.copy = Some(copy.into_iter().collect());
    }
    let applied: Vec<(String, i64, String, Option<i64>)> =
        sqlx::query_as("select exercise_id, version, event_id, case when changed then copied end from applied order by number")
            .fetch_all(&mut *transaction)
            .await?;
    let applied = applied.into_iter();
    evidence.applied = applied.map(|(exercise, version, event, copied)| Applied { exercise, version, event, copied }).collect();
    let reviews: Vec<(String, i64, String, String)> =
        sqlx::query_as("select attempt_id, number, event_id, path from review order by id").fetch_all(&mut *transaction).await?;
    let reviews = reviews.into_iter();
    evidence.reviews =
        reviews.map(|(attempt, number, event, path)| Review { attempt, number, event, by_events: path == "events" }).collect();
    let put_aside: i64 = sqlx::query_scalar("select count(*) from failed_message").fetch_one(&mut *transaction).await?;
    evidence.put_aside = put_aside.unsigned_abs();
    transaction.rollback().await
}

fn attempt_of(body: &str) -> Option<Uuid> {
    let body: Value = serde_json::from_str(body).ok()?;
    body.pointer("/payload/attempt")?.as_str()?.parse().ok()
}

async fn bonuses(places: &Whereabouts, secrets: &dyn Secrets, evidence: &mut Evidence) -> Result<(), LedgerError> {
    let mut connection = open("bonuses", &places.bonuses, secrets).await?;
    let credits: Result<Vec<(Uuid,)>, _> = sqlx::query_as("select attempt from credit order by number").fetch_all(&mut connection).await;
    let credits = credits.map_err(|source| LedgerError::Database { service: "bonuses", source })?;
    evidence.credits = credits.into_iter().map(|(attempt,)| Credit { attempt }).collect();
    Ok(())
}

async fn topic(places: &Whereabouts, name: &str, secrets: &dyn Secrets) -> Result<Option<Topic>, LedgerError> {
    let cluster = KafkaCluster::connect("main", &places.kafka, SETTING, secrets).map_err(|error| LedgerError::Secret(error.to_string()))?;
    let Some(state) = cluster.topic(name).await? else { return Ok(None) };
    let ends = cluster.ends(name).await?;
    let compacted = state.is_compacted();
    let whole = !compacted && ends.iter().all(|end| end.start == 0);
    let ranges: Vec<_> = ends
        .iter()
        .map(|end| (Position { partition: end.partition, offset: end.start }, end.end))
        .filter(|(from, to)| from.offset < *to)
        .collect();
    let records = cluster.read(name, &ranges, READING).await?;
    let mut topic = Topic { records: Vec::with_capacity(records.len()), odd: 0, whole };
    for record in &records {
        match event_of(record) {
            Some(event) => topic.records.push(event),
            None => topic.odd += 1,
        }
    }
    Ok(Some(topic))
}

fn event_of(record: &StoredRecord) -> Option<TopicRecord> {
    let event: Event<ExerciseChanged> = serde_json::from_slice(record.value.as_deref()?).ok()?;
    let exercise = String::from_utf8(record.key.clone()?).ok()?;
    let (partition, version, at) = (record.at.partition, event.payload.version, event.produced_at);
    Some(TopicRecord { partition, event: event.event_id, exercise, version, at })
}
