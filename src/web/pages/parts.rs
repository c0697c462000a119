//! The parts of a run's page. First paint and live stream render the same ones, so a page that moved and a page that was loaded anew
//! are the same page.

use askama::Template;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::guard::Caller;
use super::super::problem::Problem;
use super::part;
use super::words::{Clock, Lasted, Mark, Prose, When, capital};
use crate::engine::entry::AskedFor;
use crate::engine::{Approvals, Command, JournalEntry, PlanDocument, Run, RunState, StepState};
use crate::report::event;
use crate::report::run::{ActDocument, GuardDocument, SampleDocument, effect_line};
use crate::report::words::{counted, short_id};
use crate::report::{RunDocument, StepDocument};
use crate::store::runs::RunRow;

/// Who looks at the page.
#[derive(Clone, Debug)]
pub(in crate::web) struct Viewer {
    by: String,
    operates: bool,
}

impl Viewer {
    pub(in crate::web) fn new(caller: &Caller) -> Self {
        Self { by: caller.shown().to_owned(), operates: caller.may_operate() }
    }
}

/// The parts of a run's page that move.
pub(in crate::web) struct RunParts {
    parts: Vec<(String, String)>,
}

impl RunParts {
    /// Renders a run for a viewer, as of `now`.
    pub(in crate::web) fn new(
        row: &RunRow,
        run: &Run,
        plan: Option<&PlanDocument>,
        viewer: &Viewer,
        now: DateTime<Utc>,
    ) -> Result<Self, Problem> {
        let document = RunDocument::new(row, run, plan);
        let mut parts = vec![
            ("title".to_owned(), part(&Title { run: &document })?),
            ("sentence".to_owned(), part(&Sentence::new(&document, now))?),
            ("trouble".to_owned(), part(&Trouble::new(&document))?),
            ("question".to_owned(), part(&QuestionPart::new(&document, run, viewer))?),
        ];
        for (at, step) in document.steps.iter().enumerate() {
            let shown = StepRow::new("step", at, step, &document, now);
            parts.push((shown.row.clone(), part(&shown)?));
        }
        let back = document.back.iter().enumerate().map(|(at, step)| StepRow::new("back", at, step, &document, now));
        parts.push(("back".to_owned(), part(&BackPart { rows: back.collect() })?));
        parts.push(("verbs".to_owned(), part(&Verbs::new(&document, viewer))?));
        Ok(Self { parts })
    }

    /// Every part with the id of the element that it is, in the order of the page.
    pub(in crate::web) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts.iter().map(|(id, html)| (id.as_str(), html.as_str()))
    }

    /// One part.
    pub(super) fn get(&self, id: &str) -> &str {
        self.all().find(|(known, _)| *known == id).map_or("", |(_, html)| html)
    }

    /// The rows of the steps.
    pub(super) fn steps(&self) -> impl Iterator<Item = &str> {
        self.all().filter(|(id, _)| id.starts_with("step-")).map(|(_, html)| html)
    }
}

#[derive(Template)]
#[template(source = r#"<title id="title">{{ run.playbook }} {{ run.state }} · cutover</title>"#, ext = "html")]
struct Title<'a> {
    run: &'a RunDocument,
}

#[derive(Template)]
#[template(path = "parts/sentence.html")]
struct Sentence<'a> {
    run: &'a RunDocument,
    mark: Mark,
    progress: String,
    started: When,
    took: Option<Lasted>,
}

impl<'a> Sentence<'a> {
    fn new(run: &'a RunDocument, now: DateTime<Utc>) -> Self {
        let (over, steps) = run.progress();
        let of = if run.back.is_empty() { "" } else { " of the way back" };
        Self {
            mark: Mark::run(run.state),
            progress: format!("{over} of {}{of}", counted(steps, "step", "steps")),
            started: When::new(run.started_at, now),
            took: run.ended_at.map(|ended| Lasted::new(Some(run.started_at), Some(ended), now)),
            run,
        }
    }
}

#[derive(Template)]
#[template(path = "parts/trouble.html")]
struct Trouble {
    what: String,
    why: Prose,
    next: &'static str,
}

