//! The state of a finding in names, so that it can be brought about.

use super::book::Book;
use super::finding::Subject;
use super::model::{Model, ReleaseId};
use super::state::Fact;
use super::walk::{Moment, Seen};
use crate::step::{Running, Scene, Waiting};

/// The state of a finding.
pub(super) fn scene(model: &Model, book: &Book, seen: &Seen) -> Scene {
    let running = |release: ReleaseId| {
        let info = &model.releases[release];
        Running { service: model.services[info.service].name.clone(), release: info.name.clone() }
    };
    let finding = &seen.finding;
    let step = (seen.moment != Moment::Start).then(|| book.steps.get(seen.step).map(|step| step.id.clone())).flatten();
    let mut scene = Scene {
        step,
        under_way: seen.moment == Moment::Inside,
        release: finding.release.map(running),
        other: finding.other.map(running),
        ..Scene::default()
    };
    let stream = |at: usize| Some(model.streams[at].label.clone());
    match finding.subject {
        Subject::Link(link)
        | Subject::Key(link)
        | Subject::Order(link)
        | Subject::Seq(link)
        | Subject::CatchUp(link)
        | Subject::Held(link) => {
            scene.link = Some(model.links[link].name.clone());
        }
        Subject::Stream(reader, at) | Subject::Drain(reader, at) => {
            (scene.event, scene.reader) = (stream(at), Some(model.services[reader].name.clone()));
        }
        Subject::Field(at, column) => (scene.event, scene.column) = (stream(at), Some(model.columns[column].name.clone())),
        Subject::Column(column) | Subject::Filled(column) | Subject::Given(column) | Subject::Meaning(column) => {
            scene.column = Some(model.columns[column].name.clone());
        }
        Subject::Topic(topic) => scene.topic = Some(model.topics[topic].name.clone()),
        Subject::Schema(at) | Subject::Retire(at) | Subject::Quiet(at) => scene.event = stream(at),
        Subject::Step(_) | Subject::Flag(_) => {}
    }
    for fact in &finding.facts {
        match fact {
            Fact::Means(meaning) => scene.meaning = Some(model.meanings[*meaning].1.clone()),
            Fact::Latent(at) => {
                let (service, event) = model.latents[*at];
                let (service, event) = (model.services[service].name.clone(), model.streams[event].label.clone());
                scene.waiting.push(Waiting::Unsent { service, event });
            }
            Fact::Unread(at) => {
                let (service, event) = model.unreads[*at];
                let (service, event) = (model.services[service].name.clone(), model.streams[event].label.clone());
                scene.waiting.push(Waiting::Unread { service, event });
            }
            Fact::Lies(at) => scene.waiting.push(Waiting::Lying { event: model.streams[*at].label.clone() }),
            _ => {}
        }
    }
    scene
}
