//! `deploy`: makes one release of a service run, and waits until nothing else of it does. How instances are replaced is the business
//! of whatever runs them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::common::{INSTANCES, SERVICES, ask_by_hand, instances_count, instances_text, look_at_service, main_system, note_deployed};
use crate::ports::workloads::{Desired, DesiredChange, Instance, InstanceState};
use crate::step::{
    ActContext, ByHand, Change, Claim, Effect, Evidence, Kind, Mark, Move, Nature, OnUnknown, Plan, Receipt, Resource, Revert, Risk,
    Standing, StepError, StepKind, SystemKind, Verdict, View, World,
};

/// How soon it is worth looking again.
const AGAIN: Duration = Duration::from_millis(200);

/// Deploys a release of a service and waits until every instance serves it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    /// Name of what runs the services in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub workloads: String,
    /// Name of the service.
    #[schemars(extend("format" = "service-name"))]
    pub service: String,
    /// The release, in quotes: `"1.10"` is another one than `"1.1"`.
    #[schemars(extend("format" = "release"))]
    pub release: String,
    /// How many instances; as many as run now, else the service's usual number, when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub instances: Option<u32>,
}

/// What should run before and after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deployment {
    before: Option<Desired>,
    after: Desired,
}

/// The one act.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AskFor {
    service: String,
    desired: Desired,
}

impl fmt::Display for AskFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "deploy {} of {}", words(&self.desired), self.service)
    }
}

impl Deploy {
    fn resource(&self) -> Resource {
        Resource::service(&self.workloads, &self.service)
    }

    fn wanted(&self, before: Option<&Desired>, usual: Option<u32>) -> Desired {
        let running = before.map(|before| before.instances).filter(|instances| *instances > 0);
        Desired { release: self.release.clone(), instances: self.instances.or(running).or(usual).unwrap_or(1).max(1) }
    }
}

impl StepKind for Deploy {
    const KIND: Kind = Kind {
        name: "deploy",
        summary: "makes one release of a service run, and nothing else of it",
        nature: Nature::State,
        risk: Risk::Reversible,
        needs: &[SystemKind::Workloads],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-deploy
steps:
  - id: consumer
    deploy: {service: hiring, release: \"1.5\"}
",
    };
    type Change = Deployment;
    type Act = AskFor;

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::write(self.resource())]
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        look_at_service(world, &self.workloads, &self.service).await
    }

    fn plan(&self, view: &View) -> Plan<Deployment> {
        let resource = self.resource();
        let Some(before) = view.get::<Desired>(&resource) else {
            return Plan::CannotPreview(format!("service {} was not looked at", self.service));
        };
        let services = view.aspect::<BTreeMap<String, u32>>(&resource, SERVICES).flatten();
        if let Some(known) = services.as_ref().filter(|known| !known.contains_key(&self.service)) {
            let known = known.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            return Plan::Impossible(format!("`{}` runs no service `{}`, only {known}", self.workloads, self.service));
        }
        let usual = services.and_then(|services| services.get(&self.service).copied());
        let after = self.wanted(before.as_ref(), usual);
        if before.as_ref() == Some(&after) {
            let instances = view.aspect::<Vec<Instance>>(&resource, INSTANCES).flatten().unwrap_or_default();
            return match settled(&after, &instances) {
                Ok(line) => Plan::AlreadySo(line),
                Err(now) => Plan::Wait { now, goal: goal(&after) },
            };
        }
        let from = before.as_ref().filter(|before| before.instances > 0).map(words);
        let mark = if from.is_some() { Mark::Change } else { Mark::Create };
        let effects = vec![Effect { mark, what: format!("service {}", self.service), from, to: Some(words(&after)) }];
        let binding = json!({ "desired": before });
        Plan::Change(Change { change: Deployment { before, after }, effects, binding })
    }

    fn leave(&self, change: &Deployment, view: &mut View) {
        let instance = |number: u32| Instance {
            service: self.service.clone(),
            instance: format!("{} {number}", crate::step::KNOWN_LATER),
            release: change.after.release.clone(),
            state: InstanceState::Ready,
            reason: String::new(),
        };
        note_deployed(view, &format!("release {} of {}", change.after.release, self.service));
        view.put(&self.resource(), &Some(&change.after));
        view.put_aspect(&self.resource(), INSTANCES, &(1..=change.after.instances).map(instance).collect::<Vec<_>>());
    }

    fn acts(&self, change: &Deployment) -> Vec<AskFor> {
        vec![AskFor { service: self.service.clone(), desired: change.after.clone() }]
    }

    async fn standing(&self, context: &ActContext, change: &Deployment, _: &AskFor) -> Result<Standing, StepError> {
        let made = context.world.workloads(&self.workloads)?.is_changed(&context.key).await?;
        Ok(if made { Standing::After(asked(&change.after)) } else { Standing::Before })
    }

    async fn act(&self, context: &ActContext, change: &Deployment, _: &AskFor) -> Result<Receipt, StepError> {
        let Deployment { before, after } = change.clone();
        let asked_for = DesiredChange { key: context.key.clone(), service: self.service.clone(), before, after };
        context.world.workloads(&self.workloads)?.change(&asked_for).await?;
        Ok(asked(&change.after))
    }

    async fn verify(&self, context: &ActContext, change: Option<&Deployment>) -> Result<Verdict, StepError> {
        let workloads = context.world.workloads(&self.workloads)?;
        let desired = workloads.desired(&self.service).await?;
        let wanted = change.map_or_else(|| self.wanted(desired.as_ref(), None), |change| change.after.clone());
        if desired.as_ref() != Some(&wanted) {
            let now = desired.as_ref().map_or_else(|| "nothing".to_owned(), words);
            return Ok(Verdict::Broken(format!("somebody else asked for {now} of {} meanwhile, not {}", self.service, words(&wanted))));
        }
        // Why: without anybody who starts them, instances would be waited for and nobody told why.
        workloads.services().await?;
        let instances = workloads.instances(Some(&self.service)).await?;
        let fails = |instance: &&Instance| instance.state == InstanceState::Failing && instance.release == wanted.release;
        if let Some(failing) = instances.iter().find(fails) {
            return Ok(Verdict::Broken(format!("{} of release {} fails: {}", failing.instance, failing.release, failing.reason)));
        }
        Ok(match settled(&wanted, &instances) {
            Ok(line) => Verdict::Holds(Evidence::with(line, &json!({ "desired": wanted, "instances": instances }))),
            Err(now) => Verdict::NotYet { now, goal: goal(&wanted), again_in: AGAIN },
        })
    }

    fn revert(&self, change: &Deployment, _: &[Receipt]) -> Revert {
        match &change.before {
            Some(Desired { release, instances }) if *instances > 0 => Revert::step(
                "deploy",
                json!({ "workloads": self.workloads, "service": self.service, "release": release, "instances": instances }),
            ),
            _ => Revert::step("stop_workload", json!({ "workloads": self.workloads, "service": self.service })),
        }
    }

    fn by_hand(&self) -> ByHand {
        let count = self.instances.map_or_else(
            || "as many instances as before".to_owned(),
            |count| instances_count(usize::try_from(count).unwrap_or(usize::MAX)),
        );
        let told = ByHand::new(format!("run release {} of {} on {count}, and nothing else of it", self.release, self.service));
        ask_by_hand(told, &self.workloads, &self.service, &self.release, self.instances.unwrap_or(1))
            .say(format!("Wait until every instance of {} serves release {} and the last other one has ended.", self.service, self.release))
    }

    fn moves(&self) -> Vec<Move> {
        vec![Move::Release { service: self.service.clone(), release: self.release.clone() }]
    }
}

