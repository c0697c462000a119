//! The way back as a document for the day when no controller can be started: for each step what a person does by hand.

use std::fmt::Write;

use serde_json::Value;

use super::plan::step_text;
use crate::driver::ordinary_step;
use crate::engine::{PlanDocument, PlannedStep};
use crate::playbook::environment::{Environment, System};
use crate::playbook::{Bundle, Playbook, PlaybookStep};
use crate::step::{ByHand, ErasedChange, ErasedPlan, HandLine, Revert, Risk, SystemKind, quote, variable};

/// What a runbook is made of.
#[derive(Clone, Copy, Debug)]
pub struct Runbook<'a> {
    /// The playbook as it travels, with its environment.
    pub bundle: &'a Bundle,
    /// The same, read.
    pub playbook: &'a Playbook,
    /// Its plan, made just now.
    pub plan: &'a PlanDocument,
    /// Who asked for it.
    pub by: &'a str,
}

impl Runbook<'_> {
    /// The document in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let Self { bundle, playbook, plan, by } = self;
        let mut out = format!("# The way back of {} in {}, by hand\n\n", playbook.name, plan.environment);
        let at = plan.made_at.format("%Y-%m-%d %H:%M UTC");
        let _ = writeln!(
            out,
            "Made {at} by {by} with cutover {}, from {} for environment **{}**. It is for the day when no controller can be started. As long as \
             one can, let it do this: `cutover plan --revert RUN` shows the way back, `cutover runs revert RUN` goes it.\n",
            env!("CARGO_PKG_VERSION"),
            bundle.file,
            plan.environment
        );
        self.contents(&mut out);
        self.before(&mut out);
        self.unknown(&mut out);
        out.push_str(
            "## The way back\n\nFrom the newest step to the oldest. Leave out every step that the journal does not name as begun.\n",
        );
        for (at, (step, planned)) in self.steps().enumerate().collect::<Vec<_>>().into_iter().rev() {
            self.step(&mut out, at, step, planned);
        }
        while out.contains("\n\n\n") {
            out = out.replace("\n\n\n", "\n\n");
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }

    fn steps(&self) -> impl Iterator<Item = (&PlaybookStep, &PlannedStep)> {
        self.playbook.steps.iter().zip(&self.plan.steps)
    }

    fn contents(&self, out: &mut String) {
        out.push_str("## Contents\n\n- [Before you begin](#before-you-begin)\n- [What this cannot know](#what-this-cannot-know)\n");
        out.push_str("- [The way back](#the-way-back)\n");
        for (at, step) in self.playbook.steps.iter().enumerate().rev() {
            let number = at + 1;
            let _ = writeln!(out, "  - [{number}. {}](#{number}-{})", step.id, step.id);
        }
        out.push('\n');
    }

    fn before(&self, out: &mut String) {
        let environment = &self.bundle.environment;
        out.push_str("## Before you begin\n\nYou need a shell with `psql`, `curl`, `jq` and the tools that come with Kafka, and these variables:\n\n```sh\n");
        let _ = writeln!(out, "export ENVIRONMENT={}", quote(&environment.name));
        out.push_str("export CUTOVER_DATABASE_URL=  # the state database: what `serve` is started with\n");
        let mut secrets = Vec::new();
        systems(environment, &mut |kind, name, address, settings| {
            if let Some(address) = address {
                let _ = writeln!(out, "export {}={}", variable(kind, name), quote(address));
            }
            let mut references = Vec::new();
            find_references(settings, &mut references);
            secrets.extend(references.into_iter().map(|reference| format!("- {kind} {name}: `{reference}`")));
        });
        out.push_str("```\n\n");
        if !secrets.is_empty() {
            out.push_str(
                "Logins are not in this document. They are found where the controller finds them; Kafka's tools take them from a file \
                          named with `--command-config`, `curl` with `--user` or `--header`:\n\n",
            );
            let _ = writeln!(out, "{}\n", secrets.join("\n"));
        }
        out.push_str(
            "See first how far the run got. What it has begun stands in its journal, with what was there before (`binding`, `change`):\n\n\
             ```sh\npsql \"$CUTOVER_DATABASE_URL\" -c \"select id, playbook, state, started_at from cutover.run order by started_at desc limit 5\"\n\
             psql \"$CUTOVER_DATABASE_URL\" -Atc \"select seq, at, kind, body from cutover.entry where run = 'RUN' order by seq\"\n```\n\n\
             A private state database ends a minute after its last server; it lies where `cutover serve` keeps its data.\n\n\
             Make sure that no controller is still at work: two that take back at once do it twice. When all is taken back, and a controller \
             is there again, end the run with `cutover runs abandon RUN --reason TEXT`.\n\n",
        );
    }

    fn unknown(&self, out: &mut String) {
        out.push_str("## What this cannot know\n\n");
        let _ = writeln!(
            out,
            "- Whether a run was started after {}, and how far it got: only its journal says so.\n\
             - What has changed since then. Before each command look whether the thing is still what this run made of it.\n\
             - Ids and versions that only the run shows: a number that is foreseen here must be compared with the journal.\n\
             - Who has read an event or used a schema meanwhile. What was read cannot be called back.\n\
             - Passwords and keys.",
            self.plan.made_at.format("%Y-%m-%d %H:%M UTC")
        );
        for (_, planned) in self.steps() {
            if let ErasedPlan::CannotPreview(why) = &planned.plan {
                let _ = writeln!(out, "- What step `{}` will change: {why}.", planned.id);
            }
        }
        out.push('\n');
    }

    fn step(&self, out: &mut String, at: usize, step: &PlaybookStep, planned: &PlannedStep) {
        let _ = write!(out, "\n### {}. {}\n\n`{}`: {}\n\n", at + 1, step.id, planned.kind, text(&step_text(planned)));
        if planned.risk == Risk::PointOfNoReturn {
            out.push_str("**This destroys something for good: behind it there is no whole way back.**\n\n");
        }
        match &planned.plan {
            ErasedPlan::Change(change) => self.change(out, step, change),
            ErasedPlan::AlreadySo(_) | ErasedPlan::Kept(_) => {
                out.push_str("It was so when this was made, so there is nothing to take back, unless the journal says that the step changed something.\n");
            }
            ErasedPlan::Wait { .. } | ErasedPlan::Ask(_) => out.push_str("It changes nothing: there is nothing to take back.\n"),
            ErasedPlan::CannotPreview(_) => {
                out.push_str("What was there before stands in the journal, in the entry `step_begun` of this step. Make it so again.\n");
            }
            ErasedPlan::Impossible(_) => out.push_str("As things were, the run could not come this far.\n"),
        }
    }

    fn change(&self, out: &mut String, step: &PlaybookStep, change: &ErasedChange) {
        let revert = step.step.foresee(&change.change).and_then(|receipts| step.step.revert(&change.change, &receipts));
        match revert {
            Ok(Revert::Steps(steps)) => {
                for back in steps {
                    match ordinary_step(self.playbook, &back.kind, &back.body) {
                        Ok(back) => write_by_hand(out, &back.by_hand()),
                        Err(_) => write_by_hand(out, &ByHand::of_body(&back.kind, &back.body)),
                    }
                }
            }
            Ok(Revert::Nothing) => out.push_str("There is nothing to take back.\n"),
            Ok(Revert::Kept(why)) => {
                let _ = writeln!(out, "It stays: {}.", text(&why));
            }
            Ok(Revert::Impossible(why)) => {
                let _ = writeln!(out, "**It cannot be taken back:** {}.", text(&why));
            }
            Err(error) => {
                let _ = writeln!(out, "How it is taken back could not be said: {}.", text(&error.to_string()));
            }
        }
    }
}

