//! `stop_workload`: makes nothing of a service run any more. What it was is remembered, so that the way back can deploy it again.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::common::{INSTANCES, ask_by_hand, instances_count, instances_text, look_at_service, main_system};
use crate::ports::workloads::{Desired, DesiredChange, Instance};
use crate::step::{
    ActContext, ByHand, Change, Claim, Effect, Evidence, Kind, Mark, Move, Nature, OnUnknown, Plan, Receipt, Resource, Revert, Risk,
    Standing, StepError, StepKind, SystemKind, Verdict, View, World,
};

/// How soon it is worth looking again.
const AGAIN: Duration = Duration::from_millis(200);

const GOAL: &str = "no instance left";

/// Stops every instance of a service and waits until none is left.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopWorkload {
    /// Name of what runs the services in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub workloads: String,
    /// Name of the service.
    #[schemars(extend("format" = "service-name"))]
    pub service: String,
}

/// What should run before, and that nothing should afterwards.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stop {
    before: Desired,
}

/// The one act.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AskForNone {
    service: String,
}

impl fmt::Display for AskForNone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stop {}", self.service)
    }
}

impl StopWorkload {
    fn resource(&self) -> Resource {
        Resource::service(&self.workloads, &self.service)
    }
}

impl Stop {
    fn after(&self) -> Desired {
        Desired { release: self.before.release.clone(), instances: 0 }
    }
}

impl StepKind for StopWorkload {
    const KIND: Kind = Kind {
        name: "stop_workload",
        summary: "makes nothing of a service run any more",
        nature: Nature::State,
        risk: Risk::Reversible,
        needs: &[SystemKind::Workloads],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-stop-workload
steps:
  - id: run
    deploy: {service: hiring, release: \"1.5\"}
  - id: stop
    stop_workload: {service: hiring}
",
    };
    type Change = Stop;
    type Act = AskForNone;

    fn resources(&self) -> Vec<Claim> {
        vec![Claim::write(self.resource())]
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        look_at_service(world, &self.workloads, &self.service).await
    }

    fn plan(&self, view: &View) -> Plan<Stop> {
        let Some(before) = view.get::<Desired>(&self.resource()) else {
            return Plan::CannotPreview(format!("service {} was not looked at", self.service));
        };
        let Some(before) = before.filter(|before| before.instances > 0) else {
            let instances = view.aspect::<Vec<Instance>>(&self.resource(), INSTANCES).flatten().unwrap_or_default();
            return if instances.is_empty() {
                Plan::AlreadySo("nothing of it runs".to_owned())
            } else {
                Plan::Wait { now: instances_text(&instances), goal: GOAL.to_owned() }
            };
        };
        let count = instances_count(usize::try_from(before.instances).unwrap_or(usize::MAX));
        let from = Some(format!("release {} on {count}", before.release));
        let effects = vec![Effect { mark: Mark::Remove, what: format!("service {}", self.service), from, to: None }];
        let binding = json!({ "desired": before });
        Plan::Change(Change { change: Stop { before }, effects, binding })
    }

    fn leave(&self, change: &Stop, view: &mut View) {
        view.put(&self.resource(), &Some(change.after()));
        view.put_aspect(&self.resource(), INSTANCES, &Vec::<Instance>::new());
    }

    fn acts(&self, _: &Stop) -> Vec<AskForNone> {
        vec![AskForNone { service: self.service.clone() }]
    }

    async fn standing(&self, context: &ActContext, _: &Stop, _: &AskForNone) -> Result<Standing, StepError> {
        let made = context.world.workloads(&self.workloads)?.is_changed(&context.key).await?;
        Ok(if made { Standing::After(asked()) } else { Standing::Before })
    }

    async fn act(&self, context: &ActContext, change: &Stop, _: &AskForNone) -> Result<Receipt, StepError> {
        let (before, after) = (Some(change.before.clone()), change.after());
        let asked_for = DesiredChange { key: context.key.clone(), service: self.service.clone(), before, after };
        context.world.workloads(&self.workloads)?.change(&asked_for).await?;
        Ok(asked())
    }

    async fn verify(&self, context: &ActContext, _: Option<&Stop>) -> Result<Verdict, StepError> {
        let workloads = context.world.workloads(&self.workloads)?;
        if let Some(desired) = workloads.desired(&self.service).await?.filter(|desired| desired.instances > 0) {
            return Ok(Verdict::Broken(format!("somebody else asked for release {} of {} meanwhile", desired.release, self.service)));
        }
        let left = workloads.instances(Some(&self.service)).await?;
        Ok(if left.is_empty() {
            Verdict::Holds(Evidence::with(GOAL, &json!({ "instances": left })))
        } else {
            Verdict::NotYet { now: instances_text(&left), goal: GOAL.to_owned(), again_in: AGAIN }
        })
    }

    fn revert(&self, change: &Stop, _: &[Receipt]) -> Revert {
        let Desired { release, instances } = &change.before;
        Revert::step("deploy", json!({ "workloads": self.workloads, "service": self.service, "release": release, "instances": instances }))
    }

    fn by_hand(&self) -> ByHand {
        let told = ByHand::new(format!("stop every instance of {}", self.service));
        ask_by_hand(told, &self.workloads, &self.service, "0", 0).say(format!("Wait until no instance of {} is left.", self.service))
    }

    fn moves(&self) -> Vec<Move> {
        vec![Move::Stop { service: self.service.clone() }]
    }
}

fn asked() -> Receipt {
    Receipt::said("asked for no instance")
}
