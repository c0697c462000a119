//! `params:` as it is written, and the value that each parameter gets.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::codes;
use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::shape::{Located, Shape};
use super::super::suggest;
use super::super::tree::{Entry, Node, Place, Value};
use super::{Param, Params, blanks, is_name, value};

static SHAPE: LazyLock<Shape> = LazyLock::new(Shape::of::<Declaration>);

/// What a parameter's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParamType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// A parameter of the playbook. One without a `default` must be given a value with `--var name=value`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// What its value is.
    #[serde(rename = "type")]
    pub kind: ParamType,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The value when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// The only values that it can have.
    #[serde(rename = "enum", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub options: Option<Vec<serde_json::Value>>,
    /// A regular expression that the whole text must fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// Reads `params:` and gives each parameter its value.
pub fn read(file: &str, params: Option<&Entry>, start: Place, vars: &BTreeMap<String, String>, out: &mut Diagnostics) -> Params {
    let mut read = Params::default();
    let place = params.map_or(start, |entry| entry.key.place);
    if let Some(entry) = params {
        let Some(entries) = entry.value.as_map() else {
            let message = format!("`params` must be a map of keys, not {}", entry.value.value.words());
            let diagnostic = Diagnostic::new(codes::WRONG_TYPE, file, entry.value.place, message);
            out.push(diagnostic.help("write `name: {type: string}` on lines of their own"));
            return read;
        };
        for entry in entries {
            let name = entry.key.text.clone();
            match declared(file, entry, vars.get(&name), out) {
                Some(param) => drop(read.by_name.insert(name, param)),
                None => drop(read.broken.insert(name)),
            }
        }
    }
    for name in vars.keys().filter(|name| !read.by_name.contains_key(*name) && !read.broken.contains(*name)) {
        let known = read.by_name.keys().map(String::as_str);
        let help = suggest::did_you_mean(name, known, "the playbook's parameters are");
        out.push(
            Diagnostic::new(codes::NOBODY_ASKED, file, place, format!("a value was given for `{name}`, which is not a parameter"))
                .help(help),
        );
    }
    read
}

fn declared(file: &str, entry: &Entry, given: Option<&String>, out: &mut Diagnostics) -> Option<Param> {
    let name = &entry.key.text;
    let place = entry.key.place;
    if !is_name(name) {
        let diagnostic = Diagnostic::new(codes::BAD_PARAMETER, file, place, format!("`{name}` cannot name a parameter"));
        out.push(diagnostic.help("begin with a letter and go on with letters, digits, `_` and `-`"));
        return None;
    }
    let declaration: Declaration = SHAPE.decode(file, name, &Located::new(&entry.value, place), out)?;
    let facets = facets(file, entry, &declaration, out)?;
    let value = match (given, entry.value.get("default")) {
        (Some(text), _) => resolved(value::parse(declaration.kind, text).and_then(|value| facets.accept(&value).map(|()| value)), |why| {
            let message = format!("the value that was given for `{name}` {why}");
            let diagnostic = Diagnostic::new(codes::BAD_VALUE, file, place, message);
            out.push(diagnostic.help(format!("give it one that fits: `--var {name}=…`")));
        }),
        (None, Some(default)) => {
            let fits = value::fit(declaration.kind, &default.value.value).and_then(|value| facets.accept(&value).map(|()| value));
            resolved(fits, |why| {
                out.push(Diagnostic::new(codes::BAD_VALUE, file, default.value.place, format!("the default of `{name}` {why}")));
            })
        }
        (None, None) => {
            let diagnostic = Diagnostic::new(codes::NO_VALUE, file, place, format!("`{name}` has no value"));
            out.push(diagnostic.help(format!("pass `--var {name}=…` or give it a `default`")));
            Value::Unknown
        }
    };
    if let (Some(_), Value::Text(text)) = (given, &value)
        && let Some(blank) = blanks::find(text)
    {
        let message = format!("the value that was given for `{name}` holds the blank `{}`", blank.text);
        out.push(Diagnostic::new(codes::BLANK, file, place, message).help("fill it in"));
    }
    Some(Param { declaration, place, value })
}

fn resolved(value: Result<Value, String>, report: impl FnOnce(String)) -> Value {
    value.unwrap_or_else(|why| {
        report(why);
        Value::Unknown
    })
}

/// What a value must fit besides its type.
struct Facets {
    options: Option<Vec<Value>>,
    pattern: Option<(String, regex::Regex)>,
}

impl Facets {
    fn accept(&self, value: &Value) -> Result<(), String> {
        if let Some(options) = &self.options
            && !options.iter().any(|option| value::same(option, value))
        {
            let known: Vec<String> = options.iter().map(value::written).collect();
            let known = known.iter().map(String::as_str);
            return Err(match value {
                Value::Text(text) => format!("is not one of {}{}", suggest::list(known.clone()), near(text, known)),
                _ => format!("is not one of {}", suggest::list(known)),
            });
        }
        match (&self.pattern, value) {
            (Some((written, pattern)), Value::Text(text)) if !pattern.is_match(text) => {
                Err(format!("does not fit the pattern `{written}`"))
            }
            _ => Ok(()),
        }
    }
}

fn near<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    suggest::nearest(text, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

fn facets(file: &str, entry: &Entry, declaration: &Declaration, out: &mut Diagnostics) -> Option<Facets> {
    let name = &entry.key.text;
    let place = |key: &str| entry.value.get(key).map_or(entry.key.place, |found| found.value.place);
    let mut usable = true;
    let mut options = None;
    if let Some(Value::Seq(nodes)) = entry.value.get("enum").map(|found| &found.value.value) {
        let fitted = |node: &Node| match value::fit(declaration.kind, &node.value) {
            Ok(value) => Some(value),
            Err(why) => {
                out.push(Diagnostic::new(codes::BAD_VALUE, file, node.place, format!("an allowed value of `{name}` {why}")));
                None
            }
        };
        let allowed: Vec<Value> = nodes.iter().filter_map(fitted).collect();
        usable &= allowed.len() == nodes.len();
        options = Some(allowed);
    }
    let mut pattern = None;
    if let Some(written) = &declaration.pattern {
        if declaration.kind != ParamType::String {
            let message = format!("`{name}` has a pattern, which only text can fit");
            out.push(
                Diagnostic::new(codes::BAD_PARAMETER, file, place("pattern"), message)
                    .help("take the pattern away or make it `type: string`"),
            );
            usable = false;
        }
        match regex::Regex::new(&format!("^(?:{written})$")) {
            Ok(compiled) => pattern = Some((written.clone(), compiled)),
            Err(error) => {
                let why = error.to_string();
                let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                out.push(Diagnostic::new(
                    codes::BAD_PARAMETER,
                    file,
                    place("pattern"),
                    format!("the pattern of `{name}` is not a regular expression: {why}"),
                ));
                usable = false;
            }
        }
    }
    usable.then_some(Facets { options, pattern })
}
