//! What a JSON Schema says about the form of an event: an envelope around a payload, or the fields alone.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Map, Value};

use super::super::json_schema::{accepts, constant, properties, property, requires, resolved};

/// The fields of an envelope that hold the time at which an event was made.
const TIMES: [&str; 2] = ["produced_at", "created_at"];

/// What a step says besides the schema.
pub(super) struct Wanted<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) version: Option<u32>,
    /// Column to field.
    pub(super) columns: &'a BTreeMap<String, String>,
    /// The column that grows with every change.
    pub(super) grows: &'a str,
}

/// How an event is put together.
#[derive(Debug)]
pub(super) struct Envelope {
    validator: Validator,
    /// Whether the fields of the row lie under `payload`.
    pub(super) wrapped: bool,
    /// The event's name, where the schema has a place for it.
    pub(super) name: Option<String>,
    pub(super) id: Option<Id>,
    /// The field that gets the time.
    pub(super) time: Option<String>,
    /// Fields of the envelope that are the same in every event.
    pub(super) fixed: Map<String, Value>,
    pub(super) fields: Vec<Field>,
    /// The field that tells which record of a key is newer.
    pub(super) grows: String,
}

/// The form of an event's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Id {
    Text,
    Number,
}

/// A field of the payload.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) column: String,
    pub(super) required: bool,
    /// Whether it may be null.
    pub(super) nullable: bool,
    /// The value that it has in every event, or when the table has no such column.
    pub(super) fixed: Option<Value>,
}

/// An event that does not fit: where in the event, and which rule of the schema. Never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) at: String,
    pub(super) rule: String,
}

impl Envelope {
    /// Reads a schema; else the place in the step's body and what is in the way.
    pub(super) fn read(text: &str, wanted: &Wanted<'_>) -> Result<Self, (String, String)> {
        let at_schema = |why: String| ("/schema".to_owned(), why);
        let root: Value = serde_json::from_str(text).map_err(|error| at_schema(format!("the schema is not JSON: {error}")))?;
        let validator = jsonschema::validator_for(&root).map_err(|error| at_schema(format!("the schema cannot be used: {error}")))?;
        let top = resolved(&root, &root);
        let payload = property(&root, top, "payload");
        let wrapped = payload.is_some();
        let mut envelope =
            Self { validator, wrapped, name: None, id: None, time: None, fixed: Map::new(), fields: Vec::new(), grows: String::new() };
        if wrapped {
            envelope.read_top(&root, top, wanted)?;
        }
        envelope.read_fields(&root, payload.unwrap_or(top), wanted)?;
        Ok(envelope)
    }

    /// The fields around the payload.
    fn read_top(&mut self, root: &Value, top: &Value, wanted: &Wanted<'_>) -> Result<(), (String, String)> {
        for (name, schema) in properties(top).into_iter().flatten().filter(|(name, _)| *name != "payload") {
            let schema = resolved(root, schema);
            let said = constant(schema).cloned();
            match name.as_str() {
                "event_id" => {
                    let text = accepts(schema, "string") || !accepts(schema, "integer");
                    self.id = Some(if text { Id::Text } else { Id::Number });
                }
                "event_name" => {
                    let given = wanted.name.map(|name| Value::String(name.to_owned()));
                    let value = given.or(said).ok_or_else(|| {
                        ("/schema".to_owned(), "the schema does not say the event's name; say it under `event_name`".to_owned())
                    })?;
                    self.name = value.as_str().map(str::to_owned);
                    self.fixed.insert(name.clone(), value);
                }
                "event_version" => {
                    let given = wanted.version.map(Value::from);
                    let value = given.or(said).ok_or_else(|| {
                        ("/schema".to_owned(), "the schema does not say the event's version; say it under `event_version`".to_owned())
                    })?;
                    self.fixed.insert(name.clone(), value);
                }
                time if TIMES.contains(&time) && accepts(schema, "string") => self.time = Some(name.clone()),
                _ => match said {
                    Some(value) => {
                        self.fixed.insert(name.clone(), value);
                    }
                    None if requires(top, name) => {
                        let why = format!(
                            "the schema requires `{name}` beside the payload, and nobody knows its value: it has no `const` and no `default`"
                        );
                        return Err(("/schema".to_owned(), why));
                    }
                    None => {}
                },
            }
        }
        Ok(())
    }

