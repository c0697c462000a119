//! Promises of a schema registry whose default level is BACKWARD.

use cutover::ports::PortError;
use cutover::ports::registry::{Compatibility, NewSchema, Registry, SchemaFormat};

use super::fresh;

/// A closed object with these properties, each `name:type`.
fn schema(properties: &[&str]) -> NewSchema {
    let properties = properties.iter().map(|property| {
        let (name, kind) = property.split_once(':').expect("`name:type`");
        format!(r#""{name}":{{"type":"{kind}"}}"#)
    });
    let properties = properties.collect::<Vec<_>>().join(",");
    let text = format!(
        r#"{{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{{{properties}}},"additionalProperties":false}}"#
    );
    NewSchema { format: SchemaFormat::Json, text, ..NewSchema::default() }
}

pub async fn it_answers_and_has_a_default_level(registry: &dyn Registry) {
    registry.ping().await.unwrap();
    assert_eq!(registry.default_level().await.unwrap(), Compatibility::Backward);
}

pub async fn an_unknown_subject_is_none_everywhere(registry: &dyn Registry) {
    let subject = fresh("unknown-value");
    assert_eq!(registry.latest(&subject).await.unwrap(), None);
    assert_eq!(registry.lookup(&subject, &schema(&["a:string"])).await.unwrap(), None);
    assert_eq!(registry.level(&subject).await.unwrap(), None);
    assert!(registry.check(&subject, &schema(&["a:string"])).await.unwrap().compatible);
    registry.delete_version(&subject, 1).await.unwrap();
    registry.set_level(&subject, None).await.unwrap();
    assert!(!registry.subjects().await.unwrap().contains(&subject));
}

pub async fn a_schema_is_registered_once_and_found_again(registry: &dyn Registry) {
    let subject = fresh("orders-value");
    let first = schema(&["a:string"]);
    let registered = registry.register(&subject, &first).await.unwrap();
    assert_eq!((registered.version, registered.format), (Some(1), SchemaFormat::Json));
    assert!(registered.id.is_some_and(|id| id > 0));
    assert_eq!(registry.register(&subject, &first).await.unwrap(), registered);
    let spaced = NewSchema { text: first.text.replace(',', " ,\n "), ..first.clone() };
    assert_eq!(registry.register(&subject, &spaced).await.unwrap().version, Some(1), "white space makes no other schema");
    assert_eq!(registry.lookup(&subject, &first).await.unwrap(), Some(registered.clone()));
    assert_eq!(registry.latest(&subject).await.unwrap(), Some(registered.clone()));
    assert!(registry.subjects().await.unwrap().contains(&subject));
    assert_eq!(registry.level(&subject).await.unwrap(), None, "registering gives a subject no level of its own");

    let second = schema(&["a:string", "b:integer"]);
    assert_eq!(registry.lookup(&subject, &second).await.unwrap(), None);
    assert!(registry.check(&subject, &second).await.unwrap().compatible);
    let next = registry.register(&subject, &second).await.unwrap();
    assert_eq!(next.version, Some(2));
    assert!(next.id > registered.id);
    assert_eq!(registry.latest(&subject).await.unwrap(), Some(next));
    assert_eq!(registry.lookup(&subject, &first).await.unwrap(), Some(registered.clone()), "an older version is found, too");

    let other = registry.register(&fresh("copies-value"), &first).await.unwrap();
    assert_eq!((other.id, other.version), (registered.id, Some(1)), "one schema has one id under every subject");
}

pub async fn an_incompatible_schema_is_invalid_and_changes_nothing(registry: &dyn Registry) {
    let subject = fresh("orders-value");
    let registered = registry.register(&subject, &schema(&["a:string"])).await.unwrap();
    let clash = schema(&["a:integer"]);
    let answer = registry.check(&subject, &clash).await.unwrap();
    assert!(!answer.compatible && !answer.reasons.is_empty(), "{answer:?}");
    let error = registry.register(&subject, &clash).await.unwrap_err();
    assert!(matches!(error, PortError::Invalid { .. }), "{error:?}");
    assert_eq!(registry.latest(&subject).await.unwrap(), Some(registered));
    assert_eq!(registry.lookup(&subject, &clash).await.unwrap(), None);
}

pub async fn what_is_no_schema_is_invalid(registry: &dyn Registry) {
    let subject = fresh("broken-value");
    let broken = NewSchema { format: SchemaFormat::Json, text: "{nope".to_owned(), ..NewSchema::default() };
    for error in [registry.register(&subject, &broken).await.unwrap_err(), registry.check(&subject, &broken).await.unwrap_err()] {
        assert!(matches!(error, PortError::Invalid { .. }), "{error:?}");
    }
    assert_eq!(registry.latest(&subject).await.unwrap(), None);
}

pub async fn a_level_of_its_own_is_set_counts_and_is_taken_back(registry: &dyn Registry) {
    let subject = fresh("orders-value");
    registry.set_level(&subject, Some(Compatibility::Full)).await.unwrap();
    assert_eq!(registry.level(&subject).await.unwrap(), Some(Compatibility::Full), "even before the first schema");
    registry.register(&subject, &schema(&["a:string"])).await.unwrap();
    assert_eq!(registry.level(&subject).await.unwrap(), Some(Compatibility::Full));
    let wider = schema(&["a:string", "b:integer"]);
    assert!(!registry.check(&subject, &wider).await.unwrap().compatible, "old readers refuse the new property");
    assert!(matches!(registry.register(&subject, &wider).await.unwrap_err(), PortError::Invalid { .. }));

    registry.set_level(&subject, None).await.unwrap();
    assert_eq!(registry.level(&subject).await.unwrap(), None);
    registry.set_level(&subject, None).await.unwrap();
    assert!(registry.check(&subject, &wider).await.unwrap().compatible, "the default is in force again");
    for level in [Compatibility::ForwardTransitive, Compatibility::BackwardTransitive] {
        registry.set_level(&subject, Some(level)).await.unwrap();
        assert_eq!(registry.level(&subject).await.unwrap(), Some(level));
    }
}

pub async fn a_deleted_version_is_gone_and_its_number_is_not_used_again(registry: &dyn Registry) {
    let subject = fresh("orders-value");
    let first = registry.register(&subject, &schema(&["a:string"])).await.unwrap();
    let second = registry.register(&subject, &schema(&["a:string", "b:integer"])).await.unwrap();
    registry.delete_version(&subject, 2).await.unwrap();
    registry.delete_version(&subject, 2).await.unwrap();
    registry.delete_version(&subject, 9).await.unwrap();
    assert_eq!(registry.latest(&subject).await.unwrap(), Some(first));
    assert_eq!(registry.lookup(&subject, &schema(&["a:string", "b:integer"])).await.unwrap(), None);
    let again = registry.register(&subject, &schema(&["a:string", "b:integer"])).await.unwrap();
    assert_eq!((again.id, again.version), (second.id, Some(3)));

    assert_eq!(registry.version(&subject, 2).await.unwrap().map(|version| version.id), Some(second.id), "it is deleted softly");
    assert!(registry.places_of_id(u32::try_from(second.id.unwrap()).unwrap()).await.unwrap().iter().any(|place| place.subject == subject));
    registry.erase_version(&subject, 2).await.unwrap();
    registry.erase_version(&subject, 2).await.unwrap();
    assert_eq!(registry.version(&subject, 2).await.unwrap(), None, "it is deleted for good");
    assert_eq!(registry.version(&subject, 9).await.unwrap(), None);
    assert_eq!(registry.latest(&subject).await.unwrap().unwrap().version, Some(3));
    registry.erase_version(&subject, 3).await.unwrap();
    let places = registry.places_of_id(u32::try_from(second.id.unwrap()).unwrap()).await.unwrap();
    assert!(!places.iter().any(|place| place.subject == subject), "{places:?}");

    let alone = fresh("alone-value");
    registry.register(&alone, &schema(&["a:string"])).await.unwrap();
    registry.delete_version(&alone, 1).await.unwrap();
    assert_eq!(registry.latest(&alone).await.unwrap(), None);
    assert!(!registry.subjects().await.unwrap().contains(&alone));
    assert!(registry.check(&alone, &schema(&["a:integer"])).await.unwrap().compatible, "what is deleted does not count");
}

pub async fn subjects_may_have_odd_names(registry: &dyn Registry) {
    let subject = fresh("a/b c?d=ü&%41");
    let registered = registry.register(&subject, &schema(&["a:string"])).await.unwrap();
    assert_eq!(registry.latest(&subject).await.unwrap(), Some(registered));
    assert!(registry.subjects().await.unwrap().contains(&subject));
}

pub async fn avro_is_told_from_json(registry: &dyn Registry) {
    let subject = fresh("avro-value");
    let text = r#"{"type":"record","name":"Exercise","fields":[{"name":"a","type":"string"}]}"#;
    let avro = NewSchema { format: SchemaFormat::Avro, text: text.to_owned(), ..NewSchema::default() };
    let registered = registry.register(&subject, &avro).await.unwrap();
    assert_eq!(registered.format, SchemaFormat::Avro);
    assert_eq!(registry.latest(&subject).await.unwrap(), Some(registered));
}
