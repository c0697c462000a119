//! From declarations, and what a plan names beside them, to the model.

mod numbers;

use std::collections::BTreeSet;

use super::book::Book;
use super::model::{
    EventInfo, Field, Handler, LinkInfo, LinkKind, Model, Path, Production, Reading, ReleaseInfo, ServiceInfo, StreamId, StreamInfo,
    TopicInfo, When, Writing,
};
use crate::services::{Handling, Services, Way, WrittenRelease};
use crate::step::{Move, TopicToday};

use self::numbers::Names;
pub(super) use self::numbers::plain_table;

/// Puts numbers in place of names.
pub(super) fn build(services: &Services, book: &Book) -> Model {
    let planned = planned(services, book);
    let mut build = Build { services, planned, model: Model::default(), tables: Names::default(), columns: Names::default() };
    build.topics(book);
    build.links_and_events();
    build.releases();
    build.named_by_moves(book);
    build.flags();
    build.fields(book);
    build.wanted();
    build.tracked(book);
    build.model
}

/// The releases that run at some time: those of the start, and those that a step brings.
fn planned(services: &Services, book: &Book) -> BTreeSet<(String, String)> {
    let start = services.services.iter().flat_map(|(name, service)| {
        let today = book.today().and_then(|today| today.releases.get(name)).into_iter().flatten();
        let said = book.start.releases.get(name).or_else(|| service.releases.first().map(|release| &release.name));
        let mut live: Vec<&String> = today.collect();
        live.extend(said.filter(|_| live.is_empty()));
        live.into_iter().map(|release| (name.clone(), release.clone())).collect::<Vec<_>>()
    });
    let brought = book.steps.iter().flat_map(|step| &step.moves).filter_map(|one| match one {
        Move::Release { service, release } => Some((service.clone(), release.clone())),
        _ => None,
    });
    start.chain(brought).collect()
}

struct Build<'a> {
    services: &'a Services,
    planned: BTreeSet<(String, String)>,
    model: Model,
    tables: Names,
    columns: Names,
}

