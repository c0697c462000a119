//! `cutover.yaml`: where the systems of each environment are, and who approves there. It owns the truth about settings as they are
//! written; secrets stay references. Its text is never shown in excerpts, since somebody may have pasted a secret into it.

mod checks;
mod read;
mod written;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::codes;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::suggest;
use super::tree::Place;
use crate::ports::settings::{ApiSettings, DatabaseSettings, HttpSettings, KafkaSettings, WorkloadsSettings};

pub use crate::step::Approvals;
pub use written::{FlagStore, Origin, Written};

/// The file's name.
pub const FILE: &str = "cutover.yaml";

/// A system with the place where it was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct System<T> {
    /// How to reach it.
    pub settings: T,
    /// For messages: `cutover.yaml:5:14 environments.prod.kafka.main.bootstrap`.
    pub setting: String,
}

/// One environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Who may approve.
    pub approvals: Approvals,
    /// Where the systems come from when not from here; whoever knows that place puts them in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Origin>,
    /// Kafka clusters by name.
    #[serde(default)]
    pub kafka: BTreeMap<String, System<KafkaSettings>>,
    /// Schema registries by name.
    #[serde(default)]
    pub registry: BTreeMap<String, System<ApiSettings>>,
    /// Flag stores by name.
    #[serde(default)]
    pub flags: BTreeMap<String, System<FlagStore>>,
    /// What runs the services, by name.
    #[serde(default)]
    pub workloads: BTreeMap<String, System<WorkloadsSettings>>,
    /// Databases by name.
    #[serde(default)]
    pub database: BTreeMap<String, System<DatabaseSettings>>,
    /// Services that are reached by HTTP, by name.
    #[serde(default)]
    pub http: BTreeMap<String, System<HttpSettings>>,
    /// Stores of metrics by name.
    #[serde(default)]
    pub metrics: BTreeMap<String, System<ApiSettings>>,
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file as it was named.
    pub file: String,
    /// The environments by name.
    pub environments: BTreeMap<String, Environment>,
    /// The one that is meant when none is named.
    pub default: Option<String>,
    place: Place,
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// All mistakes in it. None of them repeats a value that may be a secret.
    pub fn read(name: &str, text: &str) -> Result<Self, Diagnostics> {
        read::read(name, text)
    }

    /// The environment of that name; without a name the default one, or the only one.
    ///
    /// # Errors
    /// When there is no such environment, or it is not clear which one is meant.
    pub fn environment(&self, name: Option<&str>) -> Result<&Environment, Diagnostics> {
        let mistake = |diagnostic: Diagnostic| {
            let mut out = Diagnostics::default();
            out.push(diagnostic);
            out
        };
        let names = || self.environments.keys().map(String::as_str);
        let mut all = self.environments.values();
        match (name.or(self.default.as_deref()), all.next(), all.next()) {
            (Some(name), _, _) => self.environments.get(name).ok_or_else(|| {
                let help = suggest::did_you_mean(name, names().collect::<Vec<_>>(), "there are");
                mistake(
                    Diagnostic::new(codes::NO_ENVIRONMENT, &self.file, self.place, format!("there is no environment `{name}`")).help(help),
                )
            }),
            (None, Some(only), None) => Ok(only),
            (None, _, _) => {
                let help = format!("name one of {} with `--env`, or write `default: NAME`", suggest::list(names()));
                let message = "it is not said which environment is meant";
                Err(mistake(Diagnostic::new(codes::WHICH_ENVIRONMENT, &self.file, self.place, message).help(help)))
            }
        }
    }
}

/// The nearest `cutover.yaml`, in that directory or above it.
#[must_use]
pub fn find(start: &Path) -> Option<PathBuf> {
    let start = start.canonicalize().ok()?;
    start.ancestors().map(|directory| directory.join(FILE)).find(|candidate| candidate.is_file())
}
