//! The services with every default filled in, and the questions that are asked of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::DELIVERY_TIMEOUT;
use super::check::{self, Complaint};
use super::names::{Condition, EventRef};
use super::written::{Link, Produced, Written, WrittenEvent, WrittenRelease};

/// What a team declares, with every default filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Services {
    /// Links by name.
    pub links: BTreeMap<String, Link>,
    /// Events by name.
    pub events: BTreeMap<String, WrittenEvent>,
    /// The variant that counts in the code, by flag.
    pub defaults: BTreeMap<String, String>,
    /// Services by name.
    pub services: BTreeMap<String, Service>,
}

/// A service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// How long one of its producers may still deliver what it has taken on.
    pub delivery_timeout: Duration,
    /// Its releases in order, the oldest first.
    pub releases: Vec<Release>,
}

/// A release with everything that it has from the one before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// What it does; every key is there.
    pub body: WrittenRelease,
}

/// A release that can produce an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// The service.
    pub service: String,
    /// The release.
    pub release: String,
    /// The event with its version.
    pub event: EventRef,
    /// The flag variant under which it does; always when there is none.
    pub when: Option<Condition>,
}

impl Services {
    /// Fills in the defaults.
    ///
    /// # Errors
    /// Every name in it that is nowhere declared, and every release that is like itself.
    pub fn new(written: &Written) -> Result<Self, Vec<Complaint>> {
        let complaints = check::check(written);
        if !complaints.is_empty() {
            return Err(complaints);
        }
        let services = written.services.iter().map(|(name, service)| {
            let mut releases: Vec<Release> = Vec::new();
            for (name, release) in &service.releases {
                let before = match &release.like {
                    Some(like) => releases.iter().find(|release| release.name == *like),
                    None => releases.last(),
                };
                let body = over(before.map(|before| &before.body), release);
                releases.push(Release { name: name.clone(), body });
            }
            let delivery_timeout = service.delivery_timeout.map_or(DELIVERY_TIMEOUT, |span| span.0);
            (name.clone(), Service { delivery_timeout, releases })
        });
        Ok(Self {
            links: written.links.clone(),
            events: written.events.clone(),
            defaults: written.flags.iter().map(|(name, flag)| (name.clone(), flag.default.clone())).collect(),
            services: services.collect(),
        })
    }

    /// The services of a file's text. For a reader that wants every mistake at its place, the playbook's reader is better.
    ///
    /// # Errors
    /// The first mistake, with its line where the YAML itself or a type is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        let written: Written = serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())?;
        Self::new(&written)
            .map_err(|complaints| complaints.first().map_or_else(String::new, |first| format!("{} (at {})", first.message, first.pointer)))
    }

    /// Which releases of which services can produce the event, under which variants.
    #[must_use]
    pub fn producers(&self, event: &EventRef) -> Vec<Producer> {
        let mut found = Vec::new();
        for (service, declared) in &self.services {
            for release in &declared.releases {
                let produced = release.body.produces.iter().flatten().filter(|produced| event.covers(&produced.event));
                found.extend(produced.map(|Produced { event, when }| Producer {
                    service: service.clone(),
                    release: release.name.clone(),
                    event: event.clone(),
                    when: when.clone(),
                }));
            }
        }
        found
    }

    /// The flags on which something depends, or whose default is declared.
    #[must_use]
    pub fn flags(&self) -> BTreeSet<&str> {
        let bodies = self.services.values().flat_map(|service| &service.releases).map(|release| &release.body);
        bodies.flat_map(conditions).chain(self.defaults.keys().map(String::as_str)).collect()
    }

    /// The flags on which something in this release depends.
    #[must_use]
    pub fn flags_of(&self, service: &str, release: &str) -> BTreeSet<&str> {
        let releases = self.services.get(service).into_iter().flat_map(|service| &service.releases);
        releases.filter(|one| one.name == release).flat_map(|release| conditions(&release.body)).collect()
    }

    /// Whether the release of that service is declared.
    #[must_use]
    pub fn declares(&self, service: &str, release: &str) -> bool {
        self.services.get(service).is_some_and(|service| service.releases.iter().any(|one| one.name == release))
    }

    /// How long a producer of the service may still deliver what it has taken on.
    #[must_use]
    pub fn delivery_timeout(&self, service: &str) -> Duration {
        self.services.get(service).map_or(DELIVERY_TIMEOUT, |service| service.delivery_timeout)
    }
}

