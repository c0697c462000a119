//! The relay: one at a time per service and transport, whichever instance it lives in. Sends the oldest row of each key at once, and
//! the next of a key only when the one before it was acknowledged, so that nothing can overtake within a key whatever fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgPool;
use tokio::sync::Notify;

use super::Transport;
use crate::samples::runtime::{Ending, Metrics};

/// How long a relay rests when there is nothing to do or another instance does it.
const REST: Duration = Duration::from_millis(200);

/// The first pause after a failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The most rows that are sent before those that arrived are deleted: so many may be sent again after a crash.
const MOST: i64 = 500;

/// A row on its way.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Parcel {
    /// Its number.
    pub id: i64,
    /// Topic or address.
    pub destination: String,
    /// What its order is kept by.
    pub key: String,
    /// The event.
    pub body: String,
}

/// Brings parcels to where they belong.
#[async_trait]
pub trait Carrier: Send + Sync {
    /// Which rows it carries.
    fn transport(&self) -> Transport;

    /// Carries the parcels, each of another key, and answers which ones were acknowledged. What was not may have arrived all the same.
    async fn carry(&self, parcels: &[Parcel]) -> Vec<Result<(), String>>;
}

/// Wakes a relay when a row was written.
#[derive(Clone, Debug, Default)]
pub struct Poke(Arc<Notify>);

impl Poke {
    /// There is something to do.
    pub fn now(&self) {
        self.0.notify_one();
    }
}

enum Turn {
    /// Nothing to do, or another instance does it.
    Idle,
    /// All was acknowledged.
    Sent,
    /// Some of it was not; the first reason.
    Held(String),
}

/// Relays until the end is said, and once more after it, so that a last instance leaves nothing behind that it could have sent.
pub async fn relay(pool: PgPool, carrier: impl Carrier, poke: Poke, metrics: Metrics, mut ending: Ending) {
    let mut pause = PAUSES.0;
    loop {
        let last = ending.is_said();
        let turn = turn(&pool, &carrier, &metrics).await.unwrap_or_else(|error| Turn::Held(error.to_string()));
        match turn {
            Turn::Sent => {
                pause = PAUSES.0;
                continue;
            }
            Turn::Idle => {
                tokio::select! {
                    () = poke.0.notified() => {}
                    _ = ending.pause(REST) => {}
                }
            }
            Turn::Held(reason) => {
                tracing::warn!(transport = carrier.transport().as_str(), reason, "the outbox waits");
                ending.pause(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
        if last {
            return;
        }
    }
}

async fn turn(pool: &PgPool, carrier: &impl Carrier, metrics: &Metrics) -> Result<Turn, sqlx::Error> {
    let transport = carrier.transport().as_str();
    let mut transaction = pool.begin().await?;
    let mine: Option<i32> = sqlx::query_scalar("select 1 from outbox_relay where transport = $1 for update skip locked")
        .bind(transport)
        .fetch_optional(&mut *transaction)
        .await?;
    if mine.is_none() {
        return Ok(Turn::Idle);
    }
    let parcels: Vec<Parcel> = sqlx::query_as("select id, destination, key, body from outbox where transport = $1 order by id limit $2")
        .bind(transport)
        .bind(MOST)
        .fetch_all(&mut *transaction)
        .await?;
    if parcels.is_empty() {
        return Ok(Turn::Idle);
    }
    let mut arrived = Vec::with_capacity(parcels.len());
    let mut reason = None;
    for wave in waves(parcels) {
        for (parcel, outcome) in wave.iter().zip(carrier.carry(&wave).await) {
            match outcome {
                Ok(()) => {
                    arrived.push(parcel.id);
                    if carrier.transport() == Transport::Events {
                        metrics.produced(&parcel.destination, 1);
                    }
                }
                Err(error) => {
                    reason.get_or_insert(error);
                }
            }
        }
        // Why: what follows in its key must not overtake what has just failed.
        if reason.is_some() {
            break;
        }
    }
    sqlx::query("delete from outbox where id = any($1)").bind(&arrived).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(reason.map_or(Turn::Sent, Turn::Held))
}

/// Parts parcels into waves: the first holds the oldest of each key, the next the second oldest, and so on.
fn waves(parcels: Vec<Parcel>) -> Vec<Vec<Parcel>> {
    let mut next: HashMap<String, usize> = HashMap::new();
    let mut waves: Vec<Vec<Parcel>> = Vec::new();
    for parcel in parcels {
        let number = next.entry(parcel.key.clone()).or_default();
        match waves.get_mut(*number) {
            Some(wave) => wave.push(parcel),
            None => waves.push(vec![parcel]),
        }
        *number += 1;
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wave_holds_two_of_a_key_and_each_key_keeps_its_order() {
        let parcel = |(id, key): (i64, &str)| Parcel { id, destination: String::new(), key: key.to_owned(), body: String::new() };
        let parcels = [(1, "a"), (2, "b"), (3, "a"), (4, "a"), (5, "c"), (6, "b")].map(parcel);
        let ids: Vec<Vec<i64>> = waves(parcels.into()).into_iter().map(|wave| wave.iter().map(|parcel| parcel.id).collect()).collect();
        assert_eq!(ids, [vec![1, 2, 5], vec![3, 6], vec![4]]);
        assert!(waves(Vec::new()).is_empty());
    }
}
