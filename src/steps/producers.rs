//! Who can produce an event, as a file of services says, and how long what they had taken on may still arrive.

use std::time::Duration;

use crate::services::{EventRef, Producer, Services};
use crate::step::FileRef;
use crate::step::scalar::Span;

/// What is wrong, with the field of the body that it is about.
pub(super) type Complaint = (String, String);

/// Reads the file; else says what is wrong with it.
pub(super) fn declared(file: &FileRef) -> Result<Services, Complaint> {
    Services::parse(&file.text).map_err(|why| ("/services".to_owned(), format!("{}: {why}", file.path)))
}

/// The declared producers of the event; a complaint when the file says nothing of it, or of another topic.
pub(super) fn of(file: &FileRef, services: &Services, event: &EventRef, topic: &str) -> Result<Vec<Producer>, Complaint> {
    let complaint = |field: &str, why| Err((field.to_owned(), why));
    match services.events.get(&event.name) {
        None => return complaint("/event", format!("{} declares no event `{}`", file.path, event.name)),
        Some(found) if found.topic != topic => {
            return complaint("/topic", format!("{} says that `{}` travels on {}", file.path, event.name, found.topic));
        }
        Some(_) => {}
    }
    let producers = services.producers(event);
    if producers.is_empty() {
        return complaint("/event", format!("no release in {} produces `{event}`", file.path));
    }
    Ok(producers)
}

/// How long the slowest of the services may still deliver.
pub(super) fn delivery(services: &Services, producers: &[Producer]) -> Span {
    let timeouts = producers.iter().map(|producer| services.delivery_timeout(&producer.service));
    Span(timeouts.max().unwrap_or(Duration::ZERO))
}
