//! The whole-plan proof: walks every state of a playbook — before, inside and after each step, and on the way back — over what services
//! declare, and tells the story of whatever would break. Owns the facts, the transitions and the rules. Knows no step kind by name, no
//! run, no system: kinds say their moves, and the start is declared.

mod act;
mod back;
mod book;
mod build;
mod finding;
mod from_playbook;
mod mend;
mod model;
mod rewrite;
mod rules;
mod scene;
mod spoken;
mod start;
mod state;
mod story;
mod transition;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

pub use book::{Book, BookStep, NamedGroup};
pub use from_playbook::book_of;
pub use mend::{Mended, MendedStep, mend};
pub use rewrite::{diff, rewrite};

pub use crate::step::{Gap, Proof, Violation};

use self::act::{Act, NoAct};
use self::finding::{Finding, Key, Known, Rule, Subject};
use self::state::{Fact, Space};
use self::walk::{Moment, Plan, Seen, Trail};
use crate::playbook::Playbook;
use crate::services::Services;
use crate::step::Move;

/// Proves a book over the declared services.
#[must_use]
pub fn prove(services: &Services, book: &Book) -> Proof {
    Case::new(services, book).prove()
}

/// Proves a playbook over the services that it declares. Without any, nothing is proven, and the proof says so.
#[must_use]
pub fn prove_playbook(playbook: &Playbook, book: &Book) -> Proof {
    match &playbook.services {
        Some(services) => prove(services, book),
        None => Proof { assumed: vec![NOTHING_DECLARED.to_owned()], ..Proof::default() },
    }
}

/// Proves what is left of a way back: `book` holds the steps that were begun and then those that take them back, of which the first `gone`
/// in all are behind. A line is not looked for, because nothing is taken back twice.
#[must_use]
pub fn prove_rest(services: &Services, book: &Book, gone: usize) -> Proof {
    Case::new(services, book).prove_rest(gone)
}

/// What is said of a playbook that declares no services.
const NOTHING_DECLARED: &str =
    "no services are declared, so nothing that they do is checked; name their file at the top: `services: services.yaml`";

/// The ordinary steps that lead back to the start's paths from inside a step of the book, or from behind it; `None` when there is no way
/// that is proven.
#[must_use]
pub fn way_back(services: &Services, book: &Book, step: usize, inside: bool) -> Option<Vec<Move>> {
    let case = Case::new(services, book);
    let known = case.known();
    let walk = walk::walk(&case.space, &case.plan, &case.start, &known);
    let stage = case.plan.stages.iter().position(|stage| stage.steps.contains(&step))?;
    let acts = back::way(&case.space, &case.plan, &walk, stage, inside, &known)?;
    acts.iter().map(|act| case.spoken(act)).collect()
}

/// What the steps are relied on for beyond what states can show.
fn relied_on(plan: &Plan) -> Vec<&'static str> {
    let has = |fits: fn(&Act) -> bool| plan.acts().any(fits);
    let mut relied = Vec::new();
    if has(|act| matches!(act, Act::Snapshot { .. })) {
        relied.push(
            "a snapshot is done only when what producers had taken on before it has arrived and no stale record is the last of its key",
        );
    }
    if has(|act| matches!(act, Act::CatchUp(_))) {
        relied.push(
            "a catch-up on a compacted topic also waits for what replaced the snapshot's records, and none of that is replaced before it \
             is read: min.compaction.lag.ms is longer than that wait",
        );
    }
    if has(|act| matches!(act, Act::Retire(_) | Act::Drain { .. })) {
        relied.push("retention is longer than every wait, and a service has no consumer group but the declared one");
    }
    relied
}

/// What is relied on where a link's effects may be held.
const HELD: &str = "who can hold acknowledges that it has left a way only when nothing is under way on it, and that it has left `hold` only \
                    when nothing is held; what is held goes first, in order";

/// A book and everything that was worked out from it before the first rule is asked.
struct Case<'a> {
    book: &'a Book,
    space: Space,
    plan: Plan,
    start: state::State,
    already: Vec<Seen>,
    assumed: Vec<String>,
}

impl<'a> Case<'a> {
    fn new(services: &Services, book: &'a Book) -> Self {
        let model = build::build(services, book);
        let mut assumed = model.assumed.clone();
        let mut space = Space::new(model);
        let plan = Plan::of(&space.model, book);
        for (step, why) in &plan.without {
            if let NoAct::Unchecked(what) = why {
                assumed.push(format!("step {}: {what}", book.steps[*step].id));
            }
        }
        assumed.extend(relied_on(&plan).into_iter().map(str::to_owned));
        let brought: Vec<_> = plan.acts().filter_map(|act| if let Act::Release { to, .. } = act { Some(to) } else { None }).collect();
        let holds = |link| brought.iter().any(|to| to.iter().any(|release| space.holds(*release, link)));
        if (0..space.model.links.len()).any(holds) {
            assumed.push(HELD.to_owned());
        }
        let (start, more) = start::start(&space, services, book, &plan);
        assumed.extend(more);
        for topic in 0..space.model.topics.len() {
            space.model.topics[topic].old = space.has(&start, Fact::Topic(topic));
        }
        let already = walk::already(&space, &start);
        Self { book, space, plan, start, already, assumed }
    }

