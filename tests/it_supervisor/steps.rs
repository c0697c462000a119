//! The step kinds on real processes: what they say while they wait, and when they are done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use cutover::ports::http::Http;
use cutover::ports::workloads::{InstanceState, Workloads};
use cutover::step::{ActContext, Checkpoint, ErasedPlan, Step, StepError, Verdict, World};
use cutover::steps;
use serde_json::{Value, json};

use super::ground::{Ground, LONG, SERVICE};
use super::service;

struct Nowhere;

#[async_trait]
impl Checkpoint for Nowhere {
    async fn save(&self, _: Value) -> Result<(), StepError> {
        Ok(())
    }
}

fn world(ground: &Ground) -> World {
    let workloads = Arc::clone(&ground.workloads) as Arc<dyn Workloads>;
    let http = ground.http(SERVICE) as Arc<dyn Http>;
    World::builder("local").workloads("main", Ok(workloads)).http(SERVICE, Ok(http)).build()
}

fn context(ground: &Ground) -> ActContext {
    let now = Utc::now();
    ActContext {
        world: world(ground),
        key: uuid::Uuid::new_v4().to_string(),
        began: now,
        rests_since: now,
        now,
        cursor: None,
        receipts: Vec::new(),
        earlier: Arc::new(BTreeMap::new()),
        checkpoint: Arc::new(Nowhere),
    }
}

fn step(kind: &str, body: &Value) -> Box<dyn Step> {
    steps::decode(kind, body).unwrap()
}

/// Plans and acts; the change for the verdict.
async fn act(ground: &Ground, step: &dyn Step) -> Value {
    let context = context(ground);
    let view = step.inspect(&context.world).await.unwrap();
    let ErasedPlan::Change(change) = step.plan(&view).unwrap() else { panic!("there is nothing to change") };
    for act in &change.acts {
        step.act(&context, &change.change, &act.act).await.unwrap();
    }
    change.change
}