/// Whether all that should run serves and nothing else runs: a line that says so, or how it is instead.
fn settled(wanted: &Desired, instances: &[Instance]) -> Result<String, String> {
    let (fitting, others): (Vec<_>, Vec<_>) =
        instances.iter().partition(|instance| instance.release == wanted.release && instance.state != InstanceState::Stopping);
    let ready = fitting.iter().filter(|instance| instance.state == InstanceState::Ready).count();
    let count = usize::try_from(wanted.instances).unwrap_or(usize::MAX);
    if ready == count && fitting.len() == count && others.is_empty() {
        let names: Vec<_> = fitting.iter().map(|instance| instance.instance.as_str()).collect();
        return Ok(format!("{}: {}", words(wanted), names.join(", ")));
    }
    let mut now = format!("{ready} of {} ready", instances_count(count));
    let rest = fitting.into_iter().filter(|instance| instance.state != InstanceState::Ready).chain(others).collect::<Vec<_>>();
    if !rest.is_empty() {
        now.push_str("; besides ");
        now.push_str(&instances_text(rest));
    }
    Err(now)
}

fn goal(wanted: &Desired) -> String {
    format!("{} ready and no other", words(wanted))
}

fn asked(wanted: &Desired) -> Receipt {
    Receipt::said(format!("asked for {}", words(wanted)))
}

/// `release 1.5 on 2 instances`.
fn words(desired: &Desired) -> String {
    format!("release {} on {}", desired.release, instances_count(usize::try_from(desired.instances).unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(release: &str, state: InstanceState) -> Instance {
        let (service, instance) = ("hiring".to_owned(), format!("hiring-{release}"));
        Instance { service, instance, release: release.to_owned(), state, reason: String::new() }
    }

    #[test]
    fn only_the_wanted_number_of_ready_ones_and_nothing_else_is_settled() {
        let wanted = Desired { release: "1.5".to_owned(), instances: 1 };
        let new = |state| instance("1.5", state);
        assert_eq!(settled(&wanted, &[new(InstanceState::Ready)]).unwrap(), "release 1.5 on 1 instance: hiring-1.5");
        for (instances, said) in [
            (vec![], "0 of 1 instance ready"),
            (vec![new(InstanceState::Starting)], "0 of 1 instance ready; besides hiring-1.5 (1.5, starting)"),
            (
                vec![new(InstanceState::Ready), instance("1.4", InstanceState::Stopping)],
                "1 of 1 instance ready; besides hiring-1.4 (1.4, stopping)",
            ),
            (vec![new(InstanceState::Ready), new(InstanceState::Stopping)], "1 of 1 instance ready; besides hiring-1.5 (1.5, stopping)"),
            (vec![new(InstanceState::Ready), new(InstanceState::Ready)], "2 of 1 instance ready"),
        ] {
            assert_eq!(settled(&wanted, &instances).unwrap_err(), said);
        }
    }
}
