//! What is planned from where a flag stands.

use super::*;

type Rolling = Play<RollOutFlag>;

async fn impossible(sim: &SimWorld, more: &Value) -> String {
    match Rolling::new(sim, body(more)).plan().await {
        Plan::Impossible(why) => why,
        other => panic!("{other:?}"),
    }
}

fn effect_of(plan: Plan<RollOut>) -> Effect {
    match plan {
        Plan::Change(change) => change.effects.into_iter().next().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_plan_is_a_picture_of_the_shares() {
    let sim = SimWorld::new();
    by_hand(&sim, serving("call")).await;
    let effect = effect_of(Rolling::new(&sim, body(&json!({ "shares": ["0.1%", "1%", "10%", "50%", "100%"] }))).plan().await);
    assert_eq!((effect.what.as_str(), effect.from.as_deref()), ("flag exercise-read", Some("call")));
    assert_eq!(effect.to.as_deref(), Some("events  0.1% 1% 10% 50% 100%, each for 10m"));
    let play = Rolling::new(&sim, body(&json!({})));
    let acts = play.step.acts(&play.change().await).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        acts,
        [
            "set flag exercise-read to events for 1%",
            "set flag exercise-read to events for 10%",
            "set flag exercise-read to events for 100%"
        ]
    );
}

#[tokio::test]
async fn a_flag_that_is_not_there_needs_its_variants_and_the_one_to_keep() {
    let sim = SimWorld::new();
    assert!(impossible(&sim, &json!({})).await.contains("name the one that the others keep in `from`"));
    assert!(impossible(&sim, &json!({ "from": "call" })).await.contains("name its `variants`, among them `events`"));
    let three = json!({ "variants": { "call": 1, "events": 2, "both": 3 } });
    assert!(impossible(&sim, &three).await.contains("`from`"));
    let two = json!({ "variants": { "call": "call", "events": "events" } });
    let change = Rolling::new(&sim, body(&two)).change().await;
    assert_eq!((change.cohort.from.as_str(), change.before.clone()), ("call", None));
    let first = change.state(0).unwrap();
    assert_eq!(first.default_variant.as_deref(), Some("call"));
    let targeting =
        json!({ "fractional": [{ "cat": ["exercise-read@0:", { "var": "targetingKey" }] }, ["events", 1000], ["call", 99_000]] });
    assert_eq!(first.targeting, Some(targeting));
    let last = change.state(2).unwrap();
    assert_eq!((last.default_variant.as_deref(), last.targeting), (Some("events"), None));
    let on = Rolling::new(&sim, json!({ "flag": "f", "to": "on", "shares": ["100%"], "bake": "0s" })).change().await;
    assert_eq!(on.cohort.from, "off");
}

#[tokio::test]
async fn what_serves_everybody_already_is_so() {
    let sim = SimWorld::new();
    by_hand(&sim, serving("events")).await;
    assert_eq!(Rolling::new(&sim, body(&json!({}))).plan().await, Plan::AlreadySo("everybody gets events".to_owned()));
    let partial = json!({ "shares": ["1%"], "partial": true });
    assert!(impossible(&sim, &partial).await.contains("more than 1%"));
}

#[tokio::test]
async fn what_is_in_the_way_is_said() {
    let sim = SimWorld::new();
    let flag = serving("call");
    by_hand(&sim, FlagState { targeting: Some(json!({ "if": [true, "events"] })), ..flag.clone() }).await;
    let why = impossible(&sim, &json!({})).await;
    assert_eq!(
        why,
        "flag exercise-read has targeting that is no roll-out from what it serves to events by targetingKey; take it away with set_flag first"
    );
    by_hand(&sim, flag.clone()).await;
    assert!(impossible(&sim, &json!({ "from": "both", "variants": { "both": "both" } })).await.contains("would change to both at once"));
    assert!(impossible(&sim, &json!({ "variants": { "events": "other" } })).await.contains("another value, for everybody"));
    assert!(impossible(&sim, &json!({ "variants": { "more": 7 } })).await.contains("not all of one type"));
    assert!(impossible(&sim, &json!({ "to": "event" })).await.contains("has no variant `event`, only `call`, `events`"));
    by_hand(&sim, FlagState { enabled: false, targeting: Some(json!({ "if": [true, "events"] })), ..flag.clone() }).await;
    assert!(impossible(&sim, &json!({})).await.contains("is disabled and has targeting"));
    by_hand(&sim, FlagState { enabled: false, ..serving("events") }).await;
    let change = Rolling::new(&sim, body(&json!({}))).change().await;
    assert_eq!(change.cohort.from, "call", "a disabled flag serves the default in the code, which is not its default variant");
}

#[tokio::test]
async fn a_roll_out_that_stands_somewhere_goes_on_with_the_same_keys() {
    let sim = SimWorld::new();
    by_hand(&sim, serving("call")).await;
    let first = Rolling::new(&sim, body(&json!({}))).change().await;
    by_hand(&sim, first.state(1).unwrap()).await;
    let effect = effect_of(Rolling::new(&sim, body(&json!({}))).plan().await);
    assert_eq!(effect.from.as_deref(), Some("call, events for 10%"));
    assert_eq!(effect.to.as_deref(), Some("events  100%, for 10m"));
    let wider = Rolling::new(&sim, body(&json!({ "shares": ["5%", "20%", "100%"] }))).change().await;
    assert_eq!(wider.cohort, first.cohort);
    assert_eq!(wider.shares.iter().map(Share::to_string).collect::<Vec<_>>(), ["20%", "100%"]);
    let partial = |share: &str| json!({ "shares": [share], "partial": true });
    assert_eq!(Rolling::new(&sim, body(&partial("10%"))).plan().await, Plan::AlreadySo("10% get events".to_owned()));
    assert!(impossible(&sim, &partial("1%")).await.contains("10% get events already, more than 1%"));
    assert!(impossible(&sim, &json!({ "key": "team" })).await.contains("no roll-out from what it serves to events by team"));
    by_hand(&sim, FlagState { targeting: Some(first.cohort.targeting(100_000)), ..serving("call") }).await;
    let whole = Rolling::new(&sim, body(&json!({}))).change().await;
    assert_eq!(whole.shares, [Share::ALL]);
}

#[tokio::test]
async fn a_later_roll_out_begins_with_other_keys() {
    let sim = SimWorld::new();
    by_hand(&sim, serving("call")).await;
    let one = Rolling::new(&sim, body(&json!({}))).change().await;
    by_hand(&sim, serving("events")).await;
    by_hand(&sim, serving("call")).await;
    let other = Rolling::new(&sim, body(&json!({}))).change().await;
    assert_ne!(one.cohort.seed, other.cohort.seed);
}
