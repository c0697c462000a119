//! What happens between the shares.

use super::super::super::set_flag::SetFlag;
use super::*;

type Rolling = Play<RollOutFlag>;

const MINUTE: Duration = Duration::from_mins(1);

async fn begun(runs: Option<Runs>) -> (Rolling, RollOut) {
    let sim = SimWorld::new();
    by_hand(&sim, serving("call")).await;
    let mut play = Rolling::new(&sim, body(&json!({})));
    play.runs = runs;
    let change = play.change().await;
    play.act(&change, 0).await.unwrap();
    (play, change)
}

fn now_of(verdict: Verdict) -> String {
    match verdict {
        Verdict::NotYet { now, .. } => now,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn shares_grow_and_the_last_one_leaves_no_targeting() {
    let sim = SimWorld::new();
    by_hand(&sim, serving("call")).await;
    let mut play = Rolling::new(&sim, body(&json!({})));
    let change = play.change().await;
    let mut before = drawn(&sim).await;
    assert!(before.is_empty());
    for (number, about) in [(0, 2..30), (1, 60..140), (2, 1000..1001)] {
        play.act(&change, number).await.unwrap();
        let after = drawn(&sim).await;
        assert!(after.is_superset(&before) && about.contains(&after.len()), "{} keys", after.len());
        before = after;
    }
    assert_eq!(sim.world().flags("main").unwrap().flag("exercise-read").await.unwrap(), Some(serving("events")));
}

#[tokio::test]
async fn a_share_bakes_before_the_next_one() {
    let (play, change) = begun(None).await;
    let now = now_of(play.settle(&change, 0).await);
    assert_eq!(now, "1% for 0s, 10m left; unacknowledged: no service has reported the revision it uses");
    play.pass(MINUTE * 9 + Duration::from_millis(59_900));
    let Verdict::NotYet { now, goal, again_in } = play.settle(&change, 0).await else { panic!("it has not baked") };
    assert!(
        now.starts_with("1% for 9m59s, 100ms left") && goal == "1% for 10m" && again_in == Duration::from_millis(100),
        "{now} {again_in:?}"
    );
    play.pass(again_in);
    let Verdict::Holds(evidence) = play.settle(&change, 0).await else { panic!("it has baked") };
    assert_eq!(evidence.data["acknowledged"], json!(false), "silence is no acknowledgement");
}

#[tokio::test]
async fn a_bake_begins_when_everybody_has_the_share_and_a_crash_does_not_begin_it_anew() {
    let (play, change) = begun(Some(runs(&["hiring-1", "hiring-2"]))).await;
    play.pass(MINUTE);
    play.says("hiring-1", 2, 2);
    play.says("hiring-2", 2, 1);
    assert_eq!(now_of(play.settle(&change, 0).await), "1 of 2 instances use revision 2; not yet: hiring 1.5 (hiring-2) at revision 1");
    play.pass(MINUTE);
    assert!(now_of(play.settle(&change, 0).await).contains("hiring 1.5 (hiring-2) not seen for 60 s"));
    play.says("hiring-2", 2, 2);
    assert_eq!(now_of(play.settle(&change, 0).await), "1% for 0s, 10m left; acknowledged by 2 instances");
    play.pass(MINUTE * 4);
    let afresh = || Rolling { receipts: play.receipts.clone(), rests_since: play.rests_since, ..Rolling::new(&play.sim, body(&json!({}))) };
    let after_a_crash = Rolling { runs: play.runs.clone(), ..afresh() };
    assert_eq!(now_of(after_a_crash.settle(&change, 0).await), "1% for 4m, 6m left; acknowledged by 2 instances");
    assert!(now_of(afresh().settle(&change, 0).await).starts_with("1% for 4m, 6m left; unacknowledged"), "they had it, and are gone since");
    let released = Rolling { rests_since: play.sim.clock.now(), ..after_a_crash };
    assert_eq!(now_of(released.settle(&change, 0).await), "1% for 0s, 10m left; acknowledged by 2 instances", "a hold begins it anew");
    play.pass(MINUTE * 6);
    let Verdict::Holds(evidence) = play.settle(&change, 0).await else { panic!("it has baked") };
    assert_eq!(evidence.data["instances"], json!(["hiring/hiring-1 1.5", "hiring/hiring-2 1.5"]));
}

#[tokio::test]
async fn an_instance_that_comes_later_is_waited_for_too() {
    let (mut play, change) = begun(Some(runs(&["hiring-1"]))).await;
    play.says("hiring-1", 2, 2);
    assert!(now_of(play.settle(&change, 0).await).contains("acknowledged by 1 instance"));
    play.runs = Some(runs(&["hiring-1", "hiring-3"]));
    play.pass(MINUTE * 20);
    assert!(now_of(play.settle(&change, 0).await).contains("hiring 1.5 (hiring-3) has reported nothing"));
    play.runs = Some(runs(&["hiring-1"]));
    assert!(matches!(play.settle(&change, 0).await, Verdict::Holds(_)), "it is gone again");
}

#[tokio::test]
async fn a_change_by_hand_between_two_shares_stops_it() {
    let (mut play, change) = begun(None).await;
    by_hand(&play.sim, serving("call")).await;
    let Verdict::Broken(why) = play.settle(&change, 0).await else { panic!("nobody noticed") };
    assert_eq!(why, "flag exercise-read was changed by hand: it is call, not events for 1%");
    let refused = play.act(&change, 1).await.unwrap_err();
    assert!(matches!(&refused, StepError::Impossible(why) if why.contains("changed by hand")) && !refused.is_passing(), "{refused}");
    assert_eq!(play.sim.world().flags("main").unwrap().flag("exercise-read").await.unwrap(), Some(serving("call")));
}

#[tokio::test]
async fn a_share_is_written_once_however_often_it_is_asked_for() {
    let (play, change) = begun(None).await;
    let acts = play.step.acts(&change);
    let again = play.step.act(&play.context(), &change, &acts[0]).await.unwrap();
    assert_eq!(flag::revision(&again), flag::revision(&play.receipts[0]));
    let standing = async |number: usize| play.step.standing(&play.context(), &change, &acts[number]).await.unwrap();
    assert!(matches!(standing(0).await, Standing::After(found) if flag::revision(&found) == Some(2)));
    assert_eq!(standing(1).await, Standing::Before);
}

#[tokio::test]
async fn the_evidence_tells_the_whole_story() {
    let sim = SimWorld::new();
    by_hand(&sim, serving("call")).await;
    let mut play = Rolling::new(&sim, body(&json!({})));
    play.runs = Some(runs(&["hiring-1"]));
    let change = play.change().await;
    for number in 0..3 {
        play.act(&change, number).await.unwrap();
        let revision = i64::try_from(number).unwrap() + 2;
        play.pass(Duration::from_secs(1));
        play.says("hiring-1", revision, revision);
        assert!(matches!(play.settle(&change, number).await, Verdict::NotYet { .. }));
        play.pass(MINUTE * 10);
        assert!(matches!(play.settle(&change, number).await, Verdict::Holds(_)));
    }
    let Verdict::Holds(evidence) = play.verify(&change).await else { panic!("it is done") };
    assert_eq!(evidence.line, "events for 100% since revision 4; acknowledged by 1 instance");
    assert_eq!(
        (&evidence.data["seed"], &evidence.data["key"], &evidence.data["algorithm"]),
        (&json!("exercise-read@1:"), &json!("targetingKey"), &json!("fractional-v2"))
    );
    let second = json!({ "share": "10%", "revision": 3, "written_at": "1970-01-01T00:10:01Z", "acknowledged_at": "1970-01-01T00:10:02Z" });
    assert_eq!(evidence.data["shares"][1], second);
}

#[tokio::test]
async fn the_way_back_is_what_was_at_once() {
    let (play, change) = begun(None).await;
    let Revert::Steps(steps) = play.step.revert(&change, &play.receipts) else { panic!("there is a way back") };
    assert_eq!(steps.iter().map(|step| step.kind.as_str()).collect::<Vec<_>>(), ["set_flag"]);
    let mut back: Play<SetFlag> = Play::new(&play.sim, steps[0].body.clone());
    let flip = back.change().await;
    back.act(&flip, 0).await.unwrap();
    assert_eq!(play.sim.world().flags("main").unwrap().flag("exercise-read").await.unwrap(), Some(serving("call")));

    by_hand(&play.sim, change.state(1).unwrap()).await;
    let further = Rolling::new(&play.sim, body(&json!({}))).change().await;
    let Revert::Steps(steps) = play.step.revert(&further, &[]) else { panic!("there is a way back") };
    assert_eq!(steps[0].body["targeting"], change.cohort.targeting(10_000), "a roll-out that went on goes back to where it stood");
}

#[tokio::test]
async fn a_flag_that_was_not_there_is_disabled_on_the_way_back_even_if_it_was_never_written() {
    let sim = SimWorld::new();
    let play = Rolling::new(&sim, body(&json!({ "variants": { "call": "call", "events": "events" } })));
    let change = play.change().await;
    let Revert::Steps(steps) = play.step.revert(&change, &[]) else { panic!("there is a way back") };
    let mut back: Play<SetFlag> = Play::new(&sim, steps[0].body.clone());
    back.carry_out().await;
    let flag = sim.world().flags("main").unwrap().flag("exercise-read").await.unwrap().unwrap();
    assert_eq!((flag.enabled, flag.default_variant.as_deref()), (false, Some("call")));
}

#[tokio::test]
async fn set_flag_waits_for_everybody_who_listens() {
    let sim = SimWorld::new();
    let body = json!({ "flag": "exercise-events", "to": "on" });
    says(&sim, "hiring-1", 0, 0);
    let mut play: Play<SetFlag> = Play::new(&sim, body);
    let change = play.change().await;
    play.act(&change, 0).await.unwrap();
    let now = now_of(play.verify(&change).await);
    assert_eq!(now, "0 of 1 instance use revision 1; not yet: hiring 1.5 (hiring-1) at revision 0");
    play.says("hiring-1", 1, 1);
    let Verdict::Holds(evidence) = play.verify(&change).await else { panic!("everybody has it") };
    assert_eq!(evidence.line, "on since revision 1; acknowledged by 1 instance");
    assert_eq!((&evidence.data["acknowledged"], &evidence.data["instances"]), (&json!(true), &json!(["hiring/hiring-1 1.5"])));
}

#[tokio::test]
async fn set_flag_with_nobody_listening_is_done_and_says_so() {
    let mut play: Play<SetFlag> = Play::new(&SimWorld::new(), json!({ "flag": "exercise-events", "to": "on" }));
    let evidence = play.carry_out().await;
    assert_eq!(evidence.line, "on since revision 1; unacknowledged: no service has reported the revision it uses");
    assert_eq!(evidence.data["acknowledged"], json!(false));
}