impl Trouble {
    fn new(run: &RunDocument) -> Self {
        let none = || Self { what: String::new(), why: Prose::new(""), next: "" };
        if let Some(why) = &run.quarantined {
            let what = "The run was taken out of service".to_owned();
            return Self { what, why: Prose::new(why), next: "Retry it once, or abandon it with a reason." };
        }
        if run.state == RunState::Held {
            let held: Vec<_> =
                run.present_step().into_iter().flat_map(|step| &step.guards).filter_map(|guard| guard.held.clone()).collect();
            let next = "It goes on by itself when the guard is good again. Resume to end the hold now, or revert.";
            return Self { what: "A guard holds the run".to_owned(), why: Prose::new(&held.join("; ")), next };
        }
        let Some(step) = run.present_step().filter(|step| step.state == StepState::Failed) else { return none() };
        let next = match run.state {
            RunState::Stuck => "The way back waits here: retry the step, or skip it with a reason.",
            RunState::Frozen => "Nothing goes on in either direction until somebody has looked: retry, skip with a reason, or revert.",
            RunState::Failed => "Mend it and retry, skip the step with a reason, or revert.",
            _ => return none(),
        };
        Self { what: format!("Step {} failed", step.id), why: Prose::new(step.error.as_deref().unwrap_or_default()), next }
    }
}

#[derive(Template)]
#[template(path = "parts/question.html")]
struct QuestionPart {
    asked: Option<AskedQuestion>,
}

struct AskedQuestion {
    run: Uuid,
    step: String,
    text: String,
    why: &'static str,
    evidence: Option<String>,
    /// Why this viewer cannot answer it now.
    refused: Option<String>,
    twin: String,
}

impl QuestionPart {
    fn new(document: &RunDocument, run: &Run, viewer: &Viewer) -> Self {
        let present = document.present_step();
        let asked = present.and_then(|step| step.question.as_ref().map(|question| (step, question))).map(|(step, question)| {
            let evidence = if question.evidence.is_some() { " --evidence …" } else { "" };
            AskedQuestion {
                run: document.id,
                step: step.id.clone(),
                text: question.text.clone(),
                why: match step.asked_for {
                    Some(AskedFor::Approval) => "The step begins when somebody says yes.",
                    Some(AskedFor::Stale) => "Yes goes on with what is there now; retry looks again.",
                    Some(AskedFor::Unclear) => "Yes counts it as done; retry looks again.",
                    Some(AskedFor::Question) | None => "",
                },
                evidence: question.evidence.clone(),
                refused: refused(document, run, viewer).map(|why| capital(&why)),
                twin: format!("cutover runs approve {}{evidence}", short_id(document.id)),
            }
        });
        Self { asked }
    }
}

fn refused(document: &RunDocument, run: &Run, viewer: &Viewer) -> Option<String> {
    if !viewer.operates {
        return Some("your session may only look".to_owned());
    }
    if document.state == RunState::Paused {
        return Some("the run is paused; resume it first".to_owned());
    }
    let approve = document.verbs.iter().find(|verb| verb.verb == Command::Approve).filter(|verb| !verb.taken);
    if let Some(approve) = approve {
        return Some(format!("the run is {}: {}", document.state, approve.text));
    }
    let other = run.begun().filter(|begun| begun.approvals == Approvals::Other && begun.by == viewer.by);
    other.map(|_| "you started this run, and this environment wants somebody else to approve (approvals: other)".to_owned())
}

#[derive(Template)]
#[template(path = "parts/step.html")]
struct StepRow<'a> {
    row: String,
    number: usize,
    mark: Mark,
    present: bool,
    step: &'a StepDocument,
    open: bool,
    effects: Vec<(char, String)>,
    acts: Vec<(Mark, &'a ActDocument)>,
    guards: Vec<GuardRow<'a>>,
    data: Option<String>,
    error: Option<&'a str>,
    took: Lasted,
    began: Option<When>,
    ended: Option<When>,
    again: Option<When>,
}

impl<'a> StepRow<'a> {
    fn new(kind: &str, at: usize, step: &'a StepDocument, run: &RunDocument, now: DateTime<Utc>) -> Self {
        let act = |act: &'a ActDocument| (Mark::step(if act.done { StepState::Done } else { StepState::Pending }), act);
        let data = step.evidence.as_ref().map(|evidence| &evidence.data).filter(|data| !data.is_null());
        Self {
            row: format!("{kind}-{}", at + 1),
            number: at + 1,
            mark: Mark::step(step.state),
            present: run.present.as_ref() == Some(&step.id),
            open: step.state == StepState::Failed,
            effects: step.effects.iter().map(|effect| (effect.mark.sign(), effect_line(effect))).collect(),
            acts: step.acts.iter().map(act).collect(),
            guards: step.guards.iter().map(GuardRow::new).collect(),
            data: data.and_then(|data| serde_json::to_string_pretty(data).ok()),
            error: step.error.as_deref().filter(|error| *error != step.line),
            took: Lasted::new(step.began, step.ended, now),
            began: step.began.map(|at| When::new(at, now)),
            ended: step.ended.map(|at| When::new(at, now)),
            again: step.again_at.filter(|_| !step.state.is_over()).map(|at| When::new(at, now)),
            step,
        }
    }