/// A release on top of another one: a key that is given replaces the whole key.
fn over(before: Option<&WrittenRelease>, release: &WrittenRelease) -> WrittenRelease {
    let release = release.clone();
    let before = before.cloned().unwrap_or_default();
    WrittenRelease {
        like: None,
        serves: Some(release.serves.or(before.serves).unwrap_or_default()),
        uses: Some(release.uses.or(before.uses).unwrap_or_default()),
        sends: Some(release.sends.or(before.sends).unwrap_or_default()),
        produces: Some(release.produces.or(before.produces).unwrap_or_default()),
        handles: Some(release.handles.or(before.handles).unwrap_or_default()),
        reads: Some(release.reads.or(before.reads).unwrap_or_default()),
        writes: Some(release.writes.or(before.writes).unwrap_or_default()),
        needs: Some(release.needs.or(before.needs).unwrap_or_default()),
    }
}

/// The flags in the conditions of a release.
fn conditions(body: &WrittenRelease) -> impl Iterator<Item = &str> {
    let ways = body.uses.iter().chain(&body.sends).flat_map(BTreeMap::values).flat_map(|ways| &ways.0).map(|one| &one.when);
    let produced = body.produces.iter().flatten().map(|one| &one.when);
    let columns = body.reads.iter().chain(&body.needs).flatten();
    let written = body.writes.iter().flat_map(BTreeMap::values).flatten();
    ways.chain(produced).chain(columns.chain(written).map(|one| &one.when)).flatten().map(|condition| condition.flag.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
events:
  Changed: {topic: t, key: id}
services:
  maker:
    delivery_timeout: 10s
    \"1.9\": {}
    \"1.10\": {produces: [{event: Changed@0, when: f=on}], writes: {row: [a]}}
    \"1.11\": {produces: [Changed@1]}
    \"1.12\": {writes: {row: [a, b]}}
    \"1.13\": {like: \"1.9\"}
  reader:
    \"2\": {handles: {Changed@0: {writes: [copy.a]}}}
";

    #[test]
    fn a_release_is_like_the_one_before_it_in_the_file() {
        let services = Services::parse(TEXT).expect("services");
        let producers = services.producers(&"Changed".parse().expect("an event"));
        let said: Vec<_> = producers
            .iter()
            .map(|one| {
                format!("{} {} {} {}", one.service, one.release, one.event, one.when.as_ref().map_or("-".to_owned(), ToString::to_string))
            })
            .collect();
        assert_eq!(said, ["maker 1.10 Changed@0 f=on", "maker 1.11 Changed@1 -", "maker 1.12 Changed@1 -"]);
        assert_eq!(services.producers(&"Changed@0".parse().expect("an event")).len(), 1);
        let last = &services.services["maker"].releases[4];
        assert_eq!(last.body.writes, Some(BTreeMap::new()), "1.13 is like 1.9 and not like 1.12");
    }

    #[test]
    fn the_delivery_timeout_has_a_default() {
        let services = Services::parse(TEXT).expect("services");
        assert_eq!(services.delivery_timeout("maker"), Duration::from_secs(10));
        assert_eq!(services.delivery_timeout("reader"), DELIVERY_TIMEOUT);
        assert!(services.declares("reader", "2") && !services.declares("reader", "3") && !services.declares("other", "2"));
    }

    #[test]
    fn what_is_not_declared_is_refused() {
        let wrong = TEXT.replace("Changed@1]", "Chnaged@1]");
        assert!(Services::parse(&wrong).expect_err("a mistake").contains("Chnaged"), "{wrong}");
        assert!(Services::parse("services: {a: {\"1\": {porduces: []}}}").expect_err("a mistake").contains("porduces"));
    }
}
