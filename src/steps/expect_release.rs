//! `expect_release`: waits until every instance of a service runs at least a release, whoever deployed it. It changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::sight::{Known, Sight};
use super::common::{INSTANCES, main_system};
use crate::ports::PortError;
use crate::ports::http::HttpRequest;
use crate::ports::workloads::Instance;
use crate::step::pointer::mistake;
use crate::step::scalar::DottedRelease;
use crate::step::{
    ActContext, Claim, Evidence, KNOWN_LATER, Kind, Move, Nature, Never, OnUnknown, Onlooker, Plan, Resource, Risk, StepError, Verdict,
    View, World,
};

mod sight;

/// How soon it is worth looking again.
const AGAIN: Duration = Duration::from_millis(500);

/// How long the service may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits until every instance of a service runs at least this release, and the last older one is gone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectRelease {
    /// Name of the service.
    #[schemars(extend("format" = "service-name"))]
    pub service: String,
    /// The oldest release that will do: numbers with dots between them, in quotes.
    #[schemars(extend("format" = "dotted-release"))]
    pub at_least: String,
    /// Name of what runs the service in `cutover.yaml`; everything that runs services there when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workloads: Option<String>,
    /// The least number of instances that must run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub instances: Option<u32>,
    /// `false` for a service that reads no flags and so sends no heartbeats; otherwise every instance must have sent one.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub heartbeats: bool,
    /// Name of the flag store that hears the service's heartbeats; `main` when it is left out and there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// A consumer group that must be stable and have members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub group: Option<String>,
    /// Name of the Kafka cluster of the group in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub cluster: String,
    /// Where the service tells its version, for what no workloads and no heartbeats show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_url: Option<VersionUrl>,
}

/// Where a service tells its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionUrl {
    /// Name of the service under `http` in `cutover.yaml`.
    pub http: String,
    /// Path, beginning with a slash.
    #[schemars(extend("format" = "url-path"))]
    pub path: String,
    /// JSON pointer of the version in the answer; the whole answer is the version when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

fn yes() -> bool {
    true
}

impl ExpectRelease {
    fn goal(&self) -> String {
        let least = self.instances.map(|least| format!(" on at least {least}")).unwrap_or_default();
        let group = self.group.as_ref().map(|group| format!(", group {group} stable")).unwrap_or_default();
        format!("every instance of {} runs at least {}{least}{group}", self.service, self.at_least)
    }

    /// Everything that tells which releases run.
    async fn look(&self, world: &World) -> Result<Sight, StepError> {
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        let runners = match &self.workloads {
            Some(name) => vec![world.workloads(name)],
            None => world.all_workloads().collect(),
        };
        let supervised = !runners.is_empty();
        for runner in runners {
            for instance in runner?.instances(Some(&self.service)).await? {
                let Known { release, state, reason, .. } = known.entry(instance.instance).or_default();
                (*release, *state, *reason) = (Some(instance.release), Some(instance.state), instance.reason);
            }
        }
        let listeners = match world.flags(self.store.as_deref().unwrap_or("main")) {
            Ok(flags) => flags.listeners().await?,
            Err(StepError::NoSystem { .. }) if self.store.is_none() => None,
            Err(error) => return Err(error),
        };
        let heard = listeners.is_some();
        for listener in listeners.unwrap_or_default().into_iter().filter(|listener| listener.service == self.service) {
            let entry = known.entry(listener.instance).or_default();
            (entry.said, entry.silent) = (Some(listener.release), Some(listener.age));
        }
        let group = match &self.group {
            Some(group) => world.kafka(&self.cluster)?.group(group).await?,
            None => None,
        };
        let version = match &self.version_url {
            Some(place) => Some(version(world, place).await?),
            None => None,
        };
        Ok(Sight { known, supervised, heard, group, version })
    }
}

