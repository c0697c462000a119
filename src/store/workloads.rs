//! What should run of each service, revision by revision, and what the supervisor says that runs.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::types::Json;

use super::error::StoreError;
use super::pool::Store;
use crate::ports::workloads::{Desired, DesiredChange, Instance, InstanceState};

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DesiredWrite {
    /// It is made, now or before.
    Made,
    /// Something else should run than the change was planned on.
    Differs(Option<Desired>),
}

/// What a supervisor last said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupervisorSign {
    /// Which one: machine and data directory.
    pub name: String,
    /// The services that it can run, each with the number of instances that is meant when nobody says one.
    pub services: BTreeMap<String, u32>,
    /// How long ago it said so, by the database's clock.
    pub age: Duration,
}

/// An instance with what only its supervisor needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceRow {
    /// What everybody may know.
    pub instance: Instance,
    /// Process number; `None` while no process runs.
    pub pid: Option<u32>,
    /// When the process started, in the operating system's own terms.
    pub started: Option<String>,
    /// Port of its administration on 127.0.0.1.
    pub port: Option<u16>,
}

type SignColumns = (String, Json<BTreeMap<String, u32>>, f64);
type DesiredColumns = (String, i32);
type InstanceColumns = (String, String, String, String, String);

impl Store {
    /// What should run of a service; `None` when nothing was ever asked for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn desired(&self, workloads: &str, service: &str) -> Result<Option<Desired>, StoreError> {
        Ok(self.newest_desired(workloads, service).await?.map(|(_, desired)| desired))
    }

    /// What should run of every service for which anything was ever asked.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn all_desired(&self, workloads: &str) -> Result<BTreeMap<String, Desired>, StoreError> {
        let rows: Vec<(String, String, i32)> = sqlx::query_as(
            "select distinct on (service) service, release, instances from workload where workloads = $1 order by service, revision desc",
        )
        .bind(workloads)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(service, release, instances)| (service, desired((release, instances)))).collect())
    }

    /// Whether a change of this key was made.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_desired_changed(&self, workloads: &str, key: &str) -> Result<bool, StoreError> {
        let found = sqlx::query_scalar("select exists (select from workload where workloads = $1 and key = $2)");
        Ok(found.bind(workloads).bind(key).fetch_one(&self.pool).await?)
    }

    /// Writes what should run from now on, at most once per key. A writer that lost the race for a revision number looks again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn write_desired(&self, workloads: &str, change: &DesiredChange) -> Result<DesiredWrite, StoreError> {
        loop {
            if self.is_desired_changed(workloads, &change.key).await? {
                return Ok(DesiredWrite::Made);
            }
            let newest = self.newest_desired(workloads, &change.service).await?;
            let (revision, now) = newest.map_or((0, None), |(revision, desired)| (revision, Some(desired)));
            if now != change.before {
                // Why: it may be this very change, made by somebody else since the key was looked for.
                let made = self.is_desired_changed(workloads, &change.key).await?;
                return Ok(if made { DesiredWrite::Made } else { DesiredWrite::Differs(now) });
            }
            let made = sqlx::query(
                "insert into workload (workloads, service, revision, key, release, instances) values ($1, $2, $3, $4, $5, $6)
                 on conflict do nothing",
            )
            .bind(workloads)
            .bind(&change.service)
            .bind(revision + 1)
            .bind(&change.key)
            .bind(&change.after.release)
            .bind(i32::try_from(change.after.instances).unwrap_or(i32::MAX))
            .execute(&self.pool)
            .await?;
            if made.rows_affected() == 1 {
                return Ok(DesiredWrite::Made);
            }
        }
    }

    /// The instances of one service or of all, by service and name.
    ///
    /// # Errors
    /// When the database does not answer, or a row does not read back.
    pub async fn instances(&self, workloads: &str, service: Option<&str>) -> Result<Vec<Instance>, StoreError> {
        let rows: Vec<InstanceColumns> = sqlx::query_as(
            "select service, instance, release, state, reason from instance
             where workloads = $1 and ($2::text is null or service = $2) order by service, instance",
        )
        .bind(workloads)
        .bind(service)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(instance).collect()
    }

    /// Replaces the instances of these workloads by those that are given.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn write_instances(&self, workloads: &str, rows: &[InstanceRow]) -> Result<(), StoreError> {
        let text = |of: fn(&InstanceRow) -> &str| rows.iter().map(|row| of(row).to_owned()).collect::<Vec<_>>();
        sqlx::query(
            "with gone as (delete from instance where workloads = $1 and instance <> all($2))
             insert into instance (workloads, instance, service, release, state, reason, pid, started, port)
             select $1, row.* from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::integer[]) as row
             on conflict (workloads, instance) do update set state = excluded.state, reason = excluded.reason, pid = excluded.pid,
                 started = excluded.started, port = excluded.port, at = clock_timestamp()",
        )
        .bind(workloads)
        .bind(text(|row| &row.instance.instance))
        .bind(text(|row| &row.instance.service))
        .bind(text(|row| &row.instance.release))
        .bind(text(|row| row.instance.state.as_str()))
        .bind(text(|row| &row.instance.reason))
        .bind(rows.iter().map(|row| row.pid.map(i64::from)).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.started.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.port.map(i32::from)).collect::<Vec<_>>())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// What the supervisor of these workloads last said; `None` when there never was one, or it ended well.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn supervisor(&self, workloads: &str) -> Result<Option<SupervisorSign>, StoreError> {
        let row: Option<SignColumns> = sqlx::query_as(
            "select name, services, extract(epoch from clock_timestamp() - at)::double precision from supervisor where workloads = $1",
        )
        .bind(workloads)
        .fetch_optional(&self.pool)
        .await?;
        let sign = |(name, Json(services), age): SignColumns| SupervisorSign { name, services, age: Duration::from_secs_f64(age.max(0.0)) };
        Ok(row.map(sign))
    }

    /// Says that the supervisor of that name keeps these workloads. `false`, and nothing said, when another one has said so within
    /// `silence`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn supervise(
        &self,
        workloads: &str,
        name: &str,
        services: &BTreeMap<String, u32>,
        silence: Duration,
    ) -> Result<bool, StoreError> {
        let said = sqlx::query(
            "insert into supervisor as present (workloads, name, services) values ($1, $2, $3)
             on conflict (workloads) do update set name = excluded.name, services = excluded.services, at = clock_timestamp()
             where present.name = excluded.name or present.at < clock_timestamp() - make_interval(secs => $4)",
        )
        .bind(workloads)
        .bind(name)
        .bind(Json(services))
        .bind(silence.as_secs_f64())
        .execute(&self.pool)
        .await?;
        Ok(said.rows_affected() == 1)
    }

    /// Says that the supervisor of that name keeps nothing any more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_supervision(&self, workloads: &str, name: &str) -> Result<(), StoreError> {
        sqlx::query(
            "with ended as (delete from supervisor where workloads = $1 and name = $2 returning workloads)
             delete from instance using ended where instance.workloads = ended.workloads",
        )
        .bind(workloads)
        .bind(name)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn newest_desired(&self, workloads: &str, service: &str) -> Result<Option<(i64, Desired)>, StoreError> {
        let row: Option<(i64, String, i32)> = sqlx::query_as(
            "select revision, release, instances from workload where workloads = $1 and service = $2 order by revision desc limit 1",
        )
        .bind(workloads)
        .bind(service)
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(revision, release, instances)| (revision, desired((release, instances)))))
    }
}

fn desired((release, instances): DesiredColumns) -> Desired {
    Desired { release, instances: u32::try_from(instances).unwrap_or_default() }
}

fn instance((service, instance, release, state, reason): InstanceColumns) -> Result<Instance, StoreError> {
    let known = [InstanceState::Starting, InstanceState::Ready, InstanceState::Stopping, InstanceState::Failing];
    let state = known
        .into_iter()
        .find(|known| known.as_str() == state)
        .ok_or_else(|| StoreError::Damaged(format!("instance {instance} is `{state}`, which is no state")))?;
    Ok(Instance { service, instance, release, state, reason })
}
