//! A tree as JSON, with the way back from every JSON pointer to its place.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value as Json};

use super::super::tree::{Node, Place, Value};
use crate::step::pointer;

/// Where a value and the key that it belongs to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The key; for an item of a list the item itself.
    pub key: Place,
    /// The value.
    pub value: Place,
}

/// A tree as JSON.
#[derive(Clone, Debug)]
pub struct Located {
    /// The JSON. Numbers without a fraction are whole numbers, as `3.0` and `3` are the same to people.
    pub json: Json,
    /// Where each JSON pointer stands; the empty one is the whole.
    pub spots: BTreeMap<String, Spot>,
    /// The pointers at which a value is not known.
    pub unknown: BTreeSet<String>,
}

impl Located {
    /// Converts; `key` is the place of the key that the node belongs to.
    #[must_use]
    pub fn new(node: &Node, key: Place) -> Self {
        let mut located = Self { json: Json::Null, spots: BTreeMap::new(), unknown: BTreeSet::new() };
        located.json = located.convert(node, key, String::new());
        located
    }

    /// The place of the value at a pointer; of the nearest one above it when there is none.
    #[must_use]
    pub fn value(&self, pointer: &str) -> Place {
        self.nearest(pointer).value
    }

    /// The place of the key at a pointer; of the nearest one above it when there is none.
    #[must_use]
    pub fn key(&self, pointer: &str) -> Place {
        self.nearest(pointer).key
    }

    /// Whether a value at the pointer, or below it, is not known.
    #[must_use]
    pub fn is_unknown(&self, pointer: &str) -> bool {
        self.unknown.iter().any(|unknown| unknown.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    fn nearest(&self, pointer: &str) -> Spot {
        let mut pointer = pointer;
        loop {
            if let Some(spot) = self.spots.get(pointer) {
                return *spot;
            }
            match pointer.rfind('/') {
                Some(at) => pointer = pointer.get(..at).unwrap_or_default(),
                None => return Spot { key: Place::START, value: Place::START },
            }
        }
    }

    fn convert(&mut self, node: &Node, key: Place, pointer: String) -> Json {
        let json = match &node.value {
            Value::Null => Json::Null,
            Value::Unknown => {
                self.unknown.insert(pointer.clone());
                Json::Null
            }
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Number::from_i128(*value).map_or(Json::Null, Json::Number),
            Value::Float(value) => number(*value),
            Value::Text(text) => Json::String(text.clone()),
            Value::Seq(nodes) => Json::Array(
                nodes.iter().enumerate().map(|(index, node)| self.convert(node, node.place, format!("{pointer}/{index}"))).collect(),
            ),
            Value::Map(entries) => {
                let mut object = Map::with_capacity(entries.len());
                for entry in entries {
                    let inner = format!("{pointer}/{}", pointer::escape(&entry.key.text));
                    let value = self.convert(&entry.value, entry.key.place, inner);
                    object.insert(entry.key.text.clone(), value);
                }
                Json::Object(object)
            }
        };
        self.spots.insert(pointer, Spot { key, value: node.place });
        json
    }
}

fn number(value: f64) -> Json {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "the value is whole and at most 2^53")]
        return Json::Number((value as i64).into());
    }
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}