/// Looks until the verdict fits.
async fn until(ground: &Ground, step: &dyn Step, change: Option<&Value>, fits: impl Fn(&Verdict) -> bool) -> Verdict {
    let end = std::time::Instant::now() + LONG;
    loop {
        let verdict = step.verify(&context(ground), change).await.unwrap();
        if fits(&verdict) {
            return verdict;
        }
        assert!(std::time::Instant::now() < end, "the verdict stays {verdict:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn holds(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Holds(_))
}

#[tokio::test]
async fn an_old_instance_that_does_not_go_keeps_everybody_waiting() {
    let ground = Ground::new().await;
    let before = ground.deploy("1.4", 1).await;
    std::fs::write(ground.order_file("hold"), "").unwrap();
    let deploy = step("deploy", &json!({ "service": SERVICE, "release": "1.5" }));
    let expect = step("expect_release", &json!({ "service": SERVICE, "at_least": "1.5", "heartbeats": false }));
    let change = act(&ground, deploy.as_ref()).await;
    let old = before[0].instance.clone();
    let stopping =
        until(&ground, expect.as_ref(), None, |verdict| matches!(verdict, Verdict::NotYet { now, .. } if now.contains("(stopping)"))).await;
    let Verdict::NotYet { now, goal, .. } = stopping else { unreachable!() };
    assert_eq!(now, format!("{old} still runs 1.4 (stopping)"));
    assert_eq!(goal, "every instance of hiring runs at least 1.5");
    let waiting = deploy.verify(&context(&ground), Some(&change)).await.unwrap();
    assert!(matches!(&waiting, Verdict::NotYet { now, .. } if now.contains(&old)), "{waiting:?}");
    std::fs::remove_file(ground.order_file("hold")).unwrap();
    until(&ground, expect.as_ref(), None, holds).await;
    until(&ground, deploy.as_ref(), Some(&change), holds).await;
    assert!(!ground.log().contains("is killed"), "it was not let go but killed");
}

#[tokio::test]
async fn a_release_that_dies_in_a_loop_breaks_its_deploy_with_the_reason() {
    let ground = Ground::new().await;
    ground.deploy("1.4", 1).await;
    let deploy = step("deploy", &json!({ "service": SERVICE, "release": service::BROKEN }));
    let change = act(&ground, deploy.as_ref()).await;
    let Verdict::Broken(why) = until(&ground, deploy.as_ref(), Some(&change), |verdict| matches!(verdict, Verdict::Broken(_))).await else {
        unreachable!()
    };
    assert!(why.contains("exit code 3") && why.contains("cannot open the ledger"), "{why}");
    let expect = step("expect_release", &json!({ "service": SERVICE, "at_least": "0.3", "heartbeats": false }));
    let Verdict::NotYet { now, .. } = expect.verify(&context(&ground), None).await.unwrap() else { panic!("it is not there") };
    assert!(now.contains("fails: ended with exit code 3"), "{now}");
}

#[tokio::test]
async fn a_release_that_never_serves_is_waited_for_until_it_does() {
    let ground = Ground::new().await;
    ground.deploy("1.4", 1).await;
    std::fs::write(ground.order_file("unwell"), "").unwrap();
    let deploy = step("deploy", &json!({ "service": SERVICE, "release": "1.5", "instances": 2 }));
    let change = act(&ground, deploy.as_ref()).await;
    ground.until(|found| found.iter().filter(|one| one.release == "1.5" && one.state == InstanceState::Starting).count() == 2).await;
    let verdict = deploy.verify(&context(&ground), Some(&change)).await.unwrap();
    assert!(matches!(&verdict, Verdict::NotYet { now, .. } if now.starts_with("0 of 2 instances ready; besides ")), "{verdict:?}");
    std::fs::remove_file(ground.order_file("unwell")).unwrap();
    let Verdict::Holds(evidence) = until(&ground, deploy.as_ref(), Some(&change), holds).await else { unreachable!() };
    assert_eq!(evidence.data["desired"], json!({ "release": "1.5", "instances": 2 }));
    assert_eq!(evidence.data["instances"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_deploy_that_is_so_says_so_and_one_of_no_service_is_refused() {
    let ground = Ground::new().await;
    ground.deploy("1.4", 2).await;
    let again = step("deploy", &json!({ "service": SERVICE, "release": "1.4" }));
    let plan = again.plan(&again.inspect(&world(&ground)).await.unwrap()).unwrap();
    assert!(matches!(&plan, ErasedPlan::AlreadySo(why) if why.starts_with("release 1.4 on 2 instances: hiring-1.4-")), "{plan:?}");
    let nobody = step("deploy", &json!({ "service": "hirng", "release": "1.4" }));
    let plan = nobody.plan(&nobody.inspect(&world(&ground)).await.unwrap()).unwrap();
    assert_eq!(plan, ErasedPlan::Impossible("`main` runs no service `hirng`, only `bonuses`, `hiring`".to_owned()));
}

#[tokio::test]
async fn an_endpoint_is_waited_for_and_told_by_what_it_answers() {
    let ground = Ground::new().await;
    let check = step("check_http", &json!({ "http": SERVICE, "path": "/version", "json": { "/version": "1.5" } }));
    let Verdict::NotYet { now, .. } = check.verify(&context(&ground), None).await.unwrap() else { panic!("nothing runs") };
    assert!(now.starts_with("it does not answer: "), "{now}");
    ground.deploy("1.4", 1).await;
    let Verdict::NotYet { now, goal, .. } = check.verify(&context(&ground), None).await.unwrap() else { panic!("another release runs") };
    assert_eq!(now, "it answered 200 with /version = \"1.4\", not \"1.5\"");
    assert_eq!(goal, "GET /version of hiring answers 200 with /version = \"1.5\"");
    let version = json!({ "http": SERVICE, "path": "/version", "field": "/version" });
    let expect = step("expect_release", &json!({ "service": SERVICE, "at_least": "1.5", "heartbeats": false, "version_url": version }));
    let Verdict::NotYet { now, .. } = expect.verify(&context(&ground), None).await.unwrap() else { panic!("another release runs") };
    assert!(now.ends_with("still runs 1.4 (ready); it tells version 1.4"), "{now}");
    ground.deploy("1.5", 1).await;
    assert!(holds(&check.verify(&context(&ground), None).await.unwrap()));
    assert!(holds(&expect.verify(&context(&ground), None).await.unwrap()));
}
