//! The way back: a search over ordinary steps from each state of the way forward to the paths of the start. The line of no return is the
//! first state that has none.

use std::collections::HashMap;

use super::act::{Act, Meant};
use super::finding::{Finding, Known};
use super::model::{LinkKind, Path, ReleaseId, ServiceId, StreamId};
use super::state::{Fact, Space, State};
use super::walk::{Plan, Walk};

/// States that a search may look at before it gives up.
const BUDGET: usize = 400_000;

/// What the search found.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The step from which on there is no way back; `None` when there always is one.
    pub(super) step: Option<usize>,
    /// States that were looked at.
    pub(super) states: usize,
    /// Whether the search gave up before it knew.
    pub(super) gave_up: bool,
}

/// Computes the line.
pub(super) fn line(space: &Space, plan: &Plan, walk: &Walk, allowed: &Known) -> Line {
    let (mut search, ends) = Search::new(space, plan, walk, allowed);
    let mut found = None;
    for (at, stage) in plan.stages.iter().enumerate() {
        let both = walk.inside.get(at).into_iter().chain(walk.between.get(at + 1));
        if !both.into_iter().all(|state| search.back(ends[at], state)) {
            found = stage.acts.last().map(|(step, _)| *step).or_else(|| stage.steps.last().copied());
            break;
        }
    }
    Line { step: found, states: search.states, gave_up: search.states >= BUDGET }
}

/// The way back from inside a stage, or from behind it; `None` when there is none.
pub(super) fn way(space: &Space, plan: &Plan, walk: &Walk, at: usize, inside: bool, allowed: &Known) -> Option<Vec<Act>> {
    let (mut search, ends) = Search::new(space, plan, walk, allowed);
    let state = if inside { walk.inside.get(at)? } else { walk.between.get(at + 1)? };
    search.steps(*ends.get(at)?, state)
}

struct Search<'a> {
    space: &'a Space,
    plan: &'a Plan,
    walk: &'a Walk,
    /// The acts in order, each with its stage.
    acts: Vec<(usize, &'a Act)>,
    goal: Vec<(usize, usize, Path)>,
    allowed: &'a Known,
    memo: HashMap<(usize, State), bool>,
    states: usize,
}

impl<'a> Search<'a> {
    /// A search, and how many acts are done at the end of each stage.
    fn new(space: &'a Space, plan: &'a Plan, walk: &'a Walk, allowed: &'a Known) -> (Self, Vec<usize>) {
        let mut acts = Vec::new();
        let mut ends = Vec::new();
        for (at, stage) in plan.stages.iter().enumerate() {
            acts.extend(stage.acts.iter().map(|(_, act)| (at, act)));
            ends.push(acts.len());
        }
        let goal = walk.between.first().map(|start| space.paths(start)).unwrap_or_default();
        (Self { space, plan, walk, acts, goal, allowed, memo: HashMap::new(), states: 0 }, ends)
    }

    /// Whether ordinary steps lead from the state, in which so many acts are done, to the paths of the start.
    fn back(&mut self, done: usize, state: &State) -> bool {
        let Some((at, act)) = done.checked_sub(1).and_then(|last| self.acts.get(last)).copied() else {
            return self.space.paths(state) == self.goal;
        };
        if let Some(known) = self.memo.get(&(done, state.clone())) {
            return *known;
        }
        if self.states >= BUDGET {
            return false;
        }
        let ways = self.ways(at, act, state);
        let found = ways.iter().any(|way| self.along(at, way, state).is_some_and(|(after, _)| self.back(done - 1, &after)));
        self.memo.insert((done, state.clone()), found);
        found
    }

    /// The steps of that way, in their order.
    fn steps(&mut self, done: usize, state: &State) -> Option<Vec<Act>> {
        let Some((at, act)) = done.checked_sub(1).and_then(|last| self.acts.get(last)).copied() else {
            return self.back(0, state).then(Vec::new);
        };
        self.ways(at, act, state).iter().find_map(|way| {
            let (after, mut steps) = self.along(at, way, state)?;
            if !self.back(done - 1, &after) {
                return None;
            }
            steps.extend(self.steps(done - 1, &after)?);
            Some(steps)
        })
    }

