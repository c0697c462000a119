//! What a validation error means, in words for people.

use std::collections::BTreeSet;
use std::fmt::Write;

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::super::codes::{self, Code};
use super::super::diagnostic::Diagnostic;
use super::super::suggest;
use super::super::tree::Place;
use super::Located;
use crate::step::pointer;
use crate::step::scalar::{self, worded};

/// Gathers the diagnostics of one check.
pub(super) struct Words<'a> {
    pub(super) schema: &'a Value,
    pub(super) file: &'a str,
    pub(super) owner: &'a str,
    pub(super) located: &'a Located,
    found: Vec<Diagnostic>,
    /// Keys that are missing, by pointer and name, with what to say if nothing explains it.
    missing: Vec<(String, String, Diagnostic)>,
    /// Keys that somebody meant and misspelt.
    meant: BTreeSet<(String, String)>,
}

impl<'a> Words<'a> {
    /// For one check of `located`.
    pub(super) fn new(schema: &'a Value, file: &'a str, owner: &'a str, located: &'a Located) -> Self {
        Self { schema, file, owner, located, found: Vec::new(), missing: Vec::new(), meant: BTreeSet::new() }
    }

    /// Everything that was said. A key that is missing because it is misspelt is one mistake, not two.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        let Self { mut found, missing, meant, .. } = self;
        found.extend(
            missing
                .into_iter()
                .filter(|(pointer, key, _)| !meant.contains(&(pointer.clone(), key.clone())))
                .map(|(_, _, diagnostic)| diagnostic),
        );
        found
    }

    /// Turns one error into diagnostics.
    pub(super) fn say(&mut self, error: &ValidationError<'_>) {
        let pointer = error.instance_path().as_str();
        let nested = matches!(error.kind(), Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. });
        if self.located.unknown.contains(pointer) || (nested && self.located.is_unknown(pointer)) {
            return;
        }
        match error.kind() {
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => self.unknown_keys(error, unexpected),
            Kind::Required { property } => self.missing(error, property.as_str().unwrap_or_default()),
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => self.branches(error, context),
            _ => self.value(error),
        }
    }

    fn unknown_keys(&mut self, error: &ValidationError<'_>, unexpected: &[String]) {
        let known = self.sibling(error, "properties").and_then(Value::as_object);
        let known: Vec<&str> = known.into_iter().flat_map(|known| known.keys().map(String::as_str)).collect();
        let pointer = error.instance_path().as_str();
        for key in unexpected {
            let inner = format!("{pointer}/{}", pointer::escape(key));
            if let Some(meant) = suggest::nearest(key, known.iter().copied()) {
                self.meant.insert((pointer.to_owned(), meant.to_owned()));
            }
            let message = format!("`{key}` is not a key of `{}`", self.name(pointer));
            let help = suggest::did_you_mean(key, known.iter().copied(), "its keys are");
            self.push(codes::UNKNOWN_KEY, self.located.key(&inner), message, Some(help));
        }
    }

    fn missing(&mut self, error: &ValidationError<'_>, property: &str) {
        let pointer = error.instance_path().as_str();
        let about = self.sibling(error, "properties").and_then(|known| known.get(property)).and_then(|schema| schema.get("description"));
        let about = about
            .and_then(Value::as_str)
            .map(|about| format!("add `{property}: …`: {}", lower_first(about.lines().next().unwrap_or(about))));
        let message = format!("`{}` needs `{property}`", self.name(pointer));
        let help = about.unwrap_or_else(|| format!("add `{property}: …`"));
        let diagnostic = Diagnostic::new(codes::MISSING_KEY, self.file, self.located.key(pointer), message).help(help);
        self.missing.push((pointer.to_owned(), property.to_owned(), diagnostic));
    }

    /// Several forms are allowed and none fits: speaks about the one that was meant.
    fn branches(&mut self, error: &ValidationError<'_>, context: &[Vec<ValidationError<'static>>]) {
        let pointer = error.instance_path().as_str();
        let at_root = |branch: &[ValidationError<'static>]| branch.iter().any(|inner| inner.instance_path().as_str() == pointer);
        let forms: Vec<&Vec<ValidationError<'static>>> = context.iter().filter(|branch| !only_null(branch)).collect();
        if let [only] = forms.as_slice() {
            only.iter().for_each(|inner| self.say(inner));
            return;
        }
        if let Some(deeper) = forms.iter().find(|branch| !at_root(branch)) {
            deeper.iter().for_each(|inner| self.say(inner));
            return;
        }
        let options: Vec<String> = forms.iter().flat_map(|branch| branch.iter()).flat_map(options).collect();
        let place = self.located.value(pointer);
        let name = self.name(pointer);
        match error.instance().as_ref() {
            Value::String(text) if !options.is_empty() => {
                let help = suggest::did_you_mean(text, options.iter().map(String::as_str), "it can be");
                self.push(codes::NOT_ONE_OF, place, format!("`{text}` is not a value of `{name}`"), Some(help));
            }
            // Why: a value fits a form by its type, so a form that complains about anything but the type is the nearest.
            _ => match forms.iter().filter(|branch| !branch.iter().any(is_type)).min_by_key(|branch| branch.len()) {
                Some(nearest) => nearest.iter().for_each(|inner| self.say(inner)),
                None => self.none_fits(error, &forms),
            },
        }
    }

    fn none_fits(&mut self, error: &ValidationError<'_>, forms: &[&Vec<ValidationError<'static>>]) {
        let pointer = error.instance_path().as_str();
        let mut types: Vec<&str> =
            forms.iter().flat_map(|branch| branch.iter()).filter_map(|inner| types(inner.kind())).flatten().collect();
        types.dedup();
        let code = if types.is_empty() { codes::DOES_NOT_FIT } else { codes::WRONG_TYPE };
        let name = self.name(pointer);
        let message = if types.is_empty() {
            format!("`{name}` does not have any of the forms that it can have")
        } else {
            format!("`{name}` must be {}, not {}", types.join(" or "), of(error.instance()))
        };
        self.push(code, self.located.value(pointer), message, None);
    }

    fn value(&mut self, error: &ValidationError<'_>) {
        let pointer = error.instance_path().as_str();
        let name = self.name(pointer);
        let instance = error.instance().as_ref();
        let (code, message, help) = match error.kind() {
            Kind::Type { .. } => self.wrong_type(error, &name),
            Kind::Enum { .. } | Kind::Constant { .. } => {
                let options = options(error);
                let known = options.iter().map(String::as_str);
                match instance {
                    Value::String(text) => (
                        codes::NOT_ONE_OF,
                        format!("`{text}` is not a value of `{name}`"),
                        Some(suggest::did_you_mean(text, known, "it can be")),
                    ),
                    other => (
                        codes::NOT_ONE_OF,
                        format!("{other} is not a value of `{name}`"),
                        Some(format!("it can be {}", suggest::list(known))),
                    ),
                }
            }
            Kind::Format { format } => format_words(format, &name, instance),
            Kind::Pattern { pattern } => (codes::WRONG_NOTATION, format!("`{name}` must fit the pattern `{pattern}`"), None),
            kind => match range(kind, instance) {
                Some(rest) => (codes::OUT_OF_RANGE, format!("`{name}` {rest}"), None),
                None => (codes::DOES_NOT_FIT, format!("`{name}` does not fit (rule `{}`)", kind.keyword()), None),
            },
        };
        self.push(code, self.located.value(pointer), message, help);
    }

    fn wrong_type(&self, error: &ValidationError<'_>, name: &str) -> (Code, String, Option<String>) {
        let instance = error.instance().as_ref();
        let wanted = types(error.kind()).unwrap_or_default();
        let message = format!("`{name}` must be {}, not {}", wanted.join(" or "), of(instance));
        let help = match (self.sibling(error, "format").and_then(Value::as_str), instance) {
            (Some("secret-ref"), _) => Some("write `env:NAME` or `file:PATH`".to_owned()),
            (Some(format), Value::Number(_)) => {
                check(format).and_then(|check| check(&instance.to_string()).err()).or_else(|| conversion(&wanted, instance))
            }
            (_, Value::Null) => self
                .sibling(error, "required")
                .and_then(Value::as_array)
                .map(|needed| format!("it needs {}", suggest::list(needed.iter().filter_map(Value::as_str)))),
            _ => conversion(&wanted, instance),
        };
        (codes::WRONG_TYPE, message, help)
    }

    fn push(&mut self, code: Code, place: Place, message: String, help: Option<String>) {
        let diagnostic = Diagnostic::new(code, self.file, place, message);
        self.found.push(match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }

    /// The name of the value at a pointer: `partitions`, `sasl.password`, `shares[2]`; the owner's for the whole.
    fn name(&self, pointer: &str) -> String {
        if pointer.is_empty() {
            return self.owner.to_owned();
        }
        let mut name = String::new();
        for segment in pointer.split('/').skip(1) {
            if segment.bytes().all(|byte| byte.is_ascii_digit()) {
                let _ = write!(name, "[{segment}]");
            } else {
                name.push_str(if name.is_empty() { "" } else { "." });
                name.push_str(&pointer::unescape(segment));
            }
        }
        if name.starts_with('[') { format!("{}{name}", self.owner) } else { name }
    }

    /// The keyword beside the one that failed.
    fn sibling(&self, error: &ValidationError<'_>, keyword: &str) -> Option<&'a Value> {
        let path = error.schema_path().as_str();
        let (parent, _) = path.rsplit_once('/')?;
        let schema: &'a Value = self.schema;
        schema.pointer(parent)?.get(keyword)
    }
}

fn only_null(branch: &[ValidationError<'static>]) -> bool {
    matches!(branch, [only] if matches!(only.kind(), Kind::Type { kind: TypeKind::Single(JsonType::Null) }))
}

fn is_type(error: &ValidationError<'static>) -> bool {
    matches!(error.kind(), Kind::Type { .. })
}

fn options(error: &ValidationError<'_>) -> Vec<String> {
    match error.kind() {
        Kind::Enum { options } => options.as_array().into_iter().flatten().filter(|option| !option.is_null()).map(worded).collect(),
        Kind::Constant { expected_value } => vec![worded(expected_value)],
        _ => Vec::new(),
    }
}

fn types(kind: &Kind) -> Option<Vec<&'static str>> {
    let Kind::Type { kind } = kind else {
        return None;
    };
    Some(match kind {
        TypeKind::Single(one) => vec![type_words(*one)],
        TypeKind::Multiple(several) => several.iter().filter(|one| *one != JsonType::Null).map(type_words).collect(),
    })
}

fn type_words(one: JsonType) -> &'static str {
    match one {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Null => "nothing",
        JsonType::Number => "a number",
        JsonType::Object => "a map of keys",
        JsonType::String => "text",
    }
}

