//! Resources that runs hold against each other: all of a run's claims are taken at its start, or none.

use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use super::error::StoreError;
use super::pool::Store;
use crate::step::{Claim, Mode};

/// A resource that another run holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Taken {
    /// The resource's name.
    pub resource: String,
    /// The run that holds it.
    pub run: Uuid,
    /// That run's playbook.
    pub playbook: String,
    /// That run's state.
    pub state: String,
}

impl Store {
    /// Takes a run's claims again, for a run that had ended and is to be taken back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_again(&self, run: Uuid, environment: &str, claims: &[Claim]) -> Result<Vec<Taken>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let taken = take(&mut transaction, run, environment, claims).await?;
        if taken.is_empty() {
            transaction.commit().await?;
        }
        Ok(taken)
    }

    /// What a run holds, with the mode.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn held_by(&self, run: Uuid) -> Result<Vec<(String, String)>, StoreError> {
        Ok(sqlx::query_as("select resource, mode from resource_lock where run = $1 order by resource")
            .bind(run)
            .fetch_all(&self.pool)
            .await?)
    }
}

/// Takes all claims or says who holds what stands against them; the caller commits or drops the transaction.
pub(super) async fn take(
    transaction: &mut Transaction<'_, Postgres>,
    run: Uuid,
    environment: &str,
    claims: &[Claim],
) -> Result<Vec<Taken>, StoreError> {
    let mut wanted: Vec<(String, Mode)> = Vec::new();
    for claim in claims {
        let name = format!("{environment}/{}", claim.resource);
        match wanted.iter_mut().find(|(known, _)| *known == name) {
            Some((_, mode)) => *mode = (*mode).max(claim.mode),
            None => wanted.push((name, claim.mode)),
        }
    }
    // Why: everybody locks the parent rows in the same order, so two claims of crossing sets cannot wait for each other for ever.
    wanted.sort();
    let names: Vec<_> = wanted.iter().map(|(name, _)| name.as_str()).collect();
    let modes: Vec<_> = wanted.iter().map(|(_, mode)| if *mode == Mode::Write { "write" } else { "read" }).collect();
    sqlx::query("insert into resource (name) select name from unnest($1::text[]) as n (name) order by name on conflict do nothing")
        .bind(&names)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("select name from resource where name = any ($1) order by name for no key update")
        .bind(&names)
        .execute(&mut **transaction)
        .await?;
    let taken: Vec<(String, Uuid, String, String)> = sqlx::query_as(
        "select l.resource, r.id, r.playbook, r.state
         from unnest($1::text[], $2::text[]) as w (name, mode)
         join resource_lock l on l.resource = w.name and l.run <> $3 and (l.mode = 'write' or w.mode = 'write')
         join run r on r.id = l.run order by l.resource",
    )
    .bind(&names)
    .bind(&modes)
    .bind(run)
    .fetch_all(&mut **transaction)
    .await?;
    if taken.is_empty() {
        sqlx::query(
            "insert into resource_lock (resource, run, mode) select name, $3, mode from unnest($1::text[], $2::text[]) as w (name, mode)
             on conflict do nothing",
        )
        .bind(&names)
        .bind(&modes)
        .bind(run)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(taken.into_iter().map(|(resource, run, playbook, state)| Taken { resource, run, playbook, state }).collect())
}
