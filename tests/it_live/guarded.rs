//! A guard that goes bad in the middle of a switch.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::stage::{clean, stage};

/// The release of hiring answers 500 to every request that takes the copy, so that errors come with the share.
const PLAYBOOK: &str = r#"
playbook: guarded
steps:
  - id: producer
    deploy: {service: exercises, release: "1.5"}
  - id: handler
    deploy: {service: hiring, release: 1.5-broken-read}
  - id: switch
    roll_out_flag:
      flag: exercise-read
      to: events
      variants: {call: call, events: events}
      shares: [0.1%, 10%, 50%, 100%]
      bake: 8s
    guards:
      - metric:
          query: sum(rate(http_requests_total{service="hiring",code=~"5.."}[3s])) or vector(0)
          above: 0.5
          interval: 500ms
          then: revert_step
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_that_goes_bad_brings_the_flag_back() {
    let stage = stage().await;
    let playbook = stage.playbook("guarded", PLAYBOOK);
    let (told, code) = stage.json(&["demo", "--playbook", &playbook, "--seconds", "20", "--rate", "60"]).await;
    assert_eq!((told["outcome"].as_str(), code), (Some("failed"), 100), "{told:#}");
    clean(&told);

    let run = told["runs"][0]["run"].as_str().unwrap();
    let (log, _) = stage.json(&["log", run]).await;
    let events = log["events"].as_array().unwrap();
    let at = |event: &Value| event["at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).collect::<Vec<_>>();
    let bad = of("watched").into_iter().find(|event| event["line"].as_str().unwrap().contains("bad")).expect("a bad sample");
    let back = of("act_done").into_iter().rfind(|event| event["step"].as_str().unwrap().starts_with("revert-")).expect("a way back");
    let took = at(back) - at(bad);
    println!("from the first bad sample until the flag was back: {} ms", took.num_milliseconds());
    assert!(took < chrono::TimeDelta::seconds(10), "{took}");

    let (seen, _) = stage.json(&["runs", "show", run]).await;
    let switch = seen["steps"].as_array().unwrap().iter().find(|step| step["id"] == "switch").unwrap();
    let told = serde_json::to_string(switch).unwrap();
    for word in ["http_requests_total", "above 0.5"] {
        assert!(told.contains(word), "the report does not say {word}: {switch:#}");
    }
}
