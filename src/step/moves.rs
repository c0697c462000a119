//! What a step does to the systems, in the words of the whole-plan proof. A kind says its moves itself; what they mean for services
//! that are under way is the proof's business and not known here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// When a drain is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainGoal {
    /// The groups will not be handed one any more.
    #[default]
    Consumed,
    /// None is left in the topic.
    Absent,
}

/// One change of the systems. Events are written `Name@version`, or `Name` for every version; tables `service.table`; columns
/// `service.table.column`, with `~meaning` where a column's meaning moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Move {
    /// Every instance of the service comes to run this release.
    Release {
        /// The service.
        service: String,
        /// The release.
        release: String,
    },
    /// The service ends.
    Stop {
        /// The service.
        service: String,
    },
    /// A flag comes to serve this variant to everybody, at once or in shares.
    Flag {
        /// The flag.
        flag: String,
        /// The variant.
        to: String,
    },
    /// A flag comes to serve this variant to a part of its keys, and that stays so.
    FlagShare {
        /// The flag.
        flag: String,
        /// The variant.
        to: String,
    },
    /// A flag goes: everybody gets the default in the code.
    RemoveFlag {
        /// The flag.
        flag: String,
    },
    /// A topic comes to be there.
    CreateTopic {
        /// The topic.
        topic: String,
        /// Whether it is compacted, when the step says so.
        compacted: Option<bool>,
    },
    /// A topic goes, with everything in it.
    DeleteTopic {
        /// The topic.
        topic: String,
    },
    /// A version of an event gets its schema.
    RegisterSchema {
        /// The event with its version.
        event: String,
        /// The topic, when the event is told by it alone.
        topic: Option<String>,
        /// The fields that the schema requires, when the step knows.
        required: Option<Vec<String>>,
    },
    /// A version of an event loses its schema.
    DeleteSchema {
        /// The event with its version.
        event: String,
        /// The topic, when the event is told by it alone.
        topic: Option<String>,
    },
    /// Waits until nothing produces the event any more.
    Retire {
        /// The event.
        event: String,
    },
    /// Waits until events are read, or gone.
    Drain {
        /// The topic.
        topic: String,
        /// The event; everything in the topic when there is none.
        event: Option<String>,
        /// The consumer groups that are waited for; all when there are none.
        groups: Vec<String>,
        /// See [`DrainGoal`].
        goal: DrainGoal,
    },
    /// Publishes every entity of a table.
    Snapshot {
        /// The table.
        table: String,
        /// The topic.
        topic: String,
        /// The event with its version; the owner's own when there is none.
        event: Option<String>,
    },
    /// Waits until a group has read a snapshot.
    CatchUp {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
    },
    /// Sends events that the playbook writes out.
    Send {
        /// The topic.
        topic: String,
        /// The events with their versions.
        events: Vec<String>,
    },
    /// A column comes to be there, nullable.
    AddColumn {
        /// The column.
        column: String,
    },
    /// A column may be null from now on.
    RelaxColumn {
        /// The column.
        column: String,
    },
    /// Every row gets values in these columns, in this meaning.
    Backfill {
        /// The columns.
        columns: Vec<String>,
        /// The meanings that the same columns can be brought back to.
        back: Vec<String>,
    },
    /// A column must not be null from now on.
    RequireColumn {
        /// The column.
        column: String,
    },
    /// A column goes.
    DropColumn {
        /// The column.
        column: String,
    },
    /// A table goes.
    DropTable {
        /// The table.
        table: String,
    },
    /// A need ends, as the playbook says itself.
    EndLink {
        /// The link.
        link: String,
    },
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Release { service, release } => write!(f, "release {service} {release}"),
            Self::Stop { service } => write!(f, "stop {service}"),
            Self::Flag { flag, to } => write!(f, "flag {flag} {to}"),
            Self::FlagShare { flag, to } => write!(f, "flag_share {flag} {to}"),
            Self::RemoveFlag { flag } => write!(f, "remove_flag {flag}"),
            Self::CreateTopic { topic, .. } => write!(f, "create_topic {topic}"),
            Self::DeleteTopic { topic } => write!(f, "delete_topic {topic}"),
            Self::RegisterSchema { event, .. } => write!(f, "register_schema {event}"),
            Self::DeleteSchema { event, .. } => write!(f, "delete_schema {event}"),
            Self::Retire { event } => write!(f, "retire_producers {event}"),
            Self::Drain { topic, event, goal, .. } => {
                let goal = if *goal == DrainGoal::Absent { "absent" } else { "consumed" };
                write!(f, "drain_topic {} {goal}", event.as_deref().unwrap_or(topic))
            }
            Self::Snapshot { table, event, topic } => write!(f, "publish_snapshot {table} as {}", event.as_deref().unwrap_or(topic)),
            Self::CatchUp { group, topic } => write!(f, "catch_up {group} {topic}"),
            Self::Send { events, .. } => write!(f, "send_events {}", events.join(" ")),
            Self::AddColumn { column } => write!(f, "add_column {column}"),
            Self::RelaxColumn { column } => write!(f, "relax_column {column}"),
            Self::Backfill { columns, .. } => write!(f, "backfill_column {}", columns.join(" ")),
            Self::RequireColumn { column } => write!(f, "require_column {column}"),
            Self::DropColumn { column } => write!(f, "drop_column {column}"),
            Self::DropTable { table } => write!(f, "drop_table {table}"),
            Self::EndLink { link } => write!(f, "end_link {link}"),
        }
    }
}
