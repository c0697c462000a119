//! What is removed, who is in the way, and that it comes back with everybody on the side where they were.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::DateTime;

use super::*;
use crate::flags::rollout::Cohort;
use crate::flags::{Document, Heartbeat, document};
use crate::sim::SimWorld;
use crate::step::Checkpoint;

const NAME: &str = "main";

struct Nowhere;

#[async_trait]
impl Checkpoint for Nowhere {
    async fn save(&self, _: Value) -> Result<(), StepError> {
        Ok(())
    }
}

fn context(sim: &SimWorld, key: &str) -> ActContext {
    let now = DateTime::UNIX_EPOCH;
    ActContext {
        world: sim.world(),
        key: key.to_owned(),
        began: now,
        rests_since: now,
        now,
        cursor: None,
        receipts: Vec::new(),
        earlier: Arc::default(),
        checkpoint: Arc::new(Nowhere),
    }
}

fn step(more: &Value) -> RemoveFlag {
    let mut body = json!({ "flag": "exercise-read", "within": "0s" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step::decode(&body).unwrap()
}

fn rolled_out() -> FlagState {
    let text = |text: &str| text.to_owned();
    let cohort = Cohort { seed: text("exercise-read@3:"), key: text("targetingKey"), to: text("events"), from: text("call") };
    FlagState {
        enabled: true,
        variants: BTreeMap::from([("call".to_owned(), json!("call")), ("events".to_owned(), json!("events"))]),
        default_variant: Some("call".to_owned()),
        targeting: Some(cohort.targeting(30_000)),
    }
}

async fn put(sim: &SimWorld, state: FlagState) {
    let change = FlagChange { key: "put".to_owned(), flag: "exercise-read".to_owned(), before: None, after: Some(state) };
    sim.world().flags(NAME).unwrap().change(&change).await.unwrap();
}

fn says(sim: &SimWorld, instance: &str, flags: Option<&[&str]>) {
    let text = |text: &str| text.to_owned();
    sim.flags.report(Heartbeat {
        environment: text("sim"),
        store: text(NAME),
        service: text("elsewhere"),
        instance: text(instance),
        release: text("1.5"),
        revision: 9,
        oldest: 9,
        flags: flags.map(|flags| flags.iter().map(|flag| text(flag)).collect()),
        ending: false,
    });
}

async fn change(step: &RemoveFlag, sim: &SimWorld) -> Removal {
    match step.plan(&step.inspect(&sim.world()).await.unwrap()) {
        Plan::Change(change) => change.change,
        other => panic!("{other:?}"),
    }
}

async fn act(step: &RemoveFlag, sim: &SimWorld, key: &str) -> Result<Receipt, StepError> {
    let change = change(step, sim).await;
    step.act(&context(sim, key), &change, &step.acts(&change)[0]).await
}

#[tokio::test]
async fn who_evaluates_it_and_who_does_not_say_are_in_the_way() {
    let sim = SimWorld::new();
    put(&sim, rolled_out()).await;
    let (plain, bold) = (step(&json!({})), step(&json!({ "without_reports": true })));
    let told = act(&plain, &sim, "a").await.unwrap_err().to_string();
    assert!(told.contains("no service has reported") && told.contains("without_reports"), "{told}");
    says(&sim, "one", Some(&["other"]));
    says(&sim, "two", None);
    let told = act(&plain, &sim, "b").await.unwrap_err().to_string();
    assert!(told.contains("elsewhere 1.5 (two) did not say"), "{told}");
    says(&sim, "two", Some(&["exercise-read"]));
    for step in [&plain, &bold] {
        let told = act(step, &sim, "c").await.unwrap_err().to_string();
        assert!(told.contains("flag exercise-read stays: elsewhere 1.5 (two) may still evaluate it; deploy"), "{told}");
    }
    assert!(sim.world().flags(NAME).unwrap().flag("exercise-read").await.unwrap().is_some());
    says(&sim, "two", Some(&[]));
    let receipt = act(&plain, &sim, "d").await.unwrap();
    assert_eq!(receipt.data["definition"], json!(rolled_out()), "the whole definition is kept");
    assert_eq!(sim.world().flags(NAME).unwrap().flag("exercise-read").await.unwrap(), None);
}

#[tokio::test]
async fn it_is_verified_until_somebody_evaluates_it_again() {
    let sim = SimWorld::new();
    put(&sim, rolled_out()).await;
    says(&sim, "one", Some(&[]));
    let step = step(&json!({}));
    let removal = change(&step, &sim).await;
    let receipt = act(&step, &sim, "a").await.unwrap();
    let context = ActContext { receipts: vec![receipt], ..context(&sim, "a") };
    let verdict = step.verify(&context, Some(&removal)).await.unwrap();
    assert!(matches!(&verdict, Verdict::Holds(evidence) if evidence.line.contains("the 1 instance")), "{verdict:?}");
    let standing = step.standing(&context, &removal, &step.acts(&removal)[0]).await.unwrap();
    assert!(matches!(standing, Standing::After(receipt) if receipt.data["definition"] == json!(rolled_out())));
    says(&sim, "new", Some(&["exercise-read"]));
    let verdict = step.verify(&context, Some(&removal)).await.unwrap();
    assert!(matches!(&verdict, Verdict::Broken(what) if what.contains("(new)") && what.contains("default in its code")), "{verdict:?}");
    assert!(matches!(step.plan(&step.inspect(&sim.world()).await.unwrap()), Plan::AlreadySo(_)));
}

#[tokio::test]
async fn nobody_changes_side_when_it_comes_back() {
    let draws = |state: &FlagState| {
        let mut written = document::empty();
        document::put(&mut written, "exercise-read", state);
        let document = Document::parse(&written).unwrap();
        let one = |key: u32| {
            let drawn = document.evaluate("exercise-read", &key.to_string(), &serde_json::Map::new()).unwrap();
            drawn.variant.unwrap_or_default().to_owned()
        };
        (0..1000).map(one).collect::<Vec<_>>()
    };
    let disabled = FlagState { enabled: false, targeting: None, ..rolled_out() };
    for before in [rolled_out(), disabled, FlagState { targeting: None, ..rolled_out() }] {
        let sim = SimWorld::new();
        put(&sim, before.clone()).await;
        let step = step(&json!({ "without_reports": true }));
        let removal = change(&step, &sim).await;
        act(&step, &sim, "a").await.unwrap();
        let Revert::Steps(steps) = step.revert(&removal, &[]) else { panic!("no way back") };
        assert_eq!(steps[0].kind, "set_flag");
        let back: SetFlag = step::decode(&steps[0].body).unwrap();
        let Plan::Change(change) = back.plan(&back.inspect(&sim.world()).await.unwrap()) else { panic!("nothing to put back") };
        back.act(&context(&sim, "back"), &change.change, &back.acts(&change.change)[0]).await.unwrap();
        let now = sim.world().flags(NAME).unwrap().flag("exercise-read").await.unwrap().unwrap();
        assert_eq!(now, before);
        if before.enabled {
            assert_eq!(draws(&now), draws(&before));
        }
    }
}

#[tokio::test]
async fn what_could_not_come_back_stays() {
    let odd = [
        FlagState { default_variant: None, ..rolled_out() },
        FlagState { default_variant: Some("gone".to_owned()), ..rolled_out() },
        FlagState { variants: BTreeMap::from([("call".to_owned(), json!([1]))]), targeting: None, ..rolled_out() },
        FlagState { targeting: Some(json!({ "fractionall": [] })), ..rolled_out() },
    ];
    for before in odd {
        let step = step(&json!({}));
        let mut view = View::default();
        view.put(&step.resource(), &Some(&before));
        assert!(matches!(step.plan(&view), Plan::Impossible(why) if why.contains("put it back")), "{before:?}");
    }
}
