//! A supervisor for a case whose example runs services.

use std::path::Path;

use cutover::playbook::environment::{Environment, System};
use cutover::stack::DataDir;
use cutover::stack::local::Ending;
use cutover::stack::supervisor::{self, Order};
use serde_json::json;

use super::service;
use super::support::{PROGRAM, Servers};

/// The service of the examples.
const SERVICE: &str = "hiring";

/// A supervisor that runs, with a data directory of its own.
pub struct Services {
    data: DataDir,
}

impl Services {
    /// Starts one that hears from this state database what should run, when the example needs it.
    pub async fn start(servers: &Servers, text: &str, database: &str, case: &str) -> Option<Self> {
        if !text.contains("deploy:") {
            return None;
        }
        let data = DataDir::open(&servers.directory.join(format!("{case}-services"))).unwrap();
        servers.end_supervisor_with_tests(data.path());
        let services = servers.directory.join(format!("{case}.yaml"));
        std::fs::write(&services, service::file(&[SERVICE])).unwrap();
        let (environment, workloads) = ("local".to_owned(), "local/main".to_owned());
        let order = Order { environment, workloads, services, database: Some(database.to_owned()) };
        supervisor::ensure_with(&data, Path::new(PROGRAM), &order).await.unwrap();
        Some(Self { data })
    }

    /// Puts the systems into the environment.
    pub fn fill(&self, environment: &mut Environment) {
        let workloads = serde_json::from_value(json!("supervisor")).unwrap();
        environment.workloads.insert("main".to_owned(), System { settings: workloads, setting: "the tests".to_owned() });
        for (service, url) in supervisor::urls(&self.data).unwrap() {
            let http = serde_json::from_value(json!({ "url": url })).unwrap();
            environment.http.insert(service, System { settings: http, setting: "the tests".to_owned() });
        }
    }

    pub async fn end(self) {
        supervisor::stop(&self.data, Ending::Kill).await.unwrap();
    }
}