    /// The fields that come from the row. Only those that the schema names: what it does not know is not published.
    fn read_fields(&mut self, root: &Value, payload: &Value, wanted: &Wanted<'_>) -> Result<(), (String, String)> {
        let known = properties(payload);
        if let Some(unknown) = known.and_then(|known| wanted.columns.values().find(|field| !known.contains_key(*field))) {
            return Err(("/payload".to_owned(), format!("the schema knows no field `{unknown}`")));
        }
        let names: Vec<&String> = match known {
            Some(known) => known.keys().collect(),
            // Why: a schema that names no fields would let everything out that the table ever gets.
            None if wanted.columns.is_empty() => {
                return Err((
                    "/schema".to_owned(),
                    "the schema names no fields of the payload; name them under `payload`, column to field".to_owned(),
                ));
            }
            None => wanted.columns.values().collect(),
        };
        for name in names {
            let schema = known.and_then(|known| known.get(name)).map_or(&Value::Null, |schema| resolved(root, schema));
            let renamed = wanted.columns.iter().find(|(_, field)| *field == name).map(|(column, _)| column.clone());
            // Why: a column that is published under another name is not published under its own, too.
            if renamed.is_none() && wanted.columns.contains_key(name) {
                continue;
            }
            self.fields.push(Field {
                name: name.clone(),
                column: renamed.unwrap_or_else(|| name.clone()),
                required: requires(payload, name),
                nullable: accepts(schema, "null"),
                fixed: constant(schema).cloned(),
            });
        }
        let grows = self.fields.iter().find(|field| field.column == wanted.grows).map(|field| field.name.clone());
        self.grows = grows.ok_or_else(|| {
            let why = format!(
                "the schema has no field for column `{}`, which grows with every change: without it nobody can tell which record of a key is \
                 newer",
                wanted.grows
            );
            ("/version".to_owned(), why)
        })?;
        Ok(())
    }

    /// A field that the schema requires and the table cannot fill, with the column that it would come from.
    pub(super) fn missing(&self, has: &impl Fn(&str) -> bool) -> Option<(String, String)> {
        let field = self.fields.iter().find(|field| field.required && field.fixed.is_none() && !has(&field.column))?;
        let name = if self.wrapped { format!("payload.{}", field.name) } else { field.name.clone() };
        Some((name, field.column.clone()))
    }

    /// Why an event does not fit the schema; `None` when it does.
    pub(super) fn misfit(&self, event: &Value) -> Option<Misfit> {
        let error = self.validator.iter_errors(event).next()?;
        let (at, rule) = (error.instance_path().to_string(), error.schema_path().to_string());
        Some(Misfit { at: if at.is_empty() { "the event itself".to_owned() } else { at }, rule })
    }

    /// Which version of its row a record tells; `None` when it is another event or does not say.
    pub(super) fn version_in(&self, record: &Value) -> Option<i64> {
        let fields = if self.wrapped { record.get("payload")? } else { record };
        fields.get(&self.grows)?.as_i64()
    }

