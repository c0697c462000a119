//! Measures evaluation of a flag that is being rolled out, in process and on one core, beside the bare hash of the same keys.
//! Run it with `cargo bench --bench flags`; the ratio at the end is made of the same samples.

use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use cutover::flags::rollout::Cohort;
use cutover::flags::{Document, bucket};
use serde_json::{Map, json};

/// Time and rounds of all samples of one measurement.
#[derive(Default)]
struct Total {
    spent: Cell<Duration>,
    rounds: Cell<u64>,
}

impl Total {
    fn time(&self, rounds: u64, mut round: impl FnMut(usize)) -> Duration {
        let begun = Instant::now();
        for number in 0..rounds {
            round(usize::try_from(number).unwrap_or_default());
        }
        let spent = begun.elapsed();
        self.spent.set(self.spent.get() + spent);
        self.rounds.set(self.rounds.get() + rounds);
        spent
    }

    fn nanoseconds(&self) -> f64 {
        self.spent.get().as_secs_f64() * 1e9 / f64::from(u32::try_from(self.rounds.get()).unwrap_or(u32::MAX))
    }
}

fn main() {
    let keys: Vec<String> = (0..4096).map(|number| format!("0198f0c2-7a3e-7000-8000-{number:012}")).collect();
    let key = |number: usize| keys[number % keys.len()].as_str();
    let cohort =
        Cohort { seed: "exercise-read@12:".to_owned(), key: "targetingKey".to_owned(), to: "events".to_owned(), from: "call".to_owned() };
    let mut flags = Map::new();
    for number in 0..100 {
        let flag = json!({ "state": "ENABLED", "variants": { "call": "call", "events": "events" }, "defaultVariant": "call",
                           "targeting": cohort.targeting(10_000) });
        flags.insert(format!("flag-{number}"), flag);
    }
    let document = Document::parse(&json!({ "flags": flags })).expect("a document");
    let (none, some) = (Map::new(), json!({ "tier": "premium", "country": "de", "user": { "name": "ann" } }));
    let some = some.as_object().expect("an object").clone();

    let mut criterion = Criterion::default().configure_from_args();
    let (hash, bare, full) = (Total::default(), Total::default(), Total::default());
    let mut group = criterion.benchmark_group("flags");
    group.throughput(Throughput::Elements(1));
    group.bench_function("hash of the key", |bencher| {
        bencher.iter_custom(|rounds| hash.time(rounds, |number| _ = black_box(bucket::hash(black_box(key(number)).as_bytes()))));
    });
    for (name, context, total) in [("fractional flag", &none, &bare), ("fractional flag, with a context", &some, &full)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                total.time(rounds, |number| _ = black_box(document.evaluate("flag-42", black_box(key(number)), context)))
            });
        });
    }
    group.finish();
    if hash.rounds.get() > 0 && bare.rounds.get() > 0 {
        for (name, total) in [("a fractional flag", &bare), ("a fractional flag, with a context", &full)] {
            let (one, alone) = (total.nanoseconds(), hash.nanoseconds());
            println!("{name}: {:.2} million a second, {:.1} times the bare hash ({one:.0} ns and {alone:.1} ns)", 1e3 / one, one / alone);
        }
    }
}
