//! Saved plans: one file with the bundle, the plan and its bindings, sealed part by part, so that any change in it is refused with its
//! place. It owns the file's form; what is in it is never secret, because bundles and plans hold secrets as references only.

mod place;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::engine::PlanDocument;
use crate::playbook::Bundle;
use crate::playbook::bundle::canonical_hash;
use crate::step::pointer::{escape, of_path, unescape};

/// Name of the file's form, without its number.
const FORM: &str = "cutover.saved-plan/";

/// The newest form that this program writes and reads.
const NEWEST: u32 = 1;

/// Version of this program.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// Digits of a part's seal: enough to find the place; the hash over everything is what counts.
const SEAL: usize = 16;

/// A plan as it was saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// `cutover.saved-plan/1`.
    pub schema: String,
    /// Names the plan for ever.
    pub id: Uuid,
    /// Version of the program that saved it.
    pub program: String,
    /// Name of the environment.
    pub environment: String,
    /// When it was saved.
    pub saved_at: DateTime<Utc>,
    /// By whom.
    pub saved_by: String,
    /// What was planned.
    pub bundle: Bundle,
    /// The plan, with the binding of every change.
    pub plan: PlanDocument,
    /// Beginning of the hash of each part, by JSON pointer.
    pub seals: BTreeMap<String, String>,
    /// Hash over everything else.
    pub hash: String,
}

/// Why a saved plan is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SavedPlanError {
    /// It is not JSON.
    #[error("line {line}, column {column}: this is not the JSON of a saved plan: {message}")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// It is JSON and no saved plan.
    #[error("this is no saved plan: `schema` is {0}")]
    OtherSchema(String),
    /// A newer program wrote it.
    #[error("cutover {program} saved this plan, and this is cutover {PROGRAM}; use that version or a newer one, or plan again")]
    Newer {
        /// Version of the program that saved it.
        program: String,
    },
    /// It is not what was saved.
    #[error("the plan was changed after it was saved: {}; plan again", .0.join(", "))]
    Changed(Vec<String>),
    /// What it holds does not read.
    #[error("{at}: {message}")]
    DoesNotRead {
        /// Where.
        at: String,
        /// What the reader says.
        message: String,
    },
}

