//! What live systems say of where a plan begins, in the words that services are declared in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What live systems say of where a plan begins. It goes before what is declared; of what it does not name nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Today {
    /// The releases of which an instance is there, by service; a service of which none is there has an empty set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub releases: BTreeMap<String, BTreeSet<String>>,
    /// The variants that somebody may be served, by flag.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, BTreeSet<String>>,
    /// Topics by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub topics: BTreeMap<String, TopicToday>,
    /// Versions of events that have a schema, as `Name@version`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub schemas: BTreeSet<String>,
    /// Systems that could not be asked, each with the reason; what they know is taken from the declarations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unasked: Vec<String>,
}

impl Today {
    /// Adds what another system says. A topic of one name is there when one system has it.
    pub fn join(&mut self, other: Self) {
        for (service, releases) in other.releases {
            self.releases.entry(service).or_default().extend(releases);
        }
        for (flag, variants) in other.flags {
            self.flags.entry(flag).or_default().extend(variants);
        }
        for (topic, found) in other.topics {
            let known = self.topics.entry(topic).or_insert(TopicToday::Missing);
            if *known == TopicToday::Missing {
                *known = found;
            }
        }
        self.schemas.extend(other.schemas);
        self.unasked.extend(other.unasked);
    }
}

/// A topic as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum TopicToday {
    /// There is none of that name.
    Missing,
    /// It is there.
    There {
        /// Whether only the last record of a key is kept for ever.
        compacted: bool,
        /// Whether a record lies in it.
        holds: bool,
        /// The groups that read it, and whether each has read everything that lies in it.
        #[serde(default)]
        groups: BTreeMap<String, bool>,
    },
}
