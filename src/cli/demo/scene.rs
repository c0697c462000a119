//! What the demo needs around it: the local stack, the server, the services and the traffic.

use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;

use super::ledger::BOOKS;
use crate::cli::client::Client;
use crate::cli::exit::{self, CliError};
use crate::cli::session::Session;
use crate::cli::{load, server, supervise};
use crate::playbook::environment::{Environment, System};
use crate::ports::settings::{DatabaseSettings, SecretRef};
use crate::samples::ledger::Whereabouts;
use crate::samples::traffic::{Traffic, TrafficOptions};
use crate::stack::local::{self, Ending};
use crate::stack::progress::Lines;
use crate::stack::supervisor;

/// How many exercises the traffic works on.
const EXERCISES: u32 = 60;

/// How long requests that are under way may take when the traffic ends.
const LAST_ANSWERS: Duration = Duration::from_secs(30);

/// The services that the traffic goes over.
const SERVICES: [&str; 3] = ["exercises", "hiring", "bonuses"];

/// Brings up the stack and the server.
pub(super) async fn raise(session: &Session) -> Result<Client, CliError> {
    // Why: a place without configuration is found out before anything is started.
    load::written(session)?;
    local::up(&session.data()?, &mut Lines(std::io::stderr())).await?;
    Client::connect(session).await
}

/// Stops everything that the demo starts.
pub(super) async fn clear(session: &Session) -> Result<(), CliError> {
    session.say("Stopping everything that was started");
    let data = session.data()?;
    supervisor::stop(&data, Ending::Clean).await?;
    server::stop(&data).await?;
    Ok(local::down(&data, Ending::Clean, false, &mut Lines(std::io::stderr())).await?)
}

/// Starts the supervisor of the services.
pub(super) async fn supervise(session: &Session) -> Result<(), CliError> {
    supervise::ensure(session).await.map(drop)
}

/// Traffic that goes on, and where it keeps its books.
pub(super) struct Stage {
    pub(super) directory: PathBuf,
    traffic: Traffic,
    since: tokio::time::Instant,
}

impl Stage {
    /// Begins the traffic in a directory of its own.
    pub(super) async fn open(session: &Session, rate: f64) -> Result<Self, CliError> {
        let environment = load::resolve(session)?;
        let directory = session.data()?.path().join(BOOKS).join(Utc::now().format("%Y%m%d-%H%M%S").to_string());
        whereabouts(session, &environment)?.write(&directory).map_err(|error| CliError::new(exit::CONFIG, exit::chain(&error)))?;
        let url = |service: &str| settings(&environment.http, "http", service).map(|settings| settings.url);
        let options = TrafficOptions {
            directory: directory.clone(),
            exercises_url: url("exercises")?,
            hiring_url: url("hiring")?,
            rate,
            seed: 1,
            exercises: EXERCISES,
        };
        let traffic = Traffic::start(options).await?;
        session.say(format!("Traffic of {rate} requests per second goes over {}", SERVICES.join(", ")));
        Ok(Self { directory, traffic, since: tokio::time::Instant::now() })
    }

    /// One line on how it goes.
    pub(super) fn line(&self) -> String {
        let now = self.traffic.progress();
        format!("{} requests, {} acknowledged, {} refused, {} given up", now.requests, now.acknowledged, now.refused, now.given_up)
    }

    /// Lets the traffic go on until it has lasted `least`, and ends it.
    pub(super) async fn close(self, session: &Session, least: Duration) -> Result<PathBuf, CliError> {
        let left = least.saturating_sub(self.since.elapsed());
        if !left.is_zero() {
            session.say(format!("The traffic goes on for {} s", left.as_secs_f64().ceil()));
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                _ = tokio::signal::ctrl_c() => session.say("Ending the traffic early"),
            }
        }
        self.traffic.stop(LAST_ANSWERS).await?;
        Ok(self.directory)
    }
}

fn whereabouts(session: &Session, environment: &Environment) -> Result<Whereabouts, CliError> {
    let opened = local::writable(&session.data()?).map_err(|error| CliError::new(exit::CONFIG, exit::chain(&error)))?;
    let database = |service: &str| {
        let found = opened.iter().find(|(name, _)| name == service).map(|(_, database)| DatabaseSettings {
            url: database.url.clone(),
            password: Some(SecretRef::File(database.password.to_string_lossy().into_owned())),
            tls: None,
        });
        found.ok_or_else(|| CliError::new(exit::CONFIG, format!("the local stack has no database of {service}")).hint("cutover stack up"))
    };
    let [exercises, hiring, bonuses] = SERVICES.map(database);
    Ok(Whereabouts::new(settings(&environment.kafka, "kafka", "main")?, [exercises?, hiring?, bonuses?]))
}

fn settings<T: Clone>(systems: &std::collections::BTreeMap<String, System<T>>, kind: &str, name: &str) -> Result<T, CliError> {
    let found = systems.get(name).map(|system| system.settings.clone());
    found.ok_or_else(|| {
        CliError::new(exit::CONFIG, format!("the environment has no {kind} `{name}`, which the demo's traffic needs"))
            .hint("use an environment with `from: stack`")
    })
}
