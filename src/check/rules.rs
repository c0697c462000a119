//! The rules that hold in every state: forward, inside a step, and on the way back. Each says what it finds and nothing of how it came
//! to be so.

use super::finding::{Finding, Rule, Subject};
use super::model::{LinkKind, Path, ReleaseId, Writing};
use super::state::{Fact, Space, State};
use crate::services::Order;

/// Receives what rules find; `false` ends the search.
pub(super) type Found<'a> = dyn FnMut(Finding) -> bool + 'a;

impl Space {
    /// Everything that is wrong in a state.
    pub(super) fn check(&self, state: &State, found: &mut Found<'_>) -> bool {
        self.live(state).all(|release| {
            self.paths_of(state, release, found)
                && self.handlers_of(state, release, found)
                && self.productions_of(state, release, found)
                && self.columns_of(state, release, found)
        }) && self.effects(state, found)
            && self.held(state, found)
            && self.destroyed(state, found)
    }

    /// (a) and (f), for what one release needs and sends.
    fn paths_of(&self, state: &State, release: ReleaseId, found: &mut Found<'_>) -> bool {
        let info = &self.model.releases[release];
        for (link, ways) in &info.paths {
            for (path, when) in ways {
                if self.active(state, *when) && !self.path(state, release, *link, *path, found) {
                    return false;
                }
            }
        }
        for link in &self.model.required[info.service] {
            if self.has(state, Fact::Ended(*link)) {
                continue;
            }
            let ways = info.paths.iter().filter(|(of, _)| of == link).flat_map(|(_, ways)| ways);
            if !self.covers(state, &ways.map(|(_, when)| *when)) && !found(Finding::new(Rule::Path, Subject::Link(*link)).release(release))
            {
                return false;
            }
        }
        true
    }

    fn path(&self, state: &State, release: ReleaseId, link: usize, path: Path, found: &mut Found<'_>) -> bool {
        let info = &self.model.links[link];
        let service = self.model.releases[release].service;
        match (path, &info.kind) {
            (Path::Call, LinkKind::State { owner: sink, .. } | LinkKind::Effect { to: sink, .. }) => {
                self.answered(state, release, link, *sink, found)
            }
            (Path::Copy, LinkKind::State { reader, .. }) => {
                let reader = reader.unwrap_or(service);
                let event = info.event.unwrap_or(usize::MAX);
                if !self.consumes(state, reader, event) {
                    return found(Finding::new(Rule::Path, Subject::Link(link)).release(release));
                }
                self.has(state, Fact::Complete(link))
                    || found(Finding::new(Rule::Complete, Subject::Link(link)).release(release).fact(Fact::Complete(link)))
            }
            _ => true,
        }
    }

    /// Every live release of the called service answers, and there is one.
    fn answered(&self, state: &State, caller: ReleaseId, link: usize, sink: usize, found: &mut Found<'_>) -> bool {
        let finding = || Finding::new(Rule::Path, Subject::Link(link)).release(caller);
        if !self.has(state, Fact::Up(sink)) {
            return found(finding().fact(Fact::Up(sink)));
        }
        let servers = &self.model.links[link].servers;
        self.live_of(state, sink).filter(|release| !servers.contains(release)).all(|release| found(finding().other(release)))
    }

    /// (b) for one member of a group, and the calls and writes of its handlers.
    fn handlers_of(&self, state: &State, release: ReleaseId, found: &mut Found<'_>) -> bool {
        let info = &self.model.releases[release];
        for topic in &info.member {
            if self.has(state, Fact::Gone(*topic))
                && !found(Finding::new(Rule::Used, Subject::Topic(*topic)).release(release).fact(Fact::Gone(*topic)))
            {
                return false;
            }
            for stream in &self.model.topics[*topic].streams {
                let wanted = self.model.streams[*stream].unread.iter().any(|(reader, _)| *reader == info.service);
                if !wanted || self.model.streams[*stream].handlers.contains(&release) || !self.arrives(state, info.service, *stream) {
                    continue;
                }
                let finding = Finding::new(Rule::Handled, Subject::Stream(info.service, *stream)).release(release);
                if !found(self.because_it_arrives(finding, state, info.service, *stream)) {
                    return false;
                }
            }
        }
        for handler in &info.handles {
            if !self.arrives(state, info.service, handler.stream) {
                continue;
            }
            if let Some(link) = handler.calls
                && let LinkKind::State { owner: sink, .. } | LinkKind::Effect { to: sink, .. } = &self.model.links[link].kind
                && !self.answered(state, release, link, *sink, found)
            {
                return false;
            }
            for writing in &handler.writes {
                let finding = |finding: Finding| self.because_it_arrives(finding, state, info.service, handler.stream);
                if !self.writing(state, release, writing, &finding, found) {
                    return false;
                }
            }
        }
        true
    }

