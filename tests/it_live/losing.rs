//! Plans that the proof refuses and the simulator loses with, played on real parts: they lose there too. Each is row P1 with one slip, as
//! a hurried person makes it, and what would break accepted by its name so that it runs at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover::check::book_of;
use cutover::playbook::{self, Directory, Source};
use cutover::sim::town;
use serde_json::Value;

use super::stage::{PROGRAM, Stage, clean, stage};

/// A slip: its name, what it does to the order of the steps, the name of what it breaks, and the count that must tell.
struct Slip {
    name: &'static str,
    change: fn(&mut Steps),
    breaks: &'static str,
    told_by: &'static str,
    /// Whether what the copy holds is compared with what the owner answers before it is relied on.
    compared: bool,
}

/// Nobody knows an exercise that has long been there.
const UNKNOWN: &str = "unknown_exercise";

/// Nobody ever answers.
const UNANSWERED: &str = "unanswered";

/// Somebody is shown what has long been changed.
const STALE: &str = "late";

const SLIPS: [Slip; 5] = [
    Slip {
        name: "without the snapshot",
        change: |steps| steps.without(&["snapshot", "caught-up"]),
        breaks: "f:exercise",
        told_by: UNKNOWN,
        compared: false,
    },
    Slip {
        name: "switched before the snapshot",
        change: |steps| steps.before("switch", "snapshot"),
        breaks: "f:exercise",
        told_by: UNKNOWN,
        compared: false,
    },
    Slip {
        name: "the endpoint removed before the switch",
        change: |steps| steps.before("no-endpoint", "switch"),
        breaks: "a:exercise",
        // Why: the guard takes the switch back, to a call that nobody answers any more.
        told_by: UNANSWERED,
        compared: false,
    },
    Slip { name: "nothing produced", change: |steps| steps.without(&["produce"]), breaks: "f:exercise", told_by: STALE, compared: false },
    Slip {
        name: "no release that produces",
        change: |steps| steps.without(&["producer"]),
        breaks: "f:exercise",
        told_by: STALE,
        compared: false,
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_and_loses_in_the_simulator_loses_on_real_parts() {
    // Why held: two stacks under traffic at once would be slow enough to look like something else.
    let _alone = stage().await;
    for slip in &SLIPS {
        // Why a stack of its own: what an earlier one published would fill the gap that this one leaves.
        let stage = Stage::new();
        let path = written(&stage, slip);
        loses_in_the_simulator(&path, slip);
        let (told, _) = stage.json(&["demo", "--once", "--seconds", "1", "--playbook", &path.to_string_lossy()]).await;
        let counts = ["lost", "unknown_exercise", "late", "unanswered"].map(|count| format!("{count} {}", told[count]));
        println!("{}: {} requests, {}", slip.name, told["requests"], counts.join(", "));
        assert!(told[slip.told_by].as_u64() > Some(0), "{}: {told:#}", slip.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_lacks_something_is_found_out_before_anybody_relies_on_it() {
    let _alone = stage().await;
    let stage = Stage::new();
    let [slip, ..] = SLIPS;
    let path = written(&stage, &Slip { compared: true, ..slip });
    let (told, _) = stage.json(&["demo", "--once", "--seconds", "1", "--playbook", &path.to_string_lossy()]).await;
    assert_eq!(told["outcome"], "failed", "{told:#}");
    clean(&told);
    assert!(told["requests"].as_u64() > Some(0), "{told:#}");
    let (run, _) = stage.json(&["runs", "show", told["runs"][0]["run"].as_str().unwrap()]).await;
    stage.run(&["serve", "--stop"]).await;
    let step = |id: &str| run["steps"].as_array().unwrap().iter().find(|step| step["id"] == id).unwrap().clone();
    let said = step("same").to_string();
    assert!(said.contains("status in") && said.contains("200 / 404"), "{said}");
    assert!(step("switch")["began"].is_null(), "{run:#}");
}

/// The playbook with its slip, and everything that would break accepted.
fn written(stage: &Stage, slip: &Slip) -> PathBuf {
    let playbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks");
    let directory = stage.directory.join("slipped");
    std::fs::create_dir_all(directory.join("schemas")).unwrap();
    for file in ["services.yaml", "schemas/exercise_changed.v0.json"] {
        std::fs::copy(playbooks.join(file), directory.join(file)).unwrap();
    }
    let mut steps = Steps::of(&std::fs::read_to_string(playbooks.join("comm-020.yaml")).unwrap());
    (slip.change)(&mut steps);
    if !slip.compared {
        // Why: it would be found out there, and that is another test.
        steps.without(&["same"]);
    }
    let path = directory.join("slipped.yaml");
    let mut accepted: Vec<String> = Vec::new();
    loop {
        std::fs::write(&path, steps.text(&accepted)).unwrap();
        let output = std::process::Command::new(PROGRAM).args(["check", "--output", "json"]).arg(&path).output().unwrap();
        let proof: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        let broken: Vec<String> = proof["violations"].as_array().unwrap().iter().map(name).collect();
        if broken.is_empty() {
            assert!(accepted.iter().any(|name| name == slip.breaks), "{}: refused for {accepted:?}", slip.name);
            return path;
        }
        assert_eq!(output.status.code(), Some(65), "{proof:#}");
        assert!(!broken.iter().any(|name| accepted.contains(name)), "accepting changes nothing: {broken:?}");
        accepted.extend(broken);
    }
}

fn name(violation: &Value) -> String {
    format!("{}:{}", violation["rule"].as_str().unwrap(), violation["subject"].as_str().unwrap())
}

fn loses_in_the_simulator(path: &Path, slip: &Slip) {
    let source = Source::new("slipped.yaml", std::fs::read_to_string(path).unwrap());
    let (playbook, _) = playbook::read(&source, &BTreeMap::new(), &Directory::of(path)).unwrap_or_else(|wrong| panic!("{}", wrong.plain()));
    let services = playbook.services.as_deref().expect("its services");
    let book = book_of(&playbook);
    let losing = (0..40).filter(|seed| !town::run(services, services, &book, *seed).is_empty()).count();
    println!("{}: {losing} of 40 schedules lose in the simulator", slip.name);
    assert!(losing > 0, "{}", slip.name);
}

/// A playbook's text, step by step.
struct Steps {
    head: String,
    steps: Vec<(String, String)>,
}

impl Steps {
    fn of(text: &str) -> Self {
        let mut parts = text.split("  - id: ");
        let head = parts.next().expect("a head").to_owned();
        let step = |part: &str| (part.lines().next().expect("an id").to_owned(), part.to_owned());
        Self { head, steps: parts.map(step).collect() }
    }

    fn without(&mut self, gone: &[&str]) {
        let before = self.steps.len();
        self.steps.retain(|(id, _)| !gone.contains(&id.as_str()));
        assert_eq!(self.steps.len(), before - gone.len(), "no such step");
    }

    fn before(&mut self, one: &str, other: &str) {
        let place = |steps: &[(String, String)], wanted: &str| steps.iter().position(|(id, _)| id == wanted).expect("such a step");
        let moved = self.steps.remove(place(&self.steps, one));
        self.steps.insert(place(&self.steps, other), moved);
    }

    fn text(&self, accepted: &[String]) -> String {
        let gap = |name: &String| {
            let (rule, subject) = name.split_once(':').expect("rule and subject");
            format!("  - {{rule: {rule}, subject: \"{subject}\", reason: to see what it does}}\n")
        };
        let gaps: Vec<String> = accepted.iter().map(gap).collect();
        let accept = if gaps.is_empty() { String::new() } else { format!("accept:\n{}", gaps.concat()) };
        let steps = self.steps.iter().map(|(_, text)| format!("  - id: {text}")).collect::<Vec<_>>().concat();
        format!("{}{steps}", self.head.replacen("params:\n", &format!("{accept}params:\n"), 1))
    }
}
