//! Measures `check-schema` on two schemas of two megabytes, text to verdict. Run it with `cargo bench --bench schema`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use cutover::ports::registry::{Compatibility, SchemaFormat};
use cutover::schemas::{Document, Policy, RegistryKind, judge};
use serde_json::{Map, Value, json};

/// A schema of that many definitions, each an event with a payload that refers to others.
fn schema(definitions: usize, version: &Value) -> String {
    let mut all = Map::new();
    for at in 0..definitions {
        let mut properties = Map::from_iter([("event_version".to_owned(), version.clone())]);
        for field in 0..12 {
            let next = json!({ "$ref": format!("#/definitions/d{}", (at + field + 1) % definitions) });
            let kind = match field % 4 {
                0 => json!({ "type": "string", "minLength": 1, "maxLength": 400, "description": "what a person wrote" }),
                1 => json!({ "type": ["integer", "null"], "minimum": 0 }),
                2 => json!({ "anyOf": [next, { "type": "null" }] }),
                _ => json!({ "type": "array", "items": next }),
            };
            properties.insert(format!("field_{field}"), kind);
        }
        all.insert(
            format!("d{at}"),
            json!({ "type": "object", "additionalProperties": false, "required": ["event_version"], "properties": properties }),
        );
    }
    json!({ "$schema": "http://json-schema.org/draft-07/schema#", "oneOf": (0..40).map(|at| json!({ "$ref": format!("#/definitions/d{at}") })).collect::<Vec<_>>(), "definitions": all })
        .to_string()
}

fn two_megabytes(bench: &mut Criterion) {
    let old = schema(2_300, &json!({ "type": "integer", "minimum": 1 }));
    let new = schema(2_300, &json!({ "type": "integer", "minimum": 0 }));
    assert!(old.len() > 2_000_000 && old.len() < 2_500_000, "{} bytes", old.len());
    bench.bench_function("check-schema of 2 MB", |round| {
        round.iter(|| {
            let old = Document::read(black_box(&old), SchemaFormat::Json).expect("a schema");
            let new = Document::read(black_box(&new), SchemaFormat::Json).expect("a schema");
            let verdict = judge(&[old], &new, Compatibility::Backward, Policy::Strict, RegistryKind::Confluent);
            assert!(verdict.compatible, "{:?}", verdict.reasons.first());
            verdict
        });
    });
}

criterion_group! {
    name = schemas;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(10));
    targets = two_megabytes
}
criterion_main!(schemas);
