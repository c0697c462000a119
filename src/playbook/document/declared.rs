//! What a playbook says of services: the file that declares them, and where it begins.

use std::sync::{Arc, LazyLock};

use super::super::Source;
use super::super::codes;
use super::super::diagnostic::Diagnostic;
use super::super::params;
use super::super::services as reader;
use super::super::shape::{Located, Shape};
use super::super::suggest;
use super::super::tree::{Node, Value};
use super::file;
use super::read::Reading;
use crate::services::{Services, Start};
use crate::step::Gap;
use crate::step::pointer::escape;

static START: LazyLock<Shape> = LazyLock::new(Shape::of::<Start>);

static ACCEPT: LazyLock<Shape> = LazyLock::new(Shape::of::<Vec<Gap>>);

/// The services that the playbook's file of services declares; `None` when it names none, or one with mistakes, which were reported.
pub(super) fn services(root: &Node, reading: &mut Reading<'_>) -> Option<Arc<Services>> {
    let entry = root.get("services")?;
    let value = params::substitute(reading.file, &entry.value, &mut reading.params, reading.out);
    let Value::Text(path) = &value.value else {
        let message = format!("`services` must be a file, not {}", value.value.words());
        let help = "name a file beside the playbook, for instance `services: services.yaml`";
        reading.out.push(Diagnostic::new(codes::WRONG_TYPE, reading.file, entry.value.place, message).help(help));
        return None;
    };
    let text = file::read(path, &Located::new(&value, entry.key.place), reading)?;
    match reader::read(&Source::new(file::beside(reading.file, path), text)) {
        Ok(services) => Some(Arc::new(services)),
        Err(mistakes) => {
            reading.out.extend(mistakes);
            None
        }
    }
}

/// Where the playbook begins.
pub(super) fn start(root: &Node, services: Option<&Services>, reading: &mut Reading<'_>) -> Start {
    let Some(entry) = root.get("start") else { return Start::default() };
    let value = params::substitute(reading.file, &entry.value, &mut reading.params, reading.out);
    let located = Located::new(&value, entry.key.place);
    let start: Start = START.decode(reading.file, "start", &located, reading.out).unwrap_or_default();
    let Some(services) = services else { return start };
    for (service, release) in &start.releases {
        let known: Vec<&str> = match services.services.get(service) {
            Some(declared) => declared.releases.iter().map(|release| release.name.as_str()).collect(),
            None => Vec::new(),
        };
        if known.contains(&release.as_str()) {
            continue;
        }
        let pointer = format!("/releases/{}", escape(service));
        let diagnostic = if known.is_empty() {
            let names = services.services.keys().map(String::as_str);
            Diagnostic::new(codes::NOT_DECLARED, reading.file, located.key(&pointer), format!("there is no service `{service}`"))
                .help(suggest::did_you_mean(service, names, "declared are"))
        } else {
            Diagnostic::new(
                codes::NOT_DECLARED,
                reading.file,
                located.value(&pointer),
                format!("there is no release `{release}` of {service}"),
            )
            .help(suggest::did_you_mean(release, known, "declared are"))
        };
        reading.out.push(diagnostic);
    }
    start
}

/// What may break although the proof finds it.
pub(super) fn accept(root: &Node, reading: &mut Reading<'_>) -> Vec<Gap> {
    let Some(entry) = root.get("accept") else { return Vec::new() };
    let value = params::substitute(reading.file, &entry.value, &mut reading.params, reading.out);
    let located = Located::new(&value, entry.key.place);
    ACCEPT.decode(reading.file, "accept", &located, reading.out).unwrap_or_default()
}
