//! What is declared, in the form in which the actors of the simulator look it up. Nothing here judges anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::Book;
use crate::services::{Condition, Order, Services, Way};
use crate::step::Move;

pub(super) type View = BTreeMap<String, String>;

/// Columns that a handler writes, with table and meaning, and the link that it calls.
pub(super) type Handling = (Vec<(String, String, String)>, Option<String>);

#[derive(Clone, Debug, Default)]
pub(super) struct Release {
    pub(super) serves: BTreeSet<String>,
    pub(super) uses: BTreeMap<String, Vec<(Way, Option<Condition>)>>,
    pub(super) sends: BTreeMap<String, Vec<(Way, Option<Condition>)>>,
    pub(super) produces: Vec<(String, Option<Condition>)>,
    /// Label to (columns with meanings, link that is called).
    pub(super) handles: BTreeMap<String, Handling>,
    /// (table, column, meaning, when)
    pub(super) reads: Vec<(String, String, String, Option<Condition>)>,
    pub(super) needs: Vec<(String, String)>,
    pub(super) writes: BTreeMap<String, Vec<(String, String, Option<Condition>)>>,
}

impl Release {
    /// Whether it can hold effects of the link, and so knows of what is held.
    pub(super) fn can_hold(&self, link: &str) -> bool {
        self.sends.get(link).is_some_and(|ways| ways.iter().any(|(way, _)| *way == Way::Hold))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) topic: String,
    /// Version to (field, meaning).
    pub(super) fields: BTreeMap<String, Vec<(String, String)>>,
    pub(super) link: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    pub(super) effect: bool,
    /// `service.table` of the truth.
    pub(super) state: String,
    /// `service.table` of the copy.
    pub(super) copy: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) event: Option<String>,
    pub(super) key: bool,
    pub(super) seq: bool,
    /// Which order of its effects is kept.
    pub(super) order: Option<Order>,
}

/// Everything that is declared.
#[derive(Clone, Debug, Default)]
pub(super) struct Town {
    pub(super) releases: BTreeMap<(String, String), Release>,
    pub(super) first: BTreeMap<String, String>,
    /// The variants in the code, by flag.
    pub(super) defaults: BTreeMap<String, String>,
    /// Which release of which service evaluates which flag.
    pub(super) evaluates: BTreeSet<(String, String, String)>,
    pub(super) events: BTreeMap<String, Event>,
    pub(super) links: BTreeMap<String, Link>,
    pub(super) compacted: BTreeSet<String>,
    /// The names that a service handles in some release that runs.
    pub(super) wants: BTreeSet<(String, String)>,
    /// What people need, whatever a release can do: (service, link).
    pub(super) needs: Vec<(String, String)>,
}

impl Link {
    fn of(link: &crate::services::Link) -> Self {
        let owner = |of: &Option<String>| of.clone().unwrap_or_default();
        Self {
            effect: link.effect,
            state: owner(&link.state),
            copy: owner(&link.copy),
            from: owner(&link.from),
            to: owner(&link.to),
            event: link.event.clone(),
            key: !link.key.is_empty(),
            seq: link.seq.is_some(),
            order: link.order,
        }
    }
}

pub(super) fn holds(when: Option<&Condition>, view: &View) -> bool {
    when.is_none_or(|when| view.get(&when.flag).is_some_and(|variant| *variant == when.variant))
}

/// The event's name in `Name@version`.
pub(super) fn name_of(label: &str) -> &str {
    label.split_once('@').map_or(label, |(name, _)| name)
}

/// The way that is taken under the flags as an instance sees them.
pub(super) fn way(ways: Option<&Vec<(Way, Option<Condition>)>>, view: &View) -> Option<Way> {
    ways.into_iter().flatten().find(|(_, when)| holds(when.as_ref(), view)).map(|(way, _)| *way)
}

fn apart(text: &str) -> (String, String) {
    text.split_once('~').map_or((text.to_owned(), String::new()), |(column, meaning)| (column.to_owned(), meaning.to_owned()))
}

fn located(service: &str, text: &str) -> (String, String, String) {
    let (name, meaning) = apart(text);
    let (table, column) = name.split_once('.').unwrap_or(("", &name));
    (format!("{service}.{table}"), column.to_owned(), meaning)
}

