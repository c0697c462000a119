//! `cutover drain` on the real broker: what it prints, and what it tells a script.

use std::process::{Command, Output};

use serde_json::Value;

use crate::ground::*;
use crate::reaped::PROGRAM;

fn run(arguments: &[&str]) -> Output {
    let here = ground().directory.join("here");
    std::fs::create_dir_all(&here).unwrap();
    let config = format!("environments:\n  local:\n    kafka:\n      main: {{bootstrap: \"{}\"}}\n", bootstrap());
    std::fs::write(here.join("cutover.yaml"), config).unwrap();
    let mut command = Command::new(PROGRAM);
    command.current_dir(&here).env("CUTOVER_DATA", here.join("data")).arg("drain").args(arguments);
    command.output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

const OLD: &str = "payload:/event_name=ExerciseChanged,payload:/event_version=0";

#[tokio::test(flavor = "multi_thread")]
async fn a_script_can_trust_the_exit_code_and_a_person_reads_who_is_behind() {
    let kafka = kafka();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    write(kafka.as_ref(), &name, &[0, 0, 1]).await;
    commit(bootstrap(), &group, &name, &[at(0, 1)]);
    let arguments = [name.as_str(), "--group", &group, "--old", OLD];

    let waiting = run(&[&arguments[..], &["--output", "json"]].concat());
    assert_eq!(waiting.status.code(), Some(75), "{waiting:?}");
    let told = json(&waiting);
    assert_eq!(
        (&told["verdict"], &told["partitions"][0]["barrier"], &told["partitions"][0]["last_old"]),
        (&"waiting".into(), &3.into(), &1.into())
    );
    let row = &told["partitions"][0]["groups"][0];
    assert_eq!((&row["group"], &row["committed"], &row["verdict"]), (&group.as_str().into(), &1.into(), &"waiting".into()));
    assert!(told["topic_id"].is_string() && told["why"].as_array().is_some_and(|why| why.len() == 1), "{told}");

    let text = run(&arguments);
    let said = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(said.contains(&format!("{group}: committed 1, waiting, up to 1 old left")), "{said}");

    commit(bootstrap(), &group, &name, &[at(0, 2)]);
    let drained = run(&[&arguments[..], &["--wait", "5s", "-o", "json"]].concat());
    assert_eq!((drained.status.code(), &json(&drained)["verdict"]), (Some(0), &"drained".into()), "{drained:?}");
    assert_eq!(run(&[&name, "--group", &group]).status.code(), Some(75), "without `--old` every record counts");

    let unknown = run(&[&name, "--group", &fresh("nobody"), "--old", OLD, "-o", "json"]);
    assert_eq!((unknown.status.code(), &json(&unknown)["verdict"]), (Some(104), &"unknown".into()), "{unknown:?}");
    let absent = run(&[&arguments[..], &["--goal", "absent"]].concat());
    assert_eq!(absent.status.code(), Some(75), "{absent:?}");
    assert_eq!(run(&["no-such-topic", "--group", &group]).status.code(), Some(104));
    assert_eq!(run(&[&name, "--old", "E@0"]).status.code(), Some(64));
}
