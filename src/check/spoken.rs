//! From acts back to moves, for people and for playbooks.

use super::Case;
use super::act::Act;
use super::model::{LinkKind, ServiceId, StreamId};
use crate::step::{DrainGoal, Move};

impl Case<'_> {
    /// An act as the move that it comes from.
    pub(super) fn spoken(&self, act: &Act) -> Option<Move> {
        let model = &self.space.model;
        let label = |stream: &StreamId| model.streams[*stream].label.clone();
        let all = |streams: &[StreamId]| match streams {
            [one] => Some(label(one)),
            _ => None,
        };
        let column = |column: &usize| model.columns[*column].name.clone();
        Some(match act {
            Act::Release { service, to } => {
                Move::Release { service: model.services[*service].name.clone(), release: model.releases[*to.first()?].name.clone() }
            }
            Act::Stop { service } => Move::Stop { service: model.services[*service].name.clone() },
            Act::DeleteTopic(topic) => Move::DeleteTopic { topic: model.topics[*topic].name.clone() },
            Act::DeleteSchema(stream) => {
                let topic = model.topics[model.streams[*stream].topic].name.clone();
                Move::DeleteSchema { event: label(stream), topic: Some(topic) }
            }
            Act::RequireColumn(of) => Move::RequireColumn { column: column(of) },
            Act::DropColumn(of) => Move::DropColumn { column: column(of) },
            Act::DropTable(table) => Move::DropTable { table: model.tables[*table].name.clone() },
            Act::EndLink(link) => Move::EndLink { link: model.links[*link].name.clone() },
            Act::Send(streams) => {
                let topic = model.topics[model.streams[*streams.first()?].topic].name.clone();
                Move::Send { topic, events: streams.iter().map(label).collect() }
            }
            Act::Flag { flag, to } => Move::Flag { flag: model.flags[*flag].0.clone(), to: model.variants[*to.first()?].1.clone() },
            Act::FlagShare { flag, to } => Move::FlagShare { flag: model.flags[*flag].0.clone(), to: model.variants[*to].1.clone() },
            Act::RemoveFlag { flag, .. } => Move::RemoveFlag { flag: model.flags[*flag].0.clone() },
            Act::CreateTopic(topic) => {
                let topic = &model.topics[*topic];
                Move::CreateTopic { topic: topic.name.clone(), compacted: Some(topic.compacted) }
            }
            Act::RegisterSchema(stream) => {
                let topic = model.topics[model.streams[*stream].topic].name.clone();
                Move::RegisterSchema { event: label(stream), topic: Some(topic), required: None }
            }
            Act::Retire(streams) => {
                let event = || model.events[model.streams[*streams.first()?].event].name.clone().into();
                Move::Retire { event: all(streams).or_else(event)? }
            }
            Act::Drain { streams, absent, .. } => {
                let topic = model.topics[model.streams[*streams.first()?].topic].name.clone();
                let goal = if *absent { DrainGoal::Absent } else { DrainGoal::Consumed };
                Move::Drain { topic, event: all(streams), groups: Vec::new(), goal }
            }
            Act::Snapshot { link, stream } => {
                let LinkKind::State { table, .. } = model.links[*link].kind else { return None };
                let topic = model.topics[model.streams[*stream].topic].name.clone();
                Move::Snapshot { table: model.tables[table].name.clone(), topic, event: Some(label(stream)) }
            }
            Act::CatchUp(links) => {
                let link = &model.links[*links.first()?];
                let LinkKind::State { reader: Some(reader), .. } = link.kind else { return None };
                let topic = model.topics[model.events[link.event?].topic].name.clone();
                Move::CatchUp { group: self.group(reader, &topic), topic }
            }
            Act::AddColumn(of) => Move::AddColumn { column: column(of) },
            Act::RelaxColumn(of) => Move::RelaxColumn { column: column(of) },
            Act::Backfill { columns, back } => {
                let meant = |(of, meaning): &(usize, Option<usize>)| match meaning {
                    Some(meaning) => format!("{}~{}", column(of), model.meanings[*meaning].1),
                    None => column(of),
                };
                Move::Backfill { columns: columns.iter().map(meant).collect(), back: back.iter().map(meant).collect() }
            }
        })
    }

    /// The group by which the service reads the topic, as a step names it with that topic, or without any; else the service's name.
    fn group(&self, service: ServiceId, topic: &str) -> String {
        let model = &self.space.model;
        let named = |on: Option<&str>| self.named_groups().find(|(group, of)| *of == on && model.group(group) == Some(service));
        let known = named(Some(topic)).or_else(|| named(None));
        known.map_or_else(|| model.services[service].name.clone(), |(group, _)| group.to_owned())
    }

    /// The groups that steps name, each with its topic where it says one.
    fn named_groups(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.book.steps.iter().flat_map(|step| {
            let moved = step.moves.iter().flat_map(|one| match one {
                Move::CatchUp { group, topic } => vec![(group.as_str(), Some(topic.as_str()))],
                Move::Drain { groups, topic, .. } => groups.iter().map(|group| (group.as_str(), Some(topic.as_str()))).collect(),
                _ => Vec::new(),
            });
            moved.chain(step.groups.iter().map(|named| (named.group.as_str(), named.topic.as_deref())))
        })
    }
}