impl Town {
    /// `ideal` is the truth about what people need; a mutated declaration does not change it.
    pub(super) fn new(services: &Services, ideal: &Services, book: &Book) -> Self {
        let mut town = Self { defaults: services.defaults.clone(), ..Self::default() };
        for (name, link) in &services.links {
            town.links.insert(name.clone(), Link::of(link));
        }
        for (name, event) in &services.events {
            let fields = event.fields.iter().map(|(version, fields)| (version.clone(), fields.iter().map(|field| apart(field)).collect()));
            let link = services.links.iter().find(|(_, link)| link.event.as_ref() == Some(name)).map(|(link, _)| link.clone());
            town.events.insert(name.clone(), Event { topic: event.topic.clone(), fields: fields.collect(), link });
            if event.compacted == Some(true) {
                town.compacted.insert(event.topic.clone());
            }
            let state = services.links.values().any(|link| link.event.as_ref() == Some(name) && link.state.is_some());
            let said = book
                .steps
                .iter()
                .flat_map(|step| &step.moves)
                .any(|one| matches!(one, Move::CreateTopic { topic, .. } if *topic == event.topic));
            if event.compacted.is_none() && state && !said {
                town.compacted.insert(event.topic.clone());
            }
        }
        for one in book.steps.iter().flat_map(|step| &step.moves) {
            if let Move::CreateTopic { topic, compacted: Some(true) } = one {
                town.compacted.insert(topic.clone());
            }
        }
        for (service, declared) in &services.services {
            for release in &declared.releases {
                let body = &release.body;
                let ways = |uses: &Option<BTreeMap<String, crate::services::Ways>>| {
                    let one = |(link, ways): (&String, &crate::services::Ways)| {
                        (link.clone(), ways.0.iter().map(|way| (way.by, way.when.clone())).collect::<Vec<_>>())
                    };
                    uses.iter().flatten().map(one).collect::<BTreeMap<_, _>>()
                };
                let mut told = Release {
                    serves: body.serves.iter().flatten().cloned().collect(),
                    uses: ways(&body.uses),
                    sends: ways(&body.sends),
                    produces: body.produces.iter().flatten().map(|one| (one.event.to_string(), one.when.clone())).collect(),
                    ..Release::default()
                };
                for (label, handling) in body.handles.iter().flatten() {
                    let writes = handling.iter().flat_map(|handling| &handling.writes).map(|text| located(service, text)).collect();
                    told.handles.insert(label.clone(), (writes, handling.as_ref().and_then(|handling| handling.calls.clone())));
                }
                for read in body.reads.iter().flatten() {
                    let (table, column, meaning) = located(service, &read.column);
                    told.reads.push((table, column, meaning, read.when.clone()));
                }
                for need in body.needs.iter().flatten() {
                    let (table, column, _) = located(service, &need.column);
                    told.needs.push((table, column));
                }
                for (table, columns) in body.writes.iter().flatten() {
                    let columns = columns.iter().map(|one| {
                        let (column, meaning) = apart(&one.column);
                        (column, meaning, one.when.clone())
                    });
                    told.writes.insert(format!("{service}.{table}"), columns.collect());
                }
                let flags = services.flags_of(service, &release.name).into_iter();
                town.evaluates.extend(flags.map(|flag| (service.clone(), release.name.clone(), flag.to_owned())));
                town.releases.insert((service.clone(), release.name.clone()), told);
            }
            if let Some(first) = declared.releases.first() {
                let start = book.start.releases.get(service).unwrap_or(&first.name);
                town.first.insert(service.clone(), start.clone());
            }
        }
        let mut running: BTreeSet<(String, String)> = town.first.clone().into_iter().collect();
        for one in book.steps.iter().flat_map(|step| &step.moves) {
            if let Move::Release { service, release } = one {
                running.insert((service.clone(), release.clone()));
            }
        }
        for place in &running {
            for label in town.releases.get(place).into_iter().flat_map(|release| release.handles.keys()) {
                town.wants.insert((place.0.clone(), name_of(label).to_owned()));
            }
        }
        for (service, declared) in &ideal.services {
            let mut links = BTreeSet::new();
            for release in declared.releases.iter().filter(|release| running.contains(&(service.clone(), release.name.clone()))) {
                links.extend(release.body.uses.iter().flatten().map(|(link, _)| link.clone()));
                links.extend(release.body.sends.iter().flatten().map(|(link, _)| link.clone()));
            }
            town.needs.extend(links.into_iter().map(|link| (service.clone(), link)));
        }
        town
    }

    /// The service whose group it is: by its name, or by the longest one that the group's name begins with.
    pub(super) fn of_group(&self, group: &str) -> String {
        let services = self.releases.keys().map(|(service, _)| service);
        let own = services.filter(|service| group == *service || group.strip_prefix(*service).is_some_and(|rest| rest.starts_with('-')));
        own.max_by_key(|service| service.len()).cloned().unwrap_or_else(|| group.to_owned())
    }

    pub(super) fn event(&self, label: &str) -> Option<&Event> {
        self.events.get(name_of(label))
    }

    /// Whether some release of the service that runs handles the event in some version.
    pub(super) fn wants(&self, service: &str, label: &str) -> bool {
        self.wants.contains(&(service.to_owned(), name_of(label).to_owned()))
    }

    /// The topics from which a release handles something.
    pub(super) fn consumed(&self, release: &Release) -> BTreeSet<String> {
        release.handles.keys().filter_map(|label| self.event(label)).map(|event| event.topic.clone()).collect()
    }

    /// The tables of a service that are the truth behind a link although no release says that it writes them: somebody does.
    pub(super) fn kept_by<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a String> {
        let tables = self.links.values().filter(|link| !link.effect).map(|link| &link.state);
        let own = move |table: &&String| table.split('.').next() == Some(service);
        tables.filter(own).filter(|table| !self.releases.values().any(|body| body.writes.contains_key(*table)))
    }

    /// The services of which some release produces the version.
    pub(super) fn producers<'a>(&'a self, label: &'a str) -> impl Iterator<Item = &'a String> {
        let produces = move |body: &Release| body.produces.iter().any(|(one, _)| one == label);
        self.releases.iter().filter(move |(_, body)| produces(body)).map(|((service, _), _)| service)
    }

    /// Every version of an event that some release produces or handles.
    pub(super) fn labels(&self) -> BTreeSet<&String> {
        let releases = self.releases.values();
        releases.flat_map(|release| release.handles.keys().chain(release.produces.iter().map(|(label, _)| label))).collect()
    }
}
