//! The declarations with numbers in place of names: what a state is over, and what every release may do. Nothing here changes while a
//! plan is walked.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::services::Order;

/// Number of a service.
pub(super) type ServiceId = usize;
/// Number of a release, over all services.
pub(super) type ReleaseId = usize;
/// Number of a variant, over all flags.
pub(super) type VariantId = usize;
/// Number of an event's version.
pub(super) type StreamId = usize;
/// Number of an event.
pub(super) type EventId = usize;
/// Number of a topic.
pub(super) type TopicId = usize;
/// Number of a table.
pub(super) type TableId = usize;
/// Number of a column, over all tables.
pub(super) type ColumnId = usize;
/// Number of a column's meaning, over all columns.
pub(super) type MeaningId = usize;
/// Number of a link.
pub(super) type LinkId = usize;

/// The variant under which something is so; always when there is none.
pub(super) type When = Option<VariantId>;

/// A service.
#[derive(Clone, Debug)]
pub(super) struct ServiceInfo {
    pub(super) name: String,
    pub(super) releases: Range<ReleaseId>,
}

/// How a need is filled or an effect caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Path {
    Call,
    Copy,
    Event,
    Hold,
    None,
}

/// What a release does.
#[derive(Clone, Debug, Default)]
pub(super) struct ReleaseInfo {
    pub(super) service: ServiceId,
    pub(super) name: String,
    /// How it fills its needs and causes its effects.
    pub(super) paths: Vec<(LinkId, Vec<(Path, When)>)>,
    /// What it produces.
    pub(super) produces: Vec<Production>,
    /// What it handles.
    pub(super) handles: Vec<Handler>,
    /// Topics on which it is a member of its service's group.
    pub(super) member: Vec<TopicId>,
    /// Columns that it reads, and the meanings that it understands; all when there are none.
    pub(super) reads: Vec<Reading>,
    /// Columns that must not be null.
    pub(super) needs: Vec<(ColumnId, When)>,
    /// Tables that it inserts into.
    pub(super) writes: Vec<Writing>,
    /// Flags on which something of it depends.
    pub(super) flags: Vec<usize>,
}

/// An event that a release produces.
#[derive(Clone, Debug)]
pub(super) struct Production {
    pub(super) stream: StreamId,
    pub(super) when: When,
    /// Number of (service, stream) among the latent facts.
    pub(super) latent: usize,
}

/// An event that a release handles.
#[derive(Clone, Debug)]
pub(super) struct Handler {
    pub(super) stream: StreamId,
    /// What it writes, by table.
    pub(super) writes: Vec<Writing>,
    /// The link that it calls to learn more.
    pub(super) calls: Option<LinkId>,
}

/// A column that is read.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) column: ColumnId,
    pub(super) accepts: Vec<MeaningId>,
    pub(super) when: When,
}

/// Rows that are inserted or changed.
#[derive(Clone, Debug)]
pub(super) struct Writing {
    pub(super) table: TableId,
    pub(super) columns: Vec<(ColumnId, Option<MeaningId>, When)>,
}

/// A version of an event.
#[derive(Clone, Debug)]
pub(super) struct StreamInfo {
    pub(super) event: EventId,
    pub(super) topic: TopicId,
    /// `Name@version`.
    pub(super) label: String,
    /// The required fields, when they are known.
    pub(super) fields: Option<Vec<Field>>,
    /// (service, number among the latent facts).
    pub(super) latent: Vec<(ServiceId, usize)>,
    /// (service, number among the unread facts), for every service that wants the event.
    pub(super) unread: Vec<(ServiceId, usize)>,
    /// (release, variant) that produce it.
    pub(super) producers: Vec<(ReleaseId, When)>,
    /// Releases that handle it.
    pub(super) handlers: Vec<ReleaseId>,
}

/// A required field.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    /// Where it comes from, when the event carries state.
    pub(super) column: Option<ColumnId>,
    pub(super) meaning: Option<MeaningId>,
}

/// An event.
#[derive(Clone, Debug)]
pub(super) struct EventInfo {
    pub(super) name: String,
    pub(super) topic: TopicId,
    pub(super) streams: Vec<StreamId>,
    pub(super) link: Option<LinkId>,
}

/// A topic.
#[derive(Clone, Debug)]
pub(super) struct TopicInfo {
    pub(super) name: String,
    pub(super) compacted: bool,
    /// Whether it is there before the first step, with whatever it has held.
    pub(super) old: bool,
    pub(super) streams: Vec<StreamId>,
}

/// A table.
#[derive(Clone, Debug)]
pub(super) struct TableInfo {
    pub(super) service: ServiceId,
    /// `service.table`.
    pub(super) name: String,
    pub(super) columns: Vec<ColumnId>,
}

/// A column.
#[derive(Clone, Debug)]
pub(super) struct ColumnInfo {
    pub(super) table: TableId,
    /// `service.table.column`.
    pub(super) name: String,
    pub(super) meanings: Vec<MeaningId>,
    /// Whether a release writes it or a step touches it.
    pub(super) tracked: bool,
}

