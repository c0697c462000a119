//! `POST /api/doctor`: asks every system of an environment for something cheap, all at once.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use futures_util::future::{BoxFuture, FutureExt, join_all};

use super::super::App;
use super::super::documents::{Check, DoctorDocument};
use super::super::input::Body;
use crate::playbook::environment::Environment;
use crate::ports::PortError;
use crate::ports::http::HttpRequest;
use crate::ports::workloads::InstanceState;
use crate::report::words::counted;
use crate::step::{StepError, World};

/// How long a system may take.
const PATIENCE: Duration = Duration::from_secs(6);

/// What the systems answer.
pub(in crate::web) async fn doctor(State(app): State<App>, Body(environment): Body<Environment>) -> Json<DoctorDocument> {
    let world = app.worlds.world(&environment);
    let mut asked: Vec<BoxFuture<'_, Check>> = Vec::new();
    for (name, system) in &environment.kafka {
        asked.push(check(format!("kafka {name}"), &system.setting, kafka(&world, name)).boxed());
    }
    for (name, system) in &environment.registry {
        asked.push(check(format!("registry {name}"), &system.setting, registry(&world, name)).boxed());
    }
    for (name, system) in &environment.database {
        asked.push(check(format!("database {name}"), &system.setting, database(&world, name)).boxed());
    }
    for (name, system) in &environment.flags {
        asked.push(check(format!("flags {name}"), &system.setting, flags(&world, name)).boxed());
    }
    if environment.flags.is_empty() {
        asked.push(check("flags main".to_owned(), "built in", flags(&world, "main")).boxed());
    }
    for (name, system) in &environment.metrics {
        asked.push(check(format!("metrics {name}"), &system.setting, metrics(&world, name)).boxed());
    }
    for (name, system) in &environment.workloads {
        asked.push(check(format!("workloads {name}"), &system.setting, workloads(&world, name)).boxed());
    }
    for (name, system) in &environment.http {
        asked.push(check(format!("http {name}"), &system.setting, http(&world, name)).boxed());
    }
    Json(DoctorDocument { checks: join_all(asked).await })
}

async fn check(system: String, setting: &str, ask: impl Future<Output = Result<String, StepError>>) -> Check {
    let answer = tokio::time::timeout(PATIENCE, ask).await;
    let (ok, line) = match answer {
        Ok(Ok(line)) => (true, line),
        Ok(Err(error)) => (false, words(&error)),
        Err(_) => (false, format!("no answer within {} s", PATIENCE.as_secs())),
    };
    Check { system, ok, line, setting: Some(setting.to_owned()) }
}

/// Without the system's name and setting, which stand beside it.
fn words(error: &StepError) -> String {
    match error {
        StepError::Port(PortError::Unreachable { system, detail }) => format!("cannot be reached at {}: {detail}", system.address),
        StepError::Port(PortError::Refused { detail, .. }) => format!("refused: {detail}"),
        StepError::Port(PortError::Conflict { detail, .. } | PortError::Invalid { detail, .. }) => detail.clone(),
        other => other.to_string(),
    }
}

async fn kafka(world: &World, name: &str) -> Result<String, StepError> {
    let cluster = world.kafka(name)?.cluster().await?;
    Ok(format!("cluster {}, {}", cluster.id, counted(cluster.brokers.len(), "broker", "brokers")))
}

async fn registry(world: &World, name: &str) -> Result<String, StepError> {
    let registry = world.registry(name)?;
    registry.ping().await?;
    Ok("answers".to_owned())
}

async fn metrics(world: &World, name: &str) -> Result<String, StepError> {
    world.metrics(name)?.ping().await?;
    Ok("answers".to_owned())
}

async fn database(world: &World, name: &str) -> Result<String, StepError> {
    world.database(name)?.ping().await?;
    Ok("answers".to_owned())
}

async fn flags(world: &World, name: &str) -> Result<String, StepError> {
    Ok(format!("revision {}", world.flags(name)?.revision().await?))
}

async fn workloads(world: &World, name: &str) -> Result<String, StepError> {
    let instances = world.workloads(name)?.instances(None).await?;
    let ready = instances.iter().filter(|instance| instance.state == InstanceState::Ready).count();
    Ok(format!("{}, {ready} ready", counted(instances.len(), "instance", "instances")))
}

/// Whatever it answers shows that it is there.
async fn http(world: &World, name: &str) -> Result<String, StepError> {
    let request = HttpRequest { method: "GET".to_owned(), path: "/".to_owned(), body: None, timeout: PATIENCE };
    Ok(format!("answers with {}", world.http(name)?.send(&request).await?.status))
}
