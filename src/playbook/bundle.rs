//! The bundle: everything that a run needs of the machine on which it was asked for. It is read again on the other side with the
//! same code, so both sides see the same playbook, and nothing there is read from disk.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::catalogue::Catalogue;
use super::diagnostic::Diagnostics;
use super::document::Playbook;
use super::environment::Environment;
use super::files::Carried;
use super::{Source, read_with};

/// The form of a bundle; a form that this program does not know is refused when it is deserialised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BundleSchema {
    /// The first form.
    #[default]
    #[serde(rename = "cutover.bundle/1")]
    V1,
}

/// A playbook with all that it needs, frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The form.
    pub schema: BundleSchema,
    /// Name of the playbook's file, for messages.
    pub file: String,
    /// Text of the playbook.
    pub text: String,
    /// The values that were given for parameters.
    pub vars: BTreeMap<String, String>,
    /// The files that the steps name, by path.
    pub files: BTreeMap<String, String>,
    /// The environment with its systems.
    pub environment: Environment,
    /// Version of the program that made the bundle.
    pub client: String,
}

impl Bundle {
    /// Freezes a playbook that was read from `source` with `vars`.
    #[must_use]
    pub fn pack(source: &Source, vars: &BTreeMap<String, String>, playbook: &Playbook, environment: Environment) -> Self {
        Self {
            schema: BundleSchema::V1,
            file: source.name.clone(),
            text: source.text.to_string(),
            vars: vars.clone(),
            files: playbook.files.iter().map(|(path, text)| (path.clone(), text.to_string())).collect(),
            environment,
            client: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Reads the playbook again, from the bundle alone.
    ///
    /// # Errors
    /// See [`super::read`]; here also when this program knows other step kinds than the one that made the bundle.
    pub fn open(&self) -> Result<(Playbook, Diagnostics), Diagnostics> {
        self.open_with(&Catalogue::BUILT_IN)
    }

    /// As [`Self::open`], with another catalogue.
    ///
    /// # Errors
    /// See [`Self::open`].
    pub fn open_with(&self, catalogue: &Catalogue) -> Result<(Playbook, Diagnostics), Diagnostics> {
        let files = self.files.iter().map(|(path, text)| (path.clone(), Arc::from(text.as_str()))).collect();
        read_with(&Source::new(self.file.clone(), self.text.as_str()), &self.vars, &Carried(files), catalogue)
    }

    /// SHA-256 over the bundle's canonical JSON, in lower-case hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        // Why: a bundle is maps of text; nothing in it can fail to become JSON.
        canonical_hash(&serde_json::to_value(self).unwrap_or(Value::Null))
    }
}

/// SHA-256 over a value's canonical JSON, in lower-case hexadecimal digits.
#[must_use]
pub fn canonical_hash(value: &Value) -> String {
    let mut canonical = String::new();
    write_canonical(value, &mut canonical);
    Sha256::digest(canonical.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// JSON without white space and with the keys of every object in the order of their bytes.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(object) => {
            let mut keys: Vec<_> = object.iter().collect();
            keys.sort_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (at, (key, value)) in keys.into_iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                let _ = write!(out, "{}:", Value::String(key.clone()));
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}
