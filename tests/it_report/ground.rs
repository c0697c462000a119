//! Playbooks planned and played in memory, and a way to find the leaves of a report in its forms.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use cutover::driver::{definition, plan_playbook};
use cutover::engine::{PlanDocument, Run};
use cutover::playbook::environment::Config;
use cutover::playbook::{self, Carried, Directory, Files, Playbook, Source};
use cutover::report::{Form, ReportDocument, ReportSource, RunDocument};
use cutover::sim::{Accidents, Options, Seed, SimWorld, play};
use cutover::step::Proof;
use cutover::store::runs::RunRow;
use futures_util::FutureExt;
use regex::{Captures, Regex};
use serde_json::{Value, json};
use uuid::Uuid;

pub const WHOLE: &str = "cutover report playbooks/p.yaml --env local --format html";

/// A playbook and its plan.
pub struct Planned {
    pub playbook: Playbook,
    pub plan: PlanDocument,
}

pub fn ground(world: &SimWorld) {
    world.database.create("exercise", &[("id", "bigint", false), ("title", "text", false), ("version", "integer", false)], &["id"]);
    for id in 1..=5 {
        let row = json!({ "id": id, "title": format!("Exercise {id}"), "version": id });
        world.database.put("exercise", row.as_object().unwrap().clone());
    }
}

fn planned(name: &str, text: &str, files: &dyn Files) -> Planned {
    let read = playbook::read(&Source::new(name, text), &BTreeMap::new(), files);
    let (playbook, _) = read.unwrap_or_else(|diagnostics| panic!("{}", diagnostics.plain()));
    let config = Config::read("cutover.yaml", "environments:\n  local:\n    approvals: self\n").unwrap();
    let world = SimWorld::new();
    ground(&world);
    let now: DateTime<Utc> = "2026-02-03T04:05:06.789Z".parse().unwrap();
    let environment = config.environment(None).unwrap();
    let plan = plan_playbook(&playbook, environment, "b0b1b2".to_owned(), &world.world(), now).now_or_never().expect("an answer");
    Planned { plan: plan.unwrap_or_else(|error| panic!("{name}: {error}")), playbook }
}

impl Planned {
    pub fn of(text: &str) -> Self {
        planned("p.yaml", text, &Carried(BTreeMap::new()))
    }

    /// A playbook of this repository.
    pub fn file(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks").join(name);
        planned(name, &std::fs::read_to_string(&path).unwrap(), &Directory::of(&path))
    }

    pub fn report(&self) -> ReportDocument {
        self.document(&self.plan, None)
    }

    /// The report with another proof.
    pub fn proven(&self, proof: Option<Proof>) -> ReportDocument {
        self.document(&PlanDocument { proof, ..self.plan.clone() }, None)
    }

    fn document(&self, plan: &PlanDocument, run: Option<&RunDocument>) -> ReportDocument {
        let playbook = &self.playbook;
        ReportDocument::new(&ReportSource { plan, playbook, file: Some("playbooks/p.yaml"), run, whole: WHOLE })
    }

    /// The report on a run that went forward, and back as well if it is to.
    pub fn run_report(&self, back: bool) -> ReportDocument {
        let outcome =
            play(&self.playbook, Seed(0), &Options { accidents: Accidents::default(), start: Some(ground), ..Options::default() });
        assert!(outcome.problems.is_empty(), "{:?}", outcome.problems);
        let all = outcome.journal.len();
        let end = outcome.journal.iter().position(|entry| entry.entry.step().is_none() && entry.seq > 1);
        let kept = if back { all } else { end.map_or(all, |end| end + 1) };
        let (started_at, ended_at) = (outcome.journal[0].at, outcome.journal.get(kept - 1).map(|entry| entry.at));
        let run = Run::replay(definition(&self.playbook, Some(&self.plan)), outcome.journal.into_iter().take(kept));
        let row = RunRow {
            id: Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_1234_abcd),
            playbook: self.plan.playbook.clone(),
            environment: self.plan.environment.clone(),
            link: self.plan.link.clone(),
            started_by: "ada".to_owned(),
            started_at,
            state: run.state().as_str().to_owned(),
            ended_at,
            bundle: self.plan.bundle.clone(),
        };
        self.document(&self.plan, Some(&RunDocument::new(&row, &run, Some(&self.plan))))
    }
}