impl Onlooker for ExpectRelease {
    const KIND: Kind = Kind {
        name: "expect_release",
        summary: "waits until every instance of a service runs at least a release",
        nature: Nature::Once,
        risk: Risk::Safe,
        needs: &[],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-expect-release
steps:
  - id: run
    deploy: {service: hiring, release: \"1.5\"}
  - id: consumer
    expect_release: {service: hiring, at_least: \"1.5\", heartbeats: false}
",
    };

    fn resources(&self) -> Vec<Claim> {
        let service = self.workloads.iter().map(|workloads| Resource::service(workloads, &self.service));
        let group = self.group.iter().map(|group| Resource::group(&self.cluster, group));
        service.chain(group).map(Claim::read).collect()
    }

    fn complaints(&self) -> Vec<(String, String)> {
        let mut complaints = Vec::new();
        let field = self.version_url.as_ref().and_then(|place| place.field.as_ref());
        complaints.extend(field.and_then(|field| mistake(field)).map(|why| ("/version_url/field".to_owned(), why)));
        complaints
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        let mut view = View::default();
        let now = match self.at_least.parse() {
            Ok(least) => self.look(world).await?.missing(self, &least).join("; "),
            Err(why) => why,
        };
        view.put_aspect(&Resource::service("", &self.service), &self.at_least, &now);
        Ok(view)
    }

    fn plan(&self, view: &View) -> Plan<Never> {
        let least = match self.at_least.parse::<DottedRelease>() {
            Ok(least) => least,
            Err(why) => return Plan::Impossible(why),
        };
        let resource = Resource::service(self.workloads.as_deref().unwrap_or("main"), &self.service);
        let instances = view.aspect::<Vec<Instance>>(&resource, INSTANCES).flatten().unwrap_or_default();
        // Why: only a step of this plan leaves instances without names; what was seen before it counts no more then.
        if instances.iter().any(|instance| instance.instance.starts_with(KNOWN_LATER)) {
            let fits = |instance: &&Instance| instance.release.parse::<DottedRelease>().is_ok_and(|release| release >= least);
            let old = instances.iter().find(|instance| !fits(instance));
            let now = old.map_or_else(
                || "so, once the steps before have run".to_owned(),
                |old| format!("the steps before leave release {}", old.release),
            );
            return Plan::Wait { now, goal: self.goal() };
        }
        let seen = view.aspect::<String>(&Resource::service("", &self.service), &self.at_least).flatten().unwrap_or_default();
        Plan::Wait { now: if seen.is_empty() { "so already".to_owned() } else { seen }, goal: self.goal() }
    }

    async fn verify(&self, context: &ActContext) -> Result<Verdict, StepError> {
        let least = self.at_least.parse().map_err(StepError::Impossible)?;
        let sight = self.look(&context.world).await?;
        let missing = sight.missing(self, &least);
        Ok(if missing.is_empty() {
            let (line, data) = sight.evidence();
            Verdict::Holds(Evidence::with(line, &data))
        } else {
            Verdict::NotYet { now: missing.join("; "), goal: self.goal(), again_in: AGAIN }
        })
    }

    fn moves(&self) -> Vec<Move> {
        // Why not every later one too: somebody brings the release that is named here; a later one has a step of its own.
        vec![Move::Release { service: self.service.clone(), release: self.at_least.clone() }]
    }
}

/// The version that a service tells, or why it tells none.
async fn version(world: &World, place: &VersionUrl) -> Result<Result<String, String>, StepError> {
    let request = HttpRequest { method: "GET".to_owned(), path: place.path.clone(), body: None, timeout: PATIENCE };
    let answer = match world.http(&place.http)?.send(&request).await {
        Ok(answer) if answer.status == 200 => answer.body,
        Ok(answer) => return Ok(Err(format!("{} of {} answered {}", place.path, place.http, answer.status))),
        Err(PortError::Unreachable { detail, .. }) => return Ok(Err(format!("{} does not answer: {detail}", place.http))),
        Err(other) => return Err(other.into()),
    };
    let Some(field) = &place.field else { return Ok(Ok(answer.trim().to_owned())) };
    let found = serde_json::from_str::<serde_json::Value>(&answer).ok();
    let text = found.as_ref().and_then(|found| found.pointer(field)).map(|value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    });
    Ok(text.ok_or_else(|| format!("{} of {} tells no version at {field}", place.path, place.http)))
}