impl SavedPlan {
    /// Seals a plan.
    ///
    /// # Errors
    /// When a value cannot be written as JSON, which no plan of ours does.
    pub fn seal(bundle: Bundle, plan: PlanDocument, saved_by: &str, saved_at: DateTime<Utc>) -> Result<Self, serde_json::Error> {
        let mut saved = Self {
            schema: format!("{FORM}{NEWEST}"),
            id: Uuid::now_v7(),
            program: PROGRAM.to_owned(),
            environment: plan.environment.clone(),
            saved_at,
            saved_by: saved_by.to_owned(),
            bundle,
            plan,
            seals: BTreeMap::new(),
            hash: String::new(),
        };
        let Value::Object(fields) = serde_json::to_value(&saved)? else { return Ok(saved) };
        saved.seals = parts(&fields).into_iter().map(|(pointer, part)| (pointer, seal_of(part))).collect();
        let Value::Object(fields) = serde_json::to_value(&saved)? else { return Ok(saved) };
        saved.hash = hash_of(fields);
        Ok(saved)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// When it is no saved plan, a newer program's, or not what was saved; places are told with their lines.
    pub fn read(text: &str) -> Result<Self, SavedPlanError> {
        let not_json = |error: serde_json::Error| SavedPlanError::NotJson {
            line: error.line(),
            column: error.column(),
            message: error.to_string().split(" at line").next().unwrap_or_default().to_owned(),
        };
        Self::check(&serde_json::from_str(text).map_err(not_json)?, |pointer| match place::line_of(text, pointer) {
            Some(line) => format!("line {line}, {}", words(pointer)),
            None => words(pointer),
        })
    }

    /// Reads what [`SavedPlan`] is as JSON.
    ///
    /// # Errors
    /// As [`Self::read`], without lines.
    pub fn from_json(value: &Value) -> Result<Self, SavedPlanError> {
        Self::check(value, words)
    }

    fn check(value: &Value, place: impl Fn(&str) -> String) -> Result<Self, SavedPlanError> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let form = text("schema").and_then(|schema| schema.strip_prefix(FORM)?.parse::<u32>().ok());
        let Some(form) = form else {
            return Err(SavedPlanError::OtherSchema(text("schema").map_or_else(|| "missing".to_owned(), |schema| format!("`{schema}`"))));
        };
        let program = text("program").unwrap_or("of an unknown version").to_owned();
        if form > NEWEST || compare_versions(&program, PROGRAM) == Ordering::Greater {
            return Err(SavedPlanError::Newer { program });
        }
        let Value::Object(fields) = value else { return Err(SavedPlanError::OtherSchema("missing".to_owned())) };
        if text("hash") != Some(hash_of(fields.clone()).as_str()) {
            return Err(SavedPlanError::Changed(changed(fields).iter().map(|pointer| place(pointer)).collect()));
        }
        // Why from the file and not from what it reads to: a form that this program writes with more fields has another hash.
        let bundle = fields.get("bundle").map(canonical_hash);
        let saved: Self = serde_path_to_error::deserialize(value)
            .map_err(|error| SavedPlanError::DoesNotRead { at: place(&of_path(error.path())), message: error.inner().to_string() })?;
        for (pointer, fits) in [
            ("/plan/bundle", Some(&saved.plan.bundle) == bundle.as_ref()),
            ("/plan/environment", saved.plan.environment == saved.environment),
            ("/bundle/environment", saved.bundle.environment.name == saved.environment),
        ] {
            if !fits {
                return Err(SavedPlanError::Changed(vec![place(pointer)]));
            }
        }
        Ok(saved)
    }
}

/// Whether a text looks like a saved plan rather than a playbook, whatever is wrong with it.
#[must_use]
pub fn is_saved_plan(text: &str) -> bool {
    text.trim_start().starts_with('{') && text.contains(FORM)
}

/// Which of two versions of this program is newer, by the rules of semantic versions; what is no version is older than any.
#[must_use]
pub fn compare_versions(left: &str, right: &str) -> Ordering {
    Version::parse(left).ok().cmp(&Version::parse(right).ok())
}

fn hash_of(mut fields: Map<String, Value>) -> String {
    fields.remove("hash");
    canonical_hash(&Value::Object(fields))
}

fn seal_of(part: &Value) -> String {
    canonical_hash(part).chars().take(SEAL).collect()
}

/// The parts that are sealed one by one: small enough that a change is found by looking at one of them.
fn parts(fields: &Map<String, Value>) -> BTreeMap<String, &Value> {
    let mut parts = BTreeMap::new();
    for (key, value) in fields.iter().filter(|(key, _)| !matches!(key.as_str(), "seals" | "hash")) {
        let pointer = format!("/{}", escape(key));
        if matches!(key.as_str(), "bundle" | "plan") {
            for (key, value) in value.as_object().into_iter().flatten() {
                let pointer = format!("{pointer}/{}", escape(key));
                match (key.as_str(), value) {
                    ("files" | "environment", Value::Object(inner)) => {
                        parts.extend(inner.iter().map(|(key, value)| (format!("{pointer}/{}", escape(key)), value)));
                    }
                    ("steps", Value::Array(steps)) => {
                        parts.extend(steps.iter().enumerate().map(|(at, step)| (format!("{pointer}/{at}"), step)));
                    }
                    _ => {
                        parts.insert(pointer, value);
                    }
                }
            }
        } else {
            parts.insert(pointer, value);
        }
    }
    parts
}