    /// The facts by which a version may arrive.
    fn because_it_arrives(&self, finding: Finding, state: &State, service: usize, stream: usize) -> Finding {
        let info = &self.model.streams[stream];
        let producer = info.producers.iter().find(|(release, when)| self.has(state, Fact::Live(*release)) && self.active(state, *when));
        if let Some((producer, _)) = producer {
            return finding.other(*producer);
        }
        if let Some((_, latent)) = info.latent.iter().find(|(_, latent)| self.has(state, Fact::Latent(*latent))) {
            return finding.fact(Fact::Latent(*latent));
        }
        let unread = info.unread.iter().find(|(reader, unread)| *reader == service && self.has(state, Fact::Unread(*unread)));
        match unread {
            Some((_, unread)) => finding.fact(Fact::Unread(*unread)),
            None => finding.fact(Fact::Lies(stream)),
        }
    }

    /// (b2) and (d) for what one release produces.
    fn productions_of(&self, state: &State, release: ReleaseId, found: &mut Found<'_>) -> bool {
        let info = &self.model.releases[release];
        for production in info.produces.iter().filter(|production| self.active(state, production.when)) {
            let stream = &self.model.streams[production.stream];
            if !self.has(state, Fact::Topic(stream.topic)) {
                let finding = Finding::new(Rule::Used, Subject::Topic(stream.topic)).release(release);
                if !found(finding.fact(Fact::Topic(stream.topic))) {
                    return false;
                }
            }
            if !self.has(state, Fact::Schema(production.stream)) {
                let finding = Finding::new(Rule::Used, Subject::Schema(production.stream)).release(release);
                if !found(finding.fact(Fact::Schema(production.stream))) {
                    return false;
                }
            }
            if !self.valid(state, production.stream, Some(release), found) {
                return false;
            }
        }
        true
    }

    /// (b2): the required fields have values, in the meaning that the version promises. Who publishes converts only what it understands.
    pub(super) fn valid(&self, state: &State, stream: usize, release: Option<ReleaseId>, found: &mut Found<'_>) -> bool {
        for field in self.model.streams[stream].fields.iter().flatten() {
            let Some(column) = field.column else { continue };
            let finding = || {
                let finding = Finding::new(Rule::Valid, Subject::Field(stream, column));
                release.map_or(finding.clone(), |release| finding.release(release))
            };
            if !self.has(state, Fact::Filled(column)) && !found(finding().fact(Fact::Filled(column))) {
                return false;
            }
            let Some(wanted) = field.meaning else { continue };
            for meaning in &self.model.columns[column].meanings {
                let converts = release.is_some_and(|release| {
                    let reads = &self.model.releases[release].reads;
                    reads.iter().any(|reading| self.active(state, reading.when) && reading.accepts.contains(meaning))
                });
                let other = *meaning != wanted && !converts && self.has(state, Fact::Means(*meaning));
                if other && !found(finding().fact(Fact::Means(*meaning))) {
                    return false;
                }
            }
        }
        true
    }

    /// (c) for what one release reads and writes.
    fn columns_of(&self, state: &State, release: ReleaseId, found: &mut Found<'_>) -> bool {
        let info = &self.model.releases[release];
        for reading in info.reads.iter().filter(|reading| self.active(state, reading.when)) {
            if !self.there(state, release, reading.column, found) {
                return false;
            }
            if reading.accepts.is_empty() {
                continue;
            }
            for meaning in &self.model.columns[reading.column].meanings {
                let strange = !reading.accepts.contains(meaning) && self.has(state, Fact::Means(*meaning));
                let accepted_elsewhere = || {
                    info.reads.iter().any(|other| other.column == reading.column && other.when.is_none() && other.accepts.contains(meaning))
                };
                if strange && !accepted_elsewhere() {
                    let finding = Finding::new(Rule::Columns, Subject::Meaning(reading.column)).release(release);
                    if !found(finding.fact(Fact::Means(*meaning))) {
                        return false;
                    }
                }
            }
        }
        for (column, when) in &info.needs {
            if !self.active(state, *when) {
                continue;
            }
            if !self.there(state, release, *column, found) {
                return false;
            }
            let filled = self.has(state, Fact::Filled(*column)) || self.has(state, Fact::Absent(*column));
            let finding = || Finding::new(Rule::Columns, Subject::Filled(*column)).release(release).fact(Fact::Filled(*column));
            if !filled && !found(finding()) {
                return false;
            }
        }
        info.writes.iter().all(|writing| self.writing(state, release, writing, &|finding| finding, found))
    }

    fn there(&self, state: &State, release: ReleaseId, column: usize, found: &mut Found<'_>) -> bool {
        !self.has(state, Fact::Absent(column))
            || found(Finding::new(Rule::Columns, Subject::Column(column)).release(release).fact(Fact::Absent(column)))
    }

