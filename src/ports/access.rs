//! What a principal may do: the operations that outside systems tell apart, and what one of them says about them.

use serde::{Deserialize, Serialize};

/// Something that is allowed or not. The words are Kafka's and SQL's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Come in: `CONNECT` on a database.
    Connect,
    /// Look inside: `USAGE` on a schema.
    Usage,
    /// See that it is there.
    Describe,
    /// See its settings.
    DescribeConfigs,
    /// Read rows.
    Select,
    /// Read what is in it; of a group, be a member of it.
    Read,
    /// Add to it.
    Write,
    /// Make it.
    Create,
    /// Change its shape.
    Alter,
    /// Change its settings.
    AlterConfigs,
    /// Take it away.
    Delete,
}

impl Operation {
    /// As the system itself writes it: `DescribeConfigs`, `SELECT`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Usage => "USAGE",
            Self::Select => "SELECT",
            Self::Describe => "Describe",
            Self::DescribeConfigs => "DescribeConfigs",
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Create => "Create",
            Self::Alter => "Alter",
            Self::AlterConfigs => "AlterConfigs",
            Self::Delete => "Delete",
        }
    }

    /// Whether whoever may do this may do `other` to the same thing as well, as Kafka has it.
    #[must_use]
    pub fn implies(self, other: Self) -> bool {
        match other {
            Self::Describe => matches!(self, Self::Read | Self::Write | Self::Delete | Self::Alter),
            Self::DescribeConfigs => self == Self::AlterConfigs,
            _ => false,
        }
    }
}

/// One operation on one thing of a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Sort of thing: `topic`, `group`, `database`, `schema`, `table`.
    pub sort: String,
    /// Its name; `*` for every group.
    pub id: String,
    /// What is to be done with it.
    pub operation: Operation,
}

/// What a system says about one operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// We may.
    Given,
    /// We may not.
    Missing,
    /// Nobody tells us; says why.
    Unknown(String),
}

impl Leave {
    /// The same answer to every question.
    #[must_use]
    pub fn unknown(asked: &[Access], why: &str) -> Vec<Self> {
        asked.iter().map(|_| Self::Unknown(why.to_owned())).collect()
    }
}
