//! The typed names of what a step touches.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The kinds of system that steps work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemKind {
    /// A Kafka cluster.
    Kafka,
    /// A schema registry.
    Registry,
    /// A feature-flag store.
    Flags,
    /// Whatever runs the services.
    Workloads,
    /// A service's database.
    Database,
    /// A service that is reached by HTTP.
    Http,
    /// A store of metrics.
    Metrics,
}

impl SystemKind {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: [Self; 7] = [Self::Kafka, Self::Registry, Self::Flags, Self::Workloads, Self::Database, Self::Http, Self::Metrics];

    /// The word in `cutover.yaml` and in resource names.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Registry => "registry",
            Self::Flags => "flags",
            Self::Workloads => "workloads",
            Self::Database => "database",
            Self::Http => "http",
            Self::Metrics => "metrics",
        }
    }
}

impl fmt::Display for SystemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The sort of a topic.
const TOPIC: &str = "topic";

/// The sort of a consumer group.
const GROUP: &str = "group";

/// One thing in one system, written `kafka:main/topic/datarep.exercise`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// Kind of system.
    pub system: SystemKind,
    /// Name of the system in the environment.
    pub name: String,
    /// Sort of thing: `topic`, `subject`, `flag`, `group`, `service`, `table`, `query`, `path`.
    pub sort: String,
    /// Its own name there; may hold slashes.
    pub id: String,
}

impl Resource {
    /// A topic of a cluster.
    #[must_use]
    pub fn topic(cluster: &str, topic: &str) -> Self {
        Self::new(SystemKind::Kafka, cluster, TOPIC, topic)
    }

    /// A consumer group of a cluster.
    #[must_use]
    pub fn group(cluster: &str, group: &str) -> Self {
        Self::new(SystemKind::Kafka, cluster, GROUP, group)
    }

    /// Its name when it is a topic.
    #[must_use]
    pub fn as_topic(&self) -> Option<&str> {
        (self.system == SystemKind::Kafka && self.sort == TOPIC).then_some(self.id.as_str())
    }

    /// Its name when it is a consumer group.
    #[must_use]
    pub fn as_group(&self) -> Option<&str> {
        (self.system == SystemKind::Kafka && self.sort == GROUP).then_some(self.id.as_str())
    }

    /// A subject of a registry.
    #[must_use]
    pub fn subject(registry: &str, subject: &str) -> Self {
        Self::new(SystemKind::Registry, registry, "subject", subject)
    }

    /// A flag of a store.
    #[must_use]
    pub fn flag(store: &str, flag: &str) -> Self {
        Self::new(SystemKind::Flags, store, "flag", flag)
    }

    /// A service of whatever runs services.
    #[must_use]
    pub fn service(workloads: &str, service: &str) -> Self {
        Self::new(SystemKind::Workloads, workloads, "service", service)
    }

    /// A table of a database.
    #[must_use]
    pub fn table(database: &str, table: &str) -> Self {
        Self::new(SystemKind::Database, database, "table", table)
    }

    /// A database as a whole.
    #[must_use]
    pub fn database(database: &str) -> Self {
        Self::new(SystemKind::Database, database, "database", database)
    }

    /// A schema of a database.
    #[must_use]
    pub fn schema(database: &str, schema: &str) -> Self {
        Self::new(SystemKind::Database, database, "schema", schema)
    }

    /// What a store of metrics answers to an expression.
    #[must_use]
    pub fn query(metrics: &str, expression: &str) -> Self {
        Self::new(SystemKind::Metrics, metrics, "query", expression)
    }

    /// What a service answers at a path.
    #[must_use]
    pub fn path(service: &str, path: &str) -> Self {
        // Why not without it where there is nothing else: a name has at least one letter.
        let name = path.strip_prefix('/').filter(|rest| !rest.is_empty()).unwrap_or("/");
        Self::new(SystemKind::Http, service, "path", name)
    }

    fn new(system: SystemKind, name: &str, sort: &str, id: &str) -> Self {
        Self { system, name: name.to_owned(), sort: sort.to_owned(), id: id.to_owned() }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}/{}", self.system, self.name, self.sort, self.id)
    }
}

impl FromStr for Resource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a resource name such as kafka:main/topic/orders");
        let (system, rest) = text.split_once(':').ok_or_else(wrong)?;
        let system = SystemKind::ALL.into_iter().find(|kind| kind.as_str() == system).ok_or_else(wrong)?;
        let mut parts = rest.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(name), Some(sort), Some(id)) if !id.is_empty() => Ok(Self::new(system, name, sort, id)),
            _ => Err(wrong()),
        }
    }
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How a run holds a resource against other runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Others may read it too.
    Read,
    /// Nobody else may have it.
    Write,
}

impl Mode {
    /// What a step does with the resource: `reads` or `writes`.
    #[must_use]
    pub fn verb(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "writes",
        }
    }
}

/// A resource and how it is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Claim {
    /// The thing.
    pub resource: Resource,
    /// How.
    pub mode: Mode,
}

impl Claim {
    /// Shared with other readers.
    #[must_use]
    pub fn read(resource: Resource) -> Self {
        Self { resource, mode: Mode::Read }
    }

    /// Held alone.
    #[must_use]
    pub fn write(resource: Resource) -> Self {
        Self { resource, mode: Mode::Write }
    }
}