    /// Every written column is there, and every column that must not be null is given.
    fn writing(
        &self,
        state: &State,
        release: ReleaseId,
        writing: &Writing,
        because: &dyn Fn(Finding) -> Finding,
        found: &mut Found<'_>,
    ) -> bool {
        for (column, _, when) in &writing.columns {
            if self.active(state, *when) && self.has(state, Fact::Absent(*column)) {
                let finding = Finding::new(Rule::Columns, Subject::Column(*column)).release(release).fact(Fact::Absent(*column));
                if !found(because(finding)) {
                    return false;
                }
            }
        }
        for column in &self.model.tables[writing.table].columns {
            let info = &self.model.columns[*column];
            if info.tracked && self.has(state, Fact::Required(*column)) && !self.gives(state, writing, *column) {
                let finding = Finding::new(Rule::Columns, Subject::Given(*column)).release(release).fact(Fact::Required(*column));
                if !found(because(finding)) {
                    return false;
                }
            }
        }
        true
    }

    /// (b) for events that cause something, (e), over all links.
    fn effects(&self, state: &State, found: &mut Found<'_>) -> bool {
        for (link, info) in self.model.links.iter().enumerate() {
            let (LinkKind::Effect { from, to }, Some(event)) = (&info.kind, info.event) else { continue };
            let mut by_event = None;
            for stream in &self.model.events[event].streams {
                let pending = self.produced(state, *stream) || self.latent(state, *stream) || self.unread(state, *to, *stream);
                if !pending {
                    continue;
                }
                by_event = Some(*stream);
                let topic = self.model.streams[*stream].topic;
                let member = self.has(state, Fact::Up(*to))
                    && self.live_of(state, *to).any(|release| self.model.releases[release].member.contains(&topic));
                if !member {
                    let finding = Finding::new(Rule::Handled, Subject::Stream(*to, *stream));
                    if !found(self.because_it_arrives(finding, state, *to, *stream)) {
                        return false;
                    }
                }
            }
            let Some(stream) = by_event else { continue };
            if !info.key && !found(self.because_it_arrives(Finding::new(Rule::Once, Subject::Key(link)), state, *to, stream)) {
                return false;
            }
            let caller = self.live_of(state, *from).find(|release| {
                let ways = self.model.releases[*release].paths.iter().filter(|(of, _)| *of == link).flat_map(|(_, ways)| ways);
                ways.into_iter().any(|(path, when)| *path == Path::Call && self.active(state, *when))
            });
            if info.order == Some(Order::PerKey)
                && let Some(caller) = caller
            {
                let finding = Finding::new(Rule::Once, Subject::Order(link)).release(caller);
                if !found(self.because_it_arrives(finding, state, *to, stream)) {
                    return false;
                }
            }
        }
        true
    }

    /// (b) and (e) for effects that wait in their source: somebody lets them go, and nobody sends past them who does not know of them.
    fn held(&self, state: &State, found: &mut Found<'_>) -> bool {
        for (link, info) in self.model.links.iter().enumerate() {
            let LinkKind::Effect { from, .. } = info.kind else { continue };
            if !self.has(state, Fact::Held(link)) {
                continue;
            }
            if !self.live_of(state, from).any(|release| self.holds(release, link))
                && !found(Finding::new(Rule::Handled, Subject::Held(link)).fact(Fact::Held(link)))
            {
                return false;
            }
            let past = self.live_of(state, from).find(|release| {
                let mut ways = self.ways(*release, link);
                !self.holds(*release, link) && ways.any(|(path, when)| matches!(path, Path::Call | Path::Event) && self.active(state, when))
            });
            if info.order == Some(Order::PerKey)
                && let Some(past) = past
                && !found(Finding::new(Rule::Once, Subject::Order(link)).release(past).fact(Fact::Held(link)))
            {
                return false;
            }
        }
        true
    }

    /// (d) for topics and schemas that went.
    fn destroyed(&self, state: &State, found: &mut Found<'_>) -> bool {
        for (at, stream) in self.model.streams.iter().enumerate() {
            let latent = stream.latent.iter().find(|(_, latent)| self.has(state, Fact::Latent(*latent)));
            let gone = Fact::Gone(stream.topic);
            if self.has(state, gone) {
                let unread = stream.unread.iter().find(|(reader, unread)| {
                    let effect = self.model.link_of(at).is_some_and(|link| match self.model.links[link].kind {
                        LinkKind::Effect { to, .. } => to == *reader,
                        LinkKind::State { .. } => false,
                    });
                    effect && self.has(state, Fact::Unread(*unread))
                });
                let because = latent.map(|(_, at)| Fact::Latent(*at)).or(unread.map(|(_, at)| Fact::Unread(*at)));
                if let Some(because) = because
                    && !found(Finding::new(Rule::Used, Subject::Topic(stream.topic)).fact(because).fact(gone))
                {
                    return false;
                }
            }
            if !self.has(state, Fact::Schema(at)) {
                let unread = stream.unread.iter().find(|(_, unread)| self.has(state, Fact::Unread(*unread)));
                let lies = (self.model.topics[stream.topic].compacted && self.has(state, Fact::Lies(at))).then_some(Fact::Lies(at));
                let because = latent.map(|(_, at)| Fact::Latent(*at)).or(unread.map(|(_, at)| Fact::Unread(*at))).or(lies);
                if let Some(because) = because
                    && !found(Finding::new(Rule::Used, Subject::Schema(at)).fact(because).fact(Fact::Schema(at)))
                {
                    return false;
                }
            }
        }
        true
    }
}
