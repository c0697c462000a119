//! Random schemas, small changes of them, and documents that fit.

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn one<'a, T>(rng: &mut StdRng, from: &'a [T]) -> &'a T {
    &from[rng.random_range(0..from.len())]
}

/// A schema with up to so many levels.
pub fn schema(rng: &mut StdRng, depth: usize) -> Value {
    let kinds = if depth == 0 { 6 } else { 12 };
    match rng.random_range(0..kinds) {
        0 => text(rng),
        1 => number(rng),
        2 => json!({ "type": "boolean" }),
        3 => json!({ "type": one(rng, &["null", "string", "integer"]) }),
        4 => json!({ "enum": &["x", "y", "z"][..rng.random_range(1..=3)] }),
        5 => match rng.random_range(0..4) {
            0 => json!({ "const": rng.random_range(0..2) }),
            1 => json!(true),
            2 => json!({}),
            _ => json!({ "type": ["string", "null"] }),
        },
        6..=8 => object(rng, depth),
        9 => list(rng, depth),
        10 => {
            let parts: Vec<Value> = (0..rng.random_range(1..=3)).map(|_| schema(rng, depth - 1)).collect();
            json!({ *one(rng, &["anyOf", "oneOf", "allOf"]): parts })
        }
        _ => json!({ "anyOf": [schema(rng, depth - 1), { "type": "null" }] }),
    }
}

fn text(rng: &mut StdRng) -> Value {
    let mut map = Map::from_iter([("type".to_owned(), json!("string"))]);
    if rng.random_bool(0.3) {
        map.insert("minLength".to_owned(), json!(rng.random_range(0..3)));
    }
    if rng.random_bool(0.3) {
        map.insert("maxLength".to_owned(), json!(rng.random_range(3..8)));
    }
    if rng.random_bool(0.1) {
        map.insert("pattern".to_owned(), json!(one(rng, &["^[a-z]*$", "x"])));
    }
    if rng.random_bool(0.1) {
        map.insert("format".to_owned(), json!(one(rng, &["uuid", "date"])));
    }
    Value::Object(map)
}

fn number(rng: &mut StdRng) -> Value {
    let mut map = Map::from_iter([("type".to_owned(), json!(one(rng, &["integer", "number"])))]);
    if rng.random_bool(0.3) {
        map.insert("minimum".to_owned(), json!(rng.random_range(-5..3)));
    }
    if rng.random_bool(0.3) {
        map.insert("maximum".to_owned(), json!(rng.random_range(3..20)));
    }
    if rng.random_bool(0.1) {
        map.insert((*one(rng, &["exclusiveMinimum", "exclusiveMaximum"])).to_owned(), json!(rng.random_range(-9..25)));
    }
    if rng.random_bool(0.1) {
        map.insert("multipleOf".to_owned(), json!(rng.random_range(1..4)));
    }
    Value::Object(map)
}

fn object(rng: &mut StdRng, depth: usize) -> Value {
    let mut properties = Map::new();
    for _ in 0..rng.random_range(0..4) {
        properties.insert((*one(rng, &NAMES)).to_owned(), schema(rng, depth - 1));
    }
    let mut names: Vec<String> = properties.keys().filter(|_| rng.random_bool(0.4)).cloned().collect();
    if rng.random_bool(0.05) {
        names.push("z".to_owned());
    }
    let mut map = Map::from_iter([("type".to_owned(), json!("object")), ("properties".to_owned(), Value::Object(properties))]);
    if rng.random_bool(0.05) {
        map.remove("type");
    }
    if !names.is_empty() {
        map.insert("required".to_owned(), json!(names));
    }
    match rng.random_range(0..10) {
        0..6 => {
            map.insert("additionalProperties".to_owned(), json!(false));
        }
        6 => {
            map.insert("additionalProperties".to_owned(), schema(rng, 0));
        }
        _ => {}
    }
    if rng.random_bool(0.1) {
        map.insert("patternProperties".to_owned(), json!({ *one(rng, &["^a", "[ab]"]): schema(rng, 0) }));
    }
    if rng.random_bool(0.05) {
        map.insert("dependencies".to_owned(), json!({ "a": ["b"] }));
    }
    if rng.random_bool(0.1) {
        map.insert((*one(rng, &["minProperties", "maxProperties"])).to_owned(), json!(rng.random_range(0..4)));
    }
    Value::Object(map)
}