/// What a value is, in the words of [`type_words`].
fn of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map of keys",
    }
}

fn conversion(wanted: &[&str], instance: &Value) -> Option<String> {
    match instance {
        Value::Number(_) | Value::Bool(_) if wanted.contains(&"text") => Some("put it in quotes".to_owned()),
        Value::String(text) if wanted.iter().any(|one| one.ends_with("number")) && text.parse::<f64>().is_ok() => {
            Some("take the quotes away".to_owned())
        }
        Value::String(text) if wanted.contains(&"true or false") => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" => Some("write `true`".to_owned()),
            "no" | "off" | "false" => Some("write `false`".to_owned()),
            _ => None,
        },
        _ if wanted.contains(&"a list") && !instance.is_null() && !instance.is_object() => Some("put it in brackets: `[…]`".to_owned()),
        _ => None,
    }
}

fn format_words(format: &str, name: &str, instance: &Value) -> (Code, String, Option<String>) {
    let code = if format == "secret-ref" { codes::PLAIN_SECRET } else { codes::WRONG_NOTATION };
    let why = check(format).and_then(|check| check(instance.as_str().unwrap_or_default()).err());
    // Why: what stands before an `@` in an address may be a password, and nothing that may be a secret is repeated.
    let address = format == "http-url" && instance.as_str().is_some_and(|text| text.contains('@'));
    let message = match why {
        Some(_) if address => format!("`{name}`: an address begins with http:// or https:// and carries no user name or password"),
        Some(why) => format!("`{name}`: {why}"),
        None => format!("`{name}` is not written as a {format}"),
    };
    (code, message, None)
}

