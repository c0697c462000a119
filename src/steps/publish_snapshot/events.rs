//! From rows to records: the same bytes whenever this step of this run publishes this version of a row.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::common::EVENT_HEADER;
use super::envelope::{Envelope, Id};
use super::{PublishSnapshot, Snapshot, key_text};
use crate::ports::database::Row;
use crate::ports::kafka::NewRecord;
use crate::step::{ActContext, StepError};

/// How many rows that do not fit are listed.
const MOST_LISTED: usize = 10;

/// A row as it is published.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// The primary key, in its order.
    pub(super) primary: Vec<Value>,
    /// What makes a second sending recognisable.
    pub(super) name: String,
    pub(super) record: NewRecord,
}

/// Where a row stands, without its event.
pub(super) fn place(step: &PublishSnapshot, change: &Snapshot, row: &Row) -> Result<(String, Vec<Value>, i64), StepError> {
    let of = |names: &[String]| names.iter().map(|name| row.get(name).cloned().unwrap_or_default()).collect::<Vec<_>>();
    let primary = of(&change.primary);
    let columns = if step.key.is_empty() { &change.primary } else { &step.key };
    let key = of(columns).iter().map(key_text).collect::<Vec<_>>().join(":");
    let version = row.get(&step.version).and_then(Value::as_i64);
    let version = version
        .ok_or_else(|| StepError::Impossible(format!("row {key} of {} has no version: column {} is null", step.from, step.version)))?;
    Ok((key, primary, version))
}

/// Makes the events of these rows, and checks every one before any is sent.
///
/// # Errors
/// Every row that does not fit the schema, by key and place, never by value.
pub(super) fn encode(
    step: &PublishSnapshot,
    context: &ActContext,
    change: &Snapshot,
    envelope: &Envelope,
    rows: &[Row],
) -> Result<Vec<Event>, StepError> {
    let mut events = Vec::with_capacity(rows.len());
    let mut misfits = Vec::new();
    for row in rows {
        let (key, primary, version) = place(step, change, row)?;
        let name = format!("{}/{key}@{version}", context.key);
        let value = value(context, envelope, &name, row);
        if let Some(misfit) = envelope.misfit(&value) {
            misfits.push(format!("row {key} at {} (rule {})", misfit.at, misfit.rule));
            continue;
        }
        let headers = vec![(EVENT_HEADER.to_owned(), name.clone().into_bytes())];
        let record = NewRecord { key: Some(key.into_bytes()), value: Some(value.to_string().into_bytes()), headers };
        events.push(Event { primary, name, record });
    }
    if misfits.is_empty() {
        return Ok(events);
    }
    let more = misfits.len().saturating_sub(MOST_LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let listed = misfits.iter().take(MOST_LISTED).cloned().collect::<Vec<_>>().join("; ");
    Err(StepError::Impossible(format!(
        "{} of these {} rows of {} do not fit the schema, and none of them was sent: {listed}{more}",
        misfits.len(),
        rows.len(),
        step.from
    )))
}

fn value(context: &ActContext, envelope: &Envelope, name: &str, row: &Row) -> Value {
    let mut fields = Map::new();
    for field in &envelope.fields {
        match (row.get(&field.column), &field.fixed) {
            // Why: an optional field that may not be null is left out, as producers that skip empty fields do.
            (Some(Value::Null), None) if !field.nullable && !field.required => {}
            (Some(value), _) => {
                fields.insert(field.name.clone(), value.clone());
            }
            (None, Some(fixed)) => {
                fields.insert(field.name.clone(), fixed.clone());
            }
            (None, None) => {}
        }
    }
    if !envelope.wrapped {
        return Value::Object(fields);
    }
    let mut event = Map::new();
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
    match envelope.id {
        Some(Id::Text) => {
            event.insert("event_id".to_owned(), Value::String(id.to_string()));
        }
        Some(Id::Number) => {
            // Why: 53 bits survive every JSON reader.
            event.insert("event_id".to_owned(), Value::from(id.as_u64_pair().0 >> 11));
        }
        None => {}
    }
    event.extend(envelope.fixed.clone());
    if let Some(time) = &envelope.time {
        // Why: id and time together are what consumers tell events apart by, so a second sending after a crash must bear the same time.
        event.insert(time.clone(), Value::String(context.began.to_rfc3339()));
    }
    event.insert("payload".to_owned(), Value::Object(fields));
    Value::Object(event)
}
