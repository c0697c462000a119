//! Checks a tree against a JSON Schema and says every mistake in it at its place. The schema comes from a Rust type, so what passes
//! here can be decoded into that type.

mod bounds;
mod located;
mod words;

use jsonschema::Validator;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use super::codes;
use super::diagnostic::{Diagnostic, Diagnostics};
use crate::step::scalar;

pub use located::{Located, Spot};

/// A JSON Schema, ready to check with.
#[derive(Debug)]
pub struct Shape {
    schema: Value,
    validator: Validator,
}

impl Shape {
    /// The shape of a type.
    ///
    /// # Panics
    /// When the type's schema is not a valid schema, which is a defect of ours.
    #[must_use]
    pub fn of<T: JsonSchema>() -> Self {
        let mut generator = SchemaGenerator::default();
        let schema = T::json_schema(&mut generator);
        Self::new(schema, &mut generator)
    }

    /// The shape that `schema` describes, with the definitions that `generator` gathered for it.
    ///
    /// # Panics
    /// When the schema is not a valid schema, which is a defect of ours.
    #[must_use]
    pub fn new(schema: Schema, generator: &mut SchemaGenerator) -> Self {
        let mut schema = schema.to_value();
        let definitions = generator.take_definitions(true);
        if let (Some(object), false) = (schema.as_object_mut(), definitions.is_empty()) {
            object.insert("$defs".to_owned(), Value::Object(definitions));
        }
        bounds::add(&mut schema);
        let options = scalar::FORMATS.iter().fold(jsonschema::options().should_validate_formats(true), |options, (name, check)| {
            options.with_format(*name, move |text: &str| check(text).is_ok())
        });
        let validator = options.build(&schema).expect("invariant: a schema that a Rust type derives is a valid schema");
        Self { schema, validator }
    }

    /// The schema, with its definitions.
    #[must_use]
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Reports every mistake; true when there is none. `owner` is the key that the value belongs to, for messages about the whole.
    pub fn check(&self, file: &str, owner: &str, located: &Located, out: &mut Diagnostics) -> bool {
        let mut words = words::Words::new(&self.schema, file, owner, located);
        for error in self.validator.iter_errors(&located.json) {
            words.say(&error);
        }
        let found = words.finish();
        let clean = found.is_empty() && located.unknown.is_empty();
        for diagnostic in found {
            out.push(diagnostic);
        }
        clean
    }

    /// Checks and decodes; `None` when there was a mistake, which is then in `out`.
    pub fn decode<T: serde::de::DeserializeOwned>(&self, file: &str, owner: &str, located: &Located, out: &mut Diagnostics) -> Option<T> {
        if !self.check(file, owner, located, out) {
            return None;
        }
        // Why: the reader's own words may repeat the value, which may be a secret.
        serde_path_to_error::deserialize(&located.json)
            .inspect_err(|error| {
                let message = format!("`{}` in `{owner}` does not fit", error.path());
                out.push(Diagnostic::new(codes::DOES_NOT_FIT, file, located.value(""), message));
            })
            .ok()
    }
}
