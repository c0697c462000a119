//! Whether a reader with one Avro schema can read what was written with another, by the resolution rules of Avro's specification, field by
//! field. The rules bear the names that Avro's own library gives to what does not fit.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::rule::{Finding, Weight};

/// How deep schemas are compared.
const DEEPEST: usize = 160;

/// How many pairs of parts are compared at most.
const MOST: usize = 2_000_000;

const PRIMITIVES: [&str; 8] = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];

/// A schema with its named types.
struct Root<'a> {
    name: &'a str,
    value: &'a Value,
    named: HashMap<String, &'a Map<String, Value>>,
}

/// What a part of a schema is.
#[derive(Clone, Copy)]
enum Form<'a> {
    Primitive(&'a str),
    /// A named type: its kind, its full name, its keys.
    Named(&'a str, &'a Map<String, Value>),
    Items(&'a Value),
    Values(&'a Value),
    Union(&'a [Value]),
    Unknown(&'a str),
}

/// Finds where `reader` cannot read what was written with `writer`.
pub(super) fn compare(writer: (&Value, &str), reader: (&Value, &str)) -> Vec<Finding> {
    let writer = Root::new(writer.0, writer.1);
    let reader = Root::new(reader.0, reader.1);
    let mut comparison =
        Comparison { writer: &writer, reader: &reader, path: Vec::new(), seen: BTreeSet::new(), log: Vec::new(), depth: 0, done: 0 };
    comparison.values((writer.value, ""), (reader.value, ""))
}

impl<'a> Root<'a> {
    fn new(value: &'a Value, name: &'a str) -> Self {
        let mut named = HashMap::new();
        collect(value, "", &mut named);
        Self { name, value, named }
    }

    /// What a part is; `space` is the namespace around it.
    fn form(&self, value: &'a Value, space: &str) -> Form<'a> {
        match value {
            Value::String(name) => {
                if PRIMITIVES.contains(&name.as_str()) {
                    return Form::Primitive(name);
                }
                match self.named.get(&full(name, space)).or_else(|| self.named.get(name)) {
                    Some(map) => Form::Named(kind(map), map),
                    None => Form::Unknown(name),
                }
            }
            Value::Array(branches) => Form::Union(branches),
            Value::Object(map) => match map.get("type") {
                Some(Value::String(kind)) => match (kind.as_str(), map.get("items"), map.get("values")) {
                    ("record" | "error" | "enum" | "fixed", ..) => Form::Named(kind, map),
                    ("array", Some(items), _) => Form::Items(items),
                    ("map", _, Some(values)) => Form::Values(values),
                    (primitive, ..) if PRIMITIVES.contains(&primitive) => Form::Primitive(kind),
                    (name, ..) => match self.named.get(&full(name, space)) {
                        Some(map) => Form::Named(self::kind(map), map),
                        None => Form::Unknown(kind),
                    },
                },
                Some(inner) => self.form(inner, space),
                None => Form::Unknown("a type without `type`"),
            },
            _ => Form::Unknown("what is no type"),
        }
    }
}

fn kind(map: &Map<String, Value>) -> &str {
    map.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn full(name: &str, space: &str) -> String {
    if name.contains('.') || space.is_empty() { name.to_owned() } else { format!("{space}.{name}") }
}

/// The namespace that holds inside a named type.
fn space_of<'a>(map: &'a Map<String, Value>, around: &'a str) -> &'a str {
    let name = map.get("name").and_then(Value::as_str).unwrap_or_default();
    name.rsplit_once('.').map(|(space, _)| space).or_else(|| map.get("namespace").and_then(Value::as_str)).unwrap_or(around)
}

fn collect<'a>(value: &'a Value, space: &str, named: &mut HashMap<String, &'a Map<String, Value>>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, space, named)),
        Value::Object(map) => {
            let inside = if matches!(kind(map), "record" | "error" | "enum" | "fixed") {
                let space = space_of(map, space);
                if let Some(name) = map.get("name").and_then(Value::as_str) {
                    named.insert(full(name, space), map);
                }
                space
            } else {
                space
            };
            for key in ["type", "items", "values", "fields"] {
                if let Some(part) = map.get(key) {
                    collect(part, inside, named);
                }
            }
        }
        _ => {}
    }
}

struct Comparison<'a> {
    writer: &'a Root<'a>,
    reader: &'a Root<'a>,
    path: Vec<String>,
    /// Pairs of named types that were compared or are being compared, by their addresses.
    seen: BTreeSet<(usize, usize)>,
    /// The same in the order in which they were met.
    log: Vec<(usize, usize)>,
    depth: usize,
    done: usize,
}

impl<'a> Comparison<'a> {
    fn values(&mut self, (writer, from_space): (&'a Value, &str), (reader, to_space): (&'a Value, &str)) -> Vec<Finding> {
        self.done += 1;
        if self.depth >= DEEPEST || self.done > MOST {
            return vec![self.refused(
                "TOO_DEEP",
                format!("the schemas are nested deeper than {DEEPEST} levels here, or too large, and are not compared any further"),
            )];
        }
        self.depth += 1;
        let (from, to) = (self.writer.form(writer, from_space), self.reader.form(reader, to_space));
        let findings = match (from, to) {
            (Form::Unknown(name), _) => vec![self.unknown(self.writer.name, name)],
            (_, Form::Unknown(name)) => vec![self.unknown(self.reader.name, name)],
            (Form::Union(branches), _) => {
                let mut findings = Vec::new();
                for branch in branches {
                    let found = self.values((branch, from_space), (reader, to_space));
                    if !found.is_empty() && matches!(to, Form::Union(_)) {
                        findings.extend(found);
                    } else if let Some(first) = found.into_iter().next() {
                        let message = format!(
                            "{} allows {} here, {} reads only {}: {}",
                            self.writer.name,
                            described(self.writer.form(branch, from_space)),
                            self.reader.name,
                            described(to),
                            first.message
                        );
                        findings.push(Finding { message, rule: "MISSING_UNION_BRANCH", ..first });
                    }
                }
                findings
            }
            (_, Form::Union(branches)) => {
                let fits = branches.iter().any(|branch| {
                    let mark = self.log.len();
                    let fits = self.values((writer, from_space), (branch, to_space)).iter().all(|found| found.weight != Weight::Refused);
                    // Why: what was taken for fine inside a branch that does not fit is not known to be.
                    for pair in self.log.split_off(if fits { self.log.len() } else { mark }) {
                        self.seen.remove(&pair);
                    }
                    fits
                });
                let near = branches.iter().find(|branch| is_like(from, self.reader.form(branch, to_space)));
                match (fits, near) {
                    (true, _) => Vec::new(),
                    (false, Some(near)) => self.values((writer, from_space), (near, to_space)),
                    (false, None) => {
                        let message = format!(
                            "{} writes {}, which is none of what {} reads here",
                            self.writer.name,
                            described(from),
                            self.reader.name
                        );
                        vec![self.refused("MISSING_UNION_BRANCH", message)]
                    }
                }
            }
            (Form::Items(from), Form::Items(to)) => self.at("items", |it| it.values((from, from_space), (to, to_space))),
            (Form::Values(from), Form::Values(to)) => self.at("values", |it| it.values((from, from_space), (to, to_space))),
            (Form::Primitive(from), Form::Primitive(to)) if from == to || promotes(from, to) => self.logical(writer, reader),
            (Form::Named(kind, from), Form::Named(other, to)) if kind == other => self.named((kind, from, from_space), (to, to_space)),
            (from, to) => {
                let message = format!("{} writes {} here, {} reads {}", self.writer.name, described(from), self.reader.name, described(to));
                vec![self.refused("TYPE_MISMATCH", message)]
            }
        };
        self.depth -= 1;
        findings
    }

    fn named(
        &mut self,
        (kind, from, from_space): (&str, &'a Map<String, Value>, &str),
        (to, to_space): (&'a Map<String, Value>, &str),
    ) -> Vec<Finding> {
        let key = (std::ptr::from_ref(from) as usize, std::ptr::from_ref(to) as usize);
        let name = |map: &'a Map<String, Value>| map.get("name").and_then(Value::as_str).unwrap_or_default();
        let short = |name: &'a str| name.rsplit('.').next().unwrap_or(name);
        let (old, new) = (name(from), name(to));
        if short(old) != short(new) && !has_alias(to, old) && !has_alias(to, short(old)) {
            let message = format!("{} calls it `{old}`, {} `{new}` without an alias for the old name", self.writer.name, self.reader.name);
            return vec![self.refused("NAME_MISMATCH", message)];
        }
        if !self.seen.insert(key) {
            return Vec::new();
        }
        self.log.push(key);
        let (from_space, to_space) = (space_of(from, from_space).to_owned(), space_of(to, to_space).to_owned());
        match kind {
            "enum" => self.symbols(from, to),
            "fixed" if from.get("size") != to.get("size") => {
                let size = |map: &Map<String, Value>| map.get("size").map_or_else(|| "no size".to_owned(), Value::to_string);
                let message = format!("{} has {} bytes, {} has {}", self.writer.name, size(from), self.reader.name, size(to));
                vec![self.refused("FIXED_SIZE_MISMATCH", message)]
            }
            "fixed" => Vec::new(),
            _ => self.at("fields", |it| it.fields((from, &from_space), (to, &to_space))),
        }
    }

    fn fields(
        &mut self,
        (from, from_space): (&'a Map<String, Value>, &str),
        (to, to_space): (&'a Map<String, Value>, &str),
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for field in fields(to) {
            let name = field.get("name").and_then(Value::as_str).unwrap_or_default();
            let same = |known: &&Map<String, Value>| {
                known.get("name").and_then(Value::as_str).is_some_and(|known| known == name || has_alias(field, known))
            };
            let found = match fields(from).find(same) {
                Some(old) => match (old.get("type"), field.get("type")) {
                    (Some(old), Some(new)) => self.at(name, |it| it.values((old, from_space), (new, to_space))),
                    _ => Vec::new(),
                },
                None if field.contains_key("default") => Vec::new(),
                None => {
                    let message = format!(
                        "{} reads the field `{name}`, which {} does not write, and it has no default",
                        self.reader.name, self.writer.name
                    );
                    self.at(name, |it| vec![it.refused("READER_FIELD_MISSING_DEFAULT_VALUE", message)])
                }
            };
            findings.extend(found);
        }
        findings
    }

    fn symbols(&mut self, from: &Map<String, Value>, to: &Map<String, Value>) -> Vec<Finding> {
        let symbols = |map: &Map<String, Value>| -> Vec<String> {
            map.get("symbols").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let known = symbols(to);
        let lost: Vec<String> = symbols(from).into_iter().filter(|symbol| !known.contains(symbol)).collect();
        if lost.is_empty() || to.contains_key("default") {
            return Vec::new();
        }
        let message = format!(
            "{} writes {}, which {} does not know, and its enum has no default",
            self.writer.name,
            lost.join(", "),
            self.reader.name
        );
        self.at("symbols", |it| vec![it.refused("MISSING_ENUM_SYMBOLS", message)])
    }

    /// What the bytes mean is no part of Avro's own rules.
    fn logical(&self, writer: &Value, reader: &Value) -> Vec<Finding> {
        let meaning = |value: &Value| ["logicalType", "precision", "scale"].map(|key| value.get(key).cloned());
        let (old, new) = (meaning(writer), meaning(reader));
        if old == new || new[0].is_none() {
            return Vec::new();
        }
        let message =
            "the logical type differs; registries do not compare it, but the reader takes the value for something else".to_owned();
        vec![self.weighed(Weight::Unsafe, "LOGICAL_TYPE_CHANGED", message)]
    }

    fn unknown(&self, schema: &str, name: &str) -> Finding {
        self.refused("TYPE_NOT_FOUND", format!("{schema} uses `{name}`, which is no type of Avro and is defined nowhere in it"))
    }

    fn at<T>(&mut self, name: &str, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.to_owned());
        let found = inside(self);
        self.path.pop();
        found
    }

    fn refused(&self, rule: &'static str, message: String) -> Finding {
        self.weighed(Weight::Refused, rule, message)
    }

    fn weighed(&self, weight: Weight, rule: &'static str, message: String) -> Finding {
        let parts = std::iter::once("#").chain(self.path.iter().map(String::as_str));
        let path = parts.collect::<Vec<_>>().join("/");
        Finding { path, rule, weight, message }
    }
}

fn fields(map: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    map.get("fields").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

fn has_alias(map: &Map<String, Value>, name: &str) -> bool {
    let aliases = map.get("aliases").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    aliases.into_iter().any(|alias| alias == name || alias.rsplit('.').next() == Some(name))
}

/// Whether two parts are most likely meant for each other.
fn is_like(one: Form<'_>, other: Form<'_>) -> bool {
    match (one, other) {
        (Form::Named(kind, _), Form::Named(other, _)) => kind == other,
        (Form::Items(_), Form::Items(_)) | (Form::Values(_), Form::Values(_)) => true,
        _ => false,
    }
}

fn promotes(from: &str, to: &str) -> bool {
    matches!(
        (from, to),
        ("int", "long" | "float" | "double")
            | ("long", "float" | "double")
            | ("float", "double")
            | ("string", "bytes")
            | ("bytes", "string")
    )
}

fn described(form: Form<'_>) -> String {
    match form {
        Form::Primitive(name) | Form::Unknown(name) => format!("`{name}`"),
        Form::Named(kind, map) => format!("the {kind} `{}`", map.get("name").and_then(Value::as_str).unwrap_or_default()),
        Form::Items(_) => "an array".to_owned(),
        Form::Values(_) => "a map".to_owned(),
        Form::Union(branches) => format!("one of {} types", branches.len()),
    }
}
