//! A roll-out step by step in a world in memory: what it plans, what it writes, what it waits for, and what stops it.

mod input;
mod planning;
mod playing;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::*;
use crate::flags::{Document, Heartbeat, document};
use crate::ports::Clock;
use crate::ports::workloads::{Desired, DesiredChange, Instance, InstanceState, Workloads};
use crate::sim::SimWorld;
use crate::step::Checkpoint;

struct Nowhere;

#[async_trait]
impl Checkpoint for Nowhere {
    async fn save(&self, _: Value) -> Result<(), StepError> {
        Err(StepError::Broken("nothing is saved here".to_owned()))
    }
}

/// Workloads that run what the test says, and nothing else.
#[derive(Clone)]
struct Runs(Vec<Instance>);

#[async_trait]
impl Workloads for Runs {
    async fn desired(&self, service: &str) -> Result<Option<Desired>, PortError> {
        let known = service == "hiring";
        Ok(known.then(|| Desired { release: "1.5".to_owned(), instances: 1 }))
    }
    async fn change(&self, _: &DesiredChange) -> Result<(), PortError> {
        Ok(())
    }
    async fn is_changed(&self, _: &str) -> Result<bool, PortError> {
        Ok(false)
    }
    async fn instances(&self, _: Option<&str>) -> Result<Vec<Instance>, PortError> {
        Ok(self.0.clone())
    }
}

/// One step on its way.
struct Play<K: StepKind> {
    sim: SimWorld,
    step: K,
    runs: Option<Runs>,
    receipts: Vec<Receipt>,
    rests_since: DateTime<Utc>,
}

fn step<K: StepKind>(body: Value) -> K {
    serde_json::from_value(body).expect("a body")
}

impl<K: StepKind> Play<K> {
    fn new(sim: &SimWorld, body: Value) -> Self {
        Self { sim: sim.clone(), step: step(body), runs: None, receipts: Vec::new(), rests_since: sim.clock.now() }
    }

    fn world(&self) -> World {
        match &self.runs {
            None => self.sim.world(),
            Some(runs) => {
                World::builder("sim").flags("main", Ok(self.sim.flags.clone())).workloads("main", Ok(Arc::new(runs.clone()))).build()
            }
        }
    }

    fn context(&self) -> ActContext {
        let began = self.rests_since;
        ActContext {
            world: self.world(),
            key: "run/switch".to_owned(),
            began,
            rests_since: self.rests_since,
            now: self.sim.clock.now(),
            cursor: None,
            receipts: self.receipts.clone(),
            earlier: Arc::default(),
            checkpoint: Arc::new(Nowhere),
        }
    }

    async fn plan(&self) -> Plan<K::Change> {
        self.step.plan(&self.step.inspect(&self.world()).await.expect("a view"))
    }

    async fn change(&self) -> K::Change {
        match self.plan().await {
            Plan::Change(change) => change.change,
            other => panic!("it plans {other:?}"),
        }
    }

    async fn act(&mut self, change: &K::Change, number: usize) -> Result<(), StepError> {
        let acts = self.step.acts(change);
        let receipt = self.step.act(&self.context(), change, &acts[number]).await?;
        self.receipts.push(receipt);
        self.rests_since = self.sim.clock.now();
        Ok(())
    }

    async fn settle(&self, change: &K::Change, number: usize) -> Verdict {
        let acts = self.step.acts(change);
        self.step.settle(&self.context(), change, &acts[number], &self.receipts[number]).await.expect("a verdict")
    }

    async fn verify(&self, change: &K::Change) -> Verdict {
        self.step.verify(&self.context(), Some(change)).await.expect("a verdict")
    }

    /// Acts, settles and verifies to the end, letting time pass.
    async fn carry_out(&mut self) -> Evidence {
        let change = self.change().await;
        for number in 0..self.step.acts(&change).len() {
            self.act(&change, number).await.expect("an act");
            for _ in 0..1000 {
                match self.settle(&change, number).await {
                    Verdict::Holds(_) => break,
                    Verdict::NotYet { again_in, .. } => self.pass(again_in),
                    Verdict::Broken(why) => panic!("{why}"),
                }
            }
        }
        match self.verify(&change).await {
            Verdict::Holds(evidence) => evidence,
            other => panic!("{other:?}"),
        }
    }

    fn pass(&self, time: Duration) {
        self.sim.clock.advance(TimeDelta::from_std(time).expect("a time"));
    }

    fn says(&self, instance: &str, revision: i64, oldest: i64) {
        says(&self.sim, instance, revision, oldest);
    }
}

fn says(sim: &SimWorld, instance: &str, revision: i64, oldest: i64) {
    let text = |text: &str| text.to_owned();
    sim.flags.report(Heartbeat {
        environment: text("sim"),
        store: text("main"),
        service: text("hiring"),
        instance: text(instance),
        release: text("1.5"),
        revision,
        oldest,
        flags: None,
        ending: false,
    });
}

fn runs(instances: &[&str]) -> Runs {
    let instance = |name: &&str| Instance {
        service: "hiring".to_owned(),
        instance: (*name).to_owned(),
        release: "1.5".to_owned(),
        state: InstanceState::Ready,
        reason: String::new(),
    };
    Runs(instances.iter().map(instance).collect())
}

/// Somebody sets the flag, past every plan.
async fn by_hand(sim: &SimWorld, after: FlagState) -> i64 {
    let flags = sim.world().flags("main").unwrap();
    let before = flags.flag("exercise-read").await.unwrap();
    let key = format!("by hand {}", flags.revision().await.unwrap());
    flags.change(&FlagChange { key, flag: "exercise-read".to_owned(), before, after: Some(after) }).await.unwrap()
}

fn serving(variant: &str) -> FlagState {
    let variants = ["call", "events"].map(|name| (name.to_owned(), json!(name)));
    FlagState { enabled: true, variants: variants.into(), default_variant: Some(variant.to_owned()), targeting: None }
}

/// The keys among a thousand that get `events`.
async fn drawn(sim: &SimWorld) -> std::collections::BTreeSet<usize> {
    let mut whole = document::empty();
    let state = sim.world().flags("main").unwrap().flag("exercise-read").await.unwrap().unwrap();
    document::put(&mut whole, "exercise-read", &state);
    let parsed = Document::parse(&whole).unwrap();
    let none = serde_json::Map::new();
    (0..1000).filter(|key| parsed.evaluate("exercise-read", &key.to_string(), &none).unwrap().variant == Some("events")).collect()
}

/// A body with shares 1 %, 10 % and 100 % that bake for ten minutes.
fn body(more: &Value) -> Value {
    let mut body = json!({ "flag": "exercise-read", "to": "events", "shares": ["1%", "10%", "100%"], "bake": "10m" });
    for (key, value) in more.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    body
}