/// The parts that are not what they were when they were sealed.
fn changed(fields: &Map<String, Value>) -> Vec<String> {
    let seals: BTreeMap<&str, &str> = fields
        .get("seals")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(pointer, seal)| Some((pointer.as_str(), seal.as_str()?)))
        .collect();
    let parts = parts(fields);
    let pointers: BTreeSet<&str> = parts.keys().map(String::as_str).chain(seals.keys().copied()).collect();
    let differs = |pointer: &&str| parts.get(*pointer).map(|part| seal_of(part)).as_deref() != seals.get(pointer).copied();
    let found: Vec<String> = pointers.into_iter().filter(differs).map(str::to_owned).collect();
    if found.is_empty() { vec!["/hash".to_owned()] } else { found }
}

/// A pointer for people: `plan, step 3`, `bundle, text`.
fn words(pointer: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut steps = false;
    for part in pointer.split('/').filter(|part| !part.is_empty()) {
        let part = unescape(part);
        match part.parse::<usize>() {
            Ok(at) if steps => {
                out.pop();
                out.push(format!("step {}", at + 1));
            }
            _ => out.push(part.clone()),
        }
        steps = part == "steps";
    }
    out.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::engine::Approvals;
    use crate::engine::plan::{PlannedStep, SCHEMA};
    use crate::playbook::environment::Environment;
    use crate::playbook::{Carried, Source};
    use crate::step::{ErasedPlan, Nature, Risk};

    fn saved() -> SavedPlan {
        let source =
            Source::new("a.yaml", "playbook: a\nsteps:\n  - id: one\n    note: {text: first}\n  - id: two\n    note: {text: second}\n");
        let (playbook, _) = crate::playbook::read(&source, &BTreeMap::new(), &Carried::default()).unwrap();
        let environment = Environment { name: "local".to_owned(), ..Environment::default() };
        let bundle = Bundle::pack(&source, &BTreeMap::new(), &playbook, environment);
        let step = |id: &str| PlannedStep {
            id: id.to_owned(),
            kind: "note".to_owned(),
            of: None,
            nature: Nature::Once,
            risk: Risk::Safe,
            resources: Vec::new(),
            approval: None,
            guards: Vec::new(),
            beside: false,
            line: 3,
            plan: ErasedPlan::AlreadySo("so".to_owned()),
        };
        let plan = PlanDocument {
            schema: SCHEMA.to_owned(),
            playbook: "a".to_owned(),
            link: None,
            environment: "local".to_owned(),
            approvals: Approvals::Own,
            made_at: DateTime::UNIX_EPOCH,
            bundle: bundle.hash(),
            changes: false,
            reverts: None,
            no_return: None,
            proof: None,
            today: None,
            steps: vec![step("one"), step("two")],
        };
        SavedPlan::seal(bundle, plan, "ann", DateTime::UNIX_EPOCH).unwrap()
    }

    fn text(value: &impl Serialize) -> String {
        serde_json::to_string_pretty(value).unwrap()
    }

    #[test]
    fn what_was_saved_is_read_back() {
        let saved = saved();
        assert!(is_saved_plan(&text(&saved)));
        assert_eq!(SavedPlan::read(&text(&saved)), Ok(saved.clone()));
        // Another layout of the same values is the same plan.
        assert_eq!(SavedPlan::read(&serde_json::to_string(&saved).unwrap()), Ok(saved));
    }

    #[test]
    fn a_change_anywhere_is_refused_with_its_place() {
        let saved = saved();
        let original = text(&saved);
        let line = |needle: &str| original.lines().position(|line| line.contains(needle)).unwrap() + 1;
        for (from, to, place) in [
            ("\"saved_by\": \"ann\"", "\"saved_by\": \"bob\"", format!("line {}, saved_by", line("\"saved_by\""))),
            ("first", "fairst", format!("line {}, bundle, text", line("\"text\":"))),
            ("\"id\": \"two\"", "\"id\": \"too\"", format!("line {}, plan, step 2", line("\"id\": \"two\"") - 1)),
            ("\"approvals\": \"self\"", "\"approvals\": \"none\"", format!("line {}, plan, approvals", line("\"approvals\": \"self\""))),
        ] {
            assert!(original.contains(from), "{from}");
            let error = SavedPlan::read(&original.replacen(from, to, 1)).unwrap_err();
            assert_eq!(error, SavedPlanError::Changed(vec![place]), "{from}");
        }
        let mut value = serde_json::to_value(&saved).unwrap();
        value["more"] = json!(1);
        assert_eq!(SavedPlan::from_json(&value).unwrap_err(), SavedPlanError::Changed(vec!["more".to_owned()]));
        let mut value = serde_json::to_value(&saved).unwrap();
        value["hash"] = json!("0");
        assert_eq!(SavedPlan::from_json(&value).unwrap_err(), SavedPlanError::Changed(vec!["hash".to_owned()]));
        let mut value = serde_json::to_value(&saved).unwrap();
        value["plan"]["steps"].as_array_mut().unwrap().pop();
        assert_eq!(SavedPlan::from_json(&value).unwrap_err(), SavedPlanError::Changed(vec!["plan, step 2".to_owned()]));
    }

    #[test]
    fn a_newer_program_is_refused_and_an_older_one_read() {
        let resealed = |change: fn(&mut SavedPlan)| {
            let mut saved = saved();
            change(&mut saved);
            saved.seals = BTreeMap::new();
            let Value::Object(fields) = serde_json::to_value(&saved).unwrap() else { panic!("an object") };
            saved.hash = hash_of(fields);
            text(&saved)
        };
        assert!(SavedPlan::read(&resealed(|saved| saved.program = "0.0.1".to_owned())).is_ok());
        let newer = SavedPlanError::Newer { program: "99.0.0".to_owned() };
        assert_eq!(SavedPlan::read(&resealed(|saved| saved.program = "99.0.0".to_owned())).unwrap_err(), newer);
        assert!(matches!(SavedPlan::read(&resealed(|saved| saved.schema = format!("{FORM}2"))), Err(SavedPlanError::Newer { .. })));
        let moved = SavedPlan::read(&resealed(|saved| saved.environment = "prod".to_owned())).unwrap_err();
        assert!(matches!(moved, SavedPlanError::Changed(_)), "{moved}");
    }

    #[test]
    fn what_does_not_read_is_told_with_its_place_whatever_its_name() {
        let mut value = serde_json::to_value(saved()).unwrap();
        value["bundle"]["files"] = json!({ "schemas/changed.v0.json": 5 });
        let Value::Object(fields) = value else { panic!("an object") };
        let hash = hash_of(fields.clone());
        let error = SavedPlan::from_json(&json!(fields.into_iter().chain([("hash".to_owned(), json!(hash))]).collect::<Map<_, _>>()));
        let Err(SavedPlanError::DoesNotRead { at, .. }) = error else { panic!("{error:?}") };
        assert_eq!(at, "bundle, files, schemas/changed.v0.json");
    }

    #[test]
    fn what_is_no_saved_plan_says_so() {
        assert!(!is_saved_plan("playbook: a"));
        assert!(matches!(SavedPlan::read("{\"schema\": \n"), Err(SavedPlanError::NotJson { line: 2, .. })));
        assert_eq!(SavedPlan::read("{}").unwrap_err(), SavedPlanError::OtherSchema("missing".to_owned()));
        let other = SavedPlan::read("{\"schema\": \"cutover.plan/1\"}").unwrap_err();
        assert_eq!(other.to_string(), "this is no saved plan: `schema` is `cutover.plan/1`");
    }

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(compare_versions("0.9.0", "0.10.0"), Ordering::Less);
        assert_eq!(compare_versions("1.0.0", "1.0.0"), Ordering::Equal);
        assert_eq!(compare_versions("1.0.0", "1.0.0-rc.1"), Ordering::Greater);
        assert_eq!(compare_versions("of an unknown version", "0.0.1"), Ordering::Less);
    }
}
