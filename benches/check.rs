//! Measures the whole-plan proof with the way back from every state, and the search for a better order. Run it with
//! `cargo bench --bench check`; each figure is the median of several rounds.

use std::collections::BTreeMap;
use std::time::Instant;

use cutover::check::{Book, mend, prove};
use cutover::services::{Services, Written};

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/it_check/books.rs"]
mod books;

const ROUNDS: usize = 9;

/// The declarations and steps of one book under other names.
fn renamed(written: &Written, book: &Book, at: usize) -> (Written, Book) {
    let rename = |text: String| {
        let text = text.replace("exercises", &format!("exercises{at}")).replace("hiring", &format!("hiring{at}"));
        let text = text.replace("ExerciseChanged", &format!("ExerciseChanged{at}")).replace("datarep.", &format!("datarep{at}."));
        text.replace("\"ka\"", &format!("\"ka{at}\"")).replace("\"ka=", &format!("\"ka{at}="))
    };
    let written = rename(serde_json::to_string(written).expect("a document"));
    let book = rename(serde_json::to_string(book).expect("a book"));
    let mut written: Written = serde_json::from_str(&written).expect("a document");
    let mut book: Book = serde_json::from_str(&book).expect("a book");
    let own = |link: String| format!("{link}{at}");
    written.links = written.links.into_iter().map(|(name, link)| (own(name), link)).collect();
    for release in written.services.values_mut().flat_map(|service| &mut service.releases) {
        let uses = release.1.uses.take();
        release.1.uses = uses.map(|uses| uses.into_iter().map(|(name, ways)| (own(name), ways)).collect::<BTreeMap<_, _>>());
    }
    for step in &mut book.steps {
        step.id = format!("{}-{at}", step.id);
    }
    (written, book)
}

fn joined(count: usize) -> (Services, Book) {
    let migration = books::load("us-160");
    let mut all = Written { links: BTreeMap::new(), events: BTreeMap::new(), flags: BTreeMap::new(), services: BTreeMap::new() };
    let mut book = Book::default();
    for at in 0..count {
        let (written, part) = renamed(&migration.written_services, &migration.provable, at);
        all.links.extend(written.links);
        all.events.extend(written.events);
        all.services.extend(written.services);
        book.start.releases.extend(part.start.releases);
        book.start.flags.extend(part.start.flags);
        book.steps.extend(part.steps);
    }
    (Services::new(&all).expect("declarations"), book)
}

/// The median time of several rounds, in milliseconds.
fn median(mut round: impl FnMut()) -> f64 {
    let mut times: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            round();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2].as_secs_f64() * 1000.0
}

fn main() {
    for count in [1, 7] {
        let (services, book) = joined(count);
        let mut states = 0;
        let time = median(|| {
            let proof = prove(&services, &book);
            assert!(proof.proven, "{:#?}", proof.violations);
            states = proof.states;
        });
        println!("{:3} steps, {:2} services: {states:5} states, {time:.2} ms", book.steps.len(), 2 * count);
    }
    for name in ["p1", "us-160"] {
        let migration = books::load(name);
        let services = migration.services();
        let time = median(|| assert!(mend(&services, &migration.written).proven, "{name}"));
        println!("{name} as it was written: mended in {time:.1} ms");
    }
}
