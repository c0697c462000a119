//! What types cannot say about the file: names that must be declared elsewhere in it.

use super::names::EventRef;
use super::written::{Way, Ways, Written, WrittenRelease};
use crate::step::pointer;

/// A mistake and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// JSON pointer of the value, or of the key when the name stands there.
    pub pointer: String,
    /// Whether the key at the pointer is meant rather than its value.
    pub at_key: bool,
    /// What is wrong.
    pub message: String,
    /// The name that is wrong, and the ones that would have been right.
    pub meant: Option<(String, Vec<String>)>,
}

impl Complaint {
    fn new(pointer: String, message: String) -> Self {
        Self { pointer, at_key: false, message, meant: None }
    }

    fn unknown<'a>(pointer: String, what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> Self {
        let meant = Some((name.to_owned(), known.cloned().collect()));
        Self { meant, ..Self::new(pointer, format!("there is no {what} `{name}`")) }
    }

    fn key(self) -> Self {
        Self { at_key: true, ..self }
    }
}

/// Every mistake.
pub(super) fn check(written: &Written) -> Vec<Complaint> {
    let mut found = Vec::new();
    for (name, link) in &written.links {
        let at = format!("/links/{}", pointer::escape(name));
        if let Some(event) = link.event.as_ref().filter(|event| !written.events.contains_key(*event)) {
            found.push(Complaint::unknown(format!("{at}/event"), "event", event, written.events.keys()));
        }
        for (key, service) in [("from", &link.from), ("to", &link.to)] {
            if let Some(service) = service.as_ref().filter(|service| !written.services.contains_key(*service)) {
                found.push(Complaint::unknown(format!("{at}/{key}"), "service", service, written.services.keys()));
            }
        }
        for (key, table) in [("state", &link.state), ("copy", &link.copy)] {
            let Some(table) = table else { continue };
            match table.split_once('.') {
                Some((service, _)) if written.services.contains_key(service) => {}
                Some((service, _)) => {
                    found.push(Complaint::unknown(format!("{at}/{key}"), "service", service, written.services.keys()));
                }
                None => found.push(Complaint::new(format!("{at}/{key}"), format!("`{table}` is not written as `service.table`"))),
            }
        }
    }
    for (name, service) in &written.services {
        let mut before: Vec<String> = Vec::new();
        for (release, body) in &service.releases {
            let at = format!("/services/{}/{}", pointer::escape(name), pointer::escape(release));
            if let Some(like) = body.like.as_ref().filter(|like| !before.contains(like)) {
                found.push(Complaint::unknown(format!("{at}/like"), "earlier release", like, before.iter()));
            }
            body_names(written, body, &at, &mut found);
            before.push(release.clone());
        }
    }
    found
}

fn body_names(written: &Written, body: &WrittenRelease, at: &str, found: &mut Vec<Complaint>) {
    for (index, link) in body.serves.iter().flatten().enumerate() {
        if !written.links.contains_key(link) {
            found.push(Complaint::unknown(format!("{at}/serves/{index}"), "link", link, written.links.keys()));
        }
    }
    let ways: [(&str, &Option<_>, &[Way]); 2] =
        [("uses", &body.uses, &[Way::Call, Way::Copy, Way::None]), ("sends", &body.sends, &[Way::Call, Way::Event, Way::Hold, Way::None])];
    for (key, uses, allowed) in ways {
        for (link, ways) in uses.iter().flatten() {
            let at = format!("{at}/{key}/{}", pointer::escape(link));
            if !written.links.contains_key(link) {
                found.push(Complaint::unknown(at.clone(), "link", link, written.links.keys()).key());
            }
            let Ways(ways) = ways;
            if ways.iter().any(|way| !allowed.contains(&way.by)) {
                let right = if key == "uses" { "`call`, `copy` or `none`" } else { "`call`, `event`, `hold` or `none`" };
                found.push(Complaint::new(at, format!("under `{key}` a link goes by {right}")));
            }
        }
    }
    for (index, produced) in body.produces.iter().flatten().enumerate() {
        event(written, &produced.event, format!("{at}/produces/{index}"), false, found);
    }
    for (name, handling) in body.handles.iter().flatten() {
        let at = format!("{at}/handles/{}", pointer::escape(name));
        match name.parse() {
            Ok(named) => event(written, &named, at.clone(), true, found),
            Err(why) => found.push(Complaint::new(at.clone(), why).key()),
        }
        if let Some(link) = handling.as_ref().and_then(|handling| handling.calls.as_ref()).filter(|link| !written.links.contains_key(*link))
        {
            found.push(Complaint::unknown(format!("{at}/calls"), "link", link, written.links.keys()));
        }
    }
    for (key, columns) in [("reads", &body.reads), ("needs", &body.needs)] {
        for (index, column) in columns.iter().flatten().enumerate() {
            if !column.column.contains('.') {
                found.push(Complaint::new(format!("{at}/{key}/{index}"), format!("`{}` is not written as `table.column`", column.column)));
            }
        }
    }
}

/// An event must be declared, and a release speaks of one version of it.
fn event(written: &Written, event: &EventRef, pointer: String, at_key: bool, found: &mut Vec<Complaint>) {
    let complaint = if !written.events.contains_key(&event.name) {
        Complaint::unknown(pointer, "event", &event.name, written.events.keys())
    } else if event.version.is_none() {
        Complaint::new(pointer, format!("`{event}` does not say which version; write for instance `{event}@0`"))
    } else {
        return;
    };
    found.push(if at_key { complaint.key() } else { complaint });
}
