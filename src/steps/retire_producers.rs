//! `retire_producers`: waits until no instance is left that can produce an event, and until what the last of them had taken on must
//! have arrived or failed. It fences nobody: what it says is "not seen for …", never "none left".

mod look;

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::look::{Seen, look};
use super::common::{look_at_topic, main_system};
use super::fence_producers::{look_at_fences, wrong_principals};
use super::producers::{self, Complaint};
use crate::ports::kafka::WriteFence;
use crate::ports::{PortError, SystemRef};
use crate::services::{EventRef, Producer, Services};
use crate::step::scalar::Span;
use crate::step::{
    ActContext, Change, Claim, Evidence, Fact, Facts, FileRef, Kind, Move, Nature, OnUnknown, Plan, Receipt, Resource, Revert, Right, Risk,
    Standing, StepError, StepKind, SystemKind, Verdict, View, World,
};

/// How often instances are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Aspect of the topic in a view: whether anybody can tell which instances run.
const SOURCES: &str = "instances";

/// Waits until no instance is left that can produce an event, and then for the delivery timeout of its producers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetireProducers {
    /// The event: `ExerciseChanged`, or one version of it as `ExerciseChanged@0`.
    pub event: EventRef,
    /// The topic that it travels on.
    #[schemars(extend("format" = "topic-name"))]
    pub topic: String,
    /// File that declares the services, beside the playbook.
    pub services: FileRef,
    /// Name of the Kafka cluster in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub cluster: String,
    /// Name of the flag store in `cutover.yaml`.
    #[serde(default = "main_system")]
    pub store: String,
    /// Under which principals the event is produced, as the cluster calls them (`User:exercises-1`). Where each of them is fenced off by
    /// `fence_producers`, the evidence says "fenced" instead of "not seen".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<String>,
    /// Whether a way back that comes past this step waits in the same way, for what the steps behind it have let produce.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub both_ways: bool,
}

/// What is waited for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Retiring {
    event: EventRef,
    topic: String,
    /// How long the last producer may still deliver.
    delivery: Span,
}

/// The acts: both look and change nothing but the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetireAct {
    /// Note the flags' revision that every instance must have left behind.
    Watch(EventRef),
    /// Note when nobody was left.
    Clear(EventRef, Span),
}

impl fmt::Display for RetireAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Watch(event) => write!(f, "wait until no instance can produce {event}"),
            Self::Clear(event, delivery) => {
                write!(f, "note when the last one was gone, and wait until {event} was not seen for {delivery}")
            }
        }
    }
}

/// Values of the first receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Watching {
    /// The flags as they are now have this revision; an instance that uses an older one may still see other variants.
    revision: i64,
}

/// Values of the second receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cleared {
    since: DateTime<Utc>,
    seen: Seen,
}

/// How strong the evidence is that nobody produces the event any more; a ladder of five rungs, of which these two are ours to reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Rung {
    /// Rung 5: the cluster itself refuses these principals.
    Fenced(Vec<String>),
    /// Rung 2: nobody was seen who can.
    NotSeen {
        /// Principals that were named and may write.
        open: Vec<String>,
    },
}

impl Rung {
    fn words(&self) -> String {
        match self {
            Self::Fenced(whom) => format!("; fenced: the cluster refuses what {} would write (rung 5 of 5)", whom.join(", ")),
            Self::NotSeen { open } if open.is_empty() => "; not fenced (rung 2 of 5)".to_owned(),
            Self::NotSeen { open } => format!("; not fenced: {} may write (rung 2 of 5)", open.join(", ")),
        }
    }
}

impl RetireProducers {
    async fn rung(&self, context: &ActContext) -> Result<Rung, StepError> {
        if self.principals.is_empty() {
            return Ok(Rung::NotSeen { open: Vec::new() });
        }
        let rules = self.principals.iter().map(|principal| WriteFence { topic: self.topic.clone(), principal: principal.clone() });
        let found = look_at_fences(&context.world, &self.cluster, rules).await?.unwrap_or_default();
        let open: Vec<_> = self.principals.iter().filter(|principal| found.get(*principal) != Some(&true)).cloned().collect();
        Ok(if open.is_empty() { Rung::Fenced(self.principals.clone()) } else { Rung::NotSeen { open } })
    }

    fn topic_resource(&self) -> Resource {
        Resource::topic(&self.cluster, &self.topic)
    }

    fn declared(&self) -> Result<Services, Complaint> {
        producers::declared(&self.services)
    }

    fn producers(&self, services: &Services) -> Result<Vec<Producer>, Complaint> {
        producers::of(&self.services, services, &self.event, &self.topic)
    }

