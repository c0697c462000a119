//! Records that name nothing but their schema: what the registry says of it is what counts.

use cutover::adapters::registry::ConfluentRegistry;
use cutover::adapters::secret::ProcessSecrets;
use cutover::drain::{self, Goal, Index, Old, Schemas, Search};
use cutover::ports::kafka::{Kafka, NewRecord};
use cutover::ports::registry::{NewSchema, Registry, SchemaFormat};
use cutover::ports::settings::ApiSettings;

use crate::ground::*;

fn framed(id: i64) -> NewRecord {
    let id = u32::try_from(id).unwrap().to_be_bytes();
    let value = [&[0][..], &id, b"\x02\x10binary"].concat();
    NewRecord { key: Some(b"k".to_vec()), value: Some(value), headers: Vec::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_what_the_registry_says_of_the_schema_in_front() {
    let kafka = kafka();
    let settings = ApiSettings { url: ground().stack.registry.url.clone(), basic: None, tls: None };
    let registry = ConfluentRegistry::connect("main", &settings, "the tests", &ProcessSecrets::default()).unwrap();
    let (name, group) = (topic(kafka.as_ref(), 1, &[]).await, fresh("group"));
    let subject = format!("{name}-value");
    let schema = |fields: &str| NewSchema {
        format: SchemaFormat::Avro,
        text: format!(
            r#"{{"type": "record", "name": "ExerciseChanged", "namespace": "{}", "fields": [{fields}]}}"#,
            name.replace('-', "_")
        ),
        references: Vec::new(),
    };
    let first = registry.register(&subject, &schema("")).await.unwrap();
    let second = registry.register(&subject, &schema(r#"{"name": "area", "type": ["null", "string"], "default": null}"#)).await.unwrap();
    assert_eq!((first.version, second.version), (Some(1), Some(2)));
    let other = fresh("elsewhere");
    let foreign = registry.register(&other, &schema(r#"{"name": "b", "type": "string"}"#)).await.unwrap();
    let ids = [&first, &second, &first, &foreign].map(|schema| schema.id.unwrap());
    let records: Vec<_> = ids.into_iter().map(framed).chain([framed(999_999)]).collect();
    kafka.produce(&name, &records).await.unwrap();

    let old: Old = format!("schema:{subject}={subject},schema:{subject}=1").parse().unwrap();
    let search = Search { kafka: kafka.as_ref(), registry: Some(registry.as_ref()), topic: &name, old: &old, most: None };
    let barrier = drain::take_barrier(kafka.as_ref(), &name, None).await.unwrap();
    let sight = drain::glance(kafka.as_ref(), &name, std::slice::from_ref(&group)).await.unwrap();
    let index = search.whole(drain::begin(&barrier, &sight, Goal::Consumed, None), &barrier.marks, &mut Schemas::default()).await.unwrap();
    let found = &index.partitions[&0];
    assert_eq!((found.seen, found.old, found.first, found.last, found.unknown), (5, 2, Some(0), Some(2), 1), "{found:?}");
    assert!(found.unclear.as_ref().is_some_and(|(at, why)| *at == 4 && why.contains("999999")), "{found:?}");

    let alone = Search { registry: None, ..search };
    let index = alone.whole(Index::from([at(0, 0)]), &barrier.marks, &mut Schemas::default()).await.unwrap();
    assert_eq!(index.partitions[&0].unknown, 5, "without a registry nobody can tell");
}
