//! Schemas as they are pasted: the place of every flaw, and what the text should have been.

use cutover::schemas::fix::mend;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// Pasted texts, each with its name, the flaws that break it as `line:column`, and what it means.
pub fn pasted() -> Vec<(&'static str, &'static str, Vec<&'static str>, Value)> {
    let draft = "http://json-schema.org/draft-07/schema#";
    vec![
        (
            "a dictionary of Python",
            "{\n  'type': 'object',\n  'additionalProperties': False,\n  'properties': {'note': {'type': ['string', 'null'], 'default': None}},\n}\n",
            vec!["2:3", "2:11", "3:3", "3:27", "4:3", "4:18", "4:27", "4:36", "4:46", "4:55", "4:66", "4:72"],
            json!({ "$schema": draft, "type": "object", "additionalProperties": false,
                "properties": { "note": { "type": ["string", "null"], "default": null } } }),
        ),
        (
            "trailing commas and comments",
            "{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\", // the draft\n  \"type\": \"object\",\n  /* all of them */\n  \"required\": [\"id\", \"title\",],\n}\n",
            vec!["2:57", "4:3", "5:29", "5:31"],
            json!({ "$schema": draft, "type": "object", "required": ["id", "title"] }),
        ),
        (
            "keys without quotes, quotes of print",
            "{type: “object”, properties: {title: {type: ‘string’, pattern: \"^\\d+$\"}}}",
            vec!["1:2", "1:8", "1:18", "1:31", "1:39", "1:45", "1:55", "1:66"],
            json!({ "$schema": draft, "type": "object", "properties": { "title": { "type": "string", "pattern": "^\\d+$" } } }),
        ),
        (
            "commas and brackets that are missing",
            "{\"type\": \"object\"\n \"properties\": {\"a\": {\"type\": \"string\"} \"b\": {\"type\": \"integer\"}}\n \"required\": [\"a\" \"b\"",
            vec!["2:2", "2:41", "3:2", "3:19", "3:22", "3:22"],
            json!({ "$schema": draft, "type": "object", "properties": { "a": { "type": "string" }, "b": { "type": "integer" } }, "required": ["a", "b"] }),
        ),
        (
            "an assignment with numbers of another language",
            "schema = {\"type\": \"integer\", \"minimum\": +1, \"maximum\": 1_000, \"multipleOf\": .5};\n",
            vec!["1:1", "1:41", "1:56", "1:77", "1:80"],
            json!({ "$schema": draft, "type": "integer", "minimum": 1, "maximum": 1000, "multipleOf": 0.5 }),
        ),
        (
            "draft 4",
            "{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"id\": \"http://example.com/task\", \"type\": \"object\",\n \"properties\": {\"id\": {\"$ref\": \"#/definitions/id\"}}, \"definitions\": {\"id\": {\"type\": \"string\"}}}",
            vec![],
            json!({ "$schema": draft, "$id": "http://example.com/task", "type": "object",
                "properties": { "id": { "$ref": "#/definitions/id" } }, "definitions": { "id": { "type": "string" } } }),
        ),
        (
            "misspelt keywords",
            "{\"$schema\": \"http://json-schema.org/draft-07/schema#\", \"type\": \"object\", \"propertis\": {\"excercise\": {\"typ\": \"string\"}}, \"requried\": [\"excercise\"]}",
            vec![],
            json!({ "$schema": draft, "type": "object", "properties": { "excercise": { "typ": "string" } }, "required": ["excercise"] }),
        ),
    ]
}

#[test]
fn every_flaw_has_its_place_and_the_text_is_mended() {
    for (name, text, places, meant) in pasted() {
        let mended = mend(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut found: Vec<String> =
            mended.flaws.iter().filter(|flaw| flaw.broken).map(|flaw| format!("{}:{}", flaw.line, flaw.column)).collect();
        let mut places: Vec<String> = places.iter().map(ToString::to_string).collect();
        found.sort();
        places.sort();
        assert_eq!(found, places, "{name}: {:#?}", mended.flaws);
        let value: Value = serde_json::from_str(&mended.text).unwrap();
        assert_eq!(value, meant, "{name}");
        assert_eq!(serde_json::from_str::<Value>(text).is_err(), !places.is_empty(), "{name}");
        let again = mend(&mended.text).unwrap();
        assert_eq!(again.text, mended.text, "{name}: what is mended stays as it is");
        assert!(!again.flaws.iter().any(|flaw| flaw.broken), "{name}: {:?}", again.flaws);
    }
}

#[test]
fn a_schema_that_is_fine_stays_as_it_is() {
    let text = "{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n  \"x-team\": 1, \"enum\": [1, -2.5e3, \"é\\u00e9 \\\" //no # comment\", null]\n}\n";
    let mended = mend(text).unwrap();
    assert_eq!((mended.text.as_str(), mended.is_fine()), (text, true), "{:?}", mended.flaws);
}

#[test]
fn where_nobody_can_tell_the_place_is_said() {
    for (text, place) in [
        ("", "1:1"),
        ("\n  hello", "2:3"),
        ("{\"a\": }", "1:7"),
        ("{\"a\"}", "1:5"),
        ("{\"a\": \"b", "1:7"),
        ("{} {}", "1:4"),
        ("{\"a\": 1} /* x", "1:10"),
        ("[1]", "1:1"),
    ] {
        let error = mend(text).unwrap_err();
        assert_eq!(format!("{}:{}", error.line, error.column), place, "{text}: {error}");
    }
    let deep = format!("{}1{}", "{\"not\": ".repeat(1_000), "}".repeat(1_000));
    assert!(mend(&deep).unwrap_err().message.contains("nested deeper"));
}

#[test]
fn broken_in_any_way_it_is_mended_or_refused() {
    let rng = &mut StdRng::seed_from_u64(1);
    let texts: Vec<Vec<char>> = pasted().iter().map(|(_, text, ..)| text.chars().collect()).collect();
    let marks: Vec<char> = "{}[]()'\"“’,:;=/*#\\u\n\t\u{0}\u{a0}xT1-.$é🙂".chars().collect();
    let mut mended = 0;
    for _ in 0..20_000 {
        let mut letters = texts[rng.random_range(0..texts.len())].clone();
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(0..letters.len());
            match rng.random_range(0..3) {
                0 => letters[at] = marks[rng.random_range(0..marks.len())],
                1 => letters.insert(at, marks[rng.random_range(0..marks.len())]),
                _ => {
                    letters.truncate(at.max(1));
                }
            }
        }
        let text: String = letters.into_iter().collect();
        if let Ok(done) = mend(&text) {
            mended += 1;
            let again = mend(&done.text).unwrap_or_else(|error| panic!("{text}\n{}\n{error}", done.text));
            assert!(!again.flaws.iter().any(|flaw| flaw.broken), "{text}\n{}\n{:?}", done.text, again.flaws);
        }
    }
    println!("{mended} of 20000 texts with random damage are mended");
    assert!(mended > 3_000);
}
