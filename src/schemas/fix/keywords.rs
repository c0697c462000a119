//! What is told of keywords: those of old drafts, and those that are misspelt.

/// The keywords of JSON Schema, all drafts.
const KNOWN: [&str; 60] = [
    "$schema",
    "$id",
    "$ref",
    "$defs",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$comment",
    "$vocabulary",
    "id",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "format",
    "items",
    "prefixItems",
    "additionalItems",
    "unevaluatedItems",
    "maxItems",
    "minItems",
    "uniqueItems",
    "contains",
    "maxContains",
    "minContains",
    "maxProperties",
    "minProperties",
    "required",
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "definitions",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "contentEncoding",
    "contentMediaType",
];

/// How what stands in a place is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A schema: its keys are keywords.
    Schema,
    /// Names of the user's own, each with a schema.
    Names,
    /// A list of schemas, or a schema.
    Schemas,
    /// Anything.
    Data,
}

/// How the value of a key is read.
pub(super) fn inside(place: Place, key: &str) -> Place {
    match place {
        Place::Names => Place::Schema,
        Place::Data => Place::Data,
        Place::Schema | Place::Schemas => match key {
            "properties" | "patternProperties" | "definitions" | "$defs" | "dependentSchemas" => Place::Names,
            "items"
            | "additionalItems"
            | "additionalProperties"
            | "not"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames"
            | "unevaluatedItems"
            | "unevaluatedProperties" => Place::Schema,
            "allOf" | "anyOf" | "oneOf" | "prefixItems" => Place::Schemas,
            _ => Place::Data,
        },
    }
}

/// The keyword that a key was most likely meant to be.
pub(super) fn meant(key: &str) -> Option<&'static str> {
    if KNOWN.contains(&key) || key.len() < 5 || key.starts_with("x-") {
        return None;
    }
    let close = KNOWN.into_iter().map(|known| (strsim::damerau_levenshtein(key, known), known)).min()?;
    (close.0 <= 2 && close.1.len() >= 5).then_some(close.1)
}
