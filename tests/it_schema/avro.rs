//! Avro: pairs with their verdicts, on the rules and on the real registry.

use cutover::ports::registry::{Compatibility, SchemaFormat};
use cutover::schemas::{Direction, Document, Policy, RegistryKind, judge};

/// A change: name, the old fields, the new ones, the rules that refuse it backward and forward with their places.
type Pair = (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

/// The table.
pub const PAIRS: &[Pair] = &[
    (
        "field with a default added",
        r#"{"name":"a","type":"string"}"#,
        r#"{"name":"a","type":"string"},{"name":"b","type":"int","default":0}"#,
        &[],
        &[],
    ),
    (
        "field without a default added",
        r#"{"name":"a","type":"string"}"#,
        r#"{"name":"a","type":"string"},{"name":"b","type":"int"}"#,
        &["READER_FIELD_MISSING_DEFAULT_VALUE #/fields/b"],
        &[],
    ),
    (
        "field removed",
        r#"{"name":"a","type":"string"},{"name":"b","type":"int"}"#,
        r#"{"name":"a","type":"string"}"#,
        &[],
        &["READER_FIELD_MISSING_DEFAULT_VALUE #/fields/b"],
    ),
    ("int becomes long", r#"{"name":"a","type":"int"}"#, r#"{"name":"a","type":"long"}"#, &[], &["TYPE_MISMATCH #/fields/a"]),
    ("long becomes double", r#"{"name":"a","type":"long"}"#, r#"{"name":"a","type":"double"}"#, &[], &["TYPE_MISMATCH #/fields/a"]),
    ("string becomes bytes", r#"{"name":"a","type":"string"}"#, r#"{"name":"a","type":"bytes"}"#, &[], &[]),
    (
        "string becomes int",
        r#"{"name":"a","type":"string"}"#,
        r#"{"name":"a","type":"int"}"#,
        &["TYPE_MISMATCH #/fields/a"],
        &["TYPE_MISMATCH #/fields/a"],
    ),
    (
        "field may be null",
        r#"{"name":"a","type":"string"}"#,
        r#"{"name":"a","type":["null","string"],"default":null}"#,
        &[],
        &["MISSING_UNION_BRANCH #/fields/a"],
    ),
    (
        "union gains a type",
        r#"{"name":"a","type":["null","string"]}"#,
        r#"{"name":"a","type":["null","string","int"]}"#,
        &[],
        &["MISSING_UNION_BRANCH #/fields/a"],
    ),
    ("union in another order", r#"{"name":"a","type":["null","string"]}"#, r#"{"name":"a","type":["string","null"]}"#, &[], &[]),
    (
        "enum gains a symbol",
        r#"{"name":"a","type":{"type":"enum","name":"E","symbols":["X"]}}"#,
        r#"{"name":"a","type":{"type":"enum","name":"E","symbols":["X","Y"]}}"#,
        &[],
        &["MISSING_ENUM_SYMBOLS #/fields/a/symbols"],
    ),
    (
        "enum with a default gains a symbol",
        r#"{"name":"a","type":{"type":"enum","name":"E","symbols":["X"],"default":"X"}}"#,
        r#"{"name":"a","type":{"type":"enum","name":"E","symbols":["X","Y"],"default":"X"}}"#,
        &[],
        &[],
    ),
    (
        "fixed of another size",
        r#"{"name":"a","type":{"type":"fixed","name":"F","size":4}}"#,
        r#"{"name":"a","type":{"type":"fixed","name":"F","size":8}}"#,
        &["FIXED_SIZE_MISMATCH #/fields/a"],
        &["FIXED_SIZE_MISMATCH #/fields/a"],
    ),
    (
        "items widened",
        r#"{"name":"a","type":{"type":"array","items":"int"}}"#,
        r#"{"name":"a","type":{"type":"array","items":"long"}}"#,
        &[],
        &["TYPE_MISMATCH #/fields/a/items"],
    ),
    (
        "values of another type",
        r#"{"name":"a","type":{"type":"map","values":"int"}}"#,
        r#"{"name":"a","type":{"type":"map","values":"string"}}"#,
        &["TYPE_MISMATCH #/fields/a/values"],
        &["TYPE_MISMATCH #/fields/a/values"],
    ),
    (
        "field renamed",
        r#"{"name":"a","type":"string"}"#,
        r#"{"name":"b","type":"string"}"#,
        &["READER_FIELD_MISSING_DEFAULT_VALUE #/fields/b"],
        &["READER_FIELD_MISSING_DEFAULT_VALUE #/fields/a"],
    ),
    (
        "field renamed with an alias",
        r#"{"name":"a","type":"string"}"#,
        r#"{"name":"b","type":"string","aliases":["a"]}"#,
        &[],
        &["READER_FIELD_MISSING_DEFAULT_VALUE #/fields/a"],
    ),
    (
        "nested record renamed",
        r#"{"name":"a","type":{"type":"record","name":"P","fields":[]}}"#,
        r#"{"name":"a","type":{"type":"record","name":"Q","fields":[]}}"#,
        &["NAME_MISMATCH #/fields/a"],
        &["NAME_MISMATCH #/fields/a"],
    ),
    (
        "nested record gains a field",
        r#"{"name":"a","type":{"type":"record","name":"P","fields":[]}}"#,
        r#"{"name":"a","type":{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}}"#,
        &["READER_FIELD_MISSING_DEFAULT_VALUE #/fields/a/fields/x"],
        &[],
    ),
    (
        "nullable record gains a field",
        r#"{"name":"a","type":["null",{"type":"record","name":"P","fields":[]}]}"#,
        r#"{"name":"a","type":["null",{"type":"record","name":"P","fields":[{"name":"x","type":"int"}]}]}"#,
        &["READER_FIELD_MISSING_DEFAULT_VALUE #/fields/a/fields/x"],
        &[],
    ),
    (
        "list inside itself gains a field",
        r#"{"name":"next","type":["null","Event"],"default":null}"#,
        r#"{"name":"next","type":["null","Event"],"default":null},{"name":"x","type":"int","default":1}"#,
        &[],
        &[],
    ),
    ("documentation changed", r#"{"name":"a","type":"string"}"#, r#"{"name":"a","type":"string","doc":"the name"}"#, &[], &[]),
];

/// The schema of a record with these fields.
pub fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"Event","namespace":"n.s","fields":[{fields}]}}"#)
}

fn read(text: &str) -> Document {
    Document::read(text, SchemaFormat::Avro).unwrap()
}

#[test]
fn every_pair_is_judged_by_its_rules() {
    for (name, old, new, backward, forward) in PAIRS {
        let verdict = judge(&[read(&record(old))], &read(&record(new)), Compatibility::Full, Policy::Strict, RegistryKind::Confluent);
        for (direction, rules) in [(Direction::Backward, backward), (Direction::Forward, forward)] {
            let found = verdict.reasons.iter().filter(|reason| reason.direction == direction);
            let found: Vec<_> = found.map(|reason| format!("{} {}", reason.rule, reason.path)).collect();
            assert_eq!(&found.iter().map(String::as_str).collect::<Vec<_>>(), rules, "{name}, {direction:?}: {verdict:#?}");
        }
    }
}

#[test]
fn another_meaning_of_the_same_bytes_is_a_warning_and_an_unknown_type_is_said() {
    let (date, time) = (r#"{"type":"int","logicalType":"date"}"#, r#"{"type":"int","logicalType":"time-millis"}"#);
    let verdict = judge(&[read(date)], &read(time), Compatibility::Full, Policy::Strict, RegistryKind::Confluent);
    assert!(verdict.compatible && verdict.warnings.len() == 2, "{verdict:?}");
    let unknown =
        judge(&[read("string")], &read("[\"null\", \"Nobody\"]"), Compatibility::Backward, Policy::Strict, RegistryKind::Confluent);
    assert_eq!(unknown.reasons[0].rule, "MISSING_UNION_BRANCH");
}

#[test]
fn a_chain_of_records_has_an_answer() {
    let link = |at: usize| {
        let next = if at == 0 { "\"int\"".to_owned() } else { format!("\"R{}\"", at - 1) };
        format!(r#"{{"type":"record","name":"R{at}","fields":[{{"name":"n","type":{next}}}]}}"#)
    };
    let all: Vec<String> = (0..200).map(link).collect();
    let chain = read(&format!("[{}]", all.join(",")));
    let verdict = judge(std::slice::from_ref(&chain), &chain, Compatibility::Backward, Policy::Strict, RegistryKind::Confluent);
    assert!(verdict.compatible, "{:?}", verdict.reasons.first());
    let alone = |top: &str| {
        read(&format!(
            r#"{{"type":"record","name":"Top","fields":[{{"name":"z","type":[{}]}},{{"name":"a","type":"{top}"}}]}}"#,
            all.iter().rev().cloned().collect::<Vec<_>>().join(",")
        ))
    };
    let _ = judge(&[alone("R199")], &alone("R199"), Compatibility::Backward, Policy::Strict, RegistryKind::Confluent);
}