impl Build<'_> {
    fn topics(&mut self, book: &Book) {
        for event in self.services.events.values() {
            if self.model.topic(&event.topic).is_none() {
                self.model.topics.push(TopicInfo { name: event.topic.clone(), compacted: false, old: false, streams: Vec::new() });
            }
        }
        for step in &book.steps {
            for one in &step.moves {
                if let Move::CreateTopic { topic, .. } = one
                    && self.model.topic(topic).is_none()
                {
                    self.model.topics.push(TopicInfo { name: topic.clone(), compacted: false, old: false, streams: Vec::new() });
                }
            }
        }
        for at in 0..self.model.topics.len() {
            let name = self.model.topics[at].name.clone();
            let created = book.steps.iter().flat_map(|step| &step.moves).find_map(|one| match one {
                Move::CreateTopic { topic, compacted } if *topic == name => *compacted,
                _ => None,
            });
            let declared = self.services.events.values().filter(|event| event.topic == name).find_map(|event| event.compacted);
            let carries_state = self.services.links.values().any(|link| {
                let event = link.event.as_ref().and_then(|event| self.services.events.get(event));
                link.state.is_some() && event.is_some_and(|event| event.topic == name)
            });
            let today = book.today().and_then(|today| today.topics.get(&name)).and_then(|topic| match topic {
                TopicToday::There { compacted, .. } => Some(*compacted),
                TopicToday::Missing => None,
            });
            let known = created.or(today).or(declared);
            if known.is_none() && carries_state {
                self.model
                    .assumed
                    .push(format!("{name} carries state and is taken for compacted; `compacted: false` at its event says otherwise"));
            }
            self.model.topics[at].compacted = known.unwrap_or(carries_state);
        }
    }

    fn links_and_events(&mut self) {
        for (name, service) in &self.services.services {
            let first = self.model.releases.len();
            let releases = first..first + service.releases.len();
            let at = self.model.services.len();
            self.model.services.push(ServiceInfo { name: name.clone(), releases });
            let named =
                service.releases.iter().map(|release| ReleaseInfo { service: at, name: release.name.clone(), ..ReleaseInfo::default() });
            self.model.releases.extend(named);
        }
        for (name, event) in &self.services.events {
            let topic = self.model.topic(&event.topic).unwrap_or_default();
            self.model.events.push(EventInfo { name: name.clone(), topic, streams: Vec::new(), link: None });
        }
        for (name, link) in &self.services.links {
            let service = |of: &Option<String>| of.as_ref().and_then(|name| self.model.service(name.split('.').next().unwrap_or(name)));
            let kind = if link.effect || link.state.is_none() {
                let (Some(from), Some(to)) = (service(&link.from), service(&link.to)) else {
                    self.model.assumed.push(format!("link {name} does not say `from` and `to`, or `state`; it is not checked"));
                    continue;
                };
                LinkKind::Effect { from, to }
            } else {
                let reader = service(&link.copy);
                let Some(owner) = service(&link.state) else { continue };
                let copy = link.copy.as_deref().map(|copy| self.table(copy));
                LinkKind::State { owner, table: self.table(link.state.as_deref().unwrap_or_default()), reader, copy }
            };
            let event = link.event.as_ref().and_then(|event| self.model.event(event));
            let at = self.model.links.len();
            if let Some(event) = event {
                self.model.events[event].link = Some(at);
            }
            let (seq, key) = (link.seq.is_some(), !link.key.is_empty());
            self.model.links.push(LinkInfo { name: name.clone(), kind, event, seq, key, order: link.order, servers: Vec::new() });
        }
        for event in &self.model.events {
            if event.link.is_none() {
                self.model.assumed.push(format!("event {} is in no link; whether its need is filled is not checked", event.name));
            }
        }
    }

    fn releases(&mut self) {
        let mut at = 0;
        for (name, service) in &self.services.services {
            for release in &service.releases {
                self.release(at, name, &release.body);
                at += 1;
            }
        }
        self.model.required = vec![Vec::new(); self.model.services.len()];
        // Why: a link says itself who needs it, also when every release forgets to.
        for (link, info) in self.model.links.iter().enumerate() {
            let needs = match info.kind {
                LinkKind::State { reader, .. } => reader,
                LinkKind::Effect { from, .. } => Some(from),
            };
            if let Some(needs) = needs {
                self.model.required[needs].push(link);
            }
        }
        for at in 0..self.model.services.len() {
            for release in self.model.planned(at, &self.planned) {
                for (link, ways) in &self.model.releases[release].paths {
                    if !self.model.required[at].contains(link) && ways.iter().any(|(path, _)| *path != Path::None) {
                        self.model.required[at].push(*link);
                    }
                }
            }
        }
    }

    fn release(&mut self, at: usize, service: &str, body: &WrittenRelease) {
        let mut info = self.model.releases[at].clone();
        let own = info.service;
        let served: Vec<_> = body.serves.iter().flatten().filter_map(|link| self.model.link(link)).collect();
        for link in served {
            self.model.links[link].servers.push(at);
        }
        for produced in body.produces.iter().flatten() {
            let when = self.when(produced.when.as_ref());
            if let Some(stream) = self.stream(&produced.event.to_string()) {
                self.produce(&mut info, at, stream, when);
            }
        }
        for (uses, sends) in [(&body.uses, false), (&body.sends, true)] {
            for (link, ways) in uses.iter().flatten() {
                let Some(link) = self.model.link(link) else { continue };
                let ways: Vec<_> = ways.0.iter().map(|one| (path(one.by), self.when(one.when.as_ref()))).collect();
                if sends {
                    self.implied(&mut info, at, link, &ways);
                }
                info.paths.push((link, ways));
            }
        }
        for (event, handling) in body.handles.iter().flatten() {
            self.handle(&mut info, at, service, event, handling.as_ref());
        }
        for read in body.reads.iter().flatten() {
            let (column, meaning, when) = self.column_use(service, read);
            match info.reads.iter_mut().find(|reading| reading.column == column && reading.when == when) {
                Some(reading) => reading.accepts.extend(meaning),
                None => info.reads.push(Reading { column, accepts: meaning.into_iter().collect(), when }),
            }
        }
        for needed in body.needs.iter().flatten() {
            let (column, _, when) = self.column_use(service, needed);
            info.needs.push((column, when));
        }
        for (table, columns) in body.writes.iter().flatten() {
            let number = self.table(&format!("{service}.{table}"));
            let columns = columns.iter().map(|column| {
                let (number, meaning) = self.column(&format!("{service}.{table}.{}", column.column));
                (number, meaning, self.when(column.when.as_ref()))
            });
            let columns = columns.collect();
            info.writes.push(Writing { table: number, columns });
        }
        info.service = own;
        self.model.releases[at] = info;
    }

    fn handle(&mut self, info: &mut ReleaseInfo, at: usize, service: &str, event: &str, handling: Option<&Handling>) {
        let Some(stream) = self.stream(event) else { return };
        let topic = self.model.streams[stream].topic;
        if !info.member.contains(&topic) {
            info.member.push(topic);
        }
        let mut writes: Vec<Writing> = Vec::new();
        for written in handling.into_iter().flat_map(|handling| &handling.writes) {
            let (column, meaning) = self.column(&format!("{service}.{written}"));
            let table = self.model.columns[column].table;
            match writes.iter_mut().find(|writing| writing.table == table) {
                Some(writing) => writing.columns.push((column, meaning, None)),
                None => writes.push(Writing { table, columns: vec![(column, meaning, None)] }),
            }
        }
        let calls = handling.and_then(|handling| handling.calls.as_ref()).and_then(|link| self.model.link(link));
        self.model.streams[stream].handlers.push(at);
        info.handles.push(Handler { stream, writes, calls });
    }

    /// Who sends an effect by event produces that event, whether or not it says so a second time.
    fn implied(&mut self, info: &mut ReleaseInfo, at: usize, link: usize, ways: &[(Path, When)]) {
        let Some(event) = self.model.links[link].event else { return };
        let said: Vec<When> = info
            .produces
            .iter()
            .filter(|production| self.model.streams[production.stream].event == event)
            .map(|production| production.when)
            .collect();
        // Why two: versions that a flag chooses between stand for all of its variants; one that is produced under one variant only leaves
        // the others without.
        let covered = |when: &When| said.len() > 1 || said.iter().any(|one| one.is_none() || one == when);
        let label = format!("{}@0", self.model.events[event].name);
        for (_, when) in ways.iter().filter(|(path, when)| *path == Path::Event && !covered(when)) {
            if let Some(stream) = self.stream(&label) {
                self.produce(info, at, stream, *when);
            }
        }
    }

    fn produce(&mut self, info: &mut ReleaseInfo, at: usize, stream: StreamId, when: When) {
        let service = info.service;
        let known = self.model.streams[stream].latent.iter().find(|(producer, _)| *producer == service).map(|(_, latent)| *latent);
        let latent = known.unwrap_or_else(|| {
            self.model.latents.push((service, stream));
            self.model.streams[stream].latent.push((service, self.model.latents.len() - 1));
            self.model.latents.len() - 1
        });
        self.model.streams[stream].producers.push((at, when));
        info.produces.push(Production { stream, when, latent });
    }

    fn named_by_moves(&mut self, book: &Book) {
        for one in book.steps.iter().flat_map(|step| &step.moves) {
            match one {
                Move::Flag { flag, to } | Move::FlagShare { flag, to } if self.model.flag(flag).is_some() => {
                    self.variant(flag, to);
                }
                Move::AddColumn { column }
                | Move::RelaxColumn { column }
                | Move::RequireColumn { column }
                | Move::DropColumn { column } => {
                    self.column(column);
                }
                Move::Backfill { columns, back } => {
                    for column in columns.iter().chain(back) {
                        self.column(column);
                    }
                }
                Move::DropTable { table } => {
                    self.table(table);
                }
                Move::RegisterSchema { event, topic, .. } | Move::DeleteSchema { event, topic } => {
                    if let Some(label) = self.model.label(event, topic.as_deref()) {
                        self.stream(&label);
                    }
                }
                Move::Snapshot { event: Some(event), .. } => {
                    self.stream(event);
                }
                Move::Send { events, .. } => {
                    for event in events {
                        self.stream(event);
                    }
                }
                _ => {}
            }
        }
        for label in &book.start.lies {
            self.stream(label);
        }
        for (flag, variant) in self.services.defaults.iter().chain(&book.start.flags) {
            if self.model.flag(flag).is_some() {
                self.variant(flag, variant);
            }
        }
    }

    /// Who depends on which flag, and the variants in the code.
    fn flags(&mut self) {
        for (name, default) in &self.services.defaults {
            let variant = self.model.flag(name).and_then(|flag| Some((flag, self.model.variant(flag, default)?)));
            self.model.defaults.extend(variant);
        }
        for at in 0..self.model.releases.len() {
            let ReleaseInfo { service, name, .. } = &self.model.releases[at];
            let flags = self.services.flags_of(&self.model.services[*service].name, name);
            self.model.releases[at].flags = flags.into_iter().filter_map(|flag| self.model.flag(flag)).collect();
        }
    }

    fn fields(&mut self, book: &Book) {
        for at in 0..self.model.streams.len() {
            let StreamInfo { event, label, .. } = self.model.streams[at].clone();
            let name = self.model.events[event].name.clone();
            let Some(declared) = self.services.events.get(&name) else { continue };
            let version = label.rsplit('@').next().unwrap_or_default();
            let registered = book.steps.iter().flat_map(|step| &step.moves).find_map(|one| match one {
                Move::RegisterSchema { event, topic, required: Some(required) }
                    if self.model.label(event, topic.as_deref()).as_deref() == Some(label.as_str()) =>
                {
                    Some(required.clone())
                }
                _ => None,
            });
            // Why: what a field means stands in no schema, so a declaration wins over the schema's own list.
            let Some(fields) = declared.fields.get(version).cloned().or(registered) else { continue };
            let table = self.model.events[event].link.and_then(|link| match self.model.links[link].kind {
                LinkKind::State { table, .. } => Some(table),
                LinkKind::Effect { .. } => None,
            });
            let mut known = Vec::new();
            for field in &fields {
                let (field, meaning) = field.split_once('~').map_or((field.as_str(), None), |(field, meaning)| (field, Some(meaning)));
                let column = declared.carries.get(field).map_or(field, String::as_str);
                let column = table.and_then(|table| self.model.column(&format!("{}.{column}", self.model.tables[table].name)));
                let meaning = column.zip(meaning).and_then(|(column, meaning)| {
                    let name = self.model.columns[column].name.clone();
                    self.column(&format!("{name}~{meaning}")).1
                });
                known.push(Field { name: field.to_owned(), column, meaning });
            }
            self.model.streams[at].fields = Some(known);
        }
    }

    /// Whether a column is null is followed for those that a release writes or a step touches; a database fills the others.
    fn tracked(&mut self, book: &Book) {
        let mut tracked = Vec::new();
        for release in &self.model.releases {
            let handled = release.handles.iter().flat_map(|handler| &handler.writes);
            tracked.extend(release.writes.iter().chain(handled).flat_map(|writing| &writing.columns).map(|(column, _, _)| *column));
        }
        for one in book.steps.iter().flat_map(|step| &step.moves) {
            match one {
                Move::AddColumn { column } | Move::RelaxColumn { column } | Move::RequireColumn { column } => {
                    tracked.push(self.column(column).0);
                }
                Move::Backfill { columns, .. } => tracked.extend(columns.iter().map(|column| self.column(column).0)),
                _ => {}
            }
        }
        for column in tracked {
            self.model.columns[column].tracked = true;
        }
    }

    /// A service wants an event when some release of it that the plan runs handles any version of it.
    fn wanted(&mut self) {
        for service in 0..self.model.services.len() {
            let planned = self.model.planned(service, &self.planned);
            for stream in 0..self.model.streams.len() {
                let event = self.model.streams[stream].event;
                let wants = planned.iter().any(|release| {
                    self.model.releases[*release].handles.iter().any(|handler| self.model.streams[handler.stream].event == event)
                });
                if wants {
                    self.model.unreads.push((service, stream));
                    let number = self.model.unreads.len() - 1;
                    self.model.streams[stream].unread.push((service, number));
                }
            }
        }
    }
}

fn path(way: Way) -> Path {
    match way {
        Way::Call => Path::Call,
        Way::Copy => Path::Copy,
        Way::Event => Path::Event,
        Way::Hold => Path::Hold,
        Way::None => Path::None,
    }
}

impl Model {
    fn planned(&self, service: usize, planned: &BTreeSet<(String, String)>) -> Vec<usize> {
        let info = &self.services[service];
        let runs = |release: &usize| planned.contains(&(info.name.clone(), self.releases[*release].name.clone()));
        info.releases.clone().filter(runs).collect()
    }

    /// The label of an event that a step names, if need be by its topic alone: `Name@1`, or `@1` for the only event on a topic.
    pub(super) fn label(&self, event: &str, topic: Option<&str>) -> Option<String> {
        let (name, version) = event.split_once('@')?;
        if !name.is_empty() {
            return self.event(name).map(|_| event.to_owned());
        }
        let topic = self.topic(topic?)?;
        let mut on = self.events.iter().filter(|event| event.topic == topic);
        match (on.next(), on.next()) {
            (Some(only), None) => Some(format!("{}@{version}", only.name)),
            _ => None,
        }
    }
}
