//! Services that misbehave and systems that are away, each ending as the playbook says.

use serde_json::Value;

use super::stage::{Stage, clean, stage};

/// Applies a playbook under traffic; the count must be clean whatever becomes of the run. The run, and its exit code.
async fn play(stage: &Stage, name: &str, text: &str) -> (Value, i32) {
    let playbook = stage.playbook(name, text);
    let (told, code) = stage.json(&["demo", "--playbook", &playbook, "--seconds", "1"]).await;
    clean(&told);
    let (run, _) = stage.json(&["runs", "show", told["runs"][0]["run"].as_str().unwrap()]).await;
    (run, code)
}

fn line<'a>(run: &'a Value, id: &str) -> &'a str {
    let steps = run["steps"].as_array().into_iter().chain(run["back"].as_array()).flatten();
    steps.into_iter().find(|step| step["id"] == id).unwrap_or_else(|| panic!("no step {id}: {run:#}"))["line"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_was_thrown_by_hand_is_found_before_the_row_begins() {
    let stage = stage().await;
    let text = "playbook: by-hand\nsteps:\n  - id: thrown\n    set_flag: {flag: exercise-read, to: events, variants: {call: call, events: \
                events}}\n";
    assert_eq!(stage.json(&["stack", "up"]).await.1, 0);
    assert!(stage.run(&["supervise", "--background"]).await.status.success());
    let (thrown, code) = stage.json(&["apply", &stage.playbook("by-hand", text), "--yes"]).await;
    assert_eq!(code, 0, "{thrown:#}");
    let refused = stage.run(&["apply", "playbooks/comm-020.yaml", "--var", "bake=1s", "--yes"]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
    assert_eq!(refused.status.code(), Some(65), "{said}");
    assert!(said.contains("f:exercise") && said.contains("While step 3 `handler` is under way"), "{said}");
    let (planned, _) = stage.json(&["plan", "playbooks/comm-020.yaml"]).await;
    let assumed = planned["proof"]["assumed"].as_array().unwrap();
    assert!(assumed.iter().any(|line| line.as_str().unwrap().contains("`start:` says call, which does not count")), "{assumed:#?}");
    let back = stage.run(&["runs", "revert", thrown["id"].as_str().unwrap(), "--reason", "it was too early"]).await;
    assert!(back.status.success(), "{back:?}");
    until(&stage, |run| run["state"] == "reverted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_dies_in_a_loop_is_taken_back() {
    let stage = stage().await;
    let text = "playbook: dies\nsteps:\n  - id: handler\n    deploy: {service: hiring, release: 1.5-crash}\n    on_failure: revert_step\n";
    let (run, code) = play(&stage, "dies", text).await;
    assert_eq!((run["state"].as_str(), code), (Some("failed"), 100), "{run:#}");
    assert!(line(&run, "handler").contains("1.5-crash"), "{run:#}");
    assert!(line(&run, "revert-handler").contains("release 1.4 on 2 instances"), "{run:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_reports_nothing_is_waited_for_and_named() {
    let stage = stage().await;
    let text = "playbook: mute\nsteps:\n  - id: handler\n    deploy: {service: hiring, release: 1.5-mute}\n  - id: flip\n    set_flag: {flag: \
                exercise-events, to: \"on\"}\n    timeout: 5s\n    on_failure: revert_run\n";
    // Why: the way back waits for the same instances, for as long as the step was given, and then a person must look.
    let (run, code) = play(&stage, "mute", text).await;
    assert_eq!((run["state"].as_str(), code), (Some("stuck"), 102), "{run:#}");
    let id = run["id"].as_str().unwrap();
    let skipped = stage.run(&["runs", "skip", id, "revert-flip", "--reason", "they report nothing"]).await;
    assert!(skipped.status.success(), "{skipped:?}");
    until(&stage, |run| run["state"] == "reverted").await;
    let (log, _) = stage.json(&["log", run["id"].as_str().unwrap(), "flip"]).await;
    let waits = log["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "step_waits");
    assert!(waits.into_iter().any(|event| event["line"].as_str().unwrap().contains("has reported nothing")), "{log:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_another_release_than_asked_for_is_found_out() {
    let stage = stage().await;
    let text = "playbook: other\nsteps:\n  - id: handler\n    deploy: {service: hiring, release: 1.5-old}\n  - id: asked\n    check_http: {http: \
                hiring, path: /version, json: {/release: 1.5-old}}\n    timeout: 5s\n    on_failure: revert_run\n";
    let (run, code) = play(&stage, "other", text).await;
    assert_eq!(run["state"], "reverted", "{code} {run:#}");
    let (log, _) = stage.json(&["log", run["id"].as_str().unwrap(), "asked"]).await;
    assert!(log.to_string().contains("1.4"), "what it answered is not told: {log:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_whose_prometheus_is_down_holds() {
    let stage = stage().await;
    let text = "playbook: blind\nsteps:\n  - id: switch\n    roll_out_flag: {flag: blind-flag, to: \"on\", shares: [50%, 100%], bake: 3s, \
                variants: {\"on\": true, \"off\": false}, from: \"off\"}\n    guards:\n      - metric: {query: vector(0), above: 1, then: \
                revert_run, interval: 500ms, consecutive_error_limit: 2}\n";
    let text = text.to_owned();
    let (up, code) = stage.json(&["stack", "up"]).await;
    assert_eq!(code, 0, "{up:#}");
    let playbook = stage.playbook("blind", &text);
    let (status, _) = stage.json(&["stack", "status"]).await;
    let pid = status["prometheus"]["pid"].as_i64().unwrap_or_else(|| panic!("no Prometheus: {status:#}"));
    let prometheus = nix::unistd::Pid::from_raw(pid.try_into().unwrap());
    let mut apply = stage.command(&["apply", &playbook, "--yes", "--output", "json"]);
    let apply = tokio::task::spawn_blocking(move || apply.output().unwrap());
    until(&stage, |run| run["playbook"] == "blind" && run["steps"][0]["state"] == "waiting").await;
    nix::sys::signal::kill(prometheus, nix::sys::signal::Signal::SIGKILL).unwrap();
    let held = until(&stage, |run| run["state"] == "held").await;
    assert!(line(&held, "switch").contains("cannot be reached") || held.to_string().contains("cannot be reached"), "{held:#}");
    assert_eq!(stage.json(&["stack", "up"]).await.1, 0);
    until(&stage, |run| run["state"] == "done").await;
    apply.await.unwrap();
}

/// The newest run, once it is as it should be.
async fn until(stage: &Stage, fits: impl Fn(&Value) -> bool) -> Value {
    let end = std::time::Instant::now() + std::time::Duration::from_mins(2);
    loop {
        let output = stage.run(&["runs", "show", "--output", "json"]).await;
        let run: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        if fits(&run) {
            return run;
        }
        assert!(std::time::Instant::now() < end, "it never comes to that: {run:#}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