    fn prove(mut self) -> Proof {
        let already = self.known();
        let walk = walk::walk(&self.space, &self.plan, &self.start, &already);
        let mut states = walk.between.len() + walk.inside.len();
        let (mut seen, accepted) = self.sort(walk::undeclared(&self.plan).into_iter().chain(walk.seen.iter().cloned()));
        let mut allowed = already;
        allowed.accepted.extend(accepted.iter().map(|(key, _)| *key));
        let mut gaps: Vec<&Gap> = accepted.into_iter().map(|(_, gap)| gap).collect();
        // Why: a way back from a broken state would only repeat what is reported already.
        let mut line = None;
        if seen.is_empty() {
            let found = back::line(&self.space, &self.plan, &walk, &allowed);
            states += found.states;
            if found.gave_up {
                self.assumed.push("the search for the way back gave up; the line may lie later".to_owned());
            }
            line = found.step;
            if let Some(step) = found.step.filter(|step| !self.book.steps[*step].line) {
                let finding = Finding::new(Rule::Back, Subject::Step(step));
                match self.gap(&finding) {
                    Some(gap) => gaps.push(gap),
                    None => seen.push(Seen { step, moment: Moment::Inside, finding }),
                }
            }
        }
        let hints = if seen.is_empty() { BTreeMap::new() } else { mend::hints(&self) };
        self.assumed.extend(gaps.iter().map(|gap| format!("accepted: {}, because {}", gap.name(), gap.reason)));
        let idle = self.book.accept.iter().filter(|gap| !gaps.contains(gap));
        self.assumed.extend(idle.map(|gap| format!("nothing is called {}; accepting it changed nothing", gap.name())));
        Proof {
            proven: seen.is_empty(),
            line: line.and_then(|step| self.book.steps.get(step)).map(|step| step.id.clone()),
            states,
            violations: seen.iter().map(|seen| self.violation(&walk.trail, seen, &hints)).collect(),
            start_violations: self.once().into_iter().map(|seen| self.violation(&Trail::default(), seen, &hints)).collect(),
            accepted: gaps.into_iter().cloned().collect(),
            assumed: self.assumed.clone(),
        }
    }

    fn prove_rest(mut self, gone: usize) -> Proof {
        let walk = walk::walk(&self.space, &self.plan, &self.start, &self.known());
        let (broken, accepted) = self.sort(walk.seen.iter().filter(|seen| seen.step >= gone).cloned());
        let left = self.plan.stages.iter().filter(|stage| stage.steps.iter().any(|step| *step >= gone)).count();
        let violations: Vec<_> = broken.iter().map(|seen| self.violation(&walk.trail, seen, &BTreeMap::new())).collect();
        let assumed = std::mem::take(&mut self.assumed);
        Proof {
            proven: violations.is_empty(),
            line: None,
            states: 1 + 2 * left,
            violations,
            start_violations: Vec::new(),
            accepted: accepted.into_iter().map(|(_, gap)| gap.clone()).collect(),
            assumed,
        }
    }

    /// What is broken, and what would be and is accepted, with the gap by which it is.
    fn sort(&self, seen: impl IntoIterator<Item = Seen>) -> (Vec<Seen>, Vec<(Key, &'a Gap)>) {
        let (mut broken, mut accepted) = (Vec::new(), Vec::new());
        for seen in seen {
            match self.gap(&seen.finding) {
                Some(gap) => accepted.push((seen.finding.key(), gap)),
                None => broken.push(seen),
            }
        }
        (broken, accepted)
    }

    /// The gap by which a finding is accepted.
    fn gap(&self, finding: &Finding) -> Option<&'a Gap> {
        let name = self.name(finding);
        self.book.accept.iter().find(|gap| gap.name() == name)
    }

    /// What is broken before the first step.
    fn known(&self) -> Known {
        let already = self.already.iter().map(|Seen { finding, .. }| (finding.key(), finding.release, finding.other));
        Known { already: already.collect(), accepted: BTreeSet::new() }
    }

    /// The same, one per rule and subject.
    fn once(&self) -> Vec<&Seen> {
        let mut keys = BTreeSet::new();
        self.already.iter().filter(|seen| keys.insert(seen.finding.key())).collect()
    }

    fn name(&self, finding: &Finding) -> String {
        format!("{}:{}", finding.rule, self.subject(finding))
    }

    fn subject(&self, finding: &Finding) -> String {
        let step = |at: usize| self.book.steps.get(at).map(|step| step.id.clone()).unwrap_or_default();
        finding.subject.name(&self.space.model, &step)
    }

    fn violation(&self, trail: &Trail, seen: &Seen, hints: &BTreeMap<Key, String>) -> Violation {
        let story = story::tell(&self.space, self.book, trail, seen);
        let at = (seen.moment != Moment::Start).then(|| self.book.steps.get(seen.step)).flatten();
        let place = at.map(|step| step.place).filter(|(line, _)| *line > 0);
        Violation {
            rule: seen.finding.rule.letter().to_owned(),
            subject: self.subject(&seen.finding),
            steps: story.steps.iter().filter_map(|step| self.book.steps.get(*step)).map(|step| step.id.clone()).collect(),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            story: story.text,
            mend: hints
                .get(&seen.finding.key())
                .cloned()
                .unwrap_or_else(|| story::usual(seen.finding.rule, seen.finding.subject).to_owned()),
            scene: scene::scene(&self.space.model, self.book, seen),
        }
    }
}
