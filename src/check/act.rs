//! Moves with numbers in place of names. What they do to a state is told elsewhere.

use super::build::plain_table;
use super::model::{ColumnId, LinkId, LinkKind, MeaningId, Model, ReleaseId, ServiceId, StreamId, TableId, TopicId, VariantId};
use crate::step::{DrainGoal, Move};

/// A column, in a meaning when one is named.
pub(super) type Meant = (ColumnId, Option<MeaningId>);

/// A move with numbers in place of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Release {
        service: ServiceId,
        to: Vec<ReleaseId>,
    },
    Stop {
        service: ServiceId,
    },
    Flag {
        flag: usize,
        to: Vec<VariantId>,
    },
    FlagShare {
        flag: usize,
        to: VariantId,
    },
    /// `to` are the variants that may count when the flag is gone.
    RemoveFlag {
        flag: usize,
        to: Vec<VariantId>,
    },
    CreateTopic(TopicId),
    DeleteTopic(TopicId),
    RegisterSchema(StreamId),
    DeleteSchema(StreamId),
    Retire(Vec<StreamId>),
    Drain {
        streams: Vec<StreamId>,
        services: Option<Vec<ServiceId>>,
        absent: bool,
        whole: Option<TopicId>,
    },
    Snapshot {
        link: LinkId,
        stream: StreamId,
    },
    CatchUp(Vec<LinkId>),
    Send(Vec<StreamId>),
    AddColumn(ColumnId),
    RelaxColumn(ColumnId),
    Backfill {
        columns: Vec<Meant>,
        back: Vec<Meant>,
    },
    RequireColumn(ColumnId),
    DropColumn(ColumnId),
    DropTable(TableId),
    EndLink(LinkId),
}

/// Why a move has no act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoAct {
    /// It touches nothing that is declared; the words say what is so left unchecked.
    Unchecked(String),
    /// It names a release of a declared service that is not declared.
    Undeclared(String),
}

