//! What an act does to a state: what may be so while it is under way, what is so when it is verified, and whether it can end at all. What
//! was picked up meanwhile stays.

use super::act::{Act, Meant};
use super::finding::{Finding, Rule, Subject};
use super::model::{ColumnId, LinkId, LinkKind, ReleaseId, ServiceId, StreamId, TopicId};
use super::rules::Found;
use super::state::{Fact, Space, State};

/// Why a fact stays although a step was meant to end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stays {
    /// Something live still produces it.
    Produced,
    /// It may still be on its way out of its producer.
    Latent,
    /// The goal was only that it be read; it still lies in the topic.
    OnlyConsumed,
    /// The copy's stream is not fed by every live release.
    NotFed,
    /// There was no snapshot before.
    NoSnapshot,
    /// Something live still writes without it.
    Written,
}

/// Receives the facts that a step was meant to end or to prove, and why it did not.
pub(super) type Notes<'a> = dyn FnMut(Fact, Stays) + 'a;

impl Space {
    /// What may be so while the act is under way.
    pub(super) fn inside(&self, act: &Act, state: &mut State) {
        match act {
            Act::Release { to, .. } => {
                for release in to {
                    self.put(state, Fact::Live(*release));
                }
            }
            Act::Stop { service } => {
                self.take(state, Fact::Up(*service));
            }
            Act::Flag { to, .. } | Act::RemoveFlag { to, .. } => {
                for variant in to {
                    self.put(state, Fact::Variant(*variant));
                }
            }
            Act::FlagShare { to, .. } => {
                self.put(state, Fact::Variant(*to));
            }
            Act::DeleteTopic(topic) => {
                self.take(state, Fact::Topic(*topic));
                // Why: who consumes a topic that held nothing is where it was before the topic came.
                let info = &self.model.topics[*topic];
                if info.old || info.streams.iter().any(|stream| self.has(state, Fact::Ever(*stream))) {
                    self.put(state, Fact::Gone(*topic));
                }
            }
            Act::DeleteSchema(stream) => {
                self.take(state, Fact::Schema(*stream));
            }
            Act::Snapshot { stream, .. } => self.publish(state, *stream),
            Act::Send(streams) => {
                for stream in streams {
                    self.publish(state, *stream);
                }
            }
            Act::Backfill { columns, .. } => {
                for (column, _) in columns {
                    self.put(state, Fact::Holds(*column));
                }
                for meaning in columns.iter().filter_map(|(_, meaning)| *meaning) {
                    self.put(state, Fact::Means(meaning));
                }
            }
            // Why: where the column is not there the step fails before it changes anything.
            Act::RequireColumn(column) if !self.has(state, Fact::Absent(*column)) => {
                self.put(state, Fact::Required(*column));
            }
            Act::DropColumn(column) => self.drop_column(state, *column),
            Act::DropTable(table) => {
                for column in &self.model.tables[*table].columns {
                    self.drop_column(state, *column);
                }
            }
            _ => {}
        }
    }

    /// A step's own records come to lie in a topic, where they can be sent at all: a record without a required field cannot.
    fn publish(&self, state: &mut State, stream: StreamId) {
        let info = &self.model.streams[stream];
        let may_have = |column: ColumnId| {
            let holds = self.has(state, Fact::Filled(column)) || self.has(state, Fact::Holds(column));
            holds && !self.has(state, Fact::Absent(column))
        };
        let complete = info.fields.iter().flatten().filter_map(|field| field.column).all(may_have);
        if complete && self.has(state, Fact::Topic(info.topic)) && self.has(state, Fact::Schema(stream)) {
            self.lie(state, stream);
        }
    }

    fn drop_column(&self, state: &mut State, column: ColumnId) {
        self.put(state, Fact::Absent(column));
        self.take(state, Fact::Filled(column));
        self.take(state, Fact::Holds(column));
    }

