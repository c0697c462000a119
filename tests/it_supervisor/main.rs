//! The supervisor with real processes: deploys under load, and whatever may die.

#[path = "../ground/mod.rs"]
mod machine;
#[path = "../service/mod.rs"]
mod service;

#[path = "../conformance"]
mod conformance {
    pub mod http;
    pub mod workloads;

    pub fn fresh(stem: &str) -> String {
        format!("{stem}-{}", uuid::Uuid::new_v4().simple())
    }
}

mod ground;
mod load;
mod steps;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cutover::ports::PortError;
use cutover::ports::workloads::{Instance, InstanceState, Workloads};
use cutover::stack::local::Ending;
use cutover::stack::process::Identity;
use cutover::stack::{StackError, keeper, supervisor};
use nix::sys::signal::Signal;
use tokio::net::TcpStream;

use self::ground::{Ground, LONG, SERVICE};
use self::load::Load;

fn names(instances: &[Instance]) -> BTreeSet<String> {
    instances.iter().map(|instance| instance.instance.clone()).collect()
}

async fn gone(process: &Identity) {
    assert!(process.wait(LONG).await, "process {} lives on", process.pid);
}

#[tokio::test]
async fn what_is_asked_for_comes_to_run() {
    let ground = Ground::new().await;
    conformance::workloads::what_is_asked_for_comes_to_run(ground.workloads.as_ref(), SERVICE).await;
}

#[tokio::test]
async fn a_change_is_made_once_and_only_on_what_was_seen() {
    let ground = Ground::new().await;
    conformance::workloads::the_same_key_changes_once(ground.workloads.as_ref(), SERVICE).await;
    conformance::workloads::a_change_on_something_else_than_was_seen_is_a_conflict(ground.workloads.as_ref(), "bonuses").await;
}

