//! The state in which a plan begins: what live systems say where they were asked, what was declared, what the plan's own steps tell, and
//! for the rest what is usual, each named among the assumptions.

use super::act::Act;
use super::book::Book;
use super::model::{ColumnId, LinkKind, Model, Path, TopicId};
use super::state::{Fact, Space, State};
use super::walk::Plan;
use crate::services::{ColumnStart, Services};
use crate::step::TopicToday;

/// The state before the first step, closed, and what was taken for granted.
pub(super) fn start(space: &Space, services: &Services, book: &Book, plan: &Plan) -> (State, Vec<String>) {
    let mut begin = Begin { space, book, plan, state: space.empty(), assumed: Vec::new() };
    begin.releases(services);
    begin.flags(services);
    begin.topics_and_schemas();
    for topic in 0..space.model.topics.len() {
        begin.records(topic);
    }
    for column in 0..space.model.columns.len() {
        begin.column(column);
    }
    begin.copies();
    for label in &book.start.lies {
        if let Some(stream) = space.model.stream(label) {
            space.put(&mut begin.state, Fact::Lies(stream));
            space.put(&mut begin.state, Fact::Ever(stream));
        }
    }
    let Begin { mut state, mut assumed, .. } = begin;
    if book.start.as_declared {
        assumed.push("the start is as declared, whatever runs, and nobody uses the services before the last step".to_owned());
    }
    let unasked = book.today().into_iter().flat_map(|today| &today.unasked);
    assumed.extend(unasked.map(|system| format!("the start is as declared where {system} would know better")));
    space.close(&mut state);
    (state, assumed)
}

struct Begin<'a> {
    space: &'a Space,
    book: &'a Book,
    plan: &'a Plan,
    state: State,
    assumed: Vec<String>,
}