    /// The state behind one way of taking an act back, and the steps to it, with those that make copies complete again.
    fn along(&mut self, at: usize, way: &[Act], state: &State) -> Option<(State, Vec<Act>)> {
        let after = way.iter().try_fold(state.clone(), |state, act| self.step(act, state))?;
        let mut steps = way.to_vec();
        let after = self.restore(at, after, &mut steps)?;
        Some((after, steps))
    }

    /// The state after an ordinary step; `None` when something is wrong inside it or after it.
    fn step(&mut self, act: &Act, mut state: State) -> Option<State> {
        self.states += 2;
        let allowed = self.allowed;
        let mut fine = |finding: Finding| allowed.has(&finding);
        self.space.inside(act, &mut state);
        self.space.close(&mut state);
        if !self.space.can_end(act, &state, &mut fine) || !self.space.check(&state, &mut fine) {
            return None;
        }
        self.space.leave(act, &mut state, &mut |_, _| {});
        self.space.close(&mut state);
        self.space.check(&state, &mut fine).then_some(state)
    }

    /// A copy that was complete before the stage and is fed again is made complete again.
    fn restore(&mut self, at: usize, mut state: State, steps: &mut Vec<Act>) -> Option<State> {
        let before = self.walk.between.get(at)?;
        for (link, info) in self.space.model.links.iter().enumerate() {
            let LinkKind::State { reader, .. } = info.kind else { continue };
            let lost = self.space.has(before, Fact::Complete(link)) && !self.space.has(&state, Fact::Complete(link));
            let consumed = reader.zip(info.event).is_some_and(|(reader, event)| self.space.consumes(&state, reader, event));
            if lost
                && consumed
                && self.space.fed(&state, link)
                && let Some(stream) = self.now_produced(&state, info.event)
            {
                for act in [Act::Snapshot { link, stream }, Act::CatchUp(vec![link])] {
                    state = self.step(&act, state)?;
                    steps.push(act);
                }
            }
        }
        Some(state)
    }

    fn now_produced(&self, state: &State, event: Option<usize>) -> Option<StreamId> {
        self.space.model.events[event?].streams.iter().copied().find(|stream| self.space.produced(state, *stream))
    }

    /// The ways to take one act back, the plainest first. Empty when there is none.
    fn ways(&self, at: usize, act: &Act, state: &State) -> Vec<Vec<Act>> {
        let space = self.space;
        let Some(before) = self.walk.between.get(at) else { return Vec::new() };
        let nothing = vec![Vec::new()];
        match act {
            Act::Release { service, .. } | Act::Stop { service } => self.ways_of_release(before, *service, state),
            Act::Flag { flag, .. } | Act::FlagShare { flag, .. } | Act::RemoveFlag { flag, .. } => self.ways_of_flag(before, *flag, state),
            Act::CreateTopic(topic) => {
                let ever = space.model.topics[*topic].streams.iter().any(|stream| space.has(state, Fact::Ever(*stream)));
                let there = space.has(before, Fact::Topic(*topic));
                if ever || there { nothing } else { vec![vec![Act::DeleteTopic(*topic)]] }
            }
            Act::RegisterSchema(stream) => {
                let kept = space.has(state, Fact::Ever(*stream)) || space.has(before, Fact::Schema(*stream));
                if kept { nothing } else { vec![vec![Act::DeleteSchema(*stream)]] }
            }
            Act::DeleteSchema(stream) => vec![vec![Act::RegisterSchema(*stream)]],
            Act::AddColumn(column) => {
                if space.has(state, Fact::Wrote(*column)) {
                    nothing
                } else {
                    vec![vec![Act::DropColumn(*column)]]
                }
            }
            Act::RelaxColumn(column) => {
                if space.has(state, Fact::Filled(*column)) {
                    vec![vec![Act::RequireColumn(*column)], Vec::new()]
                } else {
                    nothing
                }
            }
            Act::RequireColumn(column) => vec![vec![Act::RelaxColumn(*column)]],
            Act::Backfill { columns, back } if !back.is_empty() => {
                vec![vec![Act::Backfill { columns: back.clone(), back: columns.clone() }], Vec::new()]
            }
            Act::DeleteTopic(_) | Act::DropColumn(_) | Act::DropTable(_) => Vec::new(),
            _ => nothing,
        }
    }