fn list(rng: &mut StdRng, depth: usize) -> Value {
    let mut map = Map::from_iter([("type".to_owned(), json!("array"))]);
    match rng.random_range(0..4) {
        0 => {
            map.insert("items".to_owned(), json!([schema(rng, depth - 1), schema(rng, 0)]));
            if rng.random_bool(0.5) {
                map.insert("additionalItems".to_owned(), schema(rng, 0));
            }
            if rng.random_bool(0.5) {
                map.insert("additionalItems".to_owned(), json!(false));
            }
        }
        1 => {}
        _ => {
            map.insert("items".to_owned(), schema(rng, depth - 1));
        }
    }
    for (keyword, chance) in [("minItems", 0.1), ("maxItems", 0.1)] {
        if rng.random_bool(chance) {
            map.insert(keyword.to_owned(), json!(rng.random_range(0..4)));
        }
    }
    if rng.random_bool(0.1) {
        map.insert("uniqueItems".to_owned(), json!(true));
    }
    if rng.random_bool(0.05) {
        map.insert("contains".to_owned(), json!({ "type": "string" }));
    }
    Value::Object(map)
}

/// The schema with a change somewhere, as people make them: some widen, some narrow.
pub fn changed(rng: &mut StdRng, schema: &Value) -> Value {
    let mut schema = schema.clone();
    change(rng, &mut schema, 0);
    schema
}

#[expect(clippy::too_many_lines, reason = "one list of all changes, by kind of schema")]
fn change(rng: &mut StdRng, schema: &mut Value, depth: usize) {
    let inside = rng.random_bool(0.6) && depth < 4;
    let Value::Object(map) = schema else {
        *schema = json!({});
        return;
    };
    if inside {
        let keys = ["properties", "items", "anyOf", "oneOf", "allOf", "additionalProperties"];
        let found: Vec<&str> =
            keys.into_iter().filter(|key| map.get(*key).is_some_and(|value| value.is_object() || value.is_array())).collect();
        if !found.is_empty() {
            let key = *one(rng, &found);
            let part = map.get_mut(key).expect("a part");
            match part {
                Value::Array(parts) if !parts.is_empty() => {
                    let at = rng.random_range(0..parts.len());
                    return change(rng, &mut parts[at], depth + 1);
                }
                Value::Object(parts) if key == "properties" => {
                    let names: Vec<String> = parts.keys().cloned().collect();
                    if !names.is_empty() {
                        let name = one(rng, &names).clone();
                        return change(rng, parts.get_mut(&name).expect("a property"), depth + 1);
                    }
                }
                Value::Object(_) => return change(rng, part, depth + 1),
                _ => {}
            }
        }
    }
    let (less, more) = (rng.random_range(1..3), rng.random_range(0..10));
    let moved = |map: &mut Map<String, Value>, keyword: &str, by: i64| {
        if let Some(value) = map.get(keyword).and_then(Value::as_i64) {
            map.insert(keyword.to_owned(), json!((value + by).max(0)));
        }
    };
    match map.get("type").and_then(Value::as_str).unwrap_or_default() {
        "object" => match rng.random_range(0..9) {
            0..3 => {
                let value = self::schema(rng, 1);
                let properties = map.entry("properties").or_insert_with(|| json!({}));
                properties.as_object_mut().expect("properties").insert((*one(rng, &NAMES)).to_owned(), value);
            }
            3 => {
                map.remove("required");
            }
            4 => {
                map.remove("additionalProperties");
            }
            5 => {
                let properties = map.entry("properties").or_insert_with(|| json!({}));
                let properties = properties.as_object_mut().expect("properties");
                let first = properties.keys().next().cloned();
                first.map(|first| properties.remove(&first));
            }
            6 => {
                map.insert("required".to_owned(), json!([one(rng, &NAMES)]));
            }
            7 => {
                let value = self::schema(rng, 0);
                map.insert("additionalProperties".to_owned(), value);
            }
            _ => {
                map.remove("minProperties");
                map.remove("dependencies");
            }
        },
        "string" => match more {
            0..4 => moved(map, "maxLength", less),
            4..6 => moved(map, "minLength", -less),
            6 => {
                map.remove("maxLength");
            }
            7 => *schema = json!({ "type": ["string", "null"] }),
            8 => {
                map.remove("pattern");
            }
            _ => {
                map.insert("maxLength".to_owned(), json!(2));
            }
        },
        "integer" | "number" => match more {
            0..3 => {
                map.insert("type".to_owned(), json!("number"));
            }
            3 => {
                map.insert("type".to_owned(), json!("integer"));
            }
            4 => moved(map, "maximum", less),
            5 => {
                map.remove("minimum");
            }
            6 => {
                map.remove("multipleOf");
            }
            7 => {
                map.insert("minimum".to_owned(), json!(0));
            }
            _ => *schema = json!({ "anyOf": [schema.clone(), { "type": "null" }] }),
        },
        "array" => match more {
            0..3 => moved(map, "maxItems", less),
            3..5 => {
                map.remove("items");
            }
            5 => {
                map.remove("uniqueItems");
            }
            6 => {
                map.insert("additionalItems".to_owned(), json!(false));
            }
            7 => {
                map.insert("minItems".to_owned(), json!(1));
            }
            _ => *schema = json!({ "anyOf": [schema.clone(), { "type": "string" }] }),
        },
        _ => {
            let added = self::schema(rng, 0);
            let keyword = ["anyOf", "oneOf", "allOf", "enum"].into_iter().find(|keyword| map.contains_key(*keyword));
            match keyword {
                Some("enum") => map["enum"].as_array_mut().expect("values").push(json!(format!("w{more}"))),
                Some(keyword) if more < 6 => map[keyword].as_array_mut().expect("parts").push(added),
                Some(keyword) => {
                    let parts = map[keyword].as_array_mut().expect("parts");
                    if parts.len() > 1 {
                        parts.pop();
                    }
                }
                None if more < 5 => *schema = json!({ "anyOf": [schema.clone(), added] }),
                None => *schema = added,
            }
        }
    }
}

