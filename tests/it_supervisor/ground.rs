//! A supervisor of its own for every test: a data directory, a database, a services file. A reaper ends whatever is left.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cutover::adapters::http::HttpService;
use cutover::adapters::secret::ProcessSecrets;
use cutover::adapters::workloads::SupervisedWorkloads;
use cutover::ports::settings::HttpSettings;
use cutover::ports::workloads::{Desired, DesiredChange, Instance, InstanceState, Workloads};
use cutover::stack::process::Identity;
use cutover::stack::reaper::Reaper;
use cutover::stack::supervisor::{self, Order};
use cutover::stack::{DataDir, StackError};
use cutover::store::Store;
use serde_json::Value;
use uuid::Uuid;

use super::machine::{self, PROGRAM, Reaped};
use super::service;

/// A guard against waiting for ever, never a measure.
pub const LONG: Duration = Duration::from_mins(1);

/// The service that tests deploy.
pub const SERVICE: &str = "hiring";

pub struct Ground {
    pub data: DataDir,
    pub order: Order,
    pub store: Store,
    pub workloads: Arc<SupervisedWorkloads>,
    _reaper: Reaper,
}

impl Ground {
    /// With a supervisor that runs.
    pub async fn new() -> Self {
        let ground = Self::without_supervisor().await;
        ground.supervise().await.unwrap();
        ground
    }

    pub async fn without_supervisor() -> Self {
        Self::on(machine::ground().database().await).await
    }

    pub async fn on(database: String) -> Self {
        let Reaped { data, directory, mut reaper } = Reaped::new();
        reaper.watch_supervisor(data.path()).unwrap();
        let services = directory.join("workloads.yaml");
        std::fs::write(&services, service::file(&[SERVICE, "bonuses"])).unwrap();
        let store = machine::store(&database, Duration::from_secs(5)).await;
        let workloads = Arc::new(SupervisedWorkloads::new(store.clone(), "local", "main", "the tests"));
        let order = Order { environment: "local".to_owned(), workloads: "local/main".to_owned(), services, database: Some(database) };
        Self { data, order, store, workloads, _reaper: reaper }
    }

    /// Joins the supervisor or starts one.
    pub async fn supervise(&self) -> Result<Identity, StackError> {
        supervisor::ensure_with(&self.data, Path::new(PROGRAM), &self.order).await
    }

    /// Where a service answers.
    pub fn url(&self, service: &str) -> String {
        supervisor::urls(&self.data).unwrap().remove(service).unwrap()
    }

    pub fn http(&self, service: &str) -> Arc<HttpService> {
        let settings = HttpSettings { url: self.url(service), bearer: None, tls: None };
        HttpService::connect(service, &settings, "the tests", &ProcessSecrets::default()).unwrap()
    }

    /// Asks for a release without waiting for it.
    pub async fn ask_for(&self, service: &str, release: &str, instances: u32) {
        let before = self.workloads.desired(service).await.unwrap();
        let after = Desired { release: release.to_owned(), instances };
        let change = DesiredChange { key: Uuid::new_v4().to_string(), service: service.to_owned(), before, after };
        self.workloads.change(&change).await.unwrap();
    }

    /// Asks for a release and waits until it runs and nothing else does.
    pub async fn deploy(&self, release: &str, instances: u32) -> Vec<Instance> {
        self.ask_for(SERVICE, release, instances).await;
        self.settled(release, instances).await
    }

    pub async fn settled(&self, release: &str, instances: u32) -> Vec<Instance> {
        let fits = |instance: &Instance| instance.release == release && instance.state == InstanceState::Ready;
        let count = usize::try_from(instances).unwrap();
        self.until(|found| found.len() == count && found.iter().all(fits)).await
    }

    /// Waits until the service's instances are as they should be.
    pub async fn until(&self, fits: impl Fn(&[Instance]) -> bool) -> Vec<Instance> {
        let end = std::time::Instant::now() + LONG;
        let mut last = Ok(Vec::new());
        while std::time::Instant::now() < end {
            last = self.workloads.instances(Some(SERVICE)).await;
            if let Ok(found) = &last
                && fits(found)
            {
                return last.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the instances stay {last:#?}; the supervisor says:\n{}", self.log());
    }

    /// What the supervisor's record says of an instance's process.
    pub fn process(&self, instance: &str) -> Identity {
        let record: Value = serde_json::from_slice(&std::fs::read(self.data.path().join("supervisor/record.json")).unwrap()).unwrap();
        let found = record["instances"].as_array().unwrap().iter().find(|started| started["instance"] == instance).unwrap();
        serde_json::from_value(found["process"].clone()).unwrap()
    }

    /// A file by which the service's instances are told what to do.
    pub fn order_file(&self, name: &str) -> PathBuf {
        self.data.path().join("supervisor/state").join(SERVICE).join(name)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.data.log("supervise")).unwrap_or_default()
    }
}
