//! The drain by version, played by hand in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{DrainAct, DrainTopic, Draining};
use crate::ports::kafka::{Kafka, NewRecord, NewTopic, Position};
use crate::sim::SimWorld;
use crate::step::{ActContext, Checkpoint, Plan, Receipt, StepError, StepKind, Verdict};

#[derive(Default)]
struct Kept(Mutex<Option<Value>>);

#[async_trait]
impl Checkpoint for Kept {
    async fn save(&self, cursor: Value) -> Result<(), StepError> {
        *self.0.lock().unwrap() = Some(cursor);
        Ok(())
    }
}

/// A run of the step by hand.
struct Bench {
    sim: SimWorld,
    step: DrainTopic,
    receipts: Vec<Receipt>,
    kept: Arc<Kept>,
    now: DateTime<Utc>,
}

impl Bench {
    async fn new(more: Value) -> Self {
        let sim = SimWorld::new();
        for topic in ["t", "retry"] {
            let new = NewTopic { name: topic.to_owned(), partitions: 1, replication: None, configs: BTreeMap::new() };
            sim.kafka.create_topic(&new).await.unwrap();
        }
        let mut body = json!({ "topic": "t", "groups": ["g"], "old": { "name": "E", "version": 0 } });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        let step: DrainTopic = serde_json::from_value(body).unwrap();
        assert_eq!(step.complaints(), []);
        Self { sim, step, receipts: Vec::new(), kept: Arc::default(), now: DateTime::UNIX_EPOCH }
    }

    async fn write(&self, topic: &str, versions: &[u32]) {
        let record = |version: &u32| {
            let value = json!({ "event_name": "E", "event_version": version }).to_string().into_bytes();
            NewRecord { key: None, value: Some(value), headers: Vec::new() }
        };
        self.sim.kafka.produce(topic, &versions.iter().map(record).collect::<Vec<_>>()).await.unwrap();
    }

    fn commit(&self, group: &str, topic: &str, offset: i64) {
        self.sim.kafka.commit(group, topic, Position { partition: 0, offset });
    }

    fn context(&self) -> ActContext {
        ActContext {
            world: self.sim.world(),
            key: "run/drained".to_owned(),
            began: DateTime::UNIX_EPOCH,
            rests_since: DateTime::UNIX_EPOCH,
            now: self.now,
            cursor: self.kept.0.lock().unwrap().clone(),
            receipts: self.receipts.clone(),
            earlier: Arc::new(BTreeMap::new()),
            checkpoint: Arc::clone(&self.kept) as Arc<dyn Checkpoint>,
        }
    }

    async fn change(&self) -> Result<Draining, String> {
        match self.step.plan(&self.step.inspect(&self.sim.world()).await.unwrap()) {
            Plan::Change(change) => Ok(change.change),
            other => Err(format!("{other:?}")),
        }
    }

    async fn act(&mut self, act: &DrainAct) -> Result<(), StepError> {
        let change = self.change().await.unwrap();
        let receipt = self.step.act(&self.context(), &change, act).await?;
        self.receipts.push(receipt);
        *self.kept.0.lock().unwrap() = None;
        Ok(())
    }

    /// All acts up to the look for old records.
    async fn look(&mut self) {
        let acts = self.step.acts(&self.change().await.unwrap());
        for act in &acts[..3] {
            self.act(act).await.unwrap();
        }
    }

    async fn verdict(&self) -> Verdict {
        self.step.verify(&self.context(), self.change().await.ok().as_ref()).await.unwrap()
    }

    async fn waits(&self) -> String {
        match self.verdict().await {
            Verdict::NotYet { now, .. } => now,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn only_what_is_old_is_waited_for_and_every_group_that_is_found_counts() {
    let mut bench = Bench::new(json!({ "except_groups": ["tool"] })).await;
    bench.write("t", &[0, 0, 1, 1]).await;
    bench.commit("g", "t", 1);
    bench.commit("other", "t", 0);
    bench.commit("tool", "t", 0);
    bench.look().await;
    assert_eq!(bench.receipts[2].line, "2 of 4 records before the barrier are E@0");
    assert_eq!(bench.waits().await, "g has up to 1 old left in partition 0; other has up to 2 old left in partition 0");
    bench.commit("g", "t", 2);
    bench.commit("other", "t", 3);
    let Verdict::Holds(evidence) = bench.verdict().await else { panic!("drained") };
    assert!(evidence.line.contains("found on the topic and not named: other"), "{}", evidence.line);
    assert_eq!(evidence.data["proof"]["partitions"][0]["last_old"], 1);
    bench.commit("newcomer", "t", 0);
    assert!(bench.waits().await.contains("newcomer"), "it came while the last look was taken");
}

#[tokio::test]
async fn a_retry_topic_is_looked_at_last() {
    let mut bench = Bench::new(json!({ "retries": [{ "topic": "retry", "groups": ["r"] }] })).await;
    bench.write("t", &[0]).await;
    bench.commit("g", "t", 1);
    bench.look().await;
    bench.write("retry", &[0]).await;
    bench.commit("r", "retry", 0);
    assert_eq!(bench.waits().await, "in retry: r has up to 1 old left in partition 0");
    bench.commit("r", "retry", 1);
    assert!(matches!(bench.verdict().await, Verdict::Holds(_)));
}

#[tokio::test]
async fn what_comes_late_begins_the_quiet_time_anew() {
    let mut bench = Bench::new(json!({ "quiet": "10s" })).await;
    bench.write("t", &[0]).await;
    bench.commit("g", "t", 1);
    bench.look().await;
    let acts = bench.step.acts(&bench.change().await.unwrap());
    bench.act(&acts[3]).await.unwrap();
    bench.write("t", &[1, 0]).await;
    let late = bench.act(&acts[4]).await.unwrap_err().to_string();
    assert!(late.contains("at offset 2 of partition 0") && late.contains("retire its producers"), "{late}");
    bench.now += TimeDelta::seconds(4);
    assert!(bench.act(&acts[4]).await.unwrap_err().to_string().contains("6 s more"));
    bench.now += TimeDelta::seconds(6);
    bench.act(&acts[4]).await.unwrap();
    assert!(bench.waits().await.contains("up to 1 old left"), "what came late counts, too");
    bench.commit("g", "t", 3);
    assert!(matches!(bench.verdict().await, Verdict::Holds(_)));
}

#[tokio::test]
async fn a_topic_whose_records_cannot_be_told_is_not_begun() {
    let bench = Bench::new(json!({})).await;
    let record = NewRecord { key: None, value: Some(b"{\"event_name\": \"E\"}".to_vec()), headers: Vec::new() };
    bench.sim.kafka.produce("t", &[record]).await.unwrap();
    let told = bench.change().await.unwrap_err();
    assert!(told.contains("Impossible") && told.contains("offset 0 of partition 0") && told.contains("absent_version"), "{told}");
}

#[tokio::test]
async fn the_plan_says_what_the_look_costs() {
    let bench = Bench::new(json!({ "scan_rate": 2 })).await;
    bench.write("t", &[0, 0, 0, 0, 0]).await;
    let acts = bench.step.acts(&bench.change().await.unwrap());
    assert_eq!(acts[2].to_string(), "look where the last E@0 before it lies, in 5 offsets as of now, at most 2 records each second: 3 s");
}