    async fn seen(&self, context: &ActContext) -> Result<Seen, StepError> {
        let services = self.declared().map_err(|(_, why)| StepError::Impossible(why))?;
        let revision = context.receipts.first().map(|receipt| serde_json::from_value::<Watching>(receipt.data.clone())).transpose();
        let revision = revision.map_err(StepError::broken)?.map_or(i64::MAX, |watching| watching.revision);
        look(&context.world, &self.store, &services, &self.event, revision).await
    }
}

impl StepKind for RetireProducers {
    const KIND: Kind = Kind {
        name: "retire_producers",
        summary: "waits until no instance is left that can produce an event, and for what was still to be delivered",
        nature: Nature::Once,
        risk: Risk::Safe,
        needs: &[SystemKind::Kafka, SystemKind::Flags],
        on_unknown: OnUnknown::ActAgain,
        example: "playbook: example-retire-producers
steps:
  - id: topic
    create_topic: {topic: datarep.exercise, partitions: 1}
  - id: silent
    retire_producers: {event: ExerciseChanged, topic: datarep.exercise, services: services.yaml}
",
    };
    type Change = Retiring;
    type Act = RetireAct;

    fn resources(&self) -> Vec<Claim> {
        let mut claims = vec![Claim::read(self.topic_resource())];
        let producers = self.declared().map(|services| services.producers(&self.event)).unwrap_or_default();
        let flags = producers.into_iter().filter_map(|producer| producer.when);
        claims.extend(flags.map(|when| Claim::read(Resource::flag(&self.store, &when.flag))));
        claims.sort();
        claims.dedup();
        claims
    }

    fn complaints(&self) -> Vec<(String, String)> {
        let mut all: Vec<_> = self.declared().and_then(|services| self.producers(&services)).err().into_iter().collect();
        all.extend(wrong_principals(&self.principals));
        all
    }

    fn files(&mut self) -> Vec<&mut FileRef> {
        vec![&mut self.services]
    }

    async fn inspect(&self, world: &World) -> Result<View, StepError> {
        let mut view = look_at_topic(world, &self.cluster, &self.topic).await?;
        let listeners = world.flags(&self.store)?.listeners().await?;
        let told = listeners.is_some() || world.all_workloads().next().is_some();
        view.put_aspect(&self.topic_resource(), SOURCES, &told);
        Ok(view)
    }

    fn plan(&self, view: &View) -> Plan<Retiring> {
        match view.aspect::<bool>(&self.topic_resource(), SOURCES).flatten() {
            None => return Plan::CannotPreview(format!("who may produce to {} was not looked at", self.topic)),
            Some(false) => {
                let why =
                    "nobody can tell which instances run: the environment has no `workloads`, and no service reports to its flag store";
                return Plan::Impossible(why.to_owned());
            }
            Some(true) => {}
        }
        let delivery = self.declared().and_then(|services| Ok(producers::delivery(&services, &self.producers(&services)?)));
        match delivery {
            Err((_, why)) => Plan::Impossible(why),
            Ok(delivery) => {
                let change = Retiring { event: self.event.clone(), topic: self.topic.clone(), delivery };
                Plan::Change(Change { change, effects: Vec::new(), binding: json!({ "delivery": delivery }) })
            }
        }
    }

    fn leave(&self, _: &Retiring, _: &mut View) {}

    fn acts(&self, change: &Retiring) -> Vec<RetireAct> {
        vec![RetireAct::Watch(change.event.clone()), RetireAct::Clear(change.event.clone(), change.delivery)]
    }

    async fn standing(&self, _: &ActContext, _: &Retiring, _: &RetireAct) -> Result<Standing, StepError> {
        // Why: a later revision and a later clock ask for more, never for less.
        Ok(Standing::Before)
    }

    async fn act(&self, context: &ActContext, _: &Retiring, act: &RetireAct) -> Result<Receipt, StepError> {
        match act {
            RetireAct::Watch(_) => {
                let revision = context.world.flags(&self.store)?.revision().await?;
                Ok(Receipt::with(format!("flags are at revision {revision}"), &Watching { revision }))
            }
            RetireAct::Clear(event, _) => {
                let seen = self.seen(context).await?;
                if seen.left.is_empty() {
                    let line = format!("no instance is seen that can produce {event}");
                    return Ok(Receipt::with(line, &Cleared { since: context.now, seen }));
                }
                // Why: somebody came back after the last look; the clock must not begin while it can produce, and trying again is right.
                let system =
                    SystemRef { name: "the services".to_owned(), address: self.services.path.clone(), setting: "services".to_owned() };
                Err(PortError::Conflict { system, detail: seen.words() }.into())
            }
        }
    }

    const SETTLES: bool = true;