impl Act {
    /// The act of a move.
    pub(super) fn of(model: &Model, one: &Move) -> Result<Self, NoAct> {
        let unchecked = |what: String| NoAct::Unchecked(format!("{what} is not declared; `{one}` is not checked"));
        let service = |name: &String| model.service(name).ok_or_else(|| unchecked(format!("service {name}")));
        let variant = |name: &String, to: &String| {
            let flag = model.flag(name).ok_or_else(|| unchecked(format!("flag {name}")))?;
            Ok((flag, model.variant(flag, to).ok_or_else(|| unchecked(format!("variant {name}={to}")))?))
        };
        let topic = |name: &String| model.topic(name).ok_or_else(|| unchecked(format!("topic {name}")));
        let column = |name: &String| {
            let name = name.split('~').next().unwrap_or(name);
            let (table, column) = name.rsplit_once('.').unwrap_or(("", name));
            model.column(&format!("{}.{column}", plain_table(table))).ok_or_else(|| unchecked(format!("column {name}")))
        };
        let meant = |text: &String| {
            let found = column(text)?;
            Ok((found, text.split_once('~').and_then(|(_, meaning)| model.meaning(found, meaning))))
        };
        let labelled = |event: &String, on: Option<&str>| {
            let label = model.label(event, on).ok_or_else(|| unchecked(format!("event {event} of {}", on.unwrap_or("no topic"))))?;
            model.stream(&label).ok_or_else(|| unchecked(label))
        };
        Ok(match one {
            Move::Release { service: name, release } => {
                let service = service(name)?;
                let to = model.release(service, release).ok_or_else(|| NoAct::Undeclared(format!("{name} {release}")))?;
                Self::Release { service, to: vec![to] }
            }
            Move::Stop { service: name } => Self::Stop { service: service(name)? },
            Move::Flag { flag: name, to } => {
                let (flag, to) = variant(name, to)?;
                Self::Flag { flag, to: vec![to] }
            }
            Move::FlagShare { flag: name, to } => {
                let (flag, to) = variant(name, to)?;
                Self::FlagShare { flag, to }
            }
            Move::RemoveFlag { flag: name } => {
                let flag = model.flag(name).ok_or_else(|| unchecked(format!("flag {name}")))?;
                // Why all where none is declared: what is in the code of each release nobody has said.
                let to = model.defaults.get(&flag).map_or_else(|| model.flags[flag].1.clone(), |default| vec![*default]);
                Self::RemoveFlag { flag, to }
            }
            Move::CreateTopic { topic: name, .. } => Self::CreateTopic(topic(name)?),
            Move::DeleteTopic { topic: name } => Self::DeleteTopic(topic(name)?),
            Move::RegisterSchema { event, topic, .. } => Self::RegisterSchema(labelled(event, topic.as_deref())?),
            Move::DeleteSchema { event, topic } => Self::DeleteSchema(labelled(event, topic.as_deref())?),
            Move::Retire { event } => Self::Retire(streams(model, event).ok_or_else(|| unchecked(format!("event {event}")))?),
            Move::Drain { topic: name, event, groups, goal } => {
                let all = || topic(name).map(|topic| model.topics[topic].streams.clone());
                let streams = match event {
                    Some(event) => streams(model, event).ok_or_else(|| unchecked(format!("event {event}")))?,
                    None => all()?,
                };
                let services = (!groups.is_empty()).then(|| groups.iter().filter_map(|group| model.group(group)).collect());
                let whole = if event.is_none() { Some(topic(name)?) } else { None };
                Self::Drain { streams, services, absent: *goal == DrainGoal::Absent, whole }
            }
            Move::Snapshot { table, topic: on, event } => {
                let table = plain_table(table);
                let link = model.links.iter().position(|link| match link.kind {
                    LinkKind::State { table: of, .. } => model.tables[of].name == table,
                    LinkKind::Effect { .. } => false,
                });
                let link = link.ok_or_else(|| unchecked(format!("a link with the state {table}")))?;
                let only = || {
                    let event = &model.events[model.links[link].event?];
                    event.streams.last().map(|stream| model.streams[*stream].label.clone())
                };
                let label = event.clone().or_else(only).ok_or_else(|| unchecked(format!("the event of {table}")))?;
                Self::Snapshot { link, stream: labelled(&label, Some(on))? }
            }
            Move::CatchUp { group, topic: name } => {
                let on = topic(name)?;
                let reader = model.group(group).ok_or_else(|| unchecked(format!("the service of group {group}")))?;
                let fits = |link: &LinkId| match &model.links[*link].kind {
                    LinkKind::State { reader: of, .. } => {
                        of.is_none_or(|of| of == reader) && model.links[*link].event.is_some_and(|event| model.events[event].topic == on)
                    }
                    LinkKind::Effect { .. } => false,
                };
                Self::CatchUp((0..model.links.len()).filter(fits).collect())
            }
            Move::Send { topic: on, events } => {
                let known: Vec<_> = events.iter().filter_map(|event| labelled(event, Some(on)).ok()).collect();
                if known.is_empty() {
                    return Err(unchecked(format!("an event of {on}")));
                }
                Self::Send(known)
            }
            Move::AddColumn { column: name } => Self::AddColumn(column(name)?),
            Move::RelaxColumn { column: name } => Self::RelaxColumn(column(name)?),
            Move::Backfill { columns, back } => Self::Backfill {
                columns: columns.iter().map(meant).collect::<Result<_, _>>()?,
                back: back.iter().map(meant).collect::<Result<_, _>>()?,
            },
            Move::RequireColumn { column: name } => Self::RequireColumn(column(name)?),
            Move::DropColumn { column: name } => Self::DropColumn(column(name)?),
            Move::DropTable { table } => {
                Self::DropTable(model.table(&plain_table(table)).ok_or_else(|| unchecked(format!("table {table}")))?)
            }
            Move::EndLink { link } => Self::EndLink(model.link(link).ok_or_else(|| unchecked(format!("link {link}")))?),
        })
    }
}

/// The versions that a name stands for.
fn streams(model: &Model, event: &str) -> Option<Vec<StreamId>> {
    if event.contains('@') {
        return model.stream(event).map(|stream| vec![stream]);
    }
    model.event(event).map(|event| model.events[event].streams.clone())
}
