//! Better orders, by trying: steps are moved and blocks of steps that gain a missing fact are put in, whatever leaves the fewest things
//! broken is kept, until nothing is broken or nothing helps.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::act::Act;
use super::finding::{Key, Known, Rule, Subject};
use super::model::{LinkKind, Path, StreamId};
use super::state::{Space, State};
use super::walk::{Plan, Stage, walk};
use super::{Book, Case};
use crate::services::Services;
use crate::step::Move;

/// Rounds after which a search ends.
const ROUNDS: usize = 8;

/// Books longer than this have only the steps near a fault moved.
const LONG: usize = 32;

/// How near to a fault that is, in stages.
const NEAR: usize = 4;

/// What moving a step costs besides one for each place that it moves, and what each step of a block costs that is put in.
const MOVED: usize = 10;
const PUT_IN: usize = 20;

/// A better order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mended {
    /// Whether it is proven.
    pub proven: bool,
    /// What was changed, one line each.
    pub changes: Vec<String>,
    /// The steps in their new order.
    pub steps: Vec<MendedStep>,
}

/// A step of a better order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MendedStep {
    /// The step of the playbook; `None` for one that was put in.
    pub id: Option<String>,
    /// What it does.
    pub moves: Vec<Move>,
    /// Line of the step in the playbook, 0 for one that was put in.
    #[serde(skip)]
    pub line: u32,
}

/// Searches a better order.
#[must_use]
pub fn mend(services: &Services, book: &Book) -> Mended {
    let case = Case::new(services, book);
    let search = Search::new(&case);
    let mut order: Vec<Item> = (0..case.plan.stages.len()).map(Item::Old).collect();
    let mut changes = Vec::new();
    let mut wrong = search.broken(&order);
    for _ in 0..ROUNDS {
        if wrong.is_empty() {
            break;
        }
        let best = search.tries(&order, &wrong).into_iter().min_by_key(|one| (one.broken.len(), one.cost));
        let Some(best) = best.filter(|best| best.broken.len() < wrong.len()) else { break };
        changes.push(search.words(&order, &best.change));
        order = best.change.apply(&order);
        wrong = best.broken;
    }
    let steps = order.iter().flat_map(|item| search.steps(item)).collect::<Vec<_>>();
    let proven = wrong.is_empty() && {
        let book = search.book(&order);
        Case::new(services, &book).prove().proven
    };
    Mended { proven, changes, steps }
}

/// For each thing that is broken, the one change that mends it and breaks least, in words.
pub(super) fn hints(case: &Case<'_>) -> BTreeMap<Key, String> {
    let search = Search::new(case);
    let order: Vec<Item> = (0..case.plan.stages.len()).map(Item::Old).collect();
    let wrong = search.broken(&order);
    if wrong.is_empty() {
        return BTreeMap::new();
    }
    let tries = search.tries(&order, &wrong);
    let hint = |key: &Key| {
        let helps = tries.iter().filter(|one| !one.broken.contains(key) && one.broken.len() < wrong.len());
        let best = helps.min_by_key(|one| (one.broken.len(), one.cost))?;
        Some((*key, search.words(&order, &best.change)))
    };
    wrong.iter().filter_map(hint).collect()
}

/// A stage of the book, or one that was put in.
#[derive(Clone, Debug)]
enum Item {
    Old(usize),
    New(Act),
}

#[derive(Clone, Debug)]
enum Change {
    Shift { from: usize, to: usize },
    Insert { at: usize, block: Vec<Act> },
}

impl Change {
    fn apply(&self, order: &[Item]) -> Vec<Item> {
        let mut order = order.to_vec();
        match self {
            Self::Shift { from, to } => {
                let item = order.remove(*from);
                order.insert(*to, item);
            }
            Self::Insert { at, block } => {
                order.splice(*at..*at, block.iter().cloned().map(Item::New));
            }
        }
        order
    }
}

struct Try {
    change: Change,
    broken: BTreeSet<Key>,
    /// How much it changes, to choose the smallest of several.
    cost: usize,
}

struct Search<'a> {
    case: &'a Case<'a>,
    space: &'a Space,
    start: &'a State,
    known: Known,
}

impl<'a> Search<'a> {
    fn new(case: &'a Case<'a>) -> Self {
        let mut known = case.known();
        let walk = walk(&case.space, &case.plan, &case.start, &known);
        known.accepted.extend(case.sort(walk.seen).1.into_iter().map(|(key, _)| key));
        Self { case, space: &case.space, start: &case.start, known }
    }