    async fn settle(&self, context: &ActContext, change: &Retiring, act: &RetireAct, _: &Receipt) -> Result<Verdict, StepError> {
        if matches!(act, RetireAct::Clear(..)) {
            return Ok(Verdict::Holds(Evidence::said("the clock runs")));
        }
        let seen = self.seen(context).await?;
        if seen.left.is_empty() {
            return Ok(Verdict::Holds(Evidence::said(format!("no instance is seen that can produce {}", change.event))));
        }
        let goal = format!("no instance can produce {}", change.event);
        Ok(Verdict::NotYet { now: seen.words(), goal, again_in: LOOK_AGAIN })
    }

    async fn verify(&self, context: &ActContext, change: Option<&Retiring>) -> Result<Verdict, StepError> {
        let cleared = context.receipts.get(1).map(|receipt| serde_json::from_value::<Cleared>(receipt.data.clone())).transpose();
        let (Some(change), Some(cleared)) = (change, cleared.map_err(StepError::broken)?) else {
            return Ok(Verdict::Broken("nobody has noted when the last producer was gone".to_owned()));
        };
        let seen = self.seen(context).await?;
        if !seen.left.is_empty() {
            let words = seen.words();
            return Ok(Verdict::Broken(format!(
                "after nobody had been left, {words}; stop it, let {} pass, and then retry",
                change.delivery
            )));
        }
        let passed = (context.now - cleared.since).to_std().unwrap_or_default();
        match change.delivery.0.checked_sub(passed) {
            Some(left) if !left.is_zero() => Ok(Verdict::NotYet {
                now: format!("no instance that can produce {} was seen for {} s", change.event, passed.as_secs()),
                goal: format!("not seen for {}, the delivery timeout of its producers", change.delivery),
                again_in: left.min(LOOK_AGAIN * 5),
            }),
            _ => {
                let rung = self.rung(context).await?;
                let line = format!(
                    "no instance that can produce {} on {} was seen for {}{}{}",
                    change.event,
                    change.topic,
                    change.delivery,
                    seen.also(),
                    rung.words()
                );
                // Why only beside it: the leaders remember producers that have ended, and not all that write.
                let remembered = context.world.kafka(&self.cluster)?.producers(&self.topic).await.unwrap_or_default();
                let data = json!({
                    "since": cleared.since, "delivery": change.delivery, "seen": seen, "rung": rung, "remembered": remembered,
                });
                Ok(Verdict::Holds(Evidence::with(line, &data)))
            }
        }
    }

    fn revert(&self, _: &Retiring, _: &[Receipt]) -> Revert {
        if self.both_ways { Revert::step(Self::KIND.name, json!(self)) } else { Revert::Nothing }
    }

    fn rights(&self) -> Vec<Right> {
        Right::look(&self.topic_resource())
    }

    fn moves(&self) -> Vec<Move> {
        vec![Move::Retire { event: self.event.to_string() }]
    }

