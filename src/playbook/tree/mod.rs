//! YAML as a tree in which everything knows its place. It owns the truth about what a file says and where; it knows nothing of
//! playbooks.

mod events;
mod lines;
mod mistake;
mod read;

use serde::{Deserialize, Serialize};

pub use events::comments;
pub use lines::line;
pub use read::{LARGEST, read};

/// Where something stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Length in characters on that line; 0 when it has none that is worth showing.
    pub length: u32,
}

impl Place {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1, length: 0 };
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Where it begins. For a value that comes through an alias: where it is written.
    pub place: Place,
}

/// What a node can be.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing: `~`, `null` or no text at all.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// A number with a fraction or an exponent; always finite.
    Float(f64),
    /// Anything else, and everything in quotes.
    Text(String),
    /// A list.
    Seq(Vec<Node>),
    /// A map, in the order of the file, with no key twice.
    Map(Vec<Entry>),
    /// Not in files: stands for the value of a parameter that has none, so that reading can go on.
    Unknown,
}

/// A key with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value.
    pub value: Node,
}

/// A key of a map.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

impl Node {
    /// The entries when it is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The text when it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entry of that key when it is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.as_map()?.iter().find(|entry| entry.key.text == key)
    }

    /// Whether both say the same, wherever it stands.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) | (Value::Unknown, Value::Unknown) => true,
            (Value::Bool(left), Value::Bool(right)) => left == right,
            (Value::Int(left), Value::Int(right)) => left == right,
            (Value::Float(left), Value::Float(right)) => left.to_bits() == right.to_bits(),
            (Value::Text(left), Value::Text(right)) => left == right,
            (Value::Seq(left), Value::Seq(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.says_the_same(right))
            }
            (Value::Map(left), Value::Map(right)) => {
                left.len() == right.len()
                    && left.iter().zip(right).all(|(left, right)| left.key.text == right.key.text && left.value.says_the_same(&right.value))
            }
            _ => false,
        }
    }

    /// Calls `visit` with every text in it, keys left out.
    pub fn each_text<'a>(&'a self, visit: &mut impl FnMut(&'a str, Place)) {
        match &self.value {
            Value::Text(text) => visit(text, self.place),
            Value::Seq(nodes) => nodes.iter().for_each(|node| node.each_text(visit)),
            Value::Map(entries) => entries.iter().for_each(|entry| entry.value.each_text(visit)),
            _ => {}
        }
    }
}

impl Value {
    /// What it is, in words that finish "must be …, not …".
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::Seq(_) => "a list",
            Self::Map(_) => "a map of keys",
            Self::Unknown => "unknown",
        }
    }
}
