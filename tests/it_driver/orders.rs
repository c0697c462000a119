//! People: what they order of runs that wait, ask or are done.

use std::time::Duration;

use cutover::driver::{NewRunRequest, claim_again, plan_bundle, start_run};
use cutover::engine::Command;
use cutover::ports::flags::Flags;
use uuid::Uuid;

use crate::bench::{Bench, FLAG, LONG, WAITS, bundle};

#[tokio::test]
async fn a_waiting_run_hears_orders_and_costs_no_memory() {
    let bench = Bench::new().await;
    let runs: Vec<Uuid> = {
        let bundle = bundle("self", WAITS);
        let (plan, _) = plan_bundle(&bench.store, bench.worlds.as_ref(), &bundle).await.unwrap();
        let mut runs = Vec::new();
        for _ in 0..1000 {
            let request =
                NewRunRequest { id: Uuid::now_v7(), bundle: bundle.clone(), plan: plan.clone(), by: "ada".to_owned(), yes: false };
            runs.push(start_run(&bench.store, request).await.unwrap());
        }
        runs
    };
    let node = bench.node("one").await;
    bench.until("select count(*) from run where state = 'waiting'", 1000).await;
    bench.until("select count(*) from wake where at > clock_timestamp() + interval '1 minute'", 1000).await;
    let empty = async {
        while node.driver.as_ref().unwrap().in_memory() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, empty).await.expect("waiting runs stay in memory");
    assert!(bench.say(runs[500], "ada", Command::Pause).await.taken);
    bench.reach(runs[500], "paused").await;
    assert!(bench.say(runs[500], "ada", Command::Resume).await.taken);
    bench.reach(runs[500], "waiting").await;
    assert!(bench.say(runs[500], "ada", Command::Skip).await.taken);
    bench.reach(runs[500], "done").await;
    node.hand_over().await;
}

#[tokio::test]
async fn a_done_run_is_taken_back_and_holds_what_it_touches_meanwhile() {
    let bench = Bench::new().await;
    let node = bench.node("one").await;
    bench.gate.permits.add_permits(1);
    let run = bench.start(FLAG).await;
    bench.reach(run, "done").await;
    assert_eq!(bench.store.held_by(run).await.unwrap(), []);

    // A refused order frees what was claimed for it.
    claim_again(&bench.store, bench.worlds.as_ref(), run).await.unwrap();
    assert!(!bench.say(run, "ada", Command::Retry).await.taken);
    assert_eq!(bench.store.held_by(run).await.unwrap(), []);

    claim_again(&bench.store, bench.worlds.as_ref(), run).await.unwrap();
    assert!(bench.say(run, "ada", Command::Revert).await.taken);
    bench.reach(run, "reverting").await;
    bench.until("select count(*) from entry where kind = 'step_begun'", 2).await;
    assert_eq!(bench.store.held_by(run).await.unwrap().len(), 1, "it is taken back without holding what it touches");
    bench.gate.permits.add_permits(1);
    bench.reach(run, "reverted").await;
    assert!(!bench.gate.flags.flag("f").await.unwrap().unwrap().enabled);
    assert_eq!(bench.store.held_by(run).await.unwrap(), []);
    node.hand_over().await;
}

#[tokio::test]
async fn somebody_else_must_approve_where_the_environment_says_so() {
    let bench = Bench::new().await;
    let node = bench.node("one").await;
    let run = bench.start_in("other", "playbook: asks\nsteps:\n  - id: ask\n    approval: {text: shall we}\n").await;
    bench.reach(run, "asking").await;
    assert!(!bench.say(run, "ada", Command::Approve).await.taken);
    assert!(bench.say(run, "bob", Command::Approve).await.taken);
    bench.reach(run, "done").await;
    node.hand_over().await;
}