fn write_by_hand(out: &mut String, told: &ByHand) {
    let _ = writeln!(out, "To take it back, {}:\n", text(&told.task));
    for line in &told.lines {
        let _ = match line {
            HandLine::Say(sentence) => writeln!(out, "{sentence}\n"),
            HandLine::Run(command) => writeln!(out, "```sh\n{}\n```\n", command.trim_end()),
        };
    }
}

/// A text in which nothing is taken for markup.
fn text(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, letter| {
        if matches!(letter, '*' | '_' | '<' | '[' | ']' | '`' | '\\') {
            out.push('\\');
        }
        out.push(if letter == '\n' { ' ' } else { letter });
        out
    })
}

/// Every system with its address, if it has one, and its settings.
fn systems(environment: &Environment, each: &mut impl FnMut(SystemKind, &str, Option<&str>, &Value)) {
    fn one<T: serde::Serialize>(
        kind: SystemKind,
        systems: &std::collections::BTreeMap<String, System<T>>,
        each: &mut impl FnMut(SystemKind, &str, Option<&str>, &Value),
    ) {
        for (name, system) in systems {
            let settings = serde_json::to_value(&system.settings).unwrap_or_default();
            let address = ["bootstrap", "url"].iter().find_map(|field| settings.get(field));
            let list = |items: &Vec<Value>| items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",");
            let address = address.and_then(|address| address.as_array().map(list).or_else(|| address.as_str().map(str::to_owned)));
            each(kind, name, address.as_deref(), &settings);
        }
    }
    one(SystemKind::Kafka, &environment.kafka, each);
    one(SystemKind::Registry, &environment.registry, each);
    one(SystemKind::Flags, &environment.flags, each);
    one(SystemKind::Workloads, &environment.workloads, each);
    one(SystemKind::Database, &environment.database, each);
    one(SystemKind::Http, &environment.http, each);
    one(SystemKind::Metrics, &environment.metrics, each);
}

/// References to secrets in settings.
fn find_references(settings: &Value, out: &mut Vec<String>) {
    match settings {
        Value::String(text) if text.starts_with("env:") || text.starts_with("file:") => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| find_references(item, out)),
        Value::Object(fields) => fields.values().for_each(|value| find_references(value, out)),
        _ => {}
    }
}