#[tokio::test]
async fn a_service_answers_by_http_while_it_runs_and_refuses_when_it_is_stopped() {
    let ground = Ground::new().await;
    let http = ground.http(SERVICE);
    conformance::http::no_answer_is_unreachable(http.as_ref()).await;
    ground.deploy("1.4", 1).await;
    conformance::http::every_answer_is_fine(http.as_ref(), "1.4").await;
    ground.deploy("1.4", 0).await;
    conformance::http::no_answer_is_unreachable(http.as_ref()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_under_load_refuses_no_connection_and_has_never_too_few() {
    let ground = Ground::new().await;
    ground.deploy("1.4", 2).await;
    let load = Load::start(&ground.url(SERVICE), 200);
    let watching = {
        let workloads = Arc::clone(&ground.workloads);
        tokio::spawn(async move {
            let mut fewest = usize::MAX;
            loop {
                let instances = workloads.instances(Some(SERVICE)).await.unwrap();
                fewest = fewest.min(instances.iter().filter(|instance| instance.state == InstanceState::Ready).count());
                if instances.iter().all(|instance| instance.release == "1.6") {
                    return fewest;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    };
    for release in ["1.5", "1.4", "1.5", "1.6"] {
        ground.deploy(release, 2).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(watching.await.unwrap() >= 2, "there were fewer than two that serve");
    let outcome = load.end().await;
    println!("{:?} answered, {} failed", outcome.answered, outcome.failed.len());
    assert!(outcome.failed.is_empty(), "{:#?}", outcome.failed);
    assert_eq!(outcome.answered.keys().collect::<Vec<_>>(), ["1.4", "1.5", "1.6"]);
}

#[tokio::test]
async fn an_instance_that_is_killed_runs_again_under_another_name() {
    let ground = Ground::new().await;
    let before = ground.deploy("1.4", 2).await;
    let victim = ground.process(&before[0].instance);
    victim.signal(Signal::SIGKILL).unwrap();
    let after = ground
        .until(|found| found.len() == 2 && names(found) != names(&before) && found.iter().all(|one| one.state == InstanceState::Ready))
        .await;
    assert!(after.iter().any(|instance| instance.instance == before[1].instance), "the other one was touched");
    assert!(!names(&after).contains(&before[0].instance));
    assert!(ground.log().contains("ended by signal 9"), "{}", ground.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_that_is_killed_is_succeeded_and_its_instances_serve_on() {
    let ground = Ground::new().await;
    let before = ground.deploy("1.4", 2).await;
    let old: Vec<_> = before.iter().map(|instance| ground.process(&instance.instance)).collect();
    let url = ground.url(SERVICE);
    let load = Load::start(&url, 200);
    supervisor::alive(&ground.data).unwrap().unwrap().signal(Signal::SIGKILL).unwrap();
    for _ in 0..20 {
        assert!(reqwest_version(&url).await.contains("1.4"));
    }
    assert!(old.iter().all(Identity::is_alive), "they died with it");
    let second = ground.supervise().await.unwrap();
    let after = ground
        .until(|found| {
            found.len() == 2 && names(found).is_disjoint(&names(&before)) && found.iter().all(|one| one.state == InstanceState::Ready)
        })
        .await;
    for process in &old {
        gone(process).await;
    }
    assert_eq!(ground.url(SERVICE), url);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(after.iter().all(|instance| instance.release == "1.4"));
    let outcome = load.end().await;
    println!("{:?} answered, {} failed while a supervisor succeeded another", outcome.answered, outcome.failed.len());
    assert!(outcome.answered["1.4"] > outcome.failed.len() * 20, "{:#?}", outcome.failed);
    assert_eq!(ground.supervise().await.unwrap(), second, "a second call joins");
    ground.deploy("1.5", 1).await;
}

async fn reqwest_version(url: &str) -> String {
    reqwest::Client::builder().no_proxy().build().unwrap().get(format!("{url}/version")).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_release_that_crashes_is_failing_with_its_last_words_and_the_old_one_serves_on() {
    let ground = Ground::new().await;
    let before = ground.deploy("1.4", 1).await;
    ground.ask_for(SERVICE, service::BROKEN, 1).await;
    let failing = |found: &[Instance]| found.iter().any(|instance| instance.state == InstanceState::Failing);
    let found = ground.until(failing).await;
    let broken = found.iter().find(|instance| instance.state == InstanceState::Failing).unwrap();
    assert_eq!(broken.release, service::BROKEN);
    assert!(
        broken.reason.starts_with("ended with exit code 3; its log ends: ") && broken.reason.ends_with(", 5 times in a row"),
        "{}",
        broken.reason
    );
    assert!(broken.reason.contains("cannot open the ledger"), "{}", broken.reason);
    assert!(found.contains(&before[0]), "the old one is gone");
    assert!(reqwest_version(&ground.url(SERVICE)).await.contains("1.4"));
    assert_eq!(ground.deploy("1.4", 1).await, before, "the way back touches nothing");
}

#[tokio::test]
async fn a_service_that_nobody_can_start_fails_at_once() {
    let ground = Ground::new().await;
    ground.ask_for("hirng", "1.4", 1).await;
    let end = std::time::Instant::now() + LONG;
    let reason = loop {
        let found = ground.workloads.instances(Some("hirng")).await.unwrap();
        if let Some(instance) = found.first() {
            break instance.reason.clone();
        }
        assert!(std::time::Instant::now() < end, "nobody says that there is no such service");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(reason.ends_with("has no service `hirng`, only `bonuses`, `hiring`"), "{reason}");
}

#[tokio::test]
async fn one_that_does_not_end_in_its_time_is_killed() {
    let ground = Ground::new().await;
    let before = ground.deploy("1.4", 1).await;
    let old = ground.process(&before[0].instance);
    std::fs::write(ground.order_file("hold"), "").unwrap();
    ground.ask_for(SERVICE, "1.5", 1).await;
    ground.until(|found| found.iter().any(|instance| instance.state == InstanceState::Stopping)).await;
    assert!(old.is_alive());
    ground.settled("1.5", 1).await;
    gone(&old).await;
    assert!(ground.log().contains("did not end within 10 s and is killed"), "{}", ground.log());
    std::fs::remove_file(ground.order_file("hold")).unwrap();
}

#[tokio::test]
async fn a_stop_leaves_nothing_even_after_the_supervisor_was_killed() {
    for killed_before in [false, true] {
        let ground = Ground::new().await;
        let instances = ground.deploy("1.4", 2).await;
        let processes: Vec<_> = instances.iter().map(|instance| ground.process(&instance.instance)).collect();
        let own = supervisor::alive(&ground.data).unwrap().unwrap();
        if killed_before {
            own.kill().await.unwrap();
        }
        assert!(supervisor::stop(&ground.data, Ending::Clean).await.unwrap());
        for process in processes.iter().chain([&own]) {
            assert!(!process.is_alive(), "process {} lives on", process.pid);
        }
        let address = ground.url(SERVICE).replace("http://", "");
        assert!(TcpStream::connect(address).await.is_err(), "somebody listens still");
        assert_eq!(std::fs::read_to_string(supervisor::targets_file(&ground.data)).unwrap().trim(), "[]");
        assert!(!supervisor::stop(&ground.data, Ending::Clean).await.unwrap(), "there is nothing left to stop");
    }
}

#[tokio::test]
async fn a_supervisor_that_is_gone_is_named_with_the_way_to_start_it() {
    let ground = Ground::without_supervisor().await;
    let told = |error: PortError| match error {
        PortError::Unreachable { detail, .. } => detail,
        other => panic!("{other:?}"),
    };
    assert_eq!(ground.workloads.instances(None).await.unwrap(), [], "where nobody ever kept anything, nothing runs");
    let never = told(ground.workloads.services().await.unwrap_err());
    assert!(never.starts_with("no supervisor keeps local/main; start it with `cutover supervise"), "{never}");
    ground.supervise().await.unwrap();
    assert_eq!(ground.workloads.instances(None).await.unwrap(), []);
    supervisor::alive(&ground.data).unwrap().unwrap().kill().await.unwrap();
    let silent = loop {
        match ground.workloads.instances(None).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => break told(error),
        }
    };
    let path = ground.data.path().display().to_string();
    assert!(silent.contains(&path) && silent.contains("has said nothing for"), "{silent}");
}

#[tokio::test]
async fn one_place_has_one_supervisor() {
    let ground = Ground::new().await;
    let other = Ground::on(ground.order.database.clone().unwrap()).await;
    let refused = other.supervise().await.unwrap_err();
    assert!(
        matches!(&refused, StackError::Keeper { sentence, .. } if sentence.starts_with("another supervisor keeps local/main: ")),
        "{refused}"
    );
    let elsewhere = supervisor::Order { workloads: "prod/main".to_owned(), ..ground.order.clone() };
    let refused = supervisor::ensure_with(&ground.data, std::path::Path::new(machine::PROGRAM), &elsewhere).await.unwrap_err();
    assert!(matches!(refused, StackError::SupervisesOther { .. }), "{refused}");
}

#[tokio::test]
async fn without_its_database_everything_stays_as_it_is() {
    let mut ground = Ground::without_supervisor().await;
    let own = machine::Ground::begin().await;
    let database = own.database().await;
    ground.order.database = Some(database.clone());
    ground.store = machine::store(&database, Duration::from_secs(5)).await;
    ground.workloads = Arc::new(cutover::adapters::workloads::SupervisedWorkloads::new(ground.store.clone(), "local", "main", "the tests"));
    ground.supervise().await.unwrap();
    let before = ground.deploy("1.4", 1).await;
    let first = ground.process(&before[0].instance);
    keeper::stop(own.as_ref()).await.unwrap();
    let end = std::time::Instant::now() + LONG;
    while !ground.log().contains("the state database is away") {
        assert!(std::time::Instant::now() < end, "nobody misses the database");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(first.is_alive());
    assert!(reqwest_version(&ground.url(SERVICE)).await.contains("1.4"));
    first.signal(Signal::SIGKILL).unwrap();
    gone(&first).await;
    // Why: the socket is still there, so a request waits for the next instance.
    assert!(reqwest_version(&ground.url(SERVICE)).await.contains("1.4"), "the next instance does not come");
    keeper::ensure_with(own.as_ref(), std::path::Path::new(machine::PROGRAM)).await.unwrap();
    // Why: what was said last counts until it is five seconds old.
    ground.until(|found| found.len() == 1 && found[0].state == InstanceState::Ready && names(found) != names(&before)).await;
}

#[tokio::test]
async fn prometheus_is_told_where_every_instance_is() {
    let ground = Ground::new().await;
    let instances = ground.deploy("1.4", 2).await;
    let text = std::fs::read_to_string(supervisor::targets_file(&ground.data)).unwrap();
    let targets: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let told: BTreeSet<_> = targets.iter().map(|target| target["labels"]["instance"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, names(&instances));
    for target in &targets {
        let labels = &target["labels"];
        assert_eq!((labels["service"].as_str(), labels["release"].as_str()), (Some(SERVICE), Some("1.4")));
        let url = format!("http://{}/metrics", target["targets"][0].as_str().unwrap());
        assert_eq!(reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap().status(), 200);
    }
}
