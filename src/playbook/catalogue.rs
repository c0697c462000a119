//! Which step kinds a playbook may use. There is one built-in catalogue; tests bring their own.

use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use crate::step::{Kind, Step};
use crate::steps::{self, DecodeError};

/// Describes a kind's body; see [`steps::schema`].
pub type Describe = fn(&str, &mut SchemaGenerator) -> Option<Schema>;

/// Reads a kind's body; see [`steps::decode`].
pub type Decode = fn(&str, &Value) -> Result<Box<dyn Step>, DecodeError>;

/// The step kinds, and how a body of each is described and read.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue {
    /// Every kind.
    pub kinds: &'static [Kind],
    /// How a body is described.
    pub schema: Describe,
    /// How a body is read.
    pub decode: Decode,
}

impl Catalogue {
    /// The catalogue of this program.
    pub const BUILT_IN: Self = Self { kinds: steps::KINDS, schema: steps::schema, decode: steps::decode };

    /// The kind of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'static Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }
}