    fn plan(&self, order: &[Item]) -> Plan {
        let stage = |item: &Item| match item {
            Item::Old(at) => self.case.plan.stages[*at].clone(),
            Item::New(act) => Stage { acts: vec![(0, act.clone())], ..Stage::default() },
        };
        Plan { stages: order.iter().map(stage).collect(), without: Vec::new() }
    }

    fn broken(&self, order: &[Item]) -> BTreeSet<Key> {
        let walk = walk(self.space, &self.plan(order), self.start, &self.known);
        walk.seen.iter().map(|seen| seen.finding.key()).collect()
    }

    fn tries(&self, order: &[Item], wrong: &BTreeSet<Key>) -> Vec<Try> {
        let mut changes = Vec::new();
        let near = self.near(order, wrong);
        for from in 0..order.len() {
            for to in 0..order.len() {
                // Why: moving a step by one place to the right is the same as moving its neighbour to the left.
                if from != to && to != from + 1 && (order.len() <= LONG || near.contains(&from)) {
                    changes.push((Change::Shift { from, to }, MOVED + from.abs_diff(to)));
                }
            }
        }
        let mut blocks: Vec<Vec<Act>> = Vec::new();
        for key in wrong {
            for block in self.blocks(*key) {
                if !blocks.contains(&block) {
                    blocks.push(block);
                }
            }
        }
        for block in blocks {
            changes.extend((0..=order.len()).map(|at| {
                // Why: of equal places, the latest is the one where most is known by then.
                let cost = PUT_IN * block.len() + order.len() - at;
                (Change::Insert { at, block: block.clone() }, cost)
            }));
        }
        changes.into_iter().map(|(change, cost)| Try { broken: self.broken(&change.apply(order)), change, cost }).collect()
    }

    /// The stages at which something first breaks, and their neighbours.
    fn near(&self, order: &[Item], wrong: &BTreeSet<Key>) -> BTreeSet<usize> {
        if order.len() <= LONG {
            return BTreeSet::new();
        }
        let first = (1..=order.len()).find(|end| !self.broken(&order[..*end]).is_disjoint(wrong)).unwrap_or(order.len());
        (first.saturating_sub(NEAR)..(first + NEAR).min(order.len())).collect()
    }

    /// Blocks of steps that gain what a broken rule misses.
    fn blocks(&self, Key(rule, subject): Key) -> Vec<Vec<Act>> {
        match (rule, subject) {
            (Rule::Complete, Subject::Link(link)) => {
                let Some(event) = self.space.model.links[link].event else { return Vec::new() };
                let streams = self.space.model.events[event].streams.iter();
                streams.map(|stream| vec![Act::Snapshot { link, stream: *stream }, Act::CatchUp(vec![link])]).collect()
            }
            (Rule::Handled, Subject::Stream(_, stream))
            | (Rule::Ends, Subject::Drain(_, stream) | Subject::Quiet(stream) | Subject::Retire(stream)) => self.emptied(stream),
            (Rule::Used, Subject::Schema(stream)) => {
                let mut blocks = self.emptied(stream);
                blocks.push(vec![Act::RegisterSchema(stream)]);
                blocks
            }
            (Rule::Used, Subject::Topic(topic)) => {
                let streams = self.space.model.topics[topic].streams.clone();
                let retire: Vec<Act> = streams.iter().map(|stream| Act::Retire(vec![*stream])).collect();
                let mut drained = retire.clone();
                drained.push(Act::Drain { streams, services: None, absent: false, whole: None });
                vec![drained, retire, vec![Act::CreateTopic(topic)]]
            }
            (Rule::Once, Subject::Order(link)) => self.held(link),
            (Rule::Handled, Subject::Held(link)) => self.let_go(link),
            (Rule::Columns | Rule::Valid, Subject::Column(column)) => vec![vec![Act::AddColumn(column)]],
            (Rule::Columns, Subject::Given(column)) => vec![vec![Act::RelaxColumn(column)]],
            (_, Subject::Filled(column)) => vec![vec![Act::Backfill { columns: vec![(column, None)], back: Vec::new() }]],
            (_, Subject::Field(_, column) | Subject::Meaning(column)) => {
                let meanings = &self.space.model.columns[column].meanings;
                let mut blocks = vec![vec![Act::Backfill { columns: vec![(column, None)], back: Vec::new() }]];
                blocks.extend(meanings.iter().map(|meaning| {
                    let back = meanings.iter().filter(|other| *other != meaning).map(|other| (column, Some(*other))).collect();
                    vec![Act::Backfill { columns: vec![(column, Some(*meaning))], back }]
                }));
                blocks
            }
            _ => Vec::new(),
        }
    }