/// The playbooks of this repository.
pub fn playbooks() -> Vec<(String, Planned)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks");
    let mut names: Vec<_> = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| Path::new(name).extension().is_some_and(|ending| ending == "yaml") && !name.starts_with("services"));
    names.sort();
    assert!(names.len() >= 4, "{names:?}");
    names.into_iter().map(|name| (name.clone(), Planned::file(&name))).collect()
}

/// A playbook of many steps, each with much to say.
pub fn long(steps: usize) -> Planned {
    let mut text = "playbook: long\ndescription: a plan that no pull request takes whole\nsteps:\n".to_owned();
    for number in 1..=steps {
        let step = format!(
            "  - id: topic-{number}\n    create_topic: {{topic: orders.{number}, partitions: 3, configs: {{retention.ms: {number}000}}}}\n    \
             approval: the topic orders.{number} is wanted by its team\n    timeout: {number}s\n    retry: {{attempts: 3, delay: 2s}}\n    \
             guards:\n      - metric: {{query: \"sum(rate(failures_{number}[1m]))\", above: {number}, then: hold}}\n"
        );
        text.push_str(&step);
    }
    Planned::of(&text)
}

/// Every leaf of a value that is text or a number, with its place.
pub fn leaves(value: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk("", value, &mut found);
    found
}

fn walk(place: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Object(parts) => parts.iter().for_each(|(key, value)| walk(&format!("{place}/{key}"), value, found)),
        Value::Array(parts) => parts.iter().enumerate().for_each(|(at, value)| walk(&format!("{place}/{at}"), value, found)),
        Value::String(text) => found.push((place.to_owned(), text.clone())),
        Value::Number(number) => found.push((place.to_owned(), number.to_string())),
        Value::Bool(_) => panic!("{place}: no form can show a bare truth value"),
    }
}

/// What a reader of the form sees, with white space as single spaces.
pub fn seen(form: Form, text: &str) -> String {
    let unmarked = match form {
        Form::Text | Form::Json => text.to_owned(),
        Form::Markdown | Form::Html => {
            let tags = Regex::new("<[^>]*>").unwrap().replace_all(text, " ").into_owned();
            let entity = Regex::new("&(#x[0-9a-fA-F]+|#[0-9]+|lt|gt|amp|quot);").unwrap();
            entity.replace_all(&tags, |found: &Captures| entity_letter(&found[1])).replace('\u{200b}', "")
        }
    };
    one_line(&unmarked)
}

fn entity_letter(name: &str) -> String {
    let code = |text: &str, base| char::from_u32(u32::from_str_radix(text, base).unwrap()).unwrap().to_string();
    match name {
        "lt" => "<".to_owned(),
        "gt" => ">".to_owned(),
        "amp" => "&".to_owned(),
        "quot" => "\"".to_owned(),
        name if name.starts_with("#x") => code(&name[2..], 16),
        name => code(&name[1..], 10),
    }
}

pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The leaves of a report that a form does not show.
pub fn missing(report: &ReportDocument, form: Form, text: &str) -> Vec<(String, String)> {
    if form == Form::Json {
        let read: ReportDocument = serde_json::from_str(text).unwrap();
        return if read == *report { Vec::new() } else { vec![("the whole".to_owned(), text.to_owned())] };
    }
    let seen = seen(form, text);
    let mut leaves = leaves(&serde_json::to_value(report).unwrap());
    leaves.retain(|(_, leaf)| !seen.contains(&one_line(leaf)));
    leaves
}