    /// What is so when the act is verified. `state` is the instant inside, closed.
    pub(super) fn leave(&self, act: &Act, state: &mut State, notes: &mut Notes<'_>) {
        match act {
            Act::Release { service, to } => {
                for release in self.model.services[*service].releases.clone().filter(|release| !to.contains(release)) {
                    self.take(state, Fact::Live(release));
                }
                self.put(state, Fact::Up(*service));
            }
            Act::Stop { service } => {
                for release in self.model.services[*service].releases.clone() {
                    self.take(state, Fact::Live(release));
                }
            }
            Act::Flag { flag, to } | Act::RemoveFlag { flag, to } => {
                for variant in self.model.flags[*flag].1.iter().filter(|variant| !to.contains(variant)) {
                    self.take(state, Fact::Variant(*variant));
                }
                self.let_go(state);
            }
            Act::CreateTopic(topic) => {
                self.put(state, Fact::Topic(*topic));
                self.take(state, Fact::Gone(*topic));
            }
            Act::DeleteTopic(topic) => {
                for stream in &self.model.topics[*topic].streams {
                    self.take(state, Fact::Lies(*stream));
                    for (_, unread) in &self.model.streams[*stream].unread {
                        self.take(state, Fact::Unread(*unread));
                    }
                }
            }
            Act::RegisterSchema(stream) => {
                self.put(state, Fact::Schema(*stream));
            }
            Act::Retire(streams) => {
                for stream in streams {
                    self.retire(state, *stream, notes);
                }
            }
            Act::Drain { streams, services, absent, .. } => {
                for stream in streams {
                    self.drain(state, *stream, services.as_deref(), *absent, notes);
                }
            }
            Act::Snapshot { link, stream } => self.snapshot(state, *link, *stream, notes),
            Act::CatchUp(links) => {
                for link in links {
                    if self.has(state, Fact::Snapshotted(*link)) {
                        self.put(state, Fact::Complete(*link));
                    } else {
                        notes(Fact::Complete(*link), if self.fed(state, *link) { Stays::NoSnapshot } else { Stays::NotFed });
                    }
                }
            }
            Act::AddColumn(column) => {
                self.take(state, Fact::Absent(*column));
                self.take(state, Fact::Required(*column));
            }
            Act::Backfill { columns, .. } => self.backfill(state, columns, notes),
            Act::RelaxColumn(column) | Act::DropColumn(column) => {
                self.take(state, Fact::Required(*column));
            }
            Act::DropTable(table) => {
                for column in &self.model.tables[*table].columns {
                    self.take(state, Fact::Required(*column));
                }
            }
            Act::EndLink(link) => {
                self.put(state, Fact::Ended(*link));
            }
            Act::RequireColumn(column) => {
                self.put(state, Fact::Filled(*column));
            }
            // Why nothing for a share: the variants from before are served on.
            Act::FlagShare { .. } | Act::DeleteSchema(_) | Act::Send(_) => {}
        }
    }

    /// Why only where a flag is verified: who can hold says that it has left `hold` only when nothing is held any more.
    fn let_go(&self, state: &mut State) {
        for link in 0..self.model.links.len() {
            if !self.holding(state, link) && self.live(state).any(|release| self.holds(release, link)) {
                self.take(state, Fact::Held(link));
            }
        }
    }

    fn retire(&self, state: &mut State, stream: StreamId, notes: &mut Notes<'_>) {
        for (_, latent) in &self.model.streams[stream].latent {
            if self.produced(state, stream) {
                notes(Fact::Latent(*latent), Stays::Produced);
            } else {
                self.take(state, Fact::Latent(*latent));
            }
        }
    }

    fn drain(&self, state: &mut State, stream: StreamId, services: Option<&[ServiceId]>, absent: bool, notes: &mut Notes<'_>) {
        let info = &self.model.streams[stream];
        let stays = match () {
            () if self.produced(state, stream) => Some(Stays::Produced),
            () if self.latent(state, stream) => Some(Stays::Latent),
            () => None,
        };
        let mut all_read = true;
        for (reader, unread) in &info.unread {
            if services.is_some_and(|services| !services.contains(reader)) {
                all_read &= !self.has(state, Fact::Unread(*unread));
                continue;
            }
            match stays {
                Some(stays) => notes(Fact::Unread(*unread), stays),
                None => {
                    self.take(state, Fact::Unread(*unread));
                }
            }
        }
        if let Some(stays) = stays {
            notes(Fact::Lies(stream), stays);
        } else if !absent {
            notes(Fact::Lies(stream), Stays::OnlyConsumed);
        } else if all_read {
            self.take(state, Fact::Lies(stream));
        }
    }