fn check(format: &str) -> Option<scalar::FormatCheck> {
    scalar::FORMATS.iter().find(|(known, _)| *known == format).map(|(_, check)| *check)
}

fn range(kind: &Kind, instance: &Value) -> Option<String> {
    let plural = |count: &u64, one: &str, many: &str| format!("{count} {}", if *count == 1 { one } else { many });
    Some(match kind {
        Kind::Minimum { limit } => format!("must be at least {limit}, not {instance}"),
        Kind::Maximum { limit } => format!("must be at most {limit}, not {instance}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}, not {instance}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}, not {instance}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::MinLength { limit: 1 } | Kind::MinItems { limit: 1 } | Kind::MinProperties { limit: 1 } => "must not be empty".to_owned(),
        Kind::MinLength { limit } => format!("must have at least {}", plural(limit, "character", "characters")),
        Kind::MaxLength { limit } => format!("must have at most {}", plural(limit, "character", "characters")),
        Kind::MinItems { limit } => format!("must have at least {}", plural(limit, "item", "items")),
        Kind::MaxItems { limit } => format!("must have at most {}", plural(limit, "item", "items")),
        Kind::MinProperties { limit } => format!("must have at least {}", plural(limit, "key", "keys")),
        Kind::MaxProperties { limit } => format!("must have at most {}", plural(limit, "key", "keys")),
        Kind::UniqueItems => "must not hold the same item twice".to_owned(),
        _ => return None,
    })
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_lowercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}", letters.as_str()).trim_end_matches('.').to_owned()
}