impl Begin<'_> {
    /// The releases of a service that are there now, and whether anything is known of that.
    fn live_today(&mut self, at: usize) -> bool {
        let model = &self.space.model;
        let service = &model.services[at].name;
        let Some(found) = self.book.today().and_then(|today| today.releases.get(service)) else { return false };
        let said = self.book.start.releases.get(service);
        for name in found {
            match model.release(at, name) {
                Some(release) => {
                    self.space.put(&mut self.state, Fact::Live(release));
                    self.space.put(&mut self.state, Fact::Up(at));
                }
                None => self.assumed.push(format!("{service} {name} runs now and is not declared, so nothing that it does is checked")),
            }
        }
        let known = self.space.has(&self.state, Fact::Up(at));
        if found.is_empty() {
            self.assumed.push(format!("no instance of {service} runs now; the start is as declared"));
        } else if let Some(said) = said.filter(|said| !found.contains(*said)) {
            let names: Vec<&str> = found.iter().map(String::as_str).collect();
            self.assumed.push(format!("{service} {} runs now; `start:` says {said}, which does not count", names.join(" and ")));
        }
        known
    }

    fn releases(&mut self, services: &Services) {
        let model = &self.space.model;
        let moved: Vec<_> =
            self.acts().filter_map(|act| if let Act::Release { service, .. } = act { Some(*service) } else { None }).collect();
        for (at, service) in model.services.iter().enumerate() {
            if self.live_today(at) {
                continue;
            }
            let said = self.book.start.releases.get(&service.name);
            let first = services.services.get(&service.name).and_then(|service| service.releases.first()).map(|release| &release.name);
            let Some(release) = said.or(first).and_then(|name| model.release(at, name)) else { continue };
            if said.is_none() && (moved.contains(&at) || service.releases.len() > 1) {
                self.assumed.push(format!("{} runs at the start; `start: releases:` says otherwise", model.release_words(release)));
            }
            self.space.put(&mut self.state, Fact::Live(release));
            self.space.put(&mut self.state, Fact::Up(at));
        }
    }

    fn flags(&mut self, services: &Services) {
        let model = &self.space.model;
        for (at, (name, variants)) in model.flags.iter().enumerate() {
            let said = self.book.start.flags.get(name);
            let today: Vec<_> = self.book.today().and_then(|today| today.flags.get(name)).into_iter().flatten().collect();
            let known: Vec<_> = today.iter().filter_map(|variant| model.variant(at, variant)).collect();
            if !today.is_empty() && known.len() == today.len() {
                if let Some(said) = said.filter(|said| !today.contains(said)) {
                    let words: Vec<_> = known.iter().map(|variant| model.variant_words(*variant)).collect();
                    self.assumed.push(format!("{} now; `start:` says {said}, which does not count", words.join(" or ")));
                }
                for variant in known {
                    self.space.put(&mut self.state, Fact::Variant(variant));
                }
                continue;
            }
            if let Some(variant) = said.or(services.defaults.get(name)).and_then(|variant| model.variant(at, variant)) {
                if said.is_none() {
                    self.assumed.push(format!("{} at the start, as in the code", model.variant_words(variant)));
                }
                self.space.put(&mut self.state, Fact::Variant(variant));
                continue;
            }
            let target = self.acts().find_map(|act| match act {
                Act::Flag { flag, to } if *flag == at => to.first().copied(),
                Act::FlagShare { flag, to } if *flag == at => Some(*to),
                _ => None,
            });
            let others: Vec<_> = variants.iter().copied().filter(|variant| Some(*variant) != target).collect();
            let chosen = if others.len() == 1 { others } else { variants.clone() };
            let words: Vec<_> = chosen.iter().map(|variant| model.variant_words(*variant)).collect();
            self.assumed.push(format!("{} at the start; `start: flags:` says otherwise", words.join(" or ")));
            for variant in chosen {
                self.space.put(&mut self.state, Fact::Variant(variant));
            }
        }
    }

    fn topics_and_schemas(&mut self) {
        let model: &Model = &self.space.model;
        let missing = |name: &str| self.book.start.missing.iter().any(|missing| missing == name);
        let mut facts = Vec::new();
        for (at, topic) in model.topics.iter().enumerate() {
            let first = self.acts().find(|act| **act == Act::CreateTopic(at) || **act == Act::DeleteTopic(at));
            let there = match self.book.today().and_then(|today| today.topics.get(&topic.name)) {
                Some(today) => *today != TopicToday::Missing,
                None => !matches!(first, Some(Act::CreateTopic(_))) && !missing(&topic.name),
            };
            if there {
                facts.push(Fact::Topic(at));
            }
        }
        for (at, stream) in model.streams.iter().enumerate() {
            let first = self.acts().find(|act| **act == Act::RegisterSchema(at) || **act == Act::DeleteSchema(at));
            let registered = self.book.today().is_some_and(|today| today.schemas.contains(&stream.label));
            if registered || (!matches!(first, Some(Act::RegisterSchema(_))) && !missing(&stream.label)) {
                facts.push(Fact::Schema(at));
            }
        }
        for fact in facts {
            self.space.put(&mut self.state, fact);
        }
    }

    /// What lies in a topic today may be of every version that has a schema, and is unread unless a service's groups have read it all.
    fn records(&mut self, topic: TopicId) {
        let model = &self.space.model;
        let name = &model.topics[topic].name;
        let today = self.book.today().and_then(|today| today.topics.get(name));
        let Some(TopicToday::There { holds: true, groups, .. }) = today else { return };
        for stream in &model.topics[topic].streams {
            if !self.space.has(&self.state, Fact::Schema(*stream)) {
                continue;
            }
            self.space.put(&mut self.state, Fact::Lies(*stream));
            self.space.put(&mut self.state, Fact::Ever(*stream));
            for (reader, unread) in &model.streams[*stream].unread {
                let mut of_reader =
                    groups.iter().filter(|(group, _)| model.group(group) == Some(*reader)).map(|(_, read)| *read).peekable();
                if of_reader.peek().is_none() || of_reader.any(|read| !read) {
                    self.space.put(&mut self.state, Fact::Unread(*unread));
                }
            }
        }
    }

    fn column(&mut self, column: ColumnId) {
        let touches = |act: &&Act| match act {
            Act::AddColumn(of) | Act::RelaxColumn(of) | Act::RequireColumn(of) | Act::DropColumn(of) => *of == column,
            Act::Backfill { columns, .. } => columns.iter().any(|(of, _)| *of == column),
            _ => false,
        };
        // Why: a step that needs the column before another one adds it is a mistake in the order, not a column that is there today.
        let comes = self.acts().find(|act| matches!(act, Act::AddColumn(of) | Act::DropColumn(of) if *of == column));
        let name = &self.space.model.columns[column].name;
        let start = self.book.start.columns.get(name).copied().unwrap_or_else(|| match self.acts().find(touches) {
            _ if matches!(comes, Some(Act::AddColumn(_))) => ColumnStart::Absent,
            Some(Act::RelaxColumn(_)) => ColumnStart::Required,
            Some(Act::Backfill { columns, .. }) if columns.iter().any(|(of, meaning)| *of == column && meaning.is_none()) => {
                ColumnStart::Nullable
            }
            _ => ColumnStart::Filled,
        });
        let facts: &[Fact] = match start {
            ColumnStart::Absent => &[Fact::Absent(column)],
            ColumnStart::Nullable => &[Fact::Holds(column)],
            ColumnStart::Filled => &[Fact::Holds(column), Fact::Filled(column)],
            ColumnStart::Required => &[Fact::Holds(column), Fact::Filled(column), Fact::Required(column)],
        };
        for fact in facts {
            self.space.put(&mut self.state, *fact);
        }
    }

    /// A copy that is relied on today is taken for complete.
    fn copies(&mut self) {
        let model = &self.space.model;
        for (at, link) in model.links.iter().enumerate() {
            if !matches!(link.kind, LinkKind::State { .. }) {
                continue;
            }
            let relied = self.space.live(&self.state).any(|release| {
                let ways = model.releases[release].paths.iter().filter(|(of, _)| *of == at).flat_map(|(_, ways)| ways);
                ways.into_iter().any(|(path, when)| *path == Path::Copy && self.space.active(&self.state, *when))
            });
            if relied {
                self.assumed.push(format!("the copy behind link {} is complete at the start, for it is relied on already", link.name));
                self.space.put(&mut self.state, Fact::Snapshotted(at));
                self.space.put(&mut self.state, Fact::Complete(at));
            }
        }
    }

    fn acts(&self) -> impl Iterator<Item = &Act> {
        self.plan.acts()
    }
}
