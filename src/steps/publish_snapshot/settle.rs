//! The second act, and the third where producers may be late: no stale record may stay the last one for its key.
//!
//! Once the records of a key are acknowledged, whatever comes after them is a live change, and those come in order. So the key is right
//! for good as soon as, in this order, its row was read and then the topic, and the last record was not older than the row. Until then
//! the row is read and published again. What a producer had taken on before, and delivers late, is the exception: where the services
//! are declared, the same is done once more after their delivery timeout.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::events::{encode, place};
use super::log::Log;
use super::publish::{Acked, Published, send};
use super::{PublishSnapshot, Snapshot};
use crate::step::{ActContext, Receipt, StepError};

/// How often a key that keeps changing is published again before a person should look.
const MOST_ROUNDS: u32 = 200;

/// What was published again so far. A controller that takes over looks at everything anew; only the figures are kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Cursor {
    records: u64,
    rounds: u32,
    acked: Acked,
}

/// A row whose last record may be stale.
struct Doubtful {
    key: String,
    primary: Vec<Value>,
    version: i64,
}

pub(super) async fn settle(step: &PublishSnapshot, context: &ActContext, change: &Snapshot) -> Result<Receipt, StepError> {
    let (name, table) = step.source();
    let (kafka, database) = (context.world.kafka(&step.cluster)?, context.world.database(name)?);
    let envelope = step.envelope().map_err(|(_, why)| StepError::Impossible(why))?;
    let published = context.receipts.first().map(|receipt| receipt.data.clone()).unwrap_or_default();
    let published: Published = serde_json::from_value(published).map_err(StepError::broken)?;
    let mut cursor = context.resume::<Cursor>()?.unwrap_or_default();
    let mut log = Log::new(&published.from);
    log.read_on(step, kafka.as_ref(), &envelope).await?;
    let mut doubtful = doubtful(step, context, change, &mut log).await?;
    let mut deleted = log.without_row();
    loop {
        log.read_on(step, kafka.as_ref(), &envelope).await?;
        doubtful.retain(|row| !log.is_settled(&row.key, row.version));
        if doubtful.is_empty() {
            break;
        }
        if cursor.rounds >= MOST_ROUNDS {
            return Err(StepError::Impossible(format!(
                "{} rows of {} change faster than they can be published, or were published with a version that the table does not have; the \
                 first is row {}",
                doubtful.len(),
                step.from,
                doubtful.first().map(|row| row.key.as_str()).unwrap_or_default()
            )));
        }
        cursor.rounds += 1;
        let mut read_again = Vec::new();
        for some in doubtful.chunks(step.batch as usize) {
            let keys: Vec<Vec<Value>> = some.iter().map(|row| row.primary.clone()).collect();
            let rows = database.rows_of(table, &keys).await?;
            let events = encode(step, context, change, &envelope, &rows)?;
            let positions = send(step, kafka.as_ref(), &events, &mut BTreeMap::new()).await?;
            cursor.acked.take(&positions);
            cursor.records += positions.len() as u64;
            context.save(&cursor).await?;
            // Why: only a row that is read after its record was acknowledged says whether that record is stale.
            let rows = database.rows_of(table, &keys).await?;
            deleted += (keys.len() - rows.len()) as u64;
            for row in &rows {
                let (key, primary, version) = place(step, change, row)?;
                read_again.push(Doubtful { key, primary, version });
            }
        }
        doubtful = read_again;
    }
    let line = match cursor.records {
        0 => "no record was overtaken".to_owned(),
        again => format!("published {again} records again, in {} rounds", cursor.rounds),
    };
    let gone = if deleted > 0 { format!("; {deleted} rows were deleted meanwhile, and their records stay") } else { String::new() };
    let Cursor { records, acked, .. } = cursor;
    Ok(Receipt::with(line + &gone, &Published { topic: None, from: Vec::new(), rows: 0, records, deleted, acked }))
}

/// Goes through the table once and keeps the rows whose last record is older, or is not there.
async fn doubtful(step: &PublishSnapshot, context: &ActContext, change: &Snapshot, log: &mut Log) -> Result<Vec<Doubtful>, StepError> {
    let (name, table) = step.source();
    let database = context.world.database(name)?;
    let mut found = Vec::new();
    let mut last: Option<Vec<Value>> = None;
    loop {
        let rows = database.rows(table, last.as_deref(), step.batch).await?;
        let Some(end) = rows.last() else { return Ok(found) };
        last = Some(place(step, change, end)?.1);
        for row in &rows {
            let (key, primary, version) = place(step, change, row)?;
            if !log.has_row(&key) {
                return Err(StepError::Impossible(format!(
                    "two rows of {} have the record key {key}; choose columns that tell rows apart",
                    step.from
                )));
            }
            if !log.is_settled(&key, version) {
                found.push(Doubtful { key, primary, version });
            }
        }
    }
}
