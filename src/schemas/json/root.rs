//! A JSON Schema as a whole: its draft, its definitions, and what its references point to.

use std::collections::HashMap;

use serde_json::Value;

/// A schema and how people call it.
#[derive(Debug)]
pub struct Root<'a> {
    /// The whole schema.
    pub value: &'a Value,
    /// `the old schema` or `the new schema`.
    pub name: String,
    /// Schemas that it refers to by name.
    pub references: &'a [(String, Value)],
    named: HashMap<String, &'a Value>,
}

/// A part of a schema, and the schema that it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Where its references are looked up.
    pub root: &'a Root<'a>,
    /// The part.
    pub value: &'a Value,
}

impl<'a> At<'a> {
    /// Another part of the same schema.
    pub fn to(self, value: &'a Value) -> Self {
        Self { value, ..self }
    }

    /// What tells this part from every other.
    pub fn address(self) -> usize {
        std::ptr::from_ref(self.value) as usize
    }
}

impl<'a> Root<'a> {
    /// A schema under a name; `references` are the schemas that it may name in `$ref`.
    pub fn new(value: &'a Value, name: impl Into<String>, references: &'a [(String, Value)]) -> Self {
        let mut named = HashMap::new();
        collect(value, &mut named);
        Self { value, name: name.into(), references, named }
    }

    /// Whether keywords beside `$ref` count, as they do since draft 2019-09.
    pub fn is_modern(&self) -> bool {
        let dialect = self.value.get("$schema").and_then(Value::as_str).unwrap_or_default();
        dialect.contains("2019-09") || dialect.contains("2020-12")
    }

    /// Whether the tuple of a list is said by `prefixItems`.
    pub fn has_prefix_items(&self) -> bool {
        self.value.get("$schema").and_then(Value::as_str).unwrap_or_default().contains("2020-12")
    }

    /// What a reference points to; `None` when it is not to be found here.
    pub fn find(&self, reference: &str) -> Option<&'a Value> {
        let (before, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let base = if before.is_empty() {
            self.value
        } else {
            let other = self.references.iter().find(|(name, _)| name == before).map(|(_, value)| value);
            other.or_else(|| self.named.get(before).copied())?
        };
        if fragment.is_empty() {
            return Some(base);
        }
        if fragment.starts_with('/') {
            return base.pointer(&decoded(fragment));
        }
        self.named.get(&format!("#{fragment}")).copied()
    }
}

fn collect<'a>(value: &'a Value, found: &mut HashMap<String, &'a Value>) {
    match value {
        Value::Object(map) => {
            for key in ["$id", "id"] {
                if let Some(Value::String(id)) = map.get(key) {
                    found.entry(id.trim_end_matches('#').to_owned()).or_insert(value);
                }
            }
            for key in ["$anchor", "$dynamicAnchor"] {
                if let Some(Value::String(anchor)) = map.get(key) {
                    found.entry(format!("#{anchor}")).or_insert(value);
                }
            }
            for part in map.values() {
                collect(part, found);
            }
        }
        Value::Array(parts) => {
            for part in parts {
                collect(part, found);
            }
        }
        _ => {}
    }
}

/// A pointer inside an address, its `%41` made letters again.
fn decoded(fragment: &str) -> String {
    let bytes = fragment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let code = (*byte == b'%').then(|| fragment.get(at + 1..at + 3)).flatten().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(code.unwrap_or(*byte));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| fragment.to_owned())
}