    /// Whether a record is an event of another name, on a topic that carries several.
    pub(super) fn is_foreign(&self, record: &Value) -> bool {
        let name = record.get("event_name").and_then(Value::as_str);
        matches!((&self.name, name), (Some(ours), Some(name)) if ours != name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(schema: &Value, columns: &[(&str, &str)]) -> Result<Envelope, (String, String)> {
        let columns = columns.iter().map(|(column, field)| ((*column).to_owned(), (*field).to_owned())).collect();
        Envelope::read(&schema.to_string(), &Wanted { name: None, version: None, columns: &columns, grows: "version" })
    }

    fn enveloped() -> Value {
        json!({
            "$defs": { "body": {
                "type": "object",
                "required": ["id", "version"],
                "properties": {
                    "id": { "type": "integer" },
                    "version": { "type": "integer" },
                    "title": { "anyOf": [{ "type": "string" }, { "type": "null" }] },
                    "note": { "type": "string" },
                },
            } },
            "type": "object",
            "properties": {
                "event_id": { "type": "string" },
                "event_name": { "const": "ExerciseChanged" },
                "event_version": { "type": "integer", "default": 0 },
                "produced_at": { "type": "string" },
                "producer": { "enum": ["exercises"] },
                "payload": { "$ref": "#/$defs/body" },
            },
        })
    }

    #[test]
    fn an_envelope_is_told_from_its_schema() {
        let found = read(&enveloped(), &[]).expect("an envelope");
        assert!(found.wrapped);
        assert_eq!(
            (found.id, found.time.as_deref(), found.name.as_deref()),
            (Some(Id::Text), Some("produced_at"), Some("ExerciseChanged"))
        );
        assert_eq!(
            Value::Object(found.fixed.clone()),
            json!({ "event_name": "ExerciseChanged", "event_version": 0, "producer": "exercises" })
        );
        let fields: Vec<_> = found.fields.iter().map(|field| (field.name.as_str(), field.required, field.nullable)).collect();
        assert_eq!(fields, [("id", true, false), ("version", true, false), ("title", false, true), ("note", false, false)]);
        assert_eq!(found.version_in(&json!({ "payload": { "version": 7 } })), Some(7));
        assert!(found.is_foreign(&json!({ "event_name": "Other" })) && !found.is_foreign(&json!({ "event_name": "ExerciseChanged" })));
    }

    #[test]
    fn a_state_may_come_without_an_envelope() {
        let schema = json!({ "properties": { "id": { "type": "integer" }, "version": { "type": "integer" } } });
        let found = read(&schema, &[]).expect("fields");
        assert!(!found.wrapped && found.id.is_none());
        assert_eq!(found.version_in(&json!({ "version": 3 })), Some(3));
    }

    #[test]
    fn columns_may_have_other_names_than_fields() {
        let found = read(&enveloped(), &[("rev", "note")]).expect("an envelope");
        assert_eq!(found.fields[3].column, "rev");
        let (at, why) = read(&enveloped(), &[("rev", "nope")]).expect_err("an unknown field");
        assert_eq!((at.as_str(), why.as_str()), ("/payload", "the schema knows no field `nope`"));
        let (at, _) = read(&enveloped(), &[("rev", "version")]).expect_err("the version comes from another column");
        assert_eq!(at, "/version");
    }

    #[test]
    fn what_the_schema_leaves_open_is_asked_for() {
        let mut schema = enveloped();
        schema["properties"]["event_name"] = json!({ "type": "string" });
        assert!(read(&schema, &[]).expect_err("no name").1.contains("event_name"));
        let mut schema = enveloped();
        schema["properties"]["trace"] = json!({ "type": "string" });
        assert!(read(&schema, &[]).is_ok(), "not required, so left out");
        schema["required"] = json!(["trace"]);
        assert!(read(&schema, &[]).expect_err("nobody knows it").1.contains("`trace`"));
        assert!(
            read(&json!({ "properties": { "payload": { "type": "object" } } }), &[]).expect_err("no fields").1.contains("names no fields")
        );
    }

    #[test]
    fn a_misfit_names_the_place_and_never_the_value() {
        let found = read(&enveloped(), &[]).expect("an envelope");
        let misfit = found.misfit(&json!({ "payload": { "id": "secret", "version": 1 } })).expect("a misfit");
        assert_eq!(misfit.at, "/payload/id");
        assert!(misfit.rule.contains("type") && !misfit.rule.contains("secret"), "{misfit:?}");
        assert_eq!(found.missing(&|column| column == "id"), Some(("payload.version".to_owned(), "version".to_owned())));
    }
}
