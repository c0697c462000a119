//! One state: the facts that hold at an instant. A MAY fact says what could be so, a MUST fact what is proven; all are one set of bits,
//! and the instant inside a step is the set in which both what was and what will be are possible.

use fixedbitset::FixedBitSet;

use super::model::{ColumnId, LinkId, LinkKind, MeaningId, Model, Path, ReleaseId, ServiceId, StreamId, TopicId, VariantId, When, Writing};

/// The kinds of fact, each with what it is about and with the list of the model that says how many there are of it.
macro_rules! facts {
    ($($(#[$says:meta])* $kind:ident($id:ty) of $list:ident,)*) => {
        /// A fact.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) enum Fact {
            $($(#[$says])* $kind($id),)*
        }

        /// The kinds in the order in which their facts lie in the set.
        enum Kind {
            $($kind,)*
        }

        const KINDS: &[fn(usize) -> Fact] = &[$(Fact::$kind,)*];

        impl Fact {
            /// Its kind's number, and its own within the kind.
            fn parts(self) -> (usize, usize) {
                match self {
                    $(Self::$kind(at) => (Kind::$kind as usize, at),)*
                }
            }
        }

        /// How many facts there are of each kind.
        fn counts(model: &Model) -> [usize; KINDS.len()] {
            [$(model.$list.len(),)*]
        }
    };
}

facts! {
    /// MAY: an instance of the release may be live.
    Live(ReleaseId) of releases,
    /// MUST: some instance of the service is live.
    Up(ServiceId) of services,
    /// MAY: a request may see the variant.
    Variant(VariantId) of variants,
    /// MUST: the topic is there.
    Topic(TopicId) of topics,
    /// MAY: the topic was deleted.
    Gone(TopicId) of topics,
    /// MUST: the version has its schema.
    Schema(StreamId) of streams,
    /// MAY: the column is not there.
    Absent(ColumnId) of columns,
    /// MAY: the column must not be null.
    Required(ColumnId) of columns,
    /// MUST: the column is null in no row.
    Filled(ColumnId) of columns,
    /// MAY: some row has a value in the column.
    Holds(ColumnId) of columns,
    /// MAY: a release wrote the column, so that it may be the only place of something.
    Wrote(ColumnId) of columns,
    /// MAY: a row has the column in this meaning.
    Means(MeaningId) of meanings,
    /// MAY: (service, stream): may still be sent from a buffer, an outbox, an open transaction.
    Latent(usize) of latents,
    /// MAY: (service, stream): the service's group has not read all of it.
    Unread(usize) of unreads,
    /// MAY: a record of the version lies in its topic.
    Lies(StreamId) of streams,
    /// MAY: a record of the version has ever lain there.
    Ever(StreamId) of streams,
    /// MUST: every entity was published since the stream is fed.
    Snapshotted(LinkId) of links,
    /// MUST: the copy has every entity and every change.
    Complete(LinkId) of links,
    /// MUST: every key was written again in another version.
    Rewritten(StreamId) of streams,
    /// MUST: the playbook has said that the need has ended.
    Ended(LinkId) of links,
    /// MAY: effects of the link wait in their source for another way.
    Held(LinkId) of links,
}

/// Where the kinds of fact begin within the set.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    bases: [usize; KINDS.len()],
    size: usize,
}

impl Layout {
    pub(super) fn new(model: &Model) -> Self {
        let mut size = 0;
        let bases = counts(model).map(|count| {
            size += count;
            size - count
        });
        Self { bases, size }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn id(&self, fact: Fact) -> usize {
        let (kind, at) = fact.parts();
        self.bases[kind] + at
    }

    pub(super) fn fact(&self, id: usize) -> Fact {
        // Why the last one: a kind of which there are none begins where the next one does.
        let kind = self.bases.partition_point(|base| *base <= id).saturating_sub(1);
        KINDS[kind](id - self.bases[kind])
    }
}

/// A model and the places of its facts.
#[derive(Clone, Debug)]
pub(super) struct Space {
    pub(super) model: Model,
    pub(super) layout: Layout,
}

/// The facts that hold at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct State(pub(super) FixedBitSet);

impl Space {
    pub(super) fn new(model: Model) -> Self {
        let layout = Layout::new(&model);
        Self { model, layout }
    }

    pub(super) fn empty(&self) -> State {
        State(FixedBitSet::with_capacity(self.layout.size()))
    }

    pub(super) fn has(&self, state: &State, fact: Fact) -> bool {
        state.0.contains(self.layout.id(fact))
    }

    /// Whether it was not so before.
    pub(super) fn put(&self, state: &mut State, fact: Fact) -> bool {
        !state.0.put(self.layout.id(fact))
    }

    /// Whether it was so before.
    pub(super) fn take(&self, state: &mut State, fact: Fact) -> bool {
        let id = self.layout.id(fact);
        let was = state.0.contains(id);
        state.0.set(id, false);
        was
    }

    /// The releases that may be live.
    pub(super) fn live<'a>(&'a self, state: &'a State) -> impl Iterator<Item = ReleaseId> + 'a {
        // Why so: they are the first kind of fact.
        state.0.ones().take_while(|id| *id < self.model.releases.len())
    }

    /// The releases of a service that may be live.
    pub(super) fn live_of<'a>(&'a self, state: &'a State, service: ServiceId) -> impl Iterator<Item = ReleaseId> + 'a {
        self.model.services[service].releases.clone().filter(|release| self.has(state, Fact::Live(*release)))
    }

    /// Whether something that depends on a variant may be so.
    pub(super) fn active(&self, state: &State, when: When) -> bool {
        when.is_none_or(|variant| self.has(state, Fact::Variant(variant)))
    }

    /// Whether in every combination of variants at least one of the conditions holds.
    pub(super) fn covers(&self, state: &State, conditions: &(impl Iterator<Item = When> + Clone)) -> bool {
        if conditions.clone().any(|when| when.is_none()) {
            return true;
        }
        // Why: conditions on different flags cover every combination only if those on one flag do so alone.
        conditions.clone().flatten().any(|variant| {
            let (flag, _) = self.model.variants[variant];
            let mut seen = self.model.flags[flag].1.iter().filter(|variant| self.has(state, Fact::Variant(**variant)));
            seen.all(|variant| conditions.clone().any(|when| when == Some(*variant)))
        })
    }

    pub(super) fn produced(&self, state: &State, stream: StreamId) -> bool {
        let producers = &self.model.streams[stream].producers;
        producers.iter().any(|(release, when)| self.has(state, Fact::Live(*release)) && self.active(state, *when))
    }

    pub(super) fn latent(&self, state: &State, stream: StreamId) -> bool {
        self.model.streams[stream].latent.iter().any(|(_, at)| self.has(state, Fact::Latent(*at)))
    }

    pub(super) fn unread(&self, state: &State, service: ServiceId, stream: StreamId) -> bool {
        self.model.streams[stream].unread.iter().any(|(reader, at)| *reader == service && self.has(state, Fact::Unread(*at)))
    }

    /// Whether a release can hold the link's effects, and so lets go what is held.
    pub(super) fn holds(&self, release: ReleaseId, link: LinkId) -> bool {
        self.ways(release, link).any(|(path, _)| path == Path::Hold)
    }

    /// The ways of a release for a link.
    pub(super) fn ways(&self, release: ReleaseId, link: LinkId) -> impl Iterator<Item = (Path, When)> + '_ {
        self.model.releases[release].paths.iter().filter(move |(of, _)| *of == link).flat_map(|(_, ways)| ways).copied()
    }

    /// Whether a live release may hold effects of the link now.
    pub(super) fn holding(&self, state: &State, link: LinkId) -> bool {
        self.live(state).any(|release| self.ways(release, link).any(|(path, when)| path == Path::Hold && self.active(state, when)))
    }

    /// Whether the service's group may be handed the version.
    pub(super) fn arrives(&self, state: &State, service: ServiceId, stream: StreamId) -> bool {
        let compacted = self.model.topics[self.model.streams[stream].topic].compacted;
        self.unread(state, service, stream)
            || self.produced(state, stream)
            || self.latent(state, stream)
            || (compacted && self.has(state, Fact::Lies(stream)))
    }

    /// Whether every live release of the owner produces the stream of the link, in some version, whatever the variants.
    pub(super) fn fed(&self, state: &State, link: LinkId) -> bool {
        let info = &self.model.links[link];
        let (LinkKind::State { owner, .. }, Some(event)) = (&info.kind, info.event) else { return false };
        self.has(state, Fact::Up(*owner))
            && self.live_of(state, *owner).all(|release| {
                let productions = self.model.releases[release].produces.iter();
                let of_event = productions.filter(|production| self.model.streams[production.stream].event == event);
                self.covers(state, &of_event.map(|production| production.when))
            })
    }

    /// Whether some live release of the service handles some version of the event.
    pub(super) fn consumes(&self, state: &State, service: ServiceId, event: usize) -> bool {
        self.has(state, Fact::Up(service))
            && self
                .live_of(state, service)
                .any(|release| self.model.releases[release].handles.iter().any(|handler| self.model.streams[handler.stream].event == event))
    }

    /// Whether every live handler of the event keeps the copy: it writes the copy's table for every version that may arrive.
    pub(super) fn kept(&self, state: &State, link: LinkId, reader: ServiceId, event: usize) -> bool {
        let LinkKind::State { copy: Some(copy), .. } = self.model.links[link].kind else { return true };
        self.live_of(state, reader).all(|release| {
            let handlers = self.model.releases[release].handles.iter();
            let mut of_event = handlers.filter(|handler| self.model.streams[handler.stream].event == event);
            of_event
                .all(|handler| handler.writes.iter().any(|writing| writing.table == copy) || !self.arrives(state, reader, handler.stream))
        })
    }

    /// Whether rows that are written surely have a value in the column.
    pub(super) fn gives(&self, state: &State, writing: &Writing, column: ColumnId) -> bool {
        let listed = writing.columns.iter().filter(move |(listed, _, _)| *listed == column);
        self.covers(state, &listed.map(|(_, _, when)| *when))
    }

    /// Adds what live releases may do at any time, and drops what is proven no longer.
    pub(super) fn close(&self, state: &mut State) {
        let live: Vec<ReleaseId> = self.live(state).collect();
        for release in &live {
            for production in &self.model.releases[*release].produces {
                if self.active(state, production.when) {
                    self.put(state, Fact::Latent(production.latent));
                    self.take(state, Fact::Rewritten(production.stream));
                }
            }
            for (link, ways) in &self.model.releases[*release].paths {
                if ways.iter().any(|(path, when)| *path == Path::Hold && self.active(state, *when)) {
                    self.put(state, Fact::Held(*link));
                }
            }
        }
        for (at, (_, stream)) in self.model.latents.iter().enumerate() {
            if self.has(state, Fact::Latent(at)) && self.has(state, Fact::Topic(self.model.streams[*stream].topic)) {
                self.lie(state, *stream);
                self.take(state, Fact::Rewritten(*stream));
            }
        }
        for (link, info) in self.model.links.iter().enumerate() {
            let (LinkKind::State { reader, .. }, Some(event)) = (&info.kind, info.event) else { continue };
            let fed = self.has(state, Fact::Topic(self.model.events[event].topic)) && self.fed(state, link);
            if !fed {
                self.take(state, Fact::Snapshotted(link));
            }
            if !fed || reader.is_some_and(|reader| !self.consumes(state, reader, event) || !self.kept(state, link, reader, event)) {
                self.take(state, Fact::Complete(link));
            }
        }
        self.close_columns(state, &live);
    }

    /// A record of the version may lie in its topic, unread.
    pub(super) fn lie(&self, state: &mut State, stream: StreamId) {
        self.put(state, Fact::Lies(stream));
        self.put(state, Fact::Ever(stream));
        for (_, unread) in &self.model.streams[stream].unread {
            self.put(state, Fact::Unread(*unread));
        }
    }

    fn close_columns(&self, state: &mut State, live: &[ReleaseId]) {
        // Why: what an owner leaves empty arrives empty in a copy, which may itself be an owner.
        let mut changed = true;
        while changed {
            changed = false;
            for release in live {
                let info = &self.model.releases[*release];
                for writing in &info.writes {
                    changed |= self.written(state, writing, None);
                }
                for handler in &info.handles {
                    if !handler.writes.is_empty() && self.arrives(state, info.service, handler.stream) {
                        for writing in &handler.writes {
                            changed |= self.written(state, writing, Some(handler.stream));
                        }
                    }
                }
            }
        }
    }

    /// What rows that are written leave behind; from an event when a handler writes them.
    fn written(&self, state: &mut State, writing: &Writing, from: Option<StreamId>) -> bool {
        let mut changed = false;
        for column in &self.model.tables[writing.table].columns {
            let info = &self.model.columns[*column];
            let sure = self.gives(state, writing, *column) && from.is_none_or(|stream| self.carried(state, stream, &info.name));
            if info.tracked && !sure && !self.has(state, Fact::Required(*column)) {
                changed |= self.take(state, Fact::Filled(*column));
            }
        }
        for (column, meaning, when) in &writing.columns {
            if self.active(state, *when) {
                changed |= self.put(state, Fact::Wrote(*column)) | self.put(state, Fact::Holds(*column));
                if let Some(meaning) = meaning {
                    changed |= self.put(state, Fact::Means(*meaning));
                }
            }
        }
        changed
    }

    /// Whether an event surely carries a value for the column of that name.
    pub(super) fn carried(&self, state: &State, stream: StreamId, column: &str) -> bool {
        let Some(fields) = &self.model.streams[stream].fields else { return true };
        let name = column.rsplit('.').next().unwrap_or(column);
        fields.iter().any(|field| {
            field.name == name
                && field.column.is_none_or(|source| self.has(state, Fact::Filled(source)) || !self.model.columns[source].tracked)
        })
    }

    /// How needs are filled, effects caused and which versions are produced: what a way back must come back to.
    pub(super) fn paths(&self, state: &State) -> Vec<(usize, usize, Path)> {
        let mut paths = Vec::new();
        for release in self.live(state) {
            let info = &self.model.releases[release];
            for (link, ways) in &info.paths {
                paths.extend(ways.iter().filter(|(_, when)| self.active(state, *when)).map(|(path, _)| (info.service, *link, *path)));
            }
        }
        let offset = self.model.links.len();
        let produced = (0..self.model.streams.len()).filter(|stream| self.produced(state, *stream));
        paths.extend(produced.map(|stream| (usize::MAX, offset + stream, Path::Event)));
        paths.sort_unstable();
        paths.dedup();
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::TopicInfo;
    use super::*;

    #[test]
    fn every_fact_has_a_place_of_its_own() {
        let info = |name: &str| TopicInfo { name: name.to_owned(), compacted: false, old: false, streams: Vec::new() };
        let model = Model {
            topics: vec![info("a"), info("b")],
            variants: vec![(0, "on".to_owned())],
            latents: vec![(0, 0), (0, 1)],
            ..Model::default()
        };
        let layout = Layout::new(&model);
        let facts: Vec<Fact> = (0..layout.size()).map(|id| layout.fact(id)).collect();
        let (topics, gone) = ([Fact::Topic(0), Fact::Topic(1)], [Fact::Gone(0), Fact::Gone(1)]);
        assert_eq!(facts, [&[Fact::Variant(0)], &topics[..], &gone, &[Fact::Latent(0), Fact::Latent(1)]].concat());
        assert!(facts.iter().enumerate().all(|(id, fact)| layout.id(*fact) == id));
    }
}
