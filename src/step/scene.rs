//! The state that a story of the proof tells of, as a value.

/// The state that a story tells of, in names: for whoever wants to bring it about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scene {
    /// The step at which it is so; `None` before the first one.
    pub step: Option<String>,
    /// Whether the step is under way then, and not done.
    pub under_way: bool,
    /// The live release that is harmed, or harms.
    pub release: Option<Running>,
    /// The live release that stands against it.
    pub other: Option<Running>,
    /// The link that it is about.
    pub link: Option<String>,
    /// The version of an event that it is about, as `Name@version`.
    pub event: Option<String>,
    /// The service that reads it.
    pub reader: Option<String>,
    /// The topic that it is about.
    pub topic: Option<String>,
    /// The column that it is about, as `service.table.column`.
    pub column: Option<String>,
    /// What rows may have in that column.
    pub meaning: Option<String>,
    /// What is still on its way, or still there.
    pub waiting: Vec<Waiting>,
}

/// A release of which an instance is live.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Running {
    /// The service.
    pub service: String,
    /// The release.
    pub release: String,
}

/// Events that are still on their way, or still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// In a buffer, an outbox or an open transaction of this service.
    Unsent {
        /// The service.
        service: String,
        /// The event, as `Name@version`.
        event: String,
    },
    /// In the topic, not read by this service.
    Unread {
        /// The service.
        service: String,
        /// The event, as `Name@version`.
        event: String,
    },
    /// In the topic, whoever has read it.
    Lying {
        /// The event, as `Name@version`.
        event: String,
    },
}