    fn facts(&self) -> Facts {
        Facts { needs: vec![Fact::Topic(format!("{}/{}", self.cluster, self.topic))], leaves: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use async_trait::async_trait;
    use chrono::TimeDelta;
    use serde_json::Value;

    use super::*;
    use crate::flags::Heartbeat;
    use crate::ports::flags::{FlagChange, FlagState, Flags};
    use crate::sim::{SimFlags, SimKafka, SimWorld};
    use crate::step::Checkpoint;

    struct Nowhere;

    #[async_trait]
    impl Checkpoint for Nowhere {
        async fn save(&self, _: Value) -> Result<(), StepError> {
            Ok(())
        }
    }

    fn step() -> RetireProducers {
        let body = json!({ "event": "ExerciseChanged", "topic": "datarep.exercise", "services": "services.yaml" });
        let mut step: RetireProducers = serde_json::from_value(body).expect("a body");
        step.services.text = Arc::from(include_str!("../../playbooks/services.yaml"));
        step
    }

    fn context(sim: &SimWorld, receipts: Vec<Receipt>, after: TimeDelta) -> ActContext {
        let began = DateTime::UNIX_EPOCH;
        ActContext {
            world: sim.world(),
            key: "run/silent".to_owned(),
            began,
            rests_since: began,
            now: began + after,
            cursor: None,
            receipts,
            earlier: Arc::new(BTreeMap::new()),
            checkpoint: Arc::new(Nowhere),
        }
    }

    fn heartbeat(instance: &str, release: &str, oldest: i64) -> Heartbeat {
        Heartbeat {
            environment: "sim".to_owned(),
            store: "main".to_owned(),
            service: "exercises".to_owned(),
            instance: instance.to_owned(),
            release: release.to_owned(),
            revision: oldest,
            oldest,
            flags: None,
            ending: false,
        }
    }

    async fn set(flags: &SimFlags, before: Option<FlagState>, variant: &str) -> FlagState {
        let after = FlagState { enabled: true, variants: BTreeMap::new(), default_variant: Some(variant.to_owned()), targeting: None };
        let change = FlagChange { key: variant.to_owned(), flag: "exercise-events".to_owned(), before, after: Some(after.clone()) };
        flags.change(&change).await.expect("a change");
        after
    }

    #[tokio::test]
    async fn producers_are_waited_for_until_flag_revision_and_release_say_that_they_cannot() {
        let (sim, step) = (SimWorld::new(), step());
        let on = set(&sim.flags, None, "on").await;
        sim.flags.report(heartbeat("a", "1.5", 1));
        sim.flags.report(heartbeat("b", "1.4", 1));
        set(&sim.flags, Some(on), "off").await;
        let change = Retiring { event: step.event.clone(), topic: step.topic.clone(), delivery: Span(Duration::from_secs(10)) };
        let [watch, clear] = &step.acts(&change)[..] else { panic!("two acts") };
        let watching = step.act(&context(&sim, Vec::new(), TimeDelta::zero()), &change, watch).await.expect("a receipt");
        let settle = async |sim: &SimWorld| {
            step.settle(&context(sim, vec![watching.clone()], TimeDelta::seconds(1)), &change, watch, &watching).await.expect("a verdict")
        };
        let waits = settle(&sim).await;
        let Verdict::NotYet { now, .. } = &waits else { panic!("{waits:?}") };
        assert_eq!(now, "1 instance can produce it: exercises 1.5 (a) still uses revision 1 of the flags, not 2");
        sim.flags.report(heartbeat("a", "1.5", 2));
        assert!(matches!(settle(&sim).await, Verdict::Holds(_)), "it has said that it uses the revision in which the flag is off");
        sim.flags.report(heartbeat("c", "9.0", 2));
        let waits = settle(&sim).await;
        assert!(matches!(&waits, Verdict::NotYet { now, .. } if now.contains("nobody declared")), "{waits:?}");
        let refused =
            step.act(&context(&sim, vec![watching.clone()], TimeDelta::seconds(2)), &change, clear).await.expect_err("one is there");
        assert!(refused.is_passing(), "the clock does not begin, and trying again is right: {refused}");
        sim.flags.report(Heartbeat { ending: true, ..heartbeat("c", "9.0", 2) });

        let cleared = step.act(&context(&sim, vec![watching.clone()], TimeDelta::seconds(3)), &change, clear).await.expect("a receipt");
        let receipts = vec![watching, cleared];
        let verify = async |seconds| {
            step.verify(&context(&sim, receipts.clone(), TimeDelta::seconds(seconds)), Some(&change)).await.expect("a verdict")
        };
        let waits = verify(8).await;
        assert!(matches!(&waits, Verdict::NotYet { now, goal, .. } if now.contains("for 5 s") && goal.contains("for 10s")), "{waits:?}");
        let holds = verify(13).await;
        let Verdict::Holds(evidence) = &holds else { panic!("{holds:?}") };
        assert_eq!(
            evidence.line,
            "no instance that can produce ExerciseChanged on datarep.exercise was seen for 10s; 2 instances run and cannot; not fenced (rung 2 of 5)"
        );
        sim.flags.report(heartbeat("d", "1.6", 2));
        let broken = verify(14).await;
        assert!(matches!(&broken, Verdict::Broken(why) if why.contains("exercises 1.6 (d) always produces")), "{broken:?}");
    }

    #[tokio::test]
    async fn a_world_in_which_nobody_tells_what_runs_is_refused() {
        struct Deaf(SimFlags);

        #[async_trait]
        impl Flags for Deaf {
            async fn revision(&self) -> Result<i64, PortError> {
                self.0.revision().await
            }
            async fn flag(&self, name: &str) -> Result<Option<FlagState>, PortError> {
                self.0.flag(name).await
            }
            async fn change(&self, change: &FlagChange) -> Result<i64, PortError> {
                self.0.change(change).await
            }
            async fn revision_of(&self, key: &str) -> Result<Option<i64>, PortError> {
                self.0.revision_of(key).await
            }
        }

        let world = World::builder("deaf")
            .flags("main", Ok(Arc::new(Deaf(SimFlags::new("main")))))
            .kafka("main", Ok(Arc::new(SimKafka::new("main"))));
        let view = step().inspect(&world.build()).await.expect("a view");
        assert!(matches!(step().plan(&view), Plan::Impossible(why) if why.contains("nobody can tell")));
    }
}