/// What a link moves.
#[derive(Clone, Debug)]
pub(super) enum LinkKind {
    /// An entity's state.
    State {
        owner: ServiceId,
        table: TableId,
        /// The service that keeps a copy, and the copy's table.
        reader: Option<ServiceId>,
        copy: Option<TableId>,
    },
    /// Something that happens once.
    Effect { from: ServiceId, to: ServiceId },
}

/// A link.
#[derive(Clone, Debug)]
pub(super) struct LinkInfo {
    pub(super) name: String,
    pub(super) kind: LinkKind,
    pub(super) event: Option<EventId>,
    pub(super) seq: bool,
    pub(super) key: bool,
    pub(super) order: Option<Order>,
    /// Releases that answer its call.
    pub(super) servers: Vec<ReleaseId>,
}

/// The declarations with numbers in place of names.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) services: Vec<ServiceInfo>,
    pub(super) releases: Vec<ReleaseInfo>,
    pub(super) flags: Vec<(String, Vec<VariantId>)>,
    pub(super) variants: Vec<(usize, String)>,
    /// The variants in the code, by flag, where they are declared.
    pub(super) defaults: BTreeMap<usize, VariantId>,
    pub(super) events: Vec<EventInfo>,
    pub(super) streams: Vec<StreamInfo>,
    pub(super) topics: Vec<TopicInfo>,
    pub(super) tables: Vec<TableInfo>,
    pub(super) columns: Vec<ColumnInfo>,
    pub(super) meanings: Vec<(ColumnId, String)>,
    pub(super) links: Vec<LinkInfo>,
    /// (service, stream) behind each latent fact.
    pub(super) latents: Vec<(ServiceId, StreamId)>,
    /// (service, stream) behind each unread fact.
    pub(super) unreads: Vec<(ServiceId, StreamId)>,
    /// Links that each service has in any release of the plan, so that every release must have a path for them.
    pub(super) required: Vec<Vec<LinkId>>,
    /// What is taken for granted because nobody said.
    pub(super) assumed: Vec<String>,
}

impl Model {
    pub(super) fn service(&self, name: &str) -> Option<ServiceId> {
        self.services.iter().position(|service| service.name == name)
    }

    pub(super) fn release(&self, service: ServiceId, name: &str) -> Option<ReleaseId> {
        self.services.get(service)?.releases.clone().find(|release| self.releases[*release].name == name)
    }

    pub(super) fn flag(&self, name: &str) -> Option<usize> {
        self.flags.iter().position(|(flag, _)| flag == name)
    }

    pub(super) fn variant(&self, flag: usize, name: &str) -> Option<VariantId> {
        self.flags.get(flag)?.1.iter().copied().find(|variant| self.variants[*variant].1 == name)
    }

    pub(super) fn topic(&self, name: &str) -> Option<TopicId> {
        self.topics.iter().position(|topic| topic.name == name)
    }

    pub(super) fn stream(&self, label: &str) -> Option<StreamId> {
        self.streams.iter().position(|stream| stream.label == label)
    }

    pub(super) fn event(&self, name: &str) -> Option<EventId> {
        self.events.iter().position(|event| event.name == name)
    }

    pub(super) fn column(&self, name: &str) -> Option<ColumnId> {
        self.columns.iter().position(|column| column.name == name)
    }

    pub(super) fn table(&self, name: &str) -> Option<TableId> {
        self.tables.iter().position(|table| table.name == name)
    }

    pub(super) fn meaning(&self, column: ColumnId, name: &str) -> Option<MeaningId> {
        self.columns.get(column)?.meanings.iter().copied().find(|meaning| self.meanings[*meaning].1 == name)
    }

    pub(super) fn link(&self, name: &str) -> Option<LinkId> {
        self.links.iter().position(|link| link.name == name)
    }

    /// The link that an event's version serves.
    pub(super) fn link_of(&self, stream: StreamId) -> Option<LinkId> {
        self.events[self.streams[stream].event].link
    }

    /// `hiring 6.2`.
    pub(super) fn release_words(&self, release: ReleaseId) -> String {
        let info = &self.releases[release];
        format!("{} {}", self.services[info.service].name, info.name)
    }

    /// `ka=old`.
    pub(super) fn variant_words(&self, variant: VariantId) -> String {
        let (flag, name) = &self.variants[variant];
        format!("{}={name}", self.flags[*flag].0)
    }

    /// The service whose group it is: by its name, or by a name that begins with a service's.
    pub(super) fn group(&self, name: &str) -> Option<ServiceId> {
        let fits = |service: &&ServiceInfo| {
            name.strip_prefix(service.name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', '_', '/']))
        };
        let best = self.services.iter().filter(fits).max_by_key(|service| service.name.len())?;
        self.service(&best.name)
    }
}