    fn snapshot(&self, state: &mut State, link: LinkId, stream: StreamId, notes: &mut Notes<'_>) {
        if self.fed(state, link) {
            self.put(state, Fact::Snapshotted(link));
        } else {
            notes(Fact::Complete(link), Stays::NotFed);
        }
        self.take(state, Fact::Rewritten(stream));
        for other in &self.model.events[self.model.streams[stream].event].streams {
            if *other == stream {
                continue;
            }
            if self.produced(state, *other) {
                notes(Fact::Lies(*other), Stays::Produced);
            } else if self.latent(state, *other) {
                notes(Fact::Lies(*other), Stays::Latent);
            } else {
                self.put(state, Fact::Rewritten(*other));
            }
        }
    }

    fn backfill(&self, state: &mut State, columns: &[Meant], notes: &mut Notes<'_>) {
        for (column, meaning) in columns {
            if !self.has(state, Fact::Absent(*column)) {
                self.put(state, Fact::Filled(*column));
            }
            if let Some(meaning) = meaning {
                for other in self.model.columns[*column].meanings.iter().filter(|other| *other != meaning) {
                    self.take(state, Fact::Means(*other));
                }
            }
        }
        // Why: closing drops again whatever somebody live writes otherwise; asked here, so that the reason can be told.
        let mut closed = state.clone();
        self.close(&mut closed);
        for (column, meaning) in columns {
            if !self.has(&closed, Fact::Filled(*column)) {
                notes(Fact::Filled(*column), Stays::Written);
            }
            for other in self.model.columns[*column].meanings.iter().filter(|other| Some(**other) != *meaning) {
                if self.has(&closed, Fact::Means(*other)) {
                    notes(Fact::Means(*other), Stays::Written);
                }
            }
        }
    }

    /// (h), and what a step would fail on by itself. `state` is the instant inside.
    pub(super) fn can_end(&self, act: &Act, state: &State, found: &mut Found<'_>) -> bool {
        match act {
            Act::Retire(streams) => streams.iter().all(|stream| {
                let producers = &self.model.streams[*stream].producers;
                let producer = producers.iter().find(|(release, when)| self.has(state, Fact::Live(*release)) && self.active(state, *when));
                producer.is_none_or(|(release, _)| found(Finding::new(Rule::Ends, Subject::Retire(*stream)).release(*release)))
            }),
            Act::Drain { streams, services, absent, whole } => {
                whole.is_none_or(|topic| self.groups_read(state, topic, services.as_deref().unwrap_or_default(), found))
                    && streams.iter().all(|stream| self.drain_ends(state, *stream, services.as_deref(), *absent, found))
            }
            Act::Snapshot { link, stream } => self.snapshot_works(state, *link, *stream, found),
            Act::CatchUp(links) => links.iter().all(|link| {
                let LinkKind::State { reader: Some(reader), .. } = self.model.links[*link].kind else { return true };
                // Why: a group has read the end of a topic in which nothing ever lay.
                let ends = |event: usize| {
                    let ever = |stream: &StreamId| self.has(state, Fact::Ever(*stream));
                    self.consumes(state, reader, event) || !self.model.topics[self.model.events[event].topic].streams.iter().any(ever)
                };
                self.model.links[*link].event.is_none_or(ends)
                    || found(Finding::new(Rule::Ends, Subject::CatchUp(*link)).fact(Fact::Up(reader)))
            }),
            Act::Send(streams) => streams.iter().all(|stream| {
                let topic = self.model.streams[*stream].topic;
                self.has(state, Fact::Topic(topic)) || found(Finding::new(Rule::Used, Subject::Topic(topic)).fact(Fact::Topic(topic)))
            }),
            Act::Backfill { columns, .. } => columns.iter().all(|(column, _)| self.ready(state, *column, found)),
            Act::RequireColumn(column) => {
                // Why: where something live inserts without it, rule (c) says so of the writer, and this would say it twice.
                self.ready(state, *column, found)
                    && (self.has(state, Fact::Filled(*column))
                        || !self.given(state, *column)
                        || found(Finding::new(Rule::Columns, Subject::Filled(*column)).fact(Fact::Filled(*column))))
            }
            Act::RelaxColumn(column) => self.ready(state, *column, found),
            Act::RemoveFlag { flag, .. } => {
                let reads = |release: &usize| self.model.releases[*release].flags.contains(flag);
                self.live(state).filter(reads).all(|release| found(Finding::new(Rule::Used, Subject::Flag(*flag)).release(release)))
            }
            _ => true,
        }
    }