    fn has_more(&self) -> bool {
        let parts = !self.effects.is_empty() || !self.acts.is_empty() || !self.guards.is_empty() || self.data.is_some();
        parts || self.error.is_some() || self.began.is_some() || self.again.is_some()
    }
}

/// A guard with its last samples.
struct GuardRow<'a> {
    words: String,
    samples: Vec<(Clock, &'a SampleDocument)>,
}

impl<'a> GuardRow<'a> {
    fn new(guard: &'a GuardDocument) -> Self {
        Self { words: guard.words(), samples: guard.samples.iter().rev().map(|sample| (Clock::new(sample.at), sample)).collect() }
    }
}

#[derive(Template)]
#[template(path = "parts/back.html")]
struct BackPart<'a> {
    rows: Vec<StepRow<'a>>,
}

#[derive(Template)]
#[template(path = "parts/verbs.html")]
struct Verbs {
    run: Uuid,
    operates: bool,
    taken: Vec<Verb>,
    refused: Vec<Refused>,
}

/// Verbs that are refused for one and the same reason.
struct Refused {
    number: usize,
    verbs: Vec<String>,
    text: String,
}

struct Verb {
    word: &'static str,
    label: String,
    text: String,
    needs_reason: bool,
    /// Whether a box must be ticked first.
    confirm: bool,
    /// The step that is meant, for verbs that speak of one.
    step: Option<String>,
    twin: String,
    /// Whether a page shows what it would do.
    preview: bool,
}

impl Verbs {
    fn new(run: &RunDocument, viewer: &Viewer) -> Self {
        let asks = run.present_step().is_some_and(|step| step.question.is_some());
        let (mut taken, mut refused): (Vec<Verb>, Vec<Refused>) = (Vec::new(), Vec::new());
        // Why: the question has a form of its own.
        for verb in run.verbs.iter().filter(|verb| !(asks && verb.verb == Command::Approve)) {
            let answered_only = verb.verb == Command::Skip && asks && asks_by_itself(run);
            let word = verb.verb.as_str();
            let reason = if verb.needs_reason { " --reason …" } else { "" };
            let shown = Verb {
                word,
                label: capital(word),
                text: capital(if answered_only { "a question is answered with approve, not skipped" } else { &verb.text }),
                needs_reason: verb.needs_reason,
                confirm: must_confirm(verb.verb),
                step: run.present.clone().filter(|_| matches!(verb.verb, Command::Retry | Command::Skip)),
                twin: format!("cutover runs {word} {}{reason}", short_id(run.id)),
                preview: verb.verb == Command::Revert,
            };
            let known = refused.iter().position(|group| group.text == shown.text);
            match known.and_then(|known| refused.get_mut(known)) {
                _ if verb.taken && !answered_only => taken.push(shown),
                Some(group) => group.verbs.push(shown.label),
                None => refused.push(Refused { number: refused.len() + 1, verbs: vec![shown.label], text: shown.text }),
            }
        }
        Self { run: run.id, operates: viewer.operates, taken, refused }
    }
}

/// Verbs that end a run or turn it round.
pub(super) fn must_confirm(verb: Command) -> bool {
    matches!(verb, Command::Revert | Command::Abort | Command::Abandon)
}

fn asks_by_itself(run: &RunDocument) -> bool {
    matches!(run.present_step().and_then(|step| step.asked_for), Some(AskedFor::Question | AskedFor::Approval))
}

#[derive(Template)]
#[template(path = "parts/entry.html")]
struct EntryRow {
    seq: i64,
    at: Clock,
    step: String,
    line: String,
}

/// Id and row of a journal entry.
pub(in crate::web) fn journal_row(entry: &JournalEntry) -> Result<(String, String), Problem> {
    let row = EntryRow {
        seq: entry.seq,
        at: Clock::new(entry.at),
        step: entry.entry.step().unwrap_or_default().to_owned(),
        line: event::line(&entry.entry),
    };
    Ok((format!("e-{}", entry.seq), part(&row)?))
}