/// A document that most likely fits a schema.
pub fn document(rng: &mut StdRng, schema: &Value, depth: usize) -> Value {
    let Value::Object(map) = schema else { return anything(rng) };
    if depth > 8 {
        return Value::Null;
    }
    if let Some(value) = map.get("const") {
        return value.clone();
    }
    if let Some(Value::Array(values)) = map.get("enum") {
        return one(rng, values).clone();
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(parts)) = map.get(keyword) {
            let part = one(rng, parts).clone();
            return document(rng, &part, depth + 1);
        }
    }
    let kind = match map.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => one(rng, kinds).as_str().unwrap_or("null"),
        _ if map.contains_key("properties") => *one(rng, &["object", "object", "string"]),
        _ => return anything(rng),
    };
    let bound = |keyword: &str, default: i64| map.get(keyword).and_then(Value::as_i64).unwrap_or(default);
    match kind {
        "string" => {
            let length = rng.random_range(bound("minLength", 0)..=bound("maxLength", 6).max(bound("minLength", 0)));
            json!("xyzabcdefgh".chars().cycle().take(usize::try_from(length).expect("a length")).collect::<String>())
        }
        "integer" | "number" => {
            let (low, high) = (bound("minimum", -30), bound("maximum", 60));
            let whole = rng.random_range(low..=high.max(low));
            let step = bound("multipleOf", 1);
            if kind == "number" && step == 1 && rng.random_bool(0.4) {
                serde_json::from_str(&format!("{whole}.5")).expect("a number")
            } else {
                json!(whole / step * step)
            }
        }
        "boolean" => json!(rng.random_bool(0.5)),
        "array" => {
            let count = rng.random_range(bound("minItems", 0)..=bound("maxItems", 3).max(bound("minItems", 0)));
            let items = map.get("items");
            let item = |rng: &mut StdRng, at: usize| match items {
                Some(Value::Array(tuple)) => match tuple.get(at) {
                    Some(schema) => document(rng, schema, depth + 1),
                    None => document(rng, map.get("additionalItems").unwrap_or(&Value::Bool(true)), depth + 1),
                },
                Some(schema) => document(rng, schema, depth + 1),
                None => anything(rng),
            };
            Value::Array((0..usize::try_from(count).expect("a count")).map(|at| item(rng, at)).collect())
        }
        "object" => {
            let mut found = Map::new();
            let required: Vec<&str> =
                map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            for (name, schema) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if required.contains(&name.as_str()) || rng.random_bool(0.5) {
                    found.insert(name.clone(), document(rng, schema, depth + 1));
                }
            }
            let rest = map.get("additionalProperties");
            if rest != Some(&json!(false)) {
                for name in NAMES.iter().chain(&["z"]) {
                    if !found.contains_key(*name) && (required.contains(name) || rng.random_bool(0.2)) {
                        let value = document(rng, rest.unwrap_or(&Value::Bool(true)), depth + 1);
                        found.insert((*name).to_owned(), value);
                    }
                }
            }
            Value::Object(found)
        }
        _ => Value::Null,
    }
}

fn anything(rng: &mut StdRng) -> Value {
    match rng.random_range(0..7) {
        0 => json!("xy"),
        1 => json!(7),
        2 => json!(2.5),
        3 => json!(true),
        4 => json!(["x"]),
        5 => json!({ "a": 1, "z": "x" }),
        _ => Value::Null,
    }
}