    fn ready(&self, state: &State, column: ColumnId, found: &mut Found<'_>) -> bool {
        !self.has(state, Fact::Absent(column)) || found(Finding::new(Rule::Columns, Subject::Column(column)).fact(Fact::Absent(column)))
    }

    /// Whether whatever may insert rows gives the column.
    fn given(&self, state: &State, column: ColumnId) -> bool {
        let table = self.model.columns[column].table;
        self.live(state).all(|release| {
            let info = &self.model.releases[release];
            let arriving = info.handles.iter().filter(|handler| self.arrives(state, info.service, handler.stream));
            let mut writes = info.writes.iter().chain(arriving.flat_map(|handler| &handler.writes));
            writes.all(|writing| writing.table != table || self.gives(state, writing, column))
        })
    }

    /// Whether each group is there to read whatever lies in the topic, also what its service does not handle.
    fn groups_read(&self, state: &State, topic: TopicId, services: &[ServiceId], found: &mut Found<'_>) -> bool {
        let streams = &self.model.topics[topic].streams;
        let Some(something) = streams.iter().find(|stream| self.has(state, Fact::Ever(**stream))) else { return true };
        services.iter().all(|service| {
            let reads = self.has(state, Fact::Up(*service))
                && self.live_of(state, *service).any(|release| self.model.releases[release].member.contains(&topic));
            reads || found(Finding::new(Rule::Ends, Subject::Drain(*service, *something)).fact(Fact::Up(*service)))
        })
    }

    fn drain_ends(&self, state: &State, stream: StreamId, services: Option<&[ServiceId]>, absent: bool, found: &mut Found<'_>) -> bool {
        let info = &self.model.streams[stream];
        for (reader, unread) in &info.unread {
            let waited = services.is_none_or(|services| services.contains(reader));
            // Why not who handles it: a member that has no handler reads past it all the same, which rule (b) tells of.
            let member = |release: ReleaseId| self.model.releases[release].member.contains(&info.topic);
            let read = || self.has(state, Fact::Up(*reader)) && self.live_of(state, *reader).any(member);
            if waited && self.has(state, Fact::Unread(*unread)) && !read() {
                let finding = Finding::new(Rule::Ends, Subject::Drain(*reader, stream)).fact(Fact::Unread(*unread));
                if !found(finding) {
                    return false;
                }
            }
        }
        if !absent {
            return true;
        }
        let producer = info.producers.iter().find(|(release, when)| self.has(state, Fact::Live(*release)) && self.active(state, *when));
        if let Some((release, _)) = producer {
            return found(Finding::new(Rule::Ends, Subject::Quiet(stream)).release(*release));
        }
        let quiet =
            self.model.topics[info.topic].compacted && self.has(state, Fact::Lies(stream)) && !self.has(state, Fact::Rewritten(stream));
        !quiet || found(Finding::new(Rule::Ends, Subject::Quiet(stream)).fact(Fact::Lies(stream)).fact(Fact::Rewritten(stream)))
    }

    fn snapshot_works(&self, state: &State, link: LinkId, stream: StreamId, found: &mut Found<'_>) -> bool {
        let topic = self.model.streams[stream].topic;
        if !self.has(state, Fact::Topic(topic)) && !found(Finding::new(Rule::Used, Subject::Topic(topic)).fact(Fact::Topic(topic))) {
            return false;
        }
        if !self.has(state, Fact::Schema(stream)) && !found(Finding::new(Rule::Used, Subject::Schema(stream)).fact(Fact::Schema(stream))) {
            return false;
        }
        if !self.model.links[link].seq && !found(Finding::new(Rule::Once, Subject::Seq(link))) {
            return false;
        }
        self.valid(state, stream, None, found)
    }
}