    /// Blocks after which a version does not arrive any more.
    fn emptied(&self, stream: StreamId) -> Vec<Vec<Act>> {
        let model = &self.space.model;
        let retire = Act::Retire(vec![stream]);
        let consumed = Act::Drain { streams: vec![stream], services: None, absent: false, whole: None };
        let absent = Act::Drain { streams: vec![stream], services: None, absent: true, whole: None };
        let mut blocks = vec![vec![retire.clone()], vec![retire.clone(), consumed]];
        let event = model.streams[stream].event;
        if let Some(link) = model.events[event].link.filter(|link| matches!(model.links[*link].kind, LinkKind::State { .. })) {
            for other in model.events[event].streams.iter().filter(|other| **other != stream) {
                blocks.push(vec![retire.clone(), Act::Snapshot { link, stream: *other }, absent.clone()]);
            }
        }
        blocks
    }

    /// Flags at the variant under which a link's effects wait, with a drain of what is still under way.
    fn held(&self, link: usize) -> Vec<Vec<Act>> {
        let model = &self.space.model;
        let ways = model.releases.iter().flat_map(|release| &release.paths).filter(|(of, _)| *of == link).flat_map(|(_, ways)| ways);
        let held: BTreeSet<_> = ways.filter(|(path, _)| *path == Path::Hold).filter_map(|(_, when)| *when).collect();
        let streams = model.links[link].event.map(|event| model.events[event].streams.clone()).unwrap_or_default();
        let flag = |variant: &usize| Act::Flag { flag: model.variants[*variant].0, to: vec![*variant] };
        let drained = |variant: &usize| {
            let drain = Act::Drain { streams: streams.clone(), services: None, absent: false, whole: None };
            let retire = streams.iter().map(|stream| Act::Retire(vec![*stream]));
            [flag(variant)].into_iter().chain(retire).chain([drain]).collect()
        };
        held.iter().flat_map(|variant| [vec![flag(variant)], drained(variant)]).collect()
    }

    /// Flags at the variants under which what is held of a link goes.
    fn let_go(&self, link: usize) -> Vec<Vec<Act>> {
        let model = &self.space.model;
        let ways = model.releases.iter().flat_map(|release| &release.paths).filter(|(of, _)| *of == link).flat_map(|(_, ways)| ways);
        let open: BTreeSet<_> = ways.filter(|(path, _)| *path != Path::Hold).filter_map(|(_, when)| *when).collect();
        open.iter().map(|variant| vec![Act::Flag { flag: model.variants[*variant].0, to: vec![*variant] }]).collect()
    }

    fn words(&self, order: &[Item], change: &Change) -> String {
        let name = |at: usize| match order.get(at) {
            Some(Item::Old(stage)) => {
                let step = self.case.plan.stages[*stage].steps.first().and_then(|step| self.case.book.steps.get(*step));
                step.map_or_else(String::new, |step| format!("`{}`", step.id))
            }
            Some(Item::New(act)) => self.case.spoken(act).map_or_else(String::new, |one| one.to_string()),
            None => "the end".to_owned(),
        };
        match change {
            Change::Shift { from, to } if to < from => format!("move {} before {}", name(*from), name(*to)),
            Change::Shift { from, to } => format!("move {} behind {}", name(*from), name(*to)),
            Change::Insert { at, block } => {
                let block: Vec<_> = block.iter().filter_map(|act| self.case.spoken(act)).map(|one| one.to_string()).collect();
                let place = if *at < order.len() { format!("before {}", name(*at)) } else { "at the end".to_owned() };
                format!("put in {} {place}", block.join(", then "))
            }
        }
    }

    fn steps(&self, item: &Item) -> Vec<MendedStep> {
        match item {
            Item::Old(stage) => {
                let steps = self.case.plan.stages[*stage].steps.iter().filter_map(|step| self.case.book.steps.get(*step));
                steps.map(|step| MendedStep { id: Some(step.id.clone()), moves: step.moves.clone(), line: step.place.0 }).collect()
            }
            Item::New(act) => vec![MendedStep { id: None, moves: self.case.spoken(act).into_iter().collect(), line: 0 }],
        }
    }

    fn book(&self, order: &[Item]) -> Book {
        let mut steps = Vec::new();
        for (at, item) in order.iter().enumerate() {
            match item {
                Item::Old(stage) => {
                    let old = self.case.plan.stages[*stage].steps.iter().filter_map(|step| self.case.book.steps.get(*step));
                    steps.extend(old.cloned());
                }
                Item::New(act) => steps.push(super::BookStep::new(format!("new-{at}"), self.case.spoken(act).into_iter().collect())),
            }
        }
        Book { steps, ..self.case.book.clone() }
    }
}