    /// Back to the releases that were live before.
    fn ways_of_release(&self, before: &State, service: ServiceId, state: &State) -> Vec<Vec<Act>> {
        let to: Vec<ReleaseId> = self.space.live_of(before, service).collect();
        let inverse = if to.is_empty() { Act::Stop { service } } else { Act::Release { service, to: to.clone() } };
        let touched = self.space.live_of(state, service).chain(to).flat_map(|release| {
            let info = &self.space.model.releases[release];
            info.handles.iter().map(|handler| handler.stream).chain(info.produces.iter().map(|production| production.stream))
        });
        let mut ways = self.cleaned(state, touched.collect(), &inverse);
        let back = self.columns_back(service);
        if !back.is_empty() {
            let with_columns = |way: &Vec<Act>| {
                let mut way = way.clone();
                way.insert(way.len().saturating_sub(1), Act::Backfill { columns: back.clone(), back: Vec::new() });
                way
            };
            ways.extend(ways.iter().map(with_columns).collect::<Vec<_>>());
        }
        if self.space.paths(state) == self.goal {
            ways.push(Vec::new());
        }
        ways
    }

    /// Back to the variants that were served before.
    fn ways_of_flag(&self, before: &State, flag: usize, state: &State) -> Vec<Vec<Act>> {
        let variants = &self.space.model.flags[flag].1;
        let to = variants.iter().copied().filter(|variant| self.space.has(before, Fact::Variant(*variant))).collect();
        let depends = |stream: &usize| {
            let mut whens = self.space.model.streams[*stream].producers.iter().filter_map(|(_, when)| *when);
            whens.any(|variant| variants.contains(&variant))
        };
        let touched = (0..self.space.model.streams.len()).filter(depends).collect();
        self.cleaned(state, touched, &Act::Flag { flag, to })
    }

    /// The inverse by itself; behind a drain of what is no longer produced; behind a republication in the version that is.
    fn cleaned(&self, state: &State, mut touched: Vec<StreamId>, inverse: &Act) -> Vec<Vec<Act>> {
        let space = self.space;
        touched.sort_unstable();
        touched.dedup();
        touched.retain(|stream| !space.produced(state, *stream));
        let mut ways = vec![vec![inverse.clone()]];
        let pending = |stream: &StreamId| {
            let info = &space.model.streams[*stream];
            space.latent(state, *stream) || info.unread.iter().any(|(_, unread)| space.has(state, Fact::Unread(*unread)))
        };
        let streams: Vec<StreamId> = touched.iter().copied().filter(pending).collect();
        if !streams.is_empty() {
            let retire = streams.iter().map(|stream| Act::Retire(vec![*stream]));
            let drain = streams.iter().map(|stream| Act::Drain { streams: vec![*stream], services: None, absent: false, whole: None });
            ways.push(retire.chain(drain).chain([inverse.clone()]).collect());
        }
        let lying =
            |stream: &StreamId| space.model.topics[space.model.streams[*stream].topic].compacted && space.has(state, Fact::Lies(*stream));
        let mut republish = Vec::new();
        for stream in touched.into_iter().filter(lying) {
            let event = space.model.streams[stream].event;
            let link = space.model.events[event].link.filter(|link| matches!(space.model.links[*link].kind, LinkKind::State { .. }));
            if let Some((link, now)) = link.zip(self.now_produced(state, Some(event))) {
                republish.push(Act::Retire(vec![stream]));
                republish.push(Act::Snapshot { link, stream: now });
                republish.push(Act::Drain { streams: vec![stream], services: None, absent: true, whole: None });
            }
        }
        if !republish.is_empty() {
            republish.push(inverse.clone());
            ways.push(republish);
        }
        ways
    }

    /// The columns of a service that some step moved to another meaning, in the meaning before.
    fn columns_back(&self, service: usize) -> Vec<Meant> {
        let model = &self.space.model;
        let backs = self.plan.acts().filter_map(|act| if let Act::Backfill { back, .. } = act { Some(back) } else { None });
        backs.flatten().copied().filter(|(column, _)| model.tables[model.columns[*column].table].service == service).collect()
    }
}
